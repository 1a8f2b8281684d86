//! [`Recurrence`]: recurrent layers of a kind that is chosen when the program runs.

use crate::ModelError;
use chainrule_layers::{Entry, EntryMut, Gru, Layer, Lstm, LstmState, Mode, Module, Path, RecurrentBuilder, Rnn};
use chainrule_tensor::{Rng, Tensor};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A kind of recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecurrentKind {
    /// A plain recurrent net with the hyperbolic tangent.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent units.
    Gru,
}

impl RecurrentKind {
    /// The names of all kinds.
    pub const NAMES: [&'static str; 3] = ["rnn", "lstm", "gru"];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// How many numbers the parameters of such layers hold; `None` if the count overflows.
    pub(crate) fn parameters(self, sizes: RecurrentSizes) -> Option<usize> {
        let RecurrentSizes { inputs, hidden, layers, .. } = sizes;
        // For each gate of each direction weights for the inputs and for the state, and two biases.
        let gates = [1, 4, 3][self as usize] * sizes.directions();
        let layer = |inputs: usize| hidden.checked_mul(gates)?.checked_mul(inputs.checked_add(hidden)?.checked_add(2)?);
        layer(inputs)?.checked_add(layer(sizes.outputs()?)?.checked_mul(layers.checked_sub(1)?)?)
    }

    /// Layers of this kind, one above the other, with fresh weights. Between them, in training, a unit is dropped with
    /// probability `dropout`.
    pub(crate) fn build(self, sizes: RecurrentSizes, dropout: f64, rng: &mut Rng) -> Recurrence {
        match self {
            RecurrentKind::Rnn => Recurrence::Rnn(sizes.of(Rnn::builder).dropout(dropout).build(rng)),
            RecurrentKind::Lstm => Recurrence::Lstm(sizes.of(Lstm::builder).dropout(dropout).build(rng)),
            RecurrentKind::Gru => Recurrence::Gru(sizes.of(Gru::builder).dropout(dropout).build(rng)),
        }
    }
}

/// The sizes of recurrent layers that stand on top of each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecurrentSizes {
    pub(crate) inputs: usize,
    /// The units of each layer in each direction.
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) bidirectional: bool,
}

impl RecurrentSizes {
    fn directions(self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// How many outputs a step has; `None` if the number overflows.
    pub(crate) fn outputs(self) -> Option<usize> {
        self.hidden.checked_mul(self.directions())
    }

    fn of<M>(self, builder: impl FnOnce(usize, usize) -> RecurrentBuilder<M>) -> RecurrentBuilder<M> {
        builder(self.inputs, self.hidden).layers(self.layers).bidirectional(self.bidirectional)
    }
}

impl FromStr for RecurrentKind {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let all = [RecurrentKind::Rnn, RecurrentKind::Lstm, RecurrentKind::Gru];
        let known = || Self::NAMES.join(", ");
        all.into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| ModelError::UnknownName { name: name.into(), known: known() })
    }
}

/// Recurrent layers, batch first: `[N, L, F]` to `[N, L, H]`, or `[N, L, 2 H]` where they run in both directions.
#[derive(Clone, Debug)]
pub enum Recurrence {
    /// See [`Rnn`].
    Rnn(Rnn),
    /// See [`Lstm`].
    Lstm(Lstm),
    /// See [`Gru`].
    Gru(Gru),
}

/// The state of recurrent layers between two chunks of a sequence.
#[derive(Clone, Debug)]
pub enum RecurrentState {
    /// The outputs of all layers, `[layers, N, H]`.
    Plain(Tensor),
    /// Outputs and memories.
    Lstm(LstmState),
}

impl RecurrentState {
    /// The state as a number to start from: gradients end here.
    #[must_use]
    pub fn detach(&self) -> Self {
        match self {
            RecurrentState::Plain(h) => RecurrentState::Plain(h.detach()),
            RecurrentState::Lstm(state) => RecurrentState::Lstm(state.detach()),
        }
    }
}

