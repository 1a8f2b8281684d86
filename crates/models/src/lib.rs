//! Models: nets built from a configuration, with all that is needed to use them again.
//!
//! * [`Architecture`] describes a net in plain data: [`Mlp`], [`Cnn`], [`Recurrent`], [`CnnLstm`]. [`Architecture::build`] makes it.
//! * [`Classifier`] is a net with its classes and the scaling of its inputs; it is saved as one safetensors file, weights
//!   under their usual names and the configuration in the metadata.
//! * [`Forecaster`] continues time series in the same way, [`LanguageModel`] text. [`Saved`] loads any of the three.
//! * [`Gpt`] predicts the next token; [`Bert`] reads texts, under the names of Hugging Face's weights.

#![forbid(unsafe_code)]

mod architecture;
mod bert;
mod classifier;
mod cnn;
mod error;
mod forecast_net;
mod forecaster;
mod gpt;
mod language_model;
mod language_net;
mod mlp;
mod recurrence;
mod recurrent;
mod recurrent_language_net;
mod saved;

pub use architecture::Architecture;
pub use bert::{
    Bert, BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs, BertLoaded, BertOutput, load_bert,
};
pub use classifier::{Classifier, ClassifierConfig, LayerSummary, Scaling};
pub use cnn::Cnn;
pub use error::ModelError;
pub use forecast_net::{ForecastNet, ForecastNetConfig, Normalization};
pub use forecaster::{ForecastOptions, Forecaster, ForecasterConfig, Season};
pub use gpt::{Gpt, GptCache, GptConfig, GptPositions};
pub use language_model::{LanguageModel, LanguageModelConfig, LanguageObjective, Sampling};
pub use language_net::{LanguageNet, LanguageNetConfig};
pub use mlp::Mlp;
pub use recurrence::{Recurrence, RecurrentKind, RecurrentState};
pub use recurrent::{CnnLstm, Recurrent};
pub use recurrent_language_net::{RecurrentLanguageNet, RecurrentLanguageNetConfig};
pub use saved::Saved;
