//! [`LstmCell`] and [`Lstm`]: recurrent layers with a memory that gates protect.
//!
//! | | |
//! |---|---|
//! | gates | `[i, f, g, o] = x W_ih^T + b_ih + h W_hh^T + b_hh`, cut into four parts `[N, H]` |
//! | memory | `c' = sigmoid(f) c + sigmoid(i) tanh(g)` |
//! | output | `h' = sigmoid(o) tanh(c')` |
//! | parameters | `weight_ih [4H, F]`, `weight_hh [4H, H]`, `bias_ih [4H]`, `bias_hh [4H]`; those of [`Lstm`] end in `_l0` |
//! | initialization | all uniform on `(-1/sqrt(H), 1/sqrt(H))`: PyTorch's default |
//!
//! `F` is the number of features of the input, `H` of the output. The order of the gates (input, forget, candidate, output)
//! is PyTorch's too. The state before the first step is zero unless given.
//!
//! Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the forget gate: F. Gers
//! et al., "Learning to forget", Neural Computation 12 (2000).

use crate::{Layer, Mode, Module, Param, init};
use chainrule_tensor::{Real, Rng, Tensor};

/// The output `h` and the memory `c` of a recurrent layer, both `[N, H]`.
pub type LstmState<T = f32> = (Tensor<T>, Tensor<T>);

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
/// let (h, c) = state;
/// assert_eq!((h.shape(), c.shape()), (&[2, 5].into(), &[2, 5].into()));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LstmCell<T: Real = f32> {
    /// `[4H, F]`.
    pub weight_ih: Param<T>,
    /// `[4H, H]`.
    pub weight_hh: Param<T>,
    /// `[4H]`.
    pub bias_ih: Param<T>,
    /// `[4H]`.
    pub bias_hh: Param<T>,
}

impl<T: Real> LstmCell<T> {
    /// A cell for inputs of `inputs` features with an output of `hidden` features.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        assert!(hidden > 0, "LstmCell: there must be at least one hidden feature");
        let bound = 1.0 / (hidden as f64).sqrt();
        LstmCell {
            weight_ih: Param::new(init::symmetric([4 * hidden, inputs], bound, rng)),
            weight_hh: Param::new(init::symmetric([4 * hidden, hidden], bound, rng)),
            bias_ih: Param::new(init::symmetric(4 * hidden, bound, rng)),
            bias_hh: Param::new(init::symmetric(4 * hidden, bound, rng)),
        }
    }

    /// The state after the input `x [N, F]`.
    ///
    /// # Panics
    /// If a shape does not match.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&LstmState<T>>) -> LstmState<T> {
        let (features, hidden) = (self.weight_ih.shape()[1], self.hidden());
        assert!(x.rank() == 2 && x.shape()[1] == features, "LstmCell: input {} must be [N, {features}]", x.shape());
        let state = initial("LstmCell", state, x.shape()[0], hidden);
        let bias = &*self.bias_ih + &*self.bias_hh;
        step(&x.linear(&self.weight_ih, Some(&bias)), &self.weight_hh, &state)
    }

    /// The number of features of the output.
    pub fn hidden(&self) -> usize {
        self.weight_hh.shape()[1]
    }
}

/// An LSTM that runs over sequences, batch first.
///
/// As a [`Layer`] it maps `[N, L, F]` to the outputs of all steps, `[N, L, H]`.
///
/// ```
/// use chainrule_layers::Lstm;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let lstm: Lstm = Lstm::new(3, 5, &mut Rng::seed_from_u64(1));
/// let (outputs, (h, c)) = lstm.forward(&Tensor::ones([2, 7, 3]), None);
/// assert_eq!(outputs.shape(), &[2, 7, 5]);
/// assert_eq!(h.to_vec(), outputs.select(1, 6).to_vec());
/// // The state carries on where the sequence ended.
/// let (more, _) = lstm.forward(&Tensor::ones([2, 4, 3]), Some(&(h, c)));
/// assert_eq!(more.shape(), &[2, 4, 5]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Lstm<T: Real = f32> {
    /// `[4H, F]`.
    #[module(rename = "weight_ih_l0")]
    pub weight_ih: Param<T>,
    /// `[4H, H]`.
    #[module(rename = "weight_hh_l0")]
    pub weight_hh: Param<T>,
    /// `[4H]`.
    #[module(rename = "bias_ih_l0")]
    pub bias_ih: Param<T>,
    /// `[4H]`.
    #[module(rename = "bias_hh_l0")]
    pub bias_hh: Param<T>,
}