impl Recurrence {
    /// The outputs of all steps `[N, L, H]` for inputs `[N, L, F]`, and the state after the last one.
    ///
    /// # Panics
    /// If a shape does not match, or the state is one of another kind.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, state: Option<&RecurrentState>, mode: &mut Mode<'_>) -> (Tensor, RecurrentState) {
        let plain = || {
            state.map(|state| match state {
                RecurrentState::Plain(h) => h,
                RecurrentState::Lstm(_) => panic!("Recurrence: the state is that of an LSTM"),
            })
        };
        match self {
            Recurrence::Rnn(layer) => {
                let (y, h) = layer.forward(x, plain(), mode);
                (y, RecurrentState::Plain(h))
            }
            Recurrence::Gru(layer) => {
                let (y, h) = layer.forward(x, plain(), mode);
                (y, RecurrentState::Plain(h))
            }
            Recurrence::Lstm(layer) => {
                let state = state.map(|state| match state {
                    RecurrentState::Lstm(state) => state,
                    RecurrentState::Plain(_) => panic!("Recurrence: the state is not that of an LSTM"),
                });
                let (y, state) = layer.forward(x, state, mode);
                (y, RecurrentState::Lstm(state))
            }
        }
    }

    fn layer(&self) -> &dyn Layer {
        match self {
            Recurrence::Rnn(layer) => layer,
            Recurrence::Lstm(layer) => layer,
            Recurrence::Gru(layer) => layer,
        }
    }
}

impl Module for Recurrence {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a>)) {
        self.layer().visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a>)) {
        match self {
            Recurrence::Rnn(layer) => layer.visit_mut(path, visitor),
            Recurrence::Lstm(layer) => layer.visit_mut(path, visitor),
            Recurrence::Gru(layer) => layer.visit_mut(path, visitor),
        }
    }
}

impl Layer for Recurrence {
    fn call(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        self.layer().call(x, mode)
    }

    fn describe(&self) -> String {
        self.layer().describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_without_building() {
        let rng = &mut Rng::seed_from_u64(1);
        for name in RecurrentKind::NAMES {
            let kind: RecurrentKind = name.parse().unwrap();
            assert_eq!(kind.name(), name);
            for (inputs, hidden, layers, bidirectional) in
                [(1, 1, 1, false), (3, 5, 1, true), (2, 4, 3, false), (2, 4, 3, true)]
            {
                let sizes = RecurrentSizes { inputs, hidden, layers, bidirectional };
                let built = kind.build(sizes, 0.0, rng).num_parameters();
                assert_eq!(kind.parameters(sizes), Some(built), "{name}, {sizes:?}");
            }
            for (inputs, hidden, layers, bidirectional) in
                [(usize::MAX, 2, 1, false), (1, usize::MAX / 2, 9, false), (1, usize::MAX / 2 + 1, 1, true)]
            {
                assert_eq!(kind.parameters(RecurrentSizes { inputs, hidden, layers, bidirectional }), None);
            }
        }
        let unknown = "lsd".parse::<RecurrentKind>().unwrap_err().to_string();
        assert_eq!(unknown, "there is no model \"lsd\"; the models are rnn, lstm, gru");
    }

    #[test]
    fn a_sequence_in_two_chunks_gives_the_same() {
        let rng = &mut Rng::seed_from_u64(1);
        let x = Tensor::randn([2, 6, 3], rng);
        let sizes = RecurrentSizes { inputs: 3, hidden: 4, layers: 2, bidirectional: false };
        for name in RecurrentKind::NAMES {
            let layer = name.parse::<RecurrentKind>().unwrap().build(sizes, 0.5, rng);
            let (whole, _) = layer.forward(&x, None, &mut Mode::Eval);
            let (first, state) = layer.forward(&x.narrow(1, 0, 4), None, &mut Mode::Eval);
            let (second, _) = layer.forward(&x.narrow(1, 4, 2), Some(&state.detach()), &mut Mode::Eval);
            assert_eq!(Tensor::cat(&[&first, &second], 1).to_vec(), whole.to_vec(), "{name}");
        }
    }
}
