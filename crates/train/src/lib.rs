//! Training: from a model and a data set to a judged model.
//!
//! * [`fit`] runs the epochs: shuffled batches, forward, backward, optimizer step; [`Progress`] watches. What is trained for is an
//!   [`Objective`]: classes, forecasts, or your own.
//! * [`evaluate`] judges on data that training did not see; [`Confusion`] gives accuracy, precision, recall and F1.
//! * [`Report`] is what is kept of a run, as JSON.

#![forbid(unsafe_code)]

mod errors;
mod evaluate;
mod fit;
mod metrics;
mod objective;
mod progress;
mod report;

pub use errors::{ForecastErrors, ForecastMetrics, LanguageMetrics};
pub use evaluate::{Evaluation, evaluate, predict_probabilities};
pub use fit::{EpochMetrics, FitError, FitOptions, fit};
pub use metrics::Confusion;
pub use objective::{BatchLoss, Objective};
pub use progress::{Progress, Silent};
pub use report::{Report, ReportError, TestMetrics};
