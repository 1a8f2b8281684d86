//! Recurrent layers: a whole sequence in one direction through one layer, forward and backward through time.
//!
//! ```text
//! LSTM    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)    g = tanh(a_g)
//!         c_t = f c_{t-1} + i g                                  h_t = o tanh(c_t)
//! GRU     r, z = sigmoid(a_r), sigmoid(a_z)                      n = tanh(a_n + r b_n)
//!         h_t = (1 - z) n + z h_{t-1}
//! RNN     h_t = tanh(a) or max(a, 0)
//! ```
//!
//! where `a = x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh`, of which the GRU keeps the candidate's two halves apart (`a_n` from
//! the input, `b_n` from the state).
//!
//! The work is cut such that little is left to do in order:
//!
//! 1. The input's share of `a` is one product for all steps.
//! 2. Each step multiplies the state with `W_hh`, packed once (`panels`), 32 units of the state at a time, and runs the
//!    gates on those units while the product is in the first-level cache (`lstm`, `gru`, `rnn`).
//! 3. Backward, each step runs the gates' derivatives, then takes their product with `W_hh` to the step before.
//! 4. The gradients of the weights are one product each over all steps; so is the input's.
//!
//! Threads (`plan`) take some samples each through all steps, and never wait for each other; where there are too few samples,
//! they share the units of every step. Either way the cut depends on the sizes alone.
//!
//! Samples may be shorter than the sequence: the state passes a step beyond a sample's length unchanged, and no gradient
//! arises there.
//!
//! Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory" (1997); K. Cho et al., "Learning phrase representations
//! using RNN encoder-decoder" (2014), in the form that resets after the product; P. Werbos, "Backpropagation through time"
//! (1990); the single input product: J. Appleyard et al., "Optimizing performance of recurrent neural networks on GPUs" (2016).

use crate::Real;
use crate::size::count;
use place::Place;

mod backward;
mod forward;
mod gating;
mod gru;
mod lstm;
mod panels;
mod place;
mod plan;
pub mod reference;
mod rnn;
#[cfg(test)]
mod tests;

/// What happens in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A plain recurrent net with the hyperbolic tangent.
    Tanh,
    /// A plain recurrent net with the rectifier.
    Relu,
    /// Long short-term memory; gates in the order `i, f, g, o`.
    Lstm,
    /// Gated recurrent unit; gates in the order `r, z, n`.
    Gru,
}

impl Cell {
    /// Rows of the weights for each hidden unit.
    pub fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// Numbers saved of a step for each hidden unit. The GRU's are `a_n, r, z, b_n`: then what the input's product gives
    /// stands in the first three blocks, what the state's gives in the last three, each next to each other.
    fn blocks(self) -> usize {
        if self == Cell::Gru { 4 } else { self.gates() }
    }

    /// The first block that the state's product gives.
    fn recurrent_block(self) -> usize {
        self.blocks() - self.gates()
    }

    /// Which gates of the input's product go to which block: `(first gate, gates, block)`.
    fn input_blocks(self) -> &'static [(usize, usize, usize)] {
        match self {
            Cell::Tanh | Cell::Relu => &[(0, 1, 0)],
            Cell::Lstm => &[(0, 4, 0)],
            Cell::Gru => &[(0, 2, 1), (2, 1, 0)],
        }
    }
}

/// A layer's parameters and a batch of sequences. All arrays are row-major without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a, T> {
    /// What happens in a step.
    pub cell: Cell,
    /// Steps of the longest sample, at least 1.
    pub steps: usize,
    /// Samples.
    pub batch: usize,
    /// Features of the input.
    pub inputs: usize,
    /// Units of the state, at least 1.
    pub hidden: usize,
    /// From the last step to the first.
    pub reverse: bool,
    /// The steps of each sample; all of them where not given.
    pub lengths: Option<&'a [usize]>,
    /// `[steps, batch, inputs]`
    pub x: &'a [T],
    /// `[gates * hidden, inputs]`
    pub weight_ih: &'a [T],
    /// `[gates * hidden, hidden]`
    pub weight_hh: &'a [T],
    /// The biases of both products, each `[gates * hidden]`.
    pub bias: Option<(&'a [T], &'a [T])>,
    /// The state before the first step, `[batch, hidden]`; zeros where not given.
    pub h0: Option<&'a [T]>,
    /// The same for the LSTM's memory.
    pub c0: Option<&'a [T]>,
}

