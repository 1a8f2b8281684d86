//! The `chainrule` command.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod error;
mod output;

use args::{Args, Command};
use clap::Parser;
use error::CliError;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => return fail(&usage_error(&error.to_string()), 2),
        // Help or the version was asked for.
        Err(help) => help.exit(),
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output may have seen enough.
        Err(CliError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 1),
    }
}

/// Ends with one line on standard error, whatever file names and the like bring into the message.
fn fail(message: &str, code: u8) -> ExitCode {
    let line: String =
        message.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect();
    // If nobody reads standard error either, there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {line}");
    ExitCode::from(code)
}

/// What clap has to say about a command line, in one line: paragraphs become clauses, the usage gives way to a hint.
fn usage_error(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let paragraphs = message.split("\n\n").map(|paragraph| {
        paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let clauses = paragraphs.filter(|text| !text.is_empty() && !text.starts_with("Usage:"));
    clauses.collect::<Vec<_>>().join("; ").replace("; For more", "; for more").trim_end_matches('.').to_string()
}

fn run(args: Args) -> Result<(), CliError> {
    chainrule::kernels::simd::from_env().map_err(CliError::Environment)?;
    match args.command.unwrap_or_default() {
        Command::Train(options) => commands::train(&options),
        Command::Evaluate(options) => commands::evaluate(&options),
        Command::Predict(options) => commands::predict(&options),
        Command::Generate(options) => commands::generate(&options),
        Command::Inspect(options) => commands::inspect(&options),
        Command::Datasets => commands::datasets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_take_one_line() {
        let message = |args: &[&str]| usage_error(&Args::try_parse_from(args).unwrap_err().to_string());
        assert_eq!(
            message(&["chainrule", "train", "xnn"]),
            "invalid value 'xnn' for '[MODEL]' [possible values: mlp, cnn, rnn, lstm, gru, cnn-lstm, char-lm]; tip: a similar value exists: 'rnn'; \
             for more information, try '--help'"
        );
        assert_eq!(
            message(&["chainrule", "predict", "DIR"]),
            "the following required arguments were not provided: --input <FILE>; for more information, try '--help'"
        );
    }
}
