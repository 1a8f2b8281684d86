//! Gated recurrent unit, in the form that resets after the product: a whole sequence through one layer in one direction, as
//! one node.
//!
//! | | |
//! |---|---|
//! | equation | `h_t = (1 - z) n + z h_{t-1}`, `n = tanh(a_n + r b_n)`; `r`, `z = sigmoid(a + b)`; `a = x_t W_ih^T + b_ih`, `b = h_{t-1} W_hh^T + b_hh` |
//! | derivative | `z' = h_t' (h_{t-1} - n)`, `n' = h_t' (1 - z)`, `a_n' = n' (1 - n^2)`, `r' = a_n' b_n`, `b_n' = a_n' r`, `h_{t-1}' = h_t' z` and what flows through the gates, then as in `linear` |
//! | shapes | `x [L, N, F]`, `W_ih [3H, F]`, `W_hh [3H, H]`, `b [3H]`, `h_0 [N, H]` -> `h [L, N, H]`, the last `h [N, H]` |
//! | saved | the inputs; `r, z, n`, `b_n` and `h` of every step |
//! | source | K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014 (version 1 on arXiv, 1406.1078, resets after the product) |
//!
//! The rows of the weights are those of the gates `r, z, n`, one gate after another.

use super::recurrent::{Call, RecurrentWeights, Steps};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::recurrent::Cell;

pub(super) static INFO: OpInfo = OpInfo {
    name: "gru",
    equation: "h_t = (1 - z) n + z h_{t-1}, n = tanh(a_n + r b_n); r, z = sigmoid(a + b); a = x_t W_ih^T + b_ih, b = h_{t-1} W_hh^T + b_hh",
    derivative: "through time: z' = h_t' (h_{t-1} - n), n' = h_t' (1 - z), a_n' = n' (1 - n^2), r' = a_n' b_n, b_n' = a_n' r, h_{t-1}' += h_t' z",
    torch: "torch.nn.GRU",
};

fn unroll<T: Real>(call: &Call<T>) -> Tensor<T> {
    call.unrolled(|[input, state, h, c]| {
        let (inputs, states) = (input.chunk(3, -1), state.chunk(3, -1));
        let r = (&inputs[0] + &states[0]).sigmoid();
        let z = (&inputs[1] + &states[1]).sigmoid();
        let n = (&inputs[2] + r * &states[2]).tanh();
        (&n + z * (h - &n), c.clone())
    })
}

impl<T: Real> Tensor<T> {
    /// Runs a GRU over sequences `[L, N, F]` from the state `h0`, zeros where none is given. Returns the outputs of all steps
    /// and the last state.
    ///
    /// # Panics
    /// If a shape or a length does not match, or there is no step.
    #[track_caller]
    pub fn gru(&self, weights: &RecurrentWeights<'_, T>, h0: Option<&Self>, steps: Steps<'_>) -> (Self, Self) {
        let call = Call::new(&INFO, Cell::Gru, self, weights, (h0, None), steps);
        let (outputs, h, _) = call.record(&INFO, unroll);
        (outputs, h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::recurrent::testing;

    #[test]
    fn worked_example() {
        // One unit, input 0: r = 1/2, z = 1/4, n = tanh(r b_n) with b_n = 2 ln 2, hence 0.6.
        let (w_ih, w_hh) = (Tensor::zeros([3, 1]), Tensor::zeros([3, 1]));
        let (b_ih, b_hh) = (Tensor::from([0.0f64, -3f64.ln(), 0.0]), Tensor::from([0.0, 0.0, 4f64.ln()]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: Some((&b_ih, &b_hh)) };
        let (y, h) = Tensor::zeros([2, 1, 1]).gru(&weights, Some(&Tensor::from([[2.0]])), Steps::default());
        assert!(y.to_vec().iter().zip([0.95, 0.6875]).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
        assert_eq!(h.item(), y.to_vec()[1]);
    }

    #[test]
    fn gradcheck() {
        testing::check(3, false, |x, weights, state, steps| {
            let (y, h) = x.gru(weights, state.map(|(h, _)| h), steps);
            (y, vec![h])
        });
    }

    #[test]
    #[should_panic(expected = "gru: the state [3, 4] must be [2, 4]")]
    fn shapes_must_match() {
        let (w_ih, w_hh) = (Tensor::<f32>::zeros([12, 5]), Tensor::zeros([12, 4]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: None };
        let _ = Tensor::zeros([3, 2, 5]).gru(&weights, Some(&Tensor::zeros([3, 4])), Steps::default());
    }
}
