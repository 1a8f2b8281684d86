//! [`ModelError`]: what can be wrong with a configuration or a file.

use std::fmt;
use std::hint::black_box;
use std::path::PathBuf;

/// Why a model could not be built, loaded or saved. One line each.
#[derive(Debug)]
pub enum ModelError {
    /// No model has this name.
    UnknownName {
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// The configuration cannot be built.
    Configuration {
        /// The model's name.
        model: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The file is a safetensors file, but holds no model of this kind.
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The inputs do not suit the model.
    InputShape {
        /// One sample, as the model takes it.
        expected: Vec<usize>,
        /// One sample, as it is.
        found: Vec<usize>,
    },
    /// The classes do not suit the model.
    Classes {
        /// As the model has them.
        known: usize,
        /// As the data has them.
        found: usize,
    },
    /// What the model makes of an input is NaN or infinite.
    NotFinite {
        /// The sample, counting from 0.
        row: usize,
    },
    /// The data does not suit the model.
    Data(chainrule_data::DataError),
    /// The weights cannot be read, written or used.
    State(chainrule_layers::StateError),
}

/// The number of a net's parameters, unless it is too large for a number, or the parameters for the memory: the system may end a
/// program that asks for more.
pub(crate) fn affordable(model: &'static str, parameters: Option<usize>) -> Result<usize, ModelError> {
    let fail = |problem| Err(ModelError::Configuration { model, problem });
    // An allocation that nobody looks at would be optimized away.
    let fits = |n| black_box(Vec::<f32>::new()).try_reserve_exact(n).is_ok();
    match parameters {
        None => fail("the sizes are too large".into()),
        Some(n) if !fits(n) => fail(format!("the sizes are too large: there is no memory for {n} parameters")),
        Some(n) => Ok(n),
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelError::UnknownName { name, known } => {
                write!(f, "there is no model \"{name}\"; the models are {known}")
            }
            ModelError::Configuration { model, problem } => write!(f, "{model}: {problem}"),
            ModelError::NotAModel { path, problem } => write!(f, "{} is no saved model: {problem}", path.display()),
            ModelError::InputShape { expected, found } => {
                write!(f, "the model takes inputs of shape {expected:?}, not {found:?}")
            }
            ModelError::Classes { known, found } => write!(f, "the model knows {known} classes, the data has {found}"),
            ModelError::NotFinite { row } => {
                write!(f, "sample {row} (from 0) is so far out of range that the model's answer is not finite")
            }
            ModelError::Data(error) => error.fmt(f),
            ModelError::State(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ModelError {}

impl From<chainrule_data::DataError> for ModelError {
    fn from(error: chainrule_data::DataError) -> Self {
        ModelError::Data(error)
    }
}

impl From<chainrule_layers::StateError> for ModelError {
    fn from(error: chainrule_layers::StateError) -> Self {
        ModelError::State(error)
    }
}
