//! [`Gru`]: recurrent layers with two gates and no memory of their own.
//!
//! The equations stand with the operation [`gru`](chainrule_tensor::Tensor::gru), which resets after the product as PyTorch does;
//! shapes and names of the parameters in the [module's](super) head.
//!
//! Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014.

use super::builder::RecurrentBuilder;
use super::params::{Kind, RecurrentParams};
use super::stack::Stack;
use crate::{Layer, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor};

/// A GRU that runs over sequences.
///
/// As a [`Layer`] it maps `[N, L, F]` to the outputs of all steps, `[N, L, H]`.
///
/// ```
/// use chainrule_layers::{Gru, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let rng = &mut Rng::seed_from_u64(1);
/// let layer: Gru = Gru::builder(3, 5).bidirectional(true).build(rng);
/// let (outputs, h) = layer.forward_padded(&Tensor::ones([2, 7, 3]), &[7, 4], None, &mut Mode::Eval);
/// assert_eq!(outputs.shape(), &[2, 7, 10]); // both directions side by side
/// assert_eq!(h.shape(), &[2, 2, 5]); // directions, samples, units
/// // The second sample has four steps.
/// assert_eq!(h.select(0, 0).select(0, 1).to_vec(), outputs.select(0, 1).select(0, 3).to_vec()[..5]);
/// // The next chunk carries on where this one ended, and gradients end where it began.
/// let (more, _) = layer.forward(&Tensor::ones([2, 4, 3]), Some(&h.detach()), &mut Mode::Eval);
/// assert_eq!(more.shape(), &[2, 4, 10]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Gru<T: Real = f32> {
    #[module(flatten)]
    stack: Stack<T>,
}

impl<T: Real> Gru<T> {
    /// One layer for sequences of `inputs` features with an output of `hidden` units.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::builder(inputs, hidden).build(rng)
    }

    /// Layers to be configured: [`RecurrentBuilder`].
    pub fn builder(inputs: usize, hidden: usize) -> RecurrentBuilder<Self, T> {
        RecurrentBuilder::new("Gru", Kind::Gru, inputs, hidden, |stack| Gru { stack })
    }

    /// The outputs of all steps, and the last state of each layer and direction. Without a state it starts from zeros.
    ///
    /// # Panics
    /// If a shape does not match, or there is no step.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&Tensor<T>>, mode: &mut Mode<'_>) -> (Tensor<T>, Tensor<T>) {
        let (y, (h, _)) = self.stack.forward(x, None, state.map(|h| (h, None)), mode);
        (y, h)
    }

    /// [`forward`](Gru::forward) for samples of different lengths, padded to the longest. What stands in the padding is not
    /// read; the outputs there are 0. The last state is the one after each sample's own last step.
    ///
    /// # Panics
    /// If a shape does not match, or there is not one length for each sample, from 1 to the number of steps.
    #[track_caller]
    pub fn forward_padded(
        &self,
        x: &Tensor<T>,
        lengths: &[usize],
        state: Option<&Tensor<T>>,
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, Tensor<T>) {
        let (y, (h, _)) = self.stack.forward(x, Some(lengths), state.map(|h| (h, None)), mode);
        (y, h)
    }

    /// The parameters of one layer in one direction.
    ///
    /// # Panics
    /// If there is no such layer or direction.
    #[track_caller]
    pub fn params(&self, layer: usize, reverse: bool) -> &RecurrentParams<T> {
        self.stack.params(layer, reverse)
    }

    /// The number of features of the input.
    pub fn inputs(&self) -> usize {
        self.stack.inputs()
    }

    /// The number of units of the state. The output of a bidirectional layer has twice as many features.
    pub fn hidden(&self) -> usize {
        self.stack.hidden()
    }
}

impl<T: Real> Layer<T> for Gru<T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, None, mode).0
    }
    fn describe(&self) -> String {
        self.stack.describe()
    }
}
