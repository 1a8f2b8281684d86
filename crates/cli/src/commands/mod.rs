//! One file for each command, and what they share.

mod datasets;
mod evaluate;
mod generate;
mod inputs;
mod inspect;
mod predict;
mod series;
mod text;
mod train;

pub(crate) use datasets::datasets;
pub(crate) use evaluate::evaluate;
pub(crate) use generate::generate;
pub(crate) use inspect::inspect;
pub(crate) use predict::predict;
pub(crate) use train::train;

use crate::error::CliError;
use chainrule::models::Saved;
use std::path::Path;

/// The file of a saved model in its folder.
const MODEL_FILE: &str = "model.safetensors";
/// The file of a run's metrics in its folder.
const METRICS_FILE: &str = "metrics.json";

/// Starts as many threads as were asked for, or one a core. Returns how many.
fn start_threads(threads: Option<usize>) -> Result<usize, CliError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    pool.build_global().map_err(|e| CliError::Threads(e.to_string()))?;
    Ok(rayon::current_num_threads())
}

/// The saved model in a folder, or in a file.
fn load_model(path: &Path) -> Result<Saved, CliError> {
    let file = if path.is_dir() { path.join(MODEL_FILE) } else { path.to_owned() };
    Ok(Saved::load(file)?)
}