impl<T: Real> Lstm<T> {
    /// A layer for sequences of `inputs` features with an output of `hidden` features.
    ///
    /// # Panics
    /// If `hidden` is 0.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Self {
        let LstmCell { weight_ih, weight_hh, bias_ih, bias_hh } = LstmCell::new(inputs, hidden, rng);
        Lstm { weight_ih, weight_hh, bias_ih, bias_hh }
    }

    /// The outputs of all steps `[N, L, H]`, and the state after the last one, for sequences `x [N, L, F]`.
    ///
    /// # Panics
    /// If a shape does not match, or the sequences are empty.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, state: Option<&LstmState<T>>) -> (Tensor<T>, LstmState<T>) {
        let (features, hidden) = (self.weight_ih.shape()[1], self.hidden());
        assert!(
            x.rank() == 3 && x.shape()[1] > 0 && x.shape()[2] == features,
            "Lstm: input {} must be [N, L, {features}] with at least one step",
            x.shape()
        );
        let mut state = initial("Lstm", state, x.shape()[0], hidden);
        // The inputs' share of the gates, for all steps in one product.
        let bias = &*self.bias_ih + &*self.bias_hh;
        let gates = x.linear(&self.weight_ih, Some(&bias));
        let outputs: Vec<Tensor<T>> = (0..x.shape()[1])
            .map(|t| {
                state = step(&gates.select(1, t), &self.weight_hh, &state);
                state.0.clone()
            })
            .collect();
        (Tensor::stack(&outputs.iter().collect::<Vec<_>>(), 1), state)
    }

    /// The number of features of the output.
    pub fn hidden(&self) -> usize {
        self.weight_hh.shape()[1]
    }
}

impl<T: Real> Layer<T> for Lstm<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, None).0
    }
    fn describe(&self) -> String {
        format!("Lstm({}, {})", self.weight_ih.shape()[1], self.hidden())
    }
}

/// The state to begin with.
#[track_caller]
fn initial<T: Real>(layer: &str, state: Option<&LstmState<T>>, batch: usize, hidden: usize) -> LstmState<T> {
    let Some((h, c)) = state else {
        let zeros = Tensor::zeros([batch, hidden]);
        return (zeros.clone(), zeros);
    };
    assert!(
        h.shape() == &[batch, hidden] && c.shape() == &[batch, hidden],
        "{layer}: state {} and {} must be [{batch}, {hidden}]",
        h.shape(),
        c.shape()
    );
    (h.clone(), c.clone())
}

