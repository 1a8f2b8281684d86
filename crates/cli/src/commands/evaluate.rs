//! `chainrule evaluate`: a saved model judged on test data.

use super::{load_model, series, start_threads, text};
use crate::args::EvaluateArgs;
use crate::error::CliError;
use crate::output;
use chainrule::data::split_tokens;
use chainrule::models::{Classifier, Forecaster, LanguageModel, ModelError, Saved};
use std::io::stdout;

pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<(), CliError> {
    start_threads(args.threads)?;
    let data = args.data.as_deref();
    match load_model(&args.dir)? {
        Saved::Classifier(model) => classifier(&model, data.unwrap_or(&model.config().data)),
        Saved::Forecaster(model) => forecaster(&model, data.unwrap_or(&model.config().data)),
        Saved::LanguageModel(model) => language(&model, data.unwrap_or(&model.config().data)),
    }
}

fn classifier(model: &Classifier, data: &str) -> Result<(), CliError> {
    // The model's own seed: embedded sets are split as they were for training.
    let loaded = chainrule::data::load(data, model.config().seed)?;
    let judged = model.evaluate(loaded.test)?;
    Ok(output::judgment(&mut stdout(), &judged, model.classes())?)
}

/// On the last steps of the series, as many as were held out in training.
fn forecaster(model: &Forecaster, data: &str) -> Result<(), CliError> {
    let config = model.config();
    let columns: Vec<&str> = config.columns.iter().map(String::as_str).collect();
    let series = series::read(data, &columns, config.seed)?;
    Ok(output::forecast_errors(&mut stdout(), &model.evaluate(&series, config.held_out)?)?)
}

/// On the end of the text, the share that was held out in training.
fn language(model: &LanguageModel, data: &str) -> Result<(), CliError> {
    let tokens = model.vocabulary().encode(&text::read(data)?).map_err(ModelError::from)?;
    let (_, test) = split_tokens(&tokens, model.config().held_out)?;
    Ok(output::language(&mut stdout(), &model.evaluate(test)?)?)
}
