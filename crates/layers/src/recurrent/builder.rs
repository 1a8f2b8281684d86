//! [`RecurrentBuilder`]: the settings that [`Rnn`], [`Lstm`](super::Lstm) and [`Gru`](super::Gru) share.

use super::Rnn;
use super::params::{Kind, RecurrentParams};
use super::stack::Stack;
use chainrule_tensor::ops::RnnActivation;
use chainrule_tensor::{Real, Rng};

/// Settings of a recurrent layer `M`.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentBuilder<M, T: Real = f32> {
    name: &'static str,
    kind: Kind,
    inputs: usize,
    hidden: usize,
    layers: usize,
    bidirectional: bool,
    dropout: f64,
    bias: bool,
    batch_first: bool,
    wrap: fn(Stack<T>) -> M,
}

impl<M, T: Real> RecurrentBuilder<M, T> {
    pub(super) fn new(
        name: &'static str,
        kind: Kind,
        inputs: usize,
        hidden: usize,
        wrap: fn(Stack<T>) -> M,
    ) -> RecurrentBuilder<M, T> {
        let (layers, bidirectional, dropout, bias, batch_first) = (1, false, 0.0, true, true);
        RecurrentBuilder { name, kind, inputs, hidden, layers, bidirectional, dropout, bias, batch_first, wrap }
    }

    /// How many layers stand on top of each other, each fed with the outputs of the one below (PyTorch's `num_layers`). One
    /// unless said.
    #[must_use]
    pub fn layers(self, layers: usize) -> Self {
        RecurrentBuilder { layers, ..self }
    }

    /// Whether each layer also runs from the last step to the first, and puts both outputs side by side. False unless said.
    #[must_use]
    pub fn bidirectional(self, bidirectional: bool) -> Self {
        RecurrentBuilder { bidirectional, ..self }
    }

    /// The probability with which, in training, an output of each layer but the last is dropped. 0 unless said.
    #[must_use]
    pub fn dropout(self, dropout: f64) -> Self {
        RecurrentBuilder { dropout, ..self }
    }

    /// Whether there are biases. True unless said.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        RecurrentBuilder { bias, ..self }
    }

    /// Whether batches come as `[N, L, ..]`, else as `[L, N, ..]`. True unless said (false in PyTorch).
    #[must_use]
    pub fn batch_first(self, batch_first: bool) -> Self {
        RecurrentBuilder { batch_first, ..self }
    }

    /// The layer, in PyTorch's default initialization.
    ///
    /// # Panics
    /// If there is no hidden unit or no layer, or the dropout probability is not in `[0, 1]`.
    #[track_caller]
    pub fn build(self, rng: &mut Rng) -> M {
        let RecurrentBuilder { name, kind, hidden, layers, bidirectional, dropout, .. } = self;
        assert!(hidden > 0, "{name}: there must be at least one hidden unit");
        assert!(layers > 0, "{name}: there must be at least one layer");
        assert!((0.0..=1.0).contains(&dropout), "{name}: the dropout probability {dropout} is not between 0 and 1");
        let directions = if bidirectional { &["", "_reverse"][..] } else { &[""] };
        let mut params = Vec::with_capacity(layers * directions.len());
        for layer in 0..layers {
            let inputs = if layer == 0 { self.inputs } else { hidden * directions.len() };
            for direction in directions {
                let suffix = format!("_l{layer}{direction}");
                params.push(RecurrentParams::new(kind, inputs, hidden, self.bias, &suffix, rng));
            }
        }
        (self.wrap)(Stack { name, kind, params, bidirectional, dropout, batch_first: self.batch_first })
    }
}

impl<T: Real> RecurrentBuilder<Rnn<T>, T> {
    /// The function that a plain recurrent net applies (PyTorch's `nonlinearity`). The hyperbolic tangent unless said.
    #[must_use]
    pub fn activation(self, activation: RnnActivation) -> Self {
        RecurrentBuilder { kind: Kind::Rnn(activation), ..self }
    }
}
