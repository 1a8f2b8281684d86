//! [`RnnCell`], [`LstmCell`] and [`GruCell`]: one step of a recurrent layer.
//!
//! | | |
//! |---|---|
//! | shapes | `x [N, F]`, state `[N, H]` -> the next state `[N, H]`; one sample `[F]`, `[H]` -> `[H]` |
//! | parameters | `weight_ih [G H, F]`, `weight_hh [G H, H]`, `bias_ih`, `bias_hh [G H]` |
//! | initialization | all uniform on `(-1/sqrt(H), 1/sqrt(H))`: PyTorch's default |
//!
//! The equations stand with the operations [`rnn`](Tensor::rnn), [`lstm`](Tensor::lstm) and [`gru`](Tensor::gru).

use super::lstm::LstmState;
use super::params::{Kind, RecurrentParams};
use crate::Module;
use chainrule_tensor::ops::{RnnActivation, Steps};
use chainrule_tensor::{Real, Rng, Tensor};

/// One step of a plain recurrent net.
///
/// ```
/// use chainrule_layers::RnnCell;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let cell: RnnCell = RnnCell::new(3, 5, &mut Rng::seed_from_u64(1));
/// let h = cell.forward(&Tensor::ones([2, 3]), None);
/// assert_eq!(cell.forward(&Tensor::ones([2, 3]), Some(&h)).shape(), &[2, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct RnnCell<T: Real = f32> {
    /// The parameters.
    #[module(flatten)]
    pub params: RecurrentParams<T>,
    #[module(skip)]
    activation: RnnActivation,
}

/// One step of an LSTM.
///
/// ```
/// use chainrule_layers::LstmCell;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let cell: LstmCell = LstmCell::new(3, 5, &mut Rng::seed_from_u64(1));
/// let mut state = cell.forward(&Tensor::ones([2, 3]), None);
/// for _ in 0..4 {
///     state = cell.forward(&Tensor::ones([2, 3]), Some(&state));
/// }
/// assert_eq!((state.h.shape(), state.c.shape()), (&[2, 5].into(), &[2, 5].into()));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LstmCell<T: Real = f32> {
    /// The parameters.
    #[module(flatten)]
    pub params: RecurrentParams<T>,
}

/// One step of a GRU.
///
/// ```
/// use chainrule_layers::GruCell;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let cell: GruCell = GruCell::new(3, 5, &mut Rng::seed_from_u64(1));
/// let h = cell.forward(&Tensor::ones([2, 3]), None);
/// assert_eq!(cell.forward(&Tensor::ones([2, 3]), Some(&h)).shape(), &[2, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct GruCell<T: Real = f32> {
    /// The parameters.
    #[module(flatten)]
    pub params: RecurrentParams<T>,
}

impl<T: Real> RnnCell<T> {
    /// A cell with the hyperbolic tangent and biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, RnnActivation::Tanh, true, rng)
    }

    /// A cell with a given function, with or without biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, activation: RnnActivation, bias: bool, rng: &mut Rng) -> Self {
        RnnCell { params: params("RnnCell", Kind::Rnn(activation), inputs, hidden, bias, rng), activation }
    }

    /// The state after the input `x`. Without a state it starts from zeros.
    ///
    /// # Panics
    /// If a shape does not match.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&Tensor<T>>) -> Tensor<T> {
        let (x, state) = one_step("RnnCell", &self.params, x, [state]);
        let (_, h) = x.values.rnn(&self.params.weights(), self.activation, state[0].as_ref(), Steps::default());
        x.unbatch(h)
    }
}

impl<T: Real> LstmCell<T> {
    /// A cell with biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, true, rng)
    }

    /// A cell with or without biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, bias: bool, rng: &mut Rng) -> Self {
        LstmCell { params: params("LstmCell", Kind::Lstm, inputs, hidden, bias, rng) }
    }

    /// The state after the input `x`. Without a state it starts from zeros.
    ///
    /// # Panics
    /// If a shape does not match.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&LstmState<T>>) -> LstmState<T> {
        let (x, [h, c]) = one_step("LstmCell", &self.params, x, [state.map(|s| &s.h), state.map(|s| &s.c)]);
        let (_, (h, c)) = x.values.lstm(&self.params.weights(), h.as_ref().zip(c.as_ref()), Steps::default());
        LstmState { h: x.unbatch(h), c: x.unbatch(c) }
    }
}

impl<T: Real> GruCell<T> {
    /// A cell with biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        Self::with(inputs, hidden, true, rng)
    }

    /// A cell with or without biases.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn with(inputs: usize, hidden: usize, bias: bool, rng: &mut Rng) -> Self {
        GruCell { params: params("GruCell", Kind::Gru, inputs, hidden, bias, rng) }
    }

    /// The state after the input `x`. Without a state it starts from zeros.
    ///
    /// # Panics
    /// If a shape does not match.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&Tensor<T>>) -> Tensor<T> {
        let (x, state) = one_step("GruCell", &self.params, x, [state]);
        let (_, h) = x.values.gru(&self.params.weights(), state[0].as_ref(), Steps::default());
        x.unbatch(h)
    }
}

#[track_caller]
fn params<T: Real>(
    name: &str,
    kind: Kind,
    inputs: usize,
    hidden: usize,
    bias: bool,
    rng: &mut Rng,
) -> RecurrentParams<T> {
    assert!(hidden > 0, "{name}: there must be at least one hidden unit");
    RecurrentParams::new(kind, inputs, hidden, bias, "", rng)
}

/// A sequence of one step.
struct OneStep<T: Real> {
    /// `[1, N, F]`
    values: Tensor<T>,
    batched: bool,
}

impl<T: Real> OneStep<T> {
    /// The state `[N, H]`, or `[H]` for one sample.
    fn unbatch(&self, state: Tensor<T>) -> Tensor<T> {
        if self.batched { state } else { state.squeeze(0) }
    }
}

/// The input as a sequence of one step, and states as batches.
#[track_caller]
fn one_step<T: Real, const STATES: usize>(
    name: &str,
    params: &RecurrentParams<T>,
    x: &Tensor<T>,
    states: [Option<&Tensor<T>>; STATES],
) -> (OneStep<T>, [Option<Tensor<T>>; STATES]) {
    let (features, hidden, batched) = (params.inputs(), params.hidden(), x.rank() == 2);
    assert!(
        (batched || x.rank() == 1) && x.size(-1) == features,
        "{name}: input {} must be [N, {features}] or [{features}]",
        x.shape()
    );
    let expected = if batched { vec![x.shape()[0], hidden] } else { vec![hidden] };
    for h in states.into_iter().flatten() {
        assert!(h.shape()[..] == expected[..], "{name}: the state {} must be {expected:?}", h.shape());
    }
    let states = states.map(|state| state.map(|h| if batched { h.clone() } else { h.unsqueeze(0) }));
    let values = if batched { x.unsqueeze(0) } else { x.unsqueeze(0).unsqueeze(0) };
    (OneStep { values, batched }, states)
}
