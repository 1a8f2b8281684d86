//! Plain recurrent net: a whole sequence through one layer in one direction, as one node.
//!
//! | | |
//! |---|---|
//! | equation | `h_t = f(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)`, `f = tanh` or `relu` |
//! | derivative | `a' = h_t' (1 - h_t^2)` or `h_t'` where `h_t > 0`; `h_{t-1}' += a' W_hh`, the others as in `linear` |
//! | shapes | `x [L, N, F]`, `W_ih [H, F]`, `W_hh [H, H]`, `b [H]`, `h_0 [N, H]` -> `h [L, N, H]`, the last `h [N, H]` |
//! | saved | the inputs; `h` of every step |
//! | source | J. Elman, "Finding structure in time", Cognitive Science 14 (1990) |

use super::recurrent::{Call, RecurrentWeights, Steps};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::recurrent::Cell;

pub(super) static INFO: OpInfo = OpInfo {
    name: "rnn",
    equation: "h_t = f(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh), f = tanh or relu",
    derivative: "through time: a' = h_t' f'(a), h_{t-1}' += a' W_hh",
    torch: "torch.nn.RNN",
};

/// The function of a plain recurrent net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RnnActivation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// The rectifier, `max(x, 0)`.
    Relu,
}

fn unroll_tanh<T: Real>(call: &Call<T>) -> Tensor<T> {
    call.unrolled(|[input, state, _, c]| ((input + state).tanh(), c.clone()))
}

fn unroll_relu<T: Real>(call: &Call<T>) -> Tensor<T> {
    call.unrolled(|[input, state, _, c]| ((input + state).relu(), c.clone()))
}

impl<T: Real> Tensor<T> {
    /// Runs a plain recurrent net over sequences `[L, N, F]` from the state `h0`, zeros where none is given. Returns the
    /// outputs of all steps and the last state.
    ///
    /// # Panics
    /// If a shape or a length does not match, or there is no step.
    #[track_caller]
    pub fn rnn(
        &self,
        weights: &RecurrentWeights<'_, T>,
        activation: RnnActivation,
        h0: Option<&Self>,
        steps: Steps<'_>,
    ) -> (Self, Self) {
        let (cell, unroll): (_, fn(&Call<T>) -> Self) = match activation {
            RnnActivation::Tanh => (Cell::Tanh, unroll_tanh),
            RnnActivation::Relu => (Cell::Relu, unroll_relu),
        };
        let (outputs, h, _) = Call::new(&INFO, cell, self, weights, (h0, None), steps).record(&INFO, unroll);
        (outputs, h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::recurrent::testing;

    #[test]
    fn worked_example() {
        let (w_ih, w_hh) = (Tensor::from([[1.0f64]]), Tensor::from([[2.0]]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: None };
        let x = Tensor::from([[[1.0]], [[-3.0]], [[0.5]]]);
        let run = |reverse| {
            let (y, h) = x.rnn(&weights, RnnActivation::Relu, None, Steps { reverse, lengths: None });
            (y.to_vec(), h.item())
        };
        assert_eq!(run(false), (vec![1.0, 0.0, 0.5], 0.5));
        assert_eq!(run(true), (vec![1.0, 0.0, 0.5], 1.0));
        // The second sample ends after two steps: its last state is the one there, and nothing comes out behind.
        let (x, steps) = (Tensor::ones([3, 2, 1]), Steps { reverse: false, lengths: Some(&[3, 2]) });
        let (y, h) = x.rnn(&weights, RnnActivation::Relu, None, steps);
        assert_eq!((y.to_vec(), h.to_vec()), (vec![1.0, 1.0, 3.0, 3.0, 7.0, 0.0], vec![7.0, 3.0]));
    }

    #[test]
    fn gradcheck() {
        for activation in [RnnActivation::Tanh, RnnActivation::Relu] {
            testing::check(1, false, |x, weights, state, steps| {
                let (y, h) = x.rnn(weights, activation, state.map(|(h, _)| h), steps);
                (y, vec![h])
            });
        }
    }

    #[test]
    #[should_panic(expected = "rnn: 3 lengths for 2 samples")]
    fn every_sample_has_a_length() {
        let (w_ih, w_hh) = (Tensor::<f32>::zeros([4, 5]), Tensor::zeros([4, 4]));
        let weights = RecurrentWeights { weight_ih: &w_ih, weight_hh: &w_hh, bias: None };
        let steps = Steps { reverse: false, lengths: Some(&[1, 1, 1]) };
        let _ = Tensor::zeros([3, 2, 5]).rnn(&weights, RnnActivation::Tanh, None, steps);
    }
}
