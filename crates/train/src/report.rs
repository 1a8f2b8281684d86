//! [`Report`]: what is kept of a run, as JSON.

use crate::{EpochMetrics, Evaluation};
use chainrule_layers::write_whole;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// A run: what was trained on what, how it went, how good it is. `M` is what the task is judged by: [`TestMetrics`],
/// [`ForecastMetrics`](crate::ForecastMetrics) or [`LanguageMetrics`](crate::LanguageMetrics).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report<M = TestMetrics> {
    /// The model's name.
    pub model: String,
    /// The data set's name.
    pub data: String,
    /// The kind of task: `"classification"`, `"forecasting"` or `"language modeling"`.
    pub task: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// How many threads worked. Results do not depend on it.
    pub threads: usize,
    /// Each epoch in turn.
    pub epochs: Vec<EpochMetrics>,
    /// The judgment on the test data.
    pub test: M,
    /// How long training took, without reading data and judging.
    pub train_seconds: f64,
}

/// The judgment on the test data. Precision, recall and F1 are means over classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// The mean cross entropy of a sample.
    pub loss: f64,
    /// The share of samples whose class was predicted.
    pub accuracy: f64,
    /// Of the samples taken for a class, the share that is of it.
    pub precision: f64,
    /// Of the samples of a class, the share that was taken for it.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
}

impl From<&Evaluation> for TestMetrics {
    fn from(evaluation: &Evaluation) -> Self {
        let Evaluation { loss, confusion } = evaluation;
        TestMetrics {
            loss: *loss,
            accuracy: confusion.accuracy(),
            precision: confusion.precision(),
            recall: confusion.recall(),
            f1: confusion.f1(),
        }
    }
}

/// Why a report could not be written.
#[derive(Debug)]
pub struct ReportError {
    path: PathBuf,
    cause: std::io::Error,
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReportError { path, cause } = self;
        write!(f, "cannot write {}: {cause}", path.display())
    }
}

impl std::error::Error for ReportError {}

impl<M: Serialize> Report<M> {
    /// Writes the report as JSON. The file appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        let path = path.as_ref();
        let write = |file: &mut dyn std::io::Write| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        };
        write_whole(path, write).map_err(|cause| ReportError { path: path.to_owned(), cause })
    }
}
