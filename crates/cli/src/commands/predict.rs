//! `chainrule predict`: the class of each new input and how sure the model is, or the next steps of a series.

use super::{inputs, load_model, series, start_threads};
use crate::args::PredictArgs;
use crate::error::CliError;
use chainrule::models::{Classifier, Forecaster, Saved};
use std::io::{BufWriter, Write};
use std::path::Path;

pub(crate) fn predict(args: &PredictArgs) -> Result<(), CliError> {
    start_threads(args.threads)?;
    match load_model(&args.dir)? {
        Saved::Classifier(model) => classes(&model, &args.input),
        Saved::Forecaster(model) => next_steps(&model, &args.input),
        Saved::LanguageModel(_) => {
            Err(CliError::Usage(format!("{} holds a language model: see chainrule generate", args.dir.display())))
        }
    }
}

fn classes(model: &Classifier, input: &Path) -> Result<(), CliError> {
    let inputs = inputs::read(input, model.config().architecture.input())?;
    let probabilities = model.predict(&inputs)?;
    let mut out = BufWriter::new(std::io::stdout());
    writeln!(out, "class,probability")?;
    for (row, class) in probabilities.view().outer_iter().zip(probabilities.argmax(1)) {
        writeln!(out, "{},{:.4}", csv_field(&model.classes()[class]), row[class])?;
    }
    out.flush()?;
    Ok(())
}

/// What comes after the end of the series in the file.
fn next_steps(model: &Forecaster, input: &Path) -> Result<(), CliError> {
    let config = model.config();
    let columns: Vec<&str> = config.columns.iter().map(String::as_str).collect();
    let series = series::read(&input.to_string_lossy(), &columns, config.seed)?;
    let forecast = model.forecast(&series)?;
    let mut out = BufWriter::new(std::io::stdout());
    writeln!(out, "step,{}", csv_field(columns[0]))?;
    for (step, value) in (1..).zip(forecast) {
        writeln!(out, "{step},{value}")?;
    }
    out.flush()?;
    Ok(())
}

/// A field as CSV wants it: quoted where it holds a comma, a quote or a line break.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
