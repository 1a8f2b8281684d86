//! The multilayer perceptron: dense layers with ReLU between them.
//!
//! Source: D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors", Nature 323 (1986).

use crate::ModelError;
use chainrule_layers::{Dropout, Flatten, Linear, Relu, Sequential};
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};

/// `flatten -> (linear -> ReLU -> dropout) for each hidden layer -> linear`. Layers are named `fc1`, `fc2`, ..
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mlp {
    /// The shape of one input.
    pub input: Vec<usize>,
    /// The width of each hidden layer.
    pub hidden: Vec<usize>,
    /// The number of outputs.
    pub outputs: usize,
    /// The probability with which a hidden unit is dropped in training.
    pub dropout: f64,
}

impl Mlp {
    /// One hidden layer of 128 units, no dropout.
    pub fn new(input: &[usize], outputs: usize) -> Self {
        Mlp { input: input.to_vec(), hidden: vec![128], outputs, dropout: 0.0 }
    }

    /// How many numbers the net's parameters hold, or why the sizes make no net.
    pub(crate) fn parameters(&self) -> Result<usize, ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: "mlp", problem });
        let Mlp { input, hidden, outputs, dropout } = self;
        if input.is_empty() || input.iter().chain(hidden).chain([outputs]).any(|&size| size == 0) {
            return fail(format!("a size is 0: input {input:?}, hidden {hidden:?}, outputs {outputs}"));
        }
        if !(0.0..1.0).contains(dropout) {
            return fail(format!("the dropout probability {dropout} is not in [0, 1)"));
        }
        let count = || {
            let inputs = input.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?;
            let (total, _) =
                hidden.iter().chain([outputs]).try_fold((0usize, inputs), |(total, inputs), &outputs| {
                    let layer = inputs.checked_add(1)?.checked_mul(outputs)?;
                    Some((total.checked_add(layer)?, outputs))
                })?;
            Some(total)
        };
        count().map_or_else(|| fail("the sizes are too large".into()), Ok)
    }

    /// The net with fresh weights.
    pub(crate) fn build(&self, rng: &mut Rng) -> Result<Sequential, ModelError> {
        self.parameters()?;
        let mut width: usize = self.input.iter().product();
        let mut net = Sequential::new();
        if self.input.len() > 1 {
            net = net.named("flatten", Flatten::new());
        }
        for (i, &hidden) in self.hidden.iter().enumerate() {
            let i = i + 1;
            net = net.named(format!("fc{i}"), Linear::new(width, hidden, rng)).named(format!("relu{i}"), Relu);
            if self.dropout > 0.0 {
                net = net.named(format!("dropout{i}"), Dropout::new(self.dropout));
            }
            width = hidden;
        }
        Ok(net.named(format!("fc{}", self.hidden.len() + 1), Linear::new(width, self.outputs, rng)))
    }
}
