//! `chainrule predict`: the class of each new input, and how sure the model is.

use super::{inputs, load_model, start_threads};
use crate::args::PredictArgs;
use crate::error::CliError;
use std::io::{BufWriter, Write};

pub(crate) fn predict(args: &PredictArgs) -> Result<(), CliError> {
    start_threads(args.threads)?;
    let model = load_model(&args.dir)?;
    let inputs = inputs::read(&args.input, model.config().architecture.input())?;
    let probabilities = model.predict(&inputs)?;
    let mut out = BufWriter::new(std::io::stdout());
    writeln!(out, "class,probability")?;
    for (row, class) in probabilities.view().outer_iter().zip(probabilities.argmax(1)) {
        writeln!(out, "{},{:.4}", csv_field(&model.classes()[class]), row[class])?;
    }
    out.flush()?;
    Ok(())
}

/// A field as CSV wants it: quoted where it holds a comma, a quote or a line break.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
