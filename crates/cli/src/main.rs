//! The `chainrule` command.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod error;
mod output;

use args::{Args, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output may have seen enough.
        Err(CliError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), CliError> {
    chainrule::kernels::simd::from_env().map_err(CliError::Environment)?;
    match args.command.unwrap_or_default() {
        Command::Train(options) => commands::train(&options),
        Command::Evaluate(options) => commands::evaluate(&options),
        Command::Predict(options) => commands::predict(&options),
        Command::Inspect(options) => commands::inspect(&options),
        Command::Datasets => commands::datasets(),
    }
}
