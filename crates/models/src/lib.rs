//! Models: nets built from a configuration, with all that is needed to use them again.
//!
//! * [`Architecture`] describes a net in plain data: [`Mlp`], [`Cnn`]. [`Architecture::build`] makes it.
//! * [`Classifier`] is a net with its classes and the scaling of its inputs; it is saved as one safetensors file, weights
//!   under their usual names and the configuration in the metadata.
//! * [`Gpt`] predicts the next token; [`Bert`] reads texts, under the names of Hugging Face's weights.

#![forbid(unsafe_code)]

mod architecture;
mod bert;
mod classifier;
mod cnn;
mod error;
mod gpt;
mod mlp;

pub use architecture::Architecture;
pub use bert::{
    Bert, BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs, BertLoaded, BertOutput, load_bert,
};
pub use classifier::{Classifier, ClassifierConfig, LayerSummary, Scaling};
pub use cnn::Cnn;
pub use error::ModelError;
pub use gpt::{Gpt, GptCache, GptConfig, GptPositions};
pub use mlp::Mlp;
