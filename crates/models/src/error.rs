//! [`ModelError`]: what can be wrong with a configuration or a file.

use std::path::PathBuf;

/// Why a model could not be built, loaded or saved. One line each.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model has this name.
    #[error("there is no model \"{name}\"; the models are {known}")]
    UnknownName {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// The configuration cannot be built.
    #[error("{model}: {problem}")]
    Configuration {
        /// The model's name.
        model: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The file is a safetensors file, but holds no model of this kind.
    #[error("{} is no saved model: {problem}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The inputs do not suit the model.
    #[error("the model takes inputs of shape {expected:?}, not {found:?}")]
    InputShape {
        /// One sample, as the model takes it.
        expected: Vec<usize>,
        /// One sample, as it is.
        found: Vec<usize>,
    },
    /// The classes do not suit the model.
    #[error("the model knows {known} classes, the data has {found}")]
    Classes {
        /// As the model has them.
        known: usize,
        /// As the data has them.
        found: usize,
    },
    /// What the model makes of an input is NaN or infinite.
    #[error("sample {row} (from 0) is so far out of range that the model's answer is not finite")]
    NotFinite {
        /// The sample, counting from 0.
        row: usize,
    },
    /// The data does not suit the model.
    #[error(transparent)]
    Data(#[from] chainrule_data::DataError),
    /// The weights cannot be read, written or used.
    #[error(transparent)]
    State(#[from] chainrule_layers::StateError),
}
