//! Runs the workloads on Chainrule and prints their times, rates and memory.
//!
//! `cargo run --release -p chainrule-benches --bin workloads -- [--threads N] [--secs S] [--json] [PREFIX ..]`

use chainrule_benches::report::Row;
use chainrule_benches::workload::{self, Workload};
use chainrule_benches::{machine, measure};
use clap::Parser;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Times the workloads. Threads are pinned to cores; every step runs inside the pool.
#[derive(Parser)]
#[command(name = "workloads")]
struct Args {
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Seconds to measure each workload, which runs at least 20 steps
    #[arg(long, default_value_t = 3.0, value_parser = measure::seconds)]
    secs: f64,
    /// Print a line of JSON for each workload
    #[arg(long)]
    json: bool,
    /// Run each workload in a process of its own, so that its peak memory is its own too
    #[arg(long)]
    isolate: bool,
    /// Run only the workloads whose whole names are given
    #[arg(long)]
    exact: bool,
    /// Write each net and its inputs to DIR/WORKLOAD.safetensors before the first step
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Print the names of the workloads
    #[arg(long)]
    list: bool,
    /// Run only workloads whose names begin with one of these
    prefix: Vec<String>,
}

impl Args {
    /// The workloads that are asked for.
    fn selected(&self) -> Result<Vec<Workload>, String> {
        let all = workload::all();
        let fits = |w: &Workload, p: &String| if self.exact { w.name == *p } else { w.name.starts_with(p.as_str()) };
        if let Some(unknown) = self.prefix.iter().find(|p| !all.iter().any(|w| fits(w, p))) {
            return Err(format!("no workload is called {unknown}; --list names them"));
        }
        Ok(all.into_iter().filter(|w| self.prefix.is_empty() || self.prefix.iter().any(|p| fits(w, p))).collect())
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let selected = args.selected()?;
    if args.list {
        selected.iter().for_each(|w| println!("{}", w.name));
        return Ok(());
    }
    if args.isolate {
        return isolated(args, &selected);
    }
    let pool = machine::pinned_pool(args.threads.into());
    pool.install(|| {
        let peak = machine::peak_gflops();
        if !args.json {
            println!("peak rate: {peak:.1} GFLOP/s with {} threads", args.threads);
            println!("{}", Row::heading());
        }
        // Memory is that of the whole process: with several workloads it says little about the later ones.
        let alone = selected.len() == 1;
        selected.iter().try_for_each(|workload| {
            let file = args.export.as_ref().map(|dir| dir.join(format!("{}.safetensors", workload.name)));
            let times = measure::time(&mut workload.build(file)?, args.secs);
            let gflops = workload.flops / times.median_ms / 1e6;
            let row = Row {
                workload: workload.name.clone(),
                threads: args.threads.into(),
                times,
                gflops,
                percent_of_peak: 100.0 * gflops / peak,
                peak_mb: machine::peak_memory_mb().filter(|_| alone),
            };
            println!("{}", if args.json { row.to_json() } else { row.to_line() });
            Ok(())
        })
    })
}

/// Calls this program once for each workload.
fn isolated(args: &Args, selected: &[Workload]) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    for (i, workload) in selected.iter().enumerate() {
        let mut command = Command::new(&program);
        command.args(["--exact", &workload.name, "--threads", &args.threads.to_string()]);
        command.args(["--secs", &args.secs.to_string()]);
        if args.json {
            command.arg("--json");
        }
        if let Some(dir) = &args.export {
            command.arg("--export").arg(dir);
        }
        let output = command.output().map_err(|error| format!("{}: {error}", workload.name))?;
        if !output.status.success() {
            return Err(format!("{}: {}", workload.name, String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        // The headings are wanted once.
        let skip = if args.json || i == 0 { 0 } else { 2 };
        text.lines().skip(skip).for_each(|line| println!("{line}"));
    }
    Ok(())
}
