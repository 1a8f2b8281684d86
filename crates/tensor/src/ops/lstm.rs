//! Long short-term memory: a whole sequence through one layer in one direction, as one node.
//!
//! | | |
//! |---|---|
//! | equation | `c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)`; `i, f, o = sigmoid`, `g = tanh` of their parts of `x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh` |
//! | derivative | `c_t' += h_t' o (1 - tanh(c_t)^2)`, `c_{t-1}' = c_t' f`; `i' = c_t' g`, `f' = c_t' c_{t-1}`, `g' = c_t' i`, `o' = h_t' tanh(c_t)`, then as in `linear` |
//! | shapes | `x [L, N, F]`, `W_ih [4H, F]`, `W_hh [4H, H]`, `b [4H]`, `h_0`, `c_0 [N, H]` -> `h [L, N, H]`, the last `h` and `c [N, H]` |
//! | saved | the inputs; `i, f, g, o`, `c` and `h` of every step |
//! | source | S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the forget gate: F. Gers et al., "Learning to forget", Neural Computation 12 (2000) |
//!
//! The rows of the weights are those of the gates `i, f, g, o`, one gate after another.

use super::recurrent::{Call, RecurrentWeights, Steps};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::recurrent::Cell;

pub(super) static INFO: OpInfo = OpInfo {
    name: "lstm",
    equation: "c_t = f c_{t-1} + i g, h_t = o tanh(c_t); i, f, o = sigmoid, g = tanh of x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh",
    derivative: "through time: c_t' += h_t' o (1 - tanh(c_t)^2), c_{t-1}' = c_t' f, i' = c_t' g, f' = c_t' c_{t-1}, g' = c_t' i, o' = h_t' tanh(c_t)",
    torch: "torch.nn.LSTM",
};

fn unroll<T: Real>(call: &Call<T>) -> Tensor<T> {
    call.unrolled(|[input, state, _, c]| {
        let gates = (input + state).chunk(4, -1);
        let [i, f, g, o] = &gates[..] else { unreachable!("chunk(4) gives four parts") };
        let c = f.sigmoid() * c + i.sigmoid() * g.tanh();
        (o.sigmoid() * c.tanh(), c)
    })
}

impl<T: Real> Tensor<T> {
    /// Runs an LSTM over sequences `[L, N, F]` from the state `(h, c)`, zeros where none is given. Returns the outputs of all
    /// steps and the last state.
    ///
    /// # Panics
    /// If a shape or a length does not match, or there is no step.
    #[track_caller]
    pub fn lstm(
        &self,
        weights: &RecurrentWeights<'_, T>,
        state: Option<(&Self, &Self)>,
        steps: Steps<'_>,
    ) -> (Self, (Self, Self)) {
        let call = Call::new(&INFO, Cell::Lstm, self, weights, state.unzip(), steps);
        let (outputs, h, c) = call.record(&INFO, unroll);
        (outputs, (h, c.expect("an LSTM has a memory")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;
    use crate::ops::recurrent::testing;

    #[test]
    fn worked_example() {
        // One unit, input 0: gates of biases alone. i = f = o = 1/2, g = tanh(ln 2) = 0.6.
        let (w_ih, w_hh) = (Tensor::zeros([4, 1]), Tensor::zeros([4, 1]));
        let (b_ih, b_hh) = (Tensor::from([0.0f64, 0.0, 2f64.ln(), 0.0]), Tensor::zeros([4]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: Some((&b_ih, &b_hh)) };
        let (y, (h, c)) = Tensor::zeros([2, 1, 1]).lstm(&weights, None, Steps::default());
        let expected = [0.5 * 0.3f64.tanh(), 0.5 * 0.45f64.tanh()];
        assert!(y.to_vec().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
        assert!((c.item() - 0.45).abs() < 1e-15 && h.item() == y.to_vec()[1]);
    }

    #[test]
    fn gradcheck() {
        testing::check(4, true, |x, weights, state, steps| {
            let (y, (h, c)) = x.lstm(weights, state, steps);
            (y, vec![h, c])
        });
    }

    #[test]
    #[should_panic(expected = "lstm: the length 4 of sample 1 is not between 1 and 3")]
    fn lengths_must_fit() {
        let (w_ih, w_hh) = (Tensor::<f32>::zeros([8, 5]), Tensor::zeros([8, 2]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: None };
        let steps = Steps { lengths: Some(&[1, 4]), reverse: false };
        let _ = Tensor::zeros([3, 2, 5]).lstm(&weights, None, steps);
    }

    #[test]
    #[should_panic(expected = "lstm: input [3, 2, 5], weight_ih [8, 5], weight_hh [6, 2], biases None: they must be")]
    fn shapes_must_match() {
        let (w_ih, w_hh) = (Tensor::<f32>::zeros([8, 5]), Tensor::zeros([6, 2]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: None };
        let _ = Tensor::zeros([3, 2, 5]).lstm(&weights, None, Steps::default());
    }

    #[test]
    fn initial_states_may_depend_on_the_input() {
        let (x, w) = (check::random([3, 2, 4], -1.0, 1.0), check::random([16, 4], -0.5, 0.5));
        check::gradients(
            |v| {
                let weights = RecurrentWeights { weight_ih: &v[1], weight_hh: &v[1], bias: None };
                let state = (v[0].select(0, 1), v[0].select(0, 0));
                v[0].lstm(&weights, Some((&state.0, &state.1)), Steps::default()).0
            },
            &[&x, &w],
        );
    }
}
