//! What the peers share: arguments, pinned threads, timing and the line of JSON, the same as in Chainrule's own runner.
//!
//! `peer-NAME [--threads N] [--secs S] [--exact] [--weights DIR] [PREFIX ..]`. With `--weights`, nets start from the files
//! that Chainrule's runner exported, so that losses can be compared.

use std::path::{Path, PathBuf};
use std::time::Instant;

/// The command line.
pub struct Args {
    pub threads: usize,
    pub secs: f64,
    exact: bool,
    weights: Option<PathBuf>,
    prefix: Vec<String>,
}

impl Args {
    pub fn parse() -> Self {
        let mut args = Args { threads: 2, secs: 3.0, exact: false, weights: None, prefix: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--threads" => args.threads = value().parse().expect("--threads: a number"),
                "--secs" => args.secs = value().parse().expect("--secs: a number"),
                "--exact" => args.exact = true,
                "--weights" => args.weights = Some(value().into()),
                _ => args.prefix.push(word),
            }
        }
        args
    }

    /// Whether this workload is asked for.
    pub fn wants(&self, name: &str) -> bool {
        let fits = |p: &String| if self.exact { name == p } else { name.starts_with(p.as_str()) };
        self.prefix.is_empty() || self.prefix.iter().any(fits)
    }

    /// The file with a workload's numbers, if there is one.
    pub fn weights(&self, name: &str) -> Option<PathBuf> {
        let path = self.weights.as_deref().map(|dir: &Path| dir.join(format!("{name}.safetensors")))?;
        path.exists().then_some(path)
    }

    /// Runs `work` inside a pool of threads, each pinned to a core of its own.
    pub fn pinned<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let pin = move |thread: usize| {
            if !cores.is_empty() {
                core_affinity::set_for_current(cores[thread % cores.len()]);
            }
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).start_handler(pin);
        pool.build().expect("threads can be started").install(work)
    }

    /// Times the steps and prints the line. A training step gives its loss in the warm-up, when it is asked for.
    pub fn measure(&self, (engine, version): (&str, &str), name: &str, mut step: impl FnMut(bool) -> Option<f32>) {
        let losses: Vec<String> = (0..5).filter_map(|_| step(true)).map(|loss| format!("{loss:?}")).collect();
        let (begin, mut times) = (Instant::now(), Vec::new());
        while times.len() < 20 || (begin.elapsed().as_secs_f64() < self.secs && times.len() < 200_000) {
            let start = Instant::now();
            step(false);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{{\"impl\": \"{engine}\", \"version\": \"{version}\", \"workload\": \"{name}\", \"threads\": {}, \"median_ms\": {:.5}, \"min_ms\": {:.5}, \
             \"peak_mb\": {:.1}, \"losses\": [{}]}}",
            self.threads,
            times[times.len() / 2],
            times[0],
            peak_memory_mb(),
            losses.join(", ")
        );
    }
}

/// The most memory this process has had in use, in MB; 0 where the system does not say.
fn peak_memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.unwrap_or(0.0) * 1024.0 / 1e6
}

/// The shapes of the matrix products.
pub fn products() -> impl Iterator<Item = (String, [usize; 3])> {
    let squares = [64, 128, 256, 512, 1024, 2048].into_iter().map(|n| (format!("gemm_{n}"), [n; 3]));
    let others = [[64, 784, 512], [1024, 512, 256], [32, 256, 1024]];
    squares.chain(others.into_iter().map(|[m, k, n]| (format!("gemm_{m}x{k}x{n}"), [m, k, n])))
}
