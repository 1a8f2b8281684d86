//! [`Lstm`]: recurrent layers with a memory that gates protect.
//!
//! The equations stand with the operation [`lstm`](chainrule_tensor::Tensor::lstm), shapes and names of the parameters in the
//! [module's](super) head.
//!
//! Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the forget gate: F. Gers
//! et al., "Learning to forget", Neural Computation 12 (2000).

use super::builder::RecurrentBuilder;
use super::params::{Kind, RecurrentParams};
use super::stack::Stack;
use crate::{Layer, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor};

/// The output `h` and the memory `c` of an LSTM, shaped alike.
#[derive(Clone, Debug)]
pub struct LstmState<T: Real = f32> {
    /// The output.
    pub h: Tensor<T>,
    /// The memory.
    pub c: Tensor<T>,
}

impl<T: Real> LstmState<T> {
    /// The same state, cut off from the graph: the next chunk of a long sequence starts from it, and backpropagation through
    /// time ends there.
    #[must_use]
    pub fn detach(&self) -> Self {
        LstmState { h: self.h.detach(), c: self.c.detach() }
    }
}

impl<T: Real> From<(Tensor<T>, Tensor<T>)> for LstmState<T> {
    fn from((h, c): (Tensor<T>, Tensor<T>)) -> Self {
        LstmState { h, c }
    }
}

/// An LSTM that runs over sequences.
///
/// As a [`Layer`] it maps `[N, L, F]` to the outputs of all steps, `[N, L, H]`.
///
/// ```
/// use chainrule_layers::{Lstm, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let rng = &mut Rng::seed_from_u64(1);
/// let lstm: Lstm = Lstm::builder(3, 5).layers(2).build(rng);
/// let (outputs, state) = lstm.forward(&Tensor::ones([2, 7, 3]), None, &mut Mode::Eval);
/// assert_eq!(outputs.shape(), &[2, 7, 5]);
/// assert_eq!(state.h.shape(), &[2, 2, 5]); // layers, samples, units
/// assert_eq!(state.h.select(0, 1).to_vec(), outputs.select(1, 6).to_vec());
/// // The next chunk carries on where this one ended, and gradients end where it began.
/// let (more, _) = lstm.forward(&Tensor::ones([2, 4, 3]), Some(&state.detach()), &mut Mode::Eval);
/// assert_eq!(more.shape(), &[2, 4, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Lstm<T: Real = f32> {
    #[module(flatten)]
    stack: Stack<T>,
}

impl<T: Real> Lstm<T> {
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
        RecurrentBuilder::new("Lstm", Kind::Lstm, inputs, hidden, |stack| Lstm { stack })
    }

    /// The outputs of all steps, and the last state of each layer and direction. Without a state it starts from zeros.
    ///
    /// # Panics
    /// If a shape does not match, or there is no step.
    #[track_caller]
    pub fn forward(
        &self,
        x: &Tensor<T>,
        state: Option<&LstmState<T>>,
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, LstmState<T>) {
        self.run(x, None, state, mode)
    }

    /// [`forward`](Lstm::forward) for samples of different lengths, padded to the longest. What stands in the padding is not
    /// read; the outputs there are 0. The last state is the one after each sample's own last step.
    ///
    /// # Panics
    /// If a shape does not match, or there is not one length for each sample, from 1 to the number of steps.
    #[track_caller]
    pub fn forward_padded(
        &self,
        x: &Tensor<T>,
        lengths: &[usize],
        state: Option<&LstmState<T>>,
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, LstmState<T>) {
        self.run(x, Some(lengths), state, mode)
    }

    #[track_caller]
    fn run(
        &self,
        x: &Tensor<T>,
        lengths: Option<&[usize]>,
        state: Option<&LstmState<T>>,
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, LstmState<T>) {
        let (y, (h, c)) = self.stack.forward(x, lengths, state.map(|s| (&s.h, Some(&s.c))), mode);
        (y, LstmState { h, c: c.expect("an LSTM has a memory") })
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

impl<T: Real> Layer<T> for Lstm<T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, None, mode).0
    }
    fn describe(&self) -> String {
        self.stack.describe()
    }
}