/// One step; `gates` holds the input's share and both biases.
#[track_caller]
fn step<T: Real>(gates: &Tensor<T>, weight_hh: &Tensor<T>, (h, c): &LstmState<T>) -> LstmState<T> {
    let gates = (gates + h.linear(weight_hh, None)).chunk(4, -1);
    let [i, f, g, o] = &gates[..] else { unreachable!("chunk(4) gives four parts") };
    let c = f.sigmoid() * c + i.sigmoid() * g.tanh();
    let h = o.sigmoid() * c.tanh();
    (h, c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn rng() -> Rng {
        Rng::seed_from_u64(11)
    }

    /// The equations, element by element.
    fn reference(cell: &LstmCell<f64>, x: &Tensor<f64>, (h, c): &LstmState<f64>) -> (Vec<f64>, Vec<f64>) {
        let (n, hidden) = (x.shape()[0], cell.hidden());
        let dot = |w: &Tensor<f64>, row: usize, x: &Tensor<f64>, sample: usize| {
            (0..w.shape()[1]).map(|k| w.view()[[row, k]] * x.view()[[sample, k]]).sum::<f64>()
        };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut next = (Vec::new(), Vec::new());
        for sample in 0..n {
            for unit in 0..hidden {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| {
                    let row = gate * hidden + unit;
                    let bias = cell.bias_ih.view()[[row]] + cell.bias_hh.view()[[row]];
                    dot(&cell.weight_ih, row, x, sample) + dot(&cell.weight_hh, row, h, sample) + bias
                });
                let c = sigmoid(f) * c.view()[[sample, unit]] + sigmoid(i) * g.tanh();
                next.0.push(sigmoid(o) * c.tanh());
                next.1.push(c);
            }
        }
        next
    }

    #[test]
    fn the_cell_computes_its_equations() {
        let cell = LstmCell::new(3, 4, &mut rng());
        let draw = |shape| Tensor::randn(shape, &mut rng());
        let x = draw([2, 3]);
        let state = (draw([2, 4]), draw([2, 4]) * 0.5);
        let (h, c) = cell.forward(&x, Some(&state));
        let expected = reference(&cell, &x, &state);
        assert_relative_eq!(h.to_vec()[..], expected.0[..], epsilon = 1e-12);
        assert_relative_eq!(c.to_vec()[..], expected.1[..], epsilon = 1e-12);
        let zeros = (Tensor::zeros([2, 4]), Tensor::zeros([2, 4]));
        assert_eq!(cell.forward(&x, None).0.to_vec(), cell.forward(&x, Some(&zeros)).0.to_vec());
    }

    #[test]
    fn the_layer_unrolls_the_cell() {
        let lstm: Lstm<f64> = Lstm::new(3, 4, &mut rng());
        let cell = LstmCell::new(3, 4, &mut rng());
        let x = Tensor::randn([2, 5, 3], &mut rng());
        let start = (Tensor::randn([2, 4], &mut rng()), Tensor::ones([2, 4]));
        let (outputs, (h, c)) = lstm.forward(&x, Some(&start));
        let mut state = start;
        for t in 0..5 {
            state = cell.forward(&x.select(1, t), Some(&state));
            assert_relative_eq!(outputs.select(1, t).to_vec()[..], state.0.to_vec()[..], epsilon = 1e-12);
        }
        assert_relative_eq!(h.to_vec()[..], state.0.to_vec()[..], epsilon = 1e-12);
        assert_relative_eq!(c.to_vec()[..], state.1.to_vec()[..], epsilon = 1e-12);
        assert_eq!(lstm.call(&x, &mut Mode::Eval).to_vec(), lstm.forward(&x, None).0.to_vec());
        assert_eq!(lstm.describe(), "Lstm(3, 4)");
    }

    #[test]
    fn names_and_bounds_are_those_of_pytorch() {
        let names =
            |module: &dyn Module| module.named_parameters().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let cell: LstmCell = LstmCell::new(3, 100, &mut rng());
        assert_eq!(names(&cell), ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]);
        assert_eq!(names(&Lstm::new(3, 4, &mut rng())), ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]);
        for param in cell.parameters() {
            let largest = param.to_vec().iter().fold(0f32, |m, x| m.max(x.abs()));
            assert!((0.098..=0.1).contains(&largest), "{largest}");
        }
    }

    #[test]
    #[should_panic(expected = "Lstm: input [2, 0, 3] must be [N, L, 3] with at least one step")]
    fn a_sequence_has_steps() {
        Lstm::<f32>::new(3, 4, &mut rng()).forward(&Tensor::zeros([2, 0, 3]), None);
    }

    #[test]
    #[should_panic(expected = "LstmCell: state [1, 4] and [2, 4] must be [2, 4]")]
    fn the_state_must_match() {
        let state = (Tensor::zeros([1, 4]), Tensor::zeros([2, 4]));
        LstmCell::<f32>::new(3, 4, &mut rng()).forward(&Tensor::zeros([2, 3]), Some(&state));
    }
}
