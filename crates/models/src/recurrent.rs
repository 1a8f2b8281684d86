//! Recurrent nets for sequences: `rnn`, `lstm` and `gru`, with a dense layer on what they remember in the end; and `cnn-lstm`, an
//! LSTM over frames that a convolutional net looks at one by one.
//!
//! The outputs are the logits of a classifier, the values of a regressor, or the next values of a forecaster: the loss decides.
//!
//! Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); convolutions below an LSTM:
//! J. Donahue et al., "Long-term recurrent convolutional networks", CVPR 2015.

use crate::cnn::{Cnn, LARGEST_OUTPUT};
use crate::recurrence::RecurrentSizes;
use crate::{ModelError, RecurrentKind};
use chainrule_layers::{Dropout, Layer, Linear, Mode, Module, Sequential};
use chainrule_tensor::{Rng, Tensor};
use serde::{Deserialize, Serialize};

/// `recurrent layers -> their state after the last step -> dropout -> linear`. Layers are named after their kind and `fc`.
///
/// One input is a sequence `[steps, features]`. An image `[channels, height, width]` is read row by row, from the top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurrent {
    /// The shape of one input.
    pub input: Vec<usize>,
    /// The units of each layer.
    pub hidden: usize,
    /// How many layers stand on top of each other.
    pub layers: usize,
    /// Whether each runs in both directions.
    pub bidirectional: bool,
    /// The number of outputs.
    pub outputs: usize,
    /// The probability with which, in training, an output of a layer is dropped.
    pub dropout: f64,
}

impl Recurrent {
    /// One layer of 128 units in one direction, no dropout.
    pub fn new(input: &[usize], outputs: usize) -> Self {
        Recurrent { input: input.to_vec(), hidden: 128, layers: 1, bidirectional: false, outputs, dropout: 0.0 }
    }

    /// Steps, and the features of one.
    fn steps(&self) -> Option<(usize, usize)> {
        match self.input[..] {
            [steps, features] => Some((steps, features)),
            [channels, height, width] => Some((height, channels.checked_mul(width)?)),
            _ => None,
        }
    }

    /// The sizes of the recurrent layers for so many features of a step.
    fn sizes(&self, features: usize) -> RecurrentSizes {
        let Recurrent { hidden, layers, bidirectional, .. } = *self;
        RecurrentSizes { inputs: features, hidden, layers, bidirectional }
    }

    /// How many numbers the net's parameters hold, or why the sizes make no net.
    pub(crate) fn parameters(&self, kind: RecurrentKind) -> Result<usize, ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: kind.name(), problem });
        let Recurrent { input, hidden, layers, outputs, dropout, .. } = self;
        if ![2, 3].contains(&input.len()) {
            return fail(format!("inputs must be sequences [steps, features] or images, not {input:?}"));
        }
        if input.iter().chain([hidden, layers, outputs]).any(|&size| size == 0) {
            return fail(format!("a size is 0: input {input:?}, hidden {hidden}, layers {layers}, outputs {outputs}"));
        }
        if !(0.0..1.0).contains(dropout) {
            return fail(format!("the dropout probability {dropout} is not in [0, 1)"));
        }
        let count = || {
            let (steps, features) = self.steps()?;
            let sizes = self.sizes(features);
            let width = sizes.outputs()?;
            // Few weights can run over long sequences: what that allocates is bounded too.
            let row = width.checked_mul(4)?.max(features);
            steps.checked_mul(row).filter(|&n| n <= LARGEST_OUTPUT)?;
            let dense = width.checked_add(1)?.checked_mul(*outputs)?;
            kind.parameters(sizes)?.checked_add(dense)
        };
        count().map_or_else(|| fail("the sizes are too large".into()), Ok)
    }

    /// The net with fresh weights.
    pub(crate) fn build(&self, kind: RecurrentKind, rng: &mut Rng) -> Result<Sequential, ModelError> {
        self.parameters(kind)?;
        let (_, features) = self.steps().expect("checked with the parameters");
        let sizes = self.sizes(features);
        let width = sizes.outputs().expect("checked with the parameters");
        let mut net = Sequential::new();
        if self.input.len() == 3 {
            net = net.named("rows", Rows);
        }
        net = net.named(kind.name(), kind.build(sizes, self.dropout, rng));
        net = net.named("last", LastStep { bidirectional: self.bidirectional });
        if self.dropout > 0.0 {
            net = net.named("dropout", Dropout::new(self.dropout));
        }
        Ok(net.named("fc", Linear::new(width, self.outputs, rng)))
    }
}

