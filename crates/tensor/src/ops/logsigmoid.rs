//! Logarithm of the logistic function: `y = -ln(1 + e^-x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = ln(1 / (1 + exp(-x_i)))` |
//! | derivative | `x' = y' s(-x)`, `s` the logistic function |
//! | shapes | any |
//! | saved | `x` |
//!
//! Computed as `min(x, 0) - ln(1 + e^-|x|)`, which neither overflows nor loses what is below the last bit of 1.

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "logsigmoid",
    equation: "y = -ln(1 + exp(-x))",
    derivative: "x' = y' / (1 + exp(x))",
    torch: "torch.nn.functional.logsigmoid",
};

#[derive(Debug)]
struct LogSigmoid<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for LogSigmoid<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            inputs.add(0, || grad * (-&self.x).sigmoid());
        } else {
            inputs.add(0, || map2_owned("logsigmoid_backward", Slope {}, grad, &self.x));
        }
    }
}

unary!(costly Formula(self, x: T) = x.minimum(T::ZERO) - (-x.abs()).exp().ln_1p());
binary!(Slope(self, grad: T, x) = grad * (-x).sigmoid());

impl<T: Real> Tensor<T> {
    /// The logarithm of every element's logistic function.
    #[track_caller]
    pub fn logsigmoid(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || LogSigmoid { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0f64, 3f64.ln(), -1000.0, 1000.0]).logsigmoid().to_vec();
        let expected = [0.5f64.ln(), 0.75f64.ln(), -1000.0, 0.0];
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.logsigmoid(), |x| x.logsigmoid());
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.logsigmoid());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.logsigmoid(), -2.0, 2.0);
    }
}
