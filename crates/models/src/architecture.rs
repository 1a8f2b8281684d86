//! [`Architecture`]: a net described in plain data.

use crate::{Cnn, Mlp, ModelError};
use chainrule_layers::Sequential;
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};

/// A net's kind and sizes. This is what is written into saved models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "lowercase")]
pub enum Architecture {
    /// A multilayer perceptron.
    Mlp(Mlp),
    /// A small convolutional net.
    Cnn(Cnn),
}

impl Architecture {
    /// The names that [`by_name`](Architecture::by_name) knows.
    pub const NAMES: [&'static str; 2] = ["mlp", "cnn"];

    /// The model of this name in its default sizes, for inputs of this shape.
    ///
    /// # Errors
    /// If there is no such model.
    pub fn by_name(name: &str, input: &[usize], outputs: usize) -> Result<Self, ModelError> {
        match name {
            "mlp" => Ok(Architecture::Mlp(Mlp::new(input, outputs))),
            "cnn" => Ok(Architecture::Cnn(Cnn::new(input, outputs))),
            _ => Err(ModelError::UnknownName { name: name.into(), known: Self::NAMES.join(", ") }),
        }
    }

    /// The model's name.
    pub fn name(&self) -> &'static str {
        match self {
            Architecture::Mlp(_) => "mlp",
            Architecture::Cnn(_) => "cnn",
        }
    }

    /// The shape of one input.
    pub fn input(&self) -> &[usize] {
        match self {
            Architecture::Mlp(mlp) => &mlp.input,
            Architecture::Cnn(cnn) => &cnn.input,
        }
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Architecture::Mlp(mlp) => mlp.outputs,
            Architecture::Cnn(cnn) => cnn.outputs,
        }
    }

    /// How many numbers the net's parameters hold. Counts without building the net, so that sizes from a file can be judged
    /// before they are believed.
    ///
    /// # Errors
    /// If the sizes do not make a net.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        match self {
            Architecture::Mlp(mlp) => mlp.parameters(),
            Architecture::Cnn(cnn) => cnn.parameters(),
        }
    }

    /// The net with fresh weights.
    ///
    /// # Errors
    /// If the sizes do not make a net.
    pub fn build(&self, rng: &mut Rng) -> Result<Sequential, ModelError> {
        match self {
            Architecture::Mlp(mlp) => mlp.build(rng),
            Architecture::Cnn(cnn) => cnn.build(rng),
        }
    }
}