/// `(conv 3x3 -> ReLU -> max-pool 2) for each stage -> flatten`, the same for every frame, then `lstm -> its state after the last
/// frame -> dropout -> linear`.
///
/// One input is a film `[frames, channels, height, width]`. Layers are named `frame.conv1`, `frame.conv2`, .., `lstm`, `fc`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CnnLstm {
    /// The shape of one input.
    pub input: Vec<usize>,
    /// The output channels of each convolution.
    pub channels: Vec<usize>,
    /// The units of the LSTM.
    pub hidden: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// The probability with which, in training, an output of the LSTM is dropped.
    pub dropout: f64,
}

impl CnnLstm {
    /// Two stages of 16 and 32 channels, an LSTM of 128 units, no dropout.
    pub fn new(input: &[usize], outputs: usize) -> Self {
        CnnLstm { input: input.to_vec(), channels: vec![16, 32], hidden: 128, outputs, dropout: 0.0 }
    }

    /// The net for the frames, as the stages of a [`Cnn`], and the LSTM on the features that they give.
    fn parts(&self) -> Result<(usize, Cnn, Recurrent), ModelError> {
        let fail = |problem: String| ModelError::Configuration { model: "cnn-lstm", problem };
        let [frames, ref image @ ..] = self.input[..] else {
            return Err(fail("inputs need dimensions".into()));
        };
        if image.len() != 3 {
            let input = &self.input;
            return Err(fail(format!("inputs must be films [frames, channels, height, width], not {input:?}")));
        }
        let (channels, outputs) = (self.channels.clone(), self.outputs);
        let cnn = Cnn { input: image.into(), channels, hidden: 1, outputs: 1, dropout: 0.0 };
        let renamed = |error| match error {
            ModelError::Configuration { problem, .. } => fail(problem),
            other => other,
        };
        let (weights, features) = cnn.stages().map_err(renamed)?;
        let fits = image.iter().chain([&features]).all(|&n| frames.checked_mul(n).is_some_and(|n| n <= LARGEST_OUTPUT));
        if !fits {
            return Err(fail("the sizes are too large".into()));
        }
        let (hidden, dropout) = (self.hidden, self.dropout);
        let input = vec![frames, features];
        let lstm = Recurrent { input, hidden, layers: 1, bidirectional: false, outputs, dropout };
        lstm.parameters(RecurrentKind::Lstm).map_err(renamed)?;
        Ok((weights, cnn, lstm))
    }

    /// How many numbers the net's parameters hold, or why the sizes make no net.
    pub(crate) fn parameters(&self) -> Result<usize, ModelError> {
        let (weights, _, lstm) = self.parts()?;
        Ok(weights + lstm.parameters(RecurrentKind::Lstm)?)
    }

    /// The net with fresh weights.
    pub(crate) fn build(&self, rng: &mut Rng) -> Result<Sequential, ModelError> {
        let (_, cnn, lstm) = self.parts()?;
        let net = Sequential::new().named("frame", PerFrame { net: cnn.build_stages(rng) });
        let layers = RecurrentKind::Lstm.build(lstm.sizes(lstm.input[1]), lstm.dropout, rng);
        let mut net = net.named("lstm", layers).named("last", LastStep { bidirectional: false });
        if self.dropout > 0.0 {
            net = net.named("dropout", Dropout::new(self.dropout));
        }
        Ok(net.named("fc", Linear::new(self.hidden, self.outputs, rng)))
    }
}

/// Images `[N, C, H, W]` as sequences of rows, `[N, H, C W]`.
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = chainrule_layers)]
struct Rows;

impl Layer for Rows {
    fn call(&self, x: &Tensor, _: &mut Mode<'_>) -> Tensor {
        x.transpose(1, 2).flatten(2)
    }
    fn describe(&self) -> String {
        "Rows()".into()
    }
}

/// The outputs of a recurrent layer after the last step taken: at the end, in the reverse direction at the beginning.
#[derive(Clone, Copy, Debug, Module)]
#[module(crate = chainrule_layers)]
struct LastStep {
    bidirectional: bool,
}

impl Layer for LastStep {
    fn call(&self, x: &Tensor, _: &mut Mode<'_>) -> Tensor {
        let last = x.select(1, x.shape()[1] - 1);
        if !self.bidirectional {
            return last;
        }
        let half = x.shape()[2] / 2;
        Tensor::cat(&[&last.narrow(1, 0, half), &x.select(1, 0).narrow(1, half, half)], 1)
    }
    fn describe(&self) -> String {
        "LastStep()".into()
    }
}

/// The same net for every frame: `[N, L, ..]` -> `[N, L, ..]`.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct PerFrame {
    #[module(flatten)]
    net: Sequential,
}

impl Layer for PerFrame {
    fn call(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let (samples, frames) = (x.shape()[0], x.shape()[1]);
        let image = &x.shape()[2..];
        let y = self.net.call(&x.reshape([&[samples * frames], image].concat()), mode);
        y.reshape([&[samples, frames], &y.shape()[1..]].concat())
    }
    fn describe(&self) -> String {
        "PerFrame()".into()
    }
}
