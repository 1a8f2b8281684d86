//! [`Stack`]: layers on top of each other, in one direction or both. What [`Rnn`](super::Rnn), [`Lstm`](super::Lstm) and
//! [`Gru`](super::Gru) are inside.

use super::params::{Kind, RecurrentParams};
use crate::Mode;
use crate::module::{Entry, EntryMut, Module, Path};
use chainrule_tensor::ops::Steps;
use chainrule_tensor::{Real, Tensor};

/// The layers and how they are put together.
#[derive(Clone, Debug)]
pub(super) struct Stack<T: Real> {
    /// The public type's name, for messages.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Layer by layer; in each, the forward direction before the reverse.
    pub(super) params: Vec<RecurrentParams<T>>,
    pub(super) bidirectional: bool,
    pub(super) dropout: f64,
    pub(super) batch_first: bool,
}

/// A state: `h`, and an LSTM's `c`.
pub(super) type State<T> = (Tensor<T>, Option<Tensor<T>>);

impl<T: Real> Stack<T> {
    /// 2 for both directions, else 1.
    pub(super) fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    pub(super) fn layers(&self) -> usize {
        self.params.len() / self.directions()
    }

    pub(super) fn inputs(&self) -> usize {
        self.params[0].inputs()
    }

    pub(super) fn hidden(&self) -> usize {
        self.params[0].hidden()
    }

    /// The parameters of one layer in one direction.
    #[track_caller]
    pub(super) fn params(&self, layer: usize, reverse: bool) -> &RecurrentParams<T> {
        let (layers, directions) = (self.layers(), self.directions());
        let name = self.name;
        assert!(layer < layers, "{name}: there is no layer {layer} among {layers}");
        assert!(usize::from(reverse) < directions, "{name}: it does not run in reverse");
        &self.params[layer * directions + usize::from(reverse)]
    }

    /// One line with the settings that differ from the defaults.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{}({}, {}", self.name, self.inputs(), self.hidden());
        let mut add = |differs: bool, setting: String| {
            if differs {
                text += ", ";
                text += &setting;
            }
        };
        add(self.kind == Kind::Rnn(chainrule_tensor::ops::RnnActivation::Relu), "activation=relu".into());
        add(self.layers() > 1, format!("layers={}", self.layers()));
        add(self.params[0].bias_ih.is_none(), "bias=false".into());
        add(!self.batch_first, "batch_first=false".into());
        add(self.dropout > 0.0, format!("dropout={}", self.dropout));
        add(self.bidirectional, "bidirectional=true".into());
        text + ")"
    }

    /// The outputs of all steps, and the last state of each layer and direction.
    #[track_caller]
    pub(super) fn forward(
        &self,
        x: &Tensor<T>,
        lengths: Option<&[usize]>,
        state: Option<(&Tensor<T>, Option<&Tensor<T>>)>,
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, State<T>) {
        let (name, features, hidden) = (self.name, self.inputs(), self.hidden());
        let (batched, batch_dim) = (x.rank() == 3, usize::from(!self.batch_first));
        let rule = if self.batch_first { "[N, L" } else { "[L, N" };
        assert!(
            (batched || x.rank() == 2) && x.size(-1) == features,
            "{name}: input {} must be {rule}, {features}] or [L, {features}]",
            x.shape()
        );
        let x = if batched { x.clone() } else { x.unsqueeze(batch_dim as isize) };
        let (batch, length) = (x.shape()[batch_dim], x.shape()[1 - batch_dim]);
        assert!(length > 0, "{name}: input {} has no step", x.shape());
        let slots = self.params.len();
        let (h0, c0) = (state.map(|(h, _)| h), state.and_then(|(_, c)| c));
        let expected = if batched { vec![slots, batch, hidden] } else { vec![slots, hidden] };
        for h in [h0, c0].into_iter().flatten() {
            assert!(h.shape()[..] == expected[..], "{name}: the state {} must be {expected:?}", h.shape());
        }
        let as_batch = |h: &Tensor<T>| if batched { h.clone() } else { h.unsqueeze(1) };
        let (h0, c0) = (h0.map(as_batch), c0.map(as_batch));

        // Inside, the steps come first.
        let x = if self.batch_first { x.transpose(0, 1) } else { x };
        let (y, last_h, last_c) = self.run(x, lengths, [h0, c0], mode);
        let y = if self.batch_first { y.transpose(0, 1) } else { y };
        let y = if batched { y } else { y.squeeze(batch_dim as isize) };
        let stack = |last: Vec<Tensor<T>>| {
            let last = if let [one] = &last[..] {
                one.unsqueeze(0)
            } else {
                Tensor::stack(&last.iter().collect::<Vec<_>>(), 0)
            };
            if batched { last } else { last.squeeze(1) }
        };
        let c = (self.kind == Kind::Lstm).then(|| stack(last_c));
        (y, (stack(last_h), c))
    }

    /// The outputs of all steps of a batch `[L, N, F]`, and the last states and memories of all layers and directions, one by one.
    #[track_caller]
    fn run(
        &self,
        mut x: Tensor<T>,
        lengths: Option<&[usize]>,
        [h0, c0]: [Option<Tensor<T>>; 2],
        mode: &mut Mode<'_>,
    ) -> (Tensor<T>, Vec<Tensor<T>>, Vec<Tensor<T>>) {
        let (mut last_h, mut last_c) = (Vec::with_capacity(self.params.len()), Vec::new());
        for layer in 0..self.layers() {
            if let (true, Mode::Train(rng)) = (layer > 0 && self.dropout > 0.0, &mut *mode) {
                x = x.dropout(self.dropout, rng);
            }
            let mut outputs = Vec::with_capacity(self.directions());
            for direction in 0..self.directions() {
                let slot = layer * self.directions() + direction;
                let before = |h: &Option<Tensor<T>>| h.as_ref().map(|h| h.select(0, slot));
                let (h0, c0) = (before(&h0), before(&c0));
                let steps = Steps { reverse: direction == 1, lengths };
                let weights = self.params[slot].weights();
                let (y, h) = match self.kind {
                    Kind::Rnn(activation) => x.rnn(&weights, activation, h0.as_ref(), steps),
                    Kind::Gru => x.gru(&weights, h0.as_ref(), steps),
                    Kind::Lstm => {
                        let (y, (h, c)) = x.lstm(&weights, h0.as_ref().zip(c0.as_ref()), steps);
                        last_c.push(c);
                        (y, h)
                    }
                };
                last_h.push(h);
                outputs.push(y);
            }
            x = match &outputs[..] {
                [forward, reverse] => Tensor::cat(&[forward, reverse], -1),
                _ => outputs.remove(0),
            };
        }
        (x, last_h, last_c)
    }
}

impl<T: Real> Module<T> for Stack<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.params.iter().for_each(|params| params.visit(path, visitor));
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.params.iter_mut().for_each(|params| params.visit_mut(path, visitor));
    }
}
