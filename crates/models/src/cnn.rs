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

/// The most numbers that a layer may put out for one image (256 MiB). Poolings let a huge image end in few weights, so that a
/// file's size does not bound what running its net allocates.
pub(crate) const LARGEST_OUTPUT: usize = 1 << 26;

impl Cnn {
    /// Two stages of 32 and 64 channels, a dense layer of 128 units, dropout 0.25.
    pub fn new(input: &[usize], outputs: usize) -> Self {
        Cnn { input: input.to_vec(), channels: vec![32, 64], hidden: 128, outputs, dropout: 0.25 }
    }

    /// How many numbers the net's parameters hold, or why the sizes make no net.
    pub(crate) fn parameters(&self) -> Result<usize, ModelError> {
        let (weights, features) = self.stages()?;
        let count = || {
            let dense = features.checked_add(1)?.checked_mul(self.hidden)?;
            let outputs = self.hidden.checked_add(1)?.checked_mul(self.outputs)?;
            weights.checked_add(dense)?.checked_add(outputs)
        };
        let problem = "the sizes are too large".into();
        count().ok_or(ModelError::Configuration { model: "cnn", problem })
    }

    /// How many numbers the parameters of the convolutions hold, and how many features they give.
    pub(crate) fn stages(&self) -> Result<(usize, usize), ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: "cnn", problem });
        let Cnn { input, channels: stages, hidden, outputs, dropout } = self;
        let &[mut channels, mut height, mut width] = &input[..] else {
            return fail(format!(
                "inputs must be images [channels, height, width], not {input:?}; the mlp takes any shape"
            ));
        };
        if input.iter().chain(stages).chain([hidden, outputs]).any(|&size| size == 0) {
            return fail(format!(
                "a size is 0: input {input:?}, channels {stages:?}, hidden {hidden}, outputs {outputs}"
            ));
        }
        if !(0.0..1.0).contains(dropout) {
            return fail(format!("the dropout probability {dropout} is not in [0, 1)"));
        }
        let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        let fits = |sizes: &[usize]| product(sizes).is_some_and(|n| n <= LARGEST_OUTPUT);
        let mut weights = Some(0usize);
        for &filters in stages {
            if height < 2 || width < 2 {
                return fail(format!("images of {:?} are too small for {} poolings", &input[1..], stages.len()));
            }
            if !fits(&[channels, height, width]) || !fits(&[filters, height, width]) {
                return fail(format!("images of {input:?} with {stages:?} channels are too large"));
            }
            let filter = product(&[channels, 9]).and_then(|n| n.checked_add(1)?.checked_mul(filters));
            weights = weights.zip(filter).and_then(|(total, n)| total.checked_add(n));
            (channels, height, width) = (filters, height / 2, width / 2);
        }
        let features = product(&[channels, height, width]);
        weights.zip(features).map_or_else(|| fail("the sizes are too large".into()), Ok)
    }

    /// The convolutions with fresh weights, and the layer that flattens what they give.
    pub(crate) fn build_stages(&self, rng: &mut Rng) -> Sequential {
        let mut channels = self.input[0];
        let mut net = Sequential::new();
        for (i, &filters) in self.channels.iter().enumerate() {
            let i = i + 1;
            net = net
                .named(format!("conv{i}"), Conv2d::builder(channels, filters, 3).padding(1).build(rng))
                .named(format!("relu{i}"), Relu)
                .named(format!("pool{i}"), MaxPool2d::new(2));
            channels = filters;
        }
        net.named("flatten", Flatten::new())
    }

    /// The net with fresh weights.
    pub(crate) fn build(&self, rng: &mut Rng) -> Result<Sequential, ModelError> {
        self.parameters()?;
        let (_, features) = self.stages()?;
        let mut net = self.build_stages(rng);
        let dense = [(features, self.hidden), (self.hidden, self.outputs)];
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