impl<T: Real> Sequence<'_, T> {
    /// How many numbers [`forward`] writes as gates.
    pub fn gates_len(&self) -> usize {
        count(&[self.steps, self.batch, self.stride()])
    }

    /// Samples of all steps.
    fn rows(&self) -> usize {
        self.steps * self.batch
    }

    /// The time of the `k`-th step that is taken.
    fn time(&self, k: usize) -> usize {
        if self.reverse { self.steps - 1 - k } else { k }
    }

    /// The state and the memory before the `k`-th step, from sample `row` on: those of the step before, among all steps', or the
    /// initial ones.
    fn before(&self, k: usize, row: usize, all: [Place<T>; 2], zeros: &[T]) -> [Place<T>; 2] {
        if k > 0 {
            return all.map(|places| places.at(self.time(k - 1) * self.batch + row, 0));
        }
        [self.h0, self.c0].map(|initial| match initial {
            Some(initial) => Place::read_only(initial, self.hidden).at(row, 0),
            None => Place::read_only(zeros, 0),
        })
    }

    /// The distance of rows of gates: a power of two would let rows push each other out of the caches.
    fn stride(&self) -> usize {
        let width = count(&[self.cell.blocks(), self.hidden]);
        if (width * T::BYTES).is_multiple_of(1024) { width + 64 / T::BYTES } else { width }
    }

    fn check(&self, states: usize, gates: usize, memory: usize) {
        let Sequence { steps, batch, inputs, hidden, .. } = *self;
        let rows = count(&[self.cell.gates(), hidden]);
        assert!(steps > 0 && hidden > 0, "recurrent: there must be a step and a hidden unit");
        assert_eq!(self.x.len(), count(&[steps, batch, inputs]), "recurrent: the input has another size");
        assert_eq!(self.weight_ih.len(), count(&[rows, inputs]), "recurrent: weight_ih has another size");
        assert_eq!(self.weight_hh.len(), count(&[rows, hidden]), "recurrent: weight_hh has another size");
        let is_bias = |b: (&[T], &[T])| b.0.len() == rows && b.1.len() == rows;
        assert!(self.bias.is_none_or(is_bias), "recurrent: a bias has another size");
        let is_state = |h: &[T]| h.len() == count(&[batch, hidden]);
        assert!(self.h0.is_none_or(is_state) && self.c0.is_none_or(is_state), "recurrent: a state has another size");
        assert!(self.lengths.is_none_or(|l| l.len() == batch), "recurrent: there must be one length for each sample");
        let size = count(&[steps, batch, hidden]);
        assert_eq!(states, size, "recurrent: the output has another size");
        assert_eq!(gates, self.gates_len(), "recurrent: the gates have another size");
        let has_memory = self.cell == Cell::Lstm;
        assert_eq!(memory, if has_memory { size } else { 0 }, "recurrent: the memory has another size");
    }
}

/// What a forward pass leaves behind: first written by [`forward`], then read by [`backward`].
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a, T> {
    /// The states after every step, `[steps, batch, hidden]`.
    pub states: &'a [T],
    /// The gates of every step. Plain recurrent nets do not need them again.
    pub gates: &'a [T],
    /// The LSTM's memory after every step, `[steps, batch, hidden]`; else empty.
    pub memory: &'a [T],
}

/// Where [`backward`] is to write the gradients that are wanted; shaped as what they belong to.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Gradients<'a, T> {
    pub x: Option<&'a mut [T]>,
    pub weight_ih: Option<&'a mut [T]>,
    pub weight_hh: Option<&'a mut [T]>,
    pub bias_ih: Option<&'a mut [T]>,
    pub bias_hh: Option<&'a mut [T]>,
    pub h0: Option<&'a mut [T]>,
    pub c0: Option<&'a mut [T]>,
}

concrete! {
    <T> trait RecurrentKernels;
    /// Runs over the sequences. Writes the states after every step, the gates, [`Sequence::gates_len`] numbers, and, for an
    /// LSTM, the memory after every step (else an empty slice).
    ///
    /// # Panics
    /// If an array has another size.
    pub fn forward(sequence: &Sequence<'_, T>, states: &mut [T], gates: &mut [T], memory: &mut [T]) = forward::forward;
    /// The gradients of [`forward`], given those of all states and, for an LSTM, of the last memory (zeros where not
    /// given).
    ///
    /// # Panics
    /// If an array has another size.
    pub fn backward(
        sequence: &Sequence<'_, T>, saved: Saved<'_, T>, grad: &[T], grad_memory: Option<&[T]>,
        gradients: Gradients<'_, T>,
    ) = backward::backward;
}
