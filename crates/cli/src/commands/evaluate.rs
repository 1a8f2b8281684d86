//! `chainrule evaluate`: a saved model judged on test data.

use super::{load_model, start_threads};
use crate::args::EvaluateArgs;
use crate::error::CliError;
use crate::output;

pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<(), CliError> {
    start_threads(args.threads)?;
    let model = load_model(&args.dir)?;
    let source = args.data.as_deref().unwrap_or(&model.config().data);
    // The model's own seed: embedded sets are split as they were for training.
    let loaded = chainrule::data::load(source, model.config().seed)?;
    let judged = model.evaluate(loaded.test)?;
    output::judgment(&mut std::io::stdout(), &judged, model.classes())?;
    Ok(())
}
