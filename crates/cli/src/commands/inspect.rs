//! `chainrule inspect`: a saved model's layers.

use super::load_model;
use crate::args::InspectArgs;
use crate::error::CliError;
use crate::output::table;
use std::io::Write;

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), CliError> {
    let model = load_model(&args.dir)?;
    let config = model.config();
    let mut out = std::io::stdout();
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
