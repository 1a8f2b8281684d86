//! Models: nets built from a configuration, with all that is needed to use them again.
//!
//! * [`Architecture`] describes a net in plain data: [`Mlp`], [`Cnn`], [`Recurrent`], [`CnnLstm`]. [`Architecture::build`] makes it.
//! * [`Classifier`] is a net with its classes and the scaling of its inputs; it is saved as one safetensors file, weights
//!   under their usual names and the configuration in the metadata.

#![forbid(unsafe_code)]

mod architecture;
mod classifier;
mod cnn;
mod error;
mod mlp;
mod recurrent;

pub use architecture::Architecture;
pub use classifier::{Classifier, ClassifierConfig, LayerSummary, Scaling};
pub use cnn::Cnn;
pub use error::ModelError;
pub use mlp::Mlp;
pub use recurrent::{CnnLstm, Recurrent};
