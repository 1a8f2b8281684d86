//! A small convolutional net in the style of LeNet: convolution, ReLU and pooling in stages, then dense layers.
//!
//! Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE
//! 86 (1998); with ReLU, maximum pooling and dropout, as became usual later.

use crate::ModelError;
use chainrule_layers::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Relu, Sequential};
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};

/// `(conv 3x3 -> ReLU -> max-pool 2) for each stage -> flatten -> dropout -> linear -> ReLU -> dropout -> linear`.
///
/// Convolutions keep the size of the image (padding 1); each pooling halves it, rounded down. Layers are named `conv1`,
/// `conv2`, .., `fc1`, `fc2`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cnn {
    /// The shape of one input: channels, height, width.
    pub input: Vec<usize>,
    /// The output channels of each convolution.
    pub channels: Vec<usize>,
    /// The width of the dense layer.
    pub hidden: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// The probability with which an input of a dense layer is dropped in training.
    pub dropout: f64,
}

impl Cnn {
    /// Two stages of 32 and 64 channels, a dense layer of 128 units, dropout 0.25.
    pub fn new(input: &[usize], outputs: usize) -> Self {
        Cnn { input: input.to_vec(), channels: vec![32, 64], hidden: 128, outputs, dropout: 0.25 }
    }

    /// How many numbers the net's parameters hold; `None` if that overflows or the inputs are no images.
    pub(crate) fn parameters(&self) -> Option<usize> {
        let &[mut channels, mut height, mut width] = &self.input[..] else { return None };
        let mut total = 0usize;
        for &filters in &self.channels {
            total = total.checked_add(channels.checked_mul(9)?.checked_add(1)?.checked_mul(filters)?)?;
            (channels, height, width) = (filters, height / 2, width / 2);
        }
        let flat = channels.checked_mul(height)?.checked_mul(width)?;
        let dense1 = flat.checked_add(1)?.checked_mul(self.hidden)?;
        let dense2 = self.hidden.checked_add(1)?.checked_mul(self.outputs)?;
        total.checked_add(dense1)?.checked_add(dense2)
    }

    /// The net with fresh weights.
    pub(crate) fn build(&self, rng: &mut Rng) -> Result<Sequential, ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: "cnn", problem });
        let &[mut channels, mut height, mut width] = &self.input[..] else {
            return fail(format!(
                "inputs must be images [channels, height, width], not {:?}; the mlp takes any shape",
                self.input
            ));
        };
        if channels == 0 || self.hidden == 0 || self.outputs == 0 || self.channels.contains(&0) {
            return fail(format!("a size is 0: {self:?}"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!("the dropout probability {} is not in [0, 1)", self.dropout));
        }
        let mut net = Sequential::new();
        for (i, &filters) in self.channels.iter().enumerate() {
            if height < 2 || width < 2 {
                let stages = self.channels.len();
                return fail(format!("images of {:?} are too small for {stages} poolings", &self.input[1..]));
            }
            let i = i + 1;
            net = net
                .named(format!("conv{i}"), Conv2d::builder(channels, filters, 3).padding(1).build(rng))
                .named(format!("relu{i}"), Relu)
                .named(format!("pool{i}"), MaxPool2d::new(2));
            (channels, height, width) = (filters, height / 2, width / 2);
        }
        net = net.named("flatten", Flatten::new());
        let dense = [(channels * height * width, self.hidden), (self.hidden, self.outputs)];
        for (i, (inputs, outputs)) in dense.into_iter().enumerate() {
            if self.dropout > 0.0 {
                net = net.named(format!("dropout{}", i + 1), Dropout::new(self.dropout));
            }
            net = net.named(format!("fc{}", i + 1), Linear::new(inputs, outputs, rng));
            if i == 0 {
                net = net.named(format!("relu{}", self.channels.len() + 1), Relu);
            }
        }
        Ok(net)
    }
}
