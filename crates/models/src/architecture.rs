//! [`Architecture`]: a net described in plain data.

use crate::{Cnn, CnnLstm, Mlp, ModelError, Recurrent, RecurrentKind};
use chainrule_layers::Sequential;
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};

/// A net's kind and sizes. This is what is written into saved models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case")]
pub enum Architecture {
    /// A multilayer perceptron.
    Mlp(Mlp),
    /// A small convolutional net.
    Cnn(Cnn),
    /// A plain recurrent net.
    Rnn(Recurrent),
    /// A recurrent net of LSTM layers.
    Lstm(Recurrent),
    /// A recurrent net of GRU layers.
    Gru(Recurrent),
    /// A convolutional net for each frame, an LSTM over the frames.
    CnnLstm(CnnLstm),
}

impl Architecture {
    /// The names that [`by_name`](Architecture::by_name) knows.
    pub const NAMES: [&'static str; 6] = ["mlp", "cnn", "rnn", "lstm", "gru", "cnn-lstm"];

    /// The model of this name in its default sizes, for inputs of this shape.
    ///
    /// # Errors
    /// If there is no such model.
    pub fn by_name(name: &str, input: &[usize], outputs: usize) -> Result<Self, ModelError> {
        match name {
            "mlp" => Ok(Architecture::Mlp(Mlp::new(input, outputs))),
            "cnn" => Ok(Architecture::Cnn(Cnn::new(input, outputs))),
            "rnn" => Ok(Architecture::Rnn(Recurrent::new(input, outputs))),
            "lstm" => Ok(Architecture::Lstm(Recurrent::new(input, outputs))),
            "gru" => Ok(Architecture::Gru(Recurrent::new(input, outputs))),
            "cnn-lstm" => Ok(Architecture::CnnLstm(CnnLstm::new(input, outputs))),
            _ => Err(ModelError::UnknownName { name: name.into(), known: Self::NAMES.join(", ") }),
        }
    }

    /// The model's name.
    pub fn name(&self) -> &'static str {
        match self {
            Architecture::Mlp(_) => "mlp",
            Architecture::Cnn(_) => "cnn",
            Architecture::Rnn(_) => "rnn",
            Architecture::Lstm(_) => "lstm",
            Architecture::Gru(_) => "gru",
            Architecture::CnnLstm(_) => "cnn-lstm",
        }
    }

    /// The shape of one input.
    pub fn input(&self) -> &[usize] {
        match self {
            Architecture::Mlp(mlp) => &mlp.input,
            Architecture::Cnn(cnn) => &cnn.input,
            Architecture::Rnn(net) | Architecture::Lstm(net) | Architecture::Gru(net) => &net.input,
            Architecture::CnnLstm(net) => &net.input,
        }
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Architecture::Mlp(mlp) => mlp.outputs,
            Architecture::Cnn(cnn) => cnn.outputs,
            Architecture::Rnn(net) | Architecture::Lstm(net) | Architecture::Gru(net) => net.outputs,
            Architecture::CnnLstm(net) => net.outputs,
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
            Architecture::Rnn(net) => net.parameters(RecurrentKind::Rnn),
            Architecture::Lstm(net) => net.parameters(RecurrentKind::Lstm),
            Architecture::Gru(net) => net.parameters(RecurrentKind::Gru),
            Architecture::CnnLstm(net) => net.parameters(),
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
            Architecture::Rnn(net) => net.build(RecurrentKind::Rnn, rng),
            Architecture::Lstm(net) => net.build(RecurrentKind::Lstm, rng),
            Architecture::Gru(net) => net.build(RecurrentKind::Gru, rng),
            Architecture::CnnLstm(net) => net.build(rng),
        }
    }
}
