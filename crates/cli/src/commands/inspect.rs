//! `chainrule inspect`: a saved model's layers.

use super::load_model;
use crate::args::InspectArgs;
use crate::error::CliError;
use crate::output::table;
use chainrule::layers::Module;
use chainrule::models::{Classifier, Saved};
use std::io::{Write, stdout};

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), CliError> {
    match load_model(&args.dir)? {
        Saved::Classifier(model) => classifier(&model),
        Saved::Forecaster(model) => {
            let config = model.config();
            let net = &config.net;
            let mut out = stdout();
            writeln!(out, "{} forecaster trained on {} (seed {})", net.cell.name(), config.data, config.seed)?;
            writeln!(out, "columns {}, window {}, horizon {}", config.columns.join(", "), net.window, net.horizon)?;
            if let Some(season) = config.season {
                writeln!(out, "a season of {season:.1} steps")?;
            }
            parameters(&model.net)
        }
        Saved::LanguageModel(model) => {
            let config = model.config();
            let (cell, tokens) = (config.net.name(), &config.tokenization);
            let mut out = stdout();
            writeln!(out, "{cell} language model trained on {} (seed {})", config.data, config.seed)?;
            writeln!(out, "vocabulary of {} {tokens}", model.vocabulary().len())?;
            parameters(&model.net)
        }
    }
}

/// The layers of a chain, what they put out, and how many parameters they have.
fn classifier(model: &Classifier) -> Result<(), CliError> {
    let config = model.config();
    let mut out = stdout();
    writeln!(out, "{} trained on {} (seed {})", config.architecture.name(), config.data, config.seed)?;
    writeln!(out, "input {:?}, classes {}\n", config.architecture.input(), config.classes.join(", "))?;
    let mut rows = vec![["name", "layer", "output", "parameters"].map(String::from).to_vec()];
    let layers = model.summary();
    rows.extend(layers.iter().map(|layer| {
        vec![layer.name.clone(), layer.layer.clone(), format!("{:?}", layer.output), layer.parameters.to_string()]
    }));
    table(&mut out, &rows)?;
    let total: usize = layers.iter().map(|layer| layer.parameters).sum();
    writeln!(out, "\n{total} parameters")?;
    Ok(())
}

/// The parameters of a net by their names.
fn parameters(net: &impl Module) -> Result<(), CliError> {
    let mut out = stdout();
    let mut rows = vec![["name", "shape", "parameters"].map(String::from).to_vec()];
    let named = net.named_parameters();
    rows.extend(
        named.iter().map(|(name, param)| vec![name.clone(), param.shape().to_string(), param.numel().to_string()]),
    );
    writeln!(out)?;
    table(&mut out, &rows)?;
    writeln!(out, "\n{} parameters", net.num_parameters())?;
    Ok(())
}
