//! Gaussian error linear unit, approximated: `y = x s(2 u)`, `s` the logistic function, `u` a cubic of `x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i (1 + tanh(u)) / 2`, `u = sqrt(2/pi) (x + 0.044715 x^3)` |
//! | derivative | `x' = y' (s + 2 x s (1 - s) u')`, `s = s(2 u)`, `u' = sqrt(2/pi) (1 + 0.134145 x^2)` |
//! | shapes | any |
//! | saved | `x` |
//! | source | D. Hendrycks, K. Gimpel, "Gaussian error linear units", arXiv:1606.08415 (2016) |
//!
//! `(1 + tanh u) / 2` is the logistic function of `2 u`, which does not cancel where `u` is negative.

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};
use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

pub(super) static INFO: OpInfo = OpInfo {
    name: "gelu_tanh",
    equation: "y = x (1 + tanh(u)) / 2, u = sqrt(2/pi) (x + 0.044715 x^3)",
    derivative: "x' = y' (s + 2 x s (1 - s) u'), s = (1 + tanh(u)) / 2",
    torch: "torch.nn.functional.gelu",
};

/// `2 sqrt(2/pi)`
const TWICE: f64 = FRAC_2_SQRT_PI * SQRT_2;
const CUBIC: f64 = 0.044715;
/// A square from which on `s` is 0 or 1 at any precision: an infinite one times the 0 of `s (1 - s)` would be NaN.
const FLAT: f64 = 1e4;

#[derive(Debug)]
struct GeluTanh<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for GeluTanh<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let x = &self.x;
        if inputs.is_tracked() {
            let number = T::from_f64;
            let square = x.square().clamp(None, FLAT);
            let z = (&square * number(TWICE * CUBIC) + number(TWICE)) * x;
            // 1 - s(z) = s(-z), without the cancellation.
            let (s, rest) = (z.sigmoid(), (-z).sigmoid());
            let slope = square * number(3.0 * TWICE * CUBIC) + number(TWICE);
            inputs.add(0, || grad * (x * (&s * rest) * slope + s));
        } else {
            inputs.add(0, || map2_owned("gelu_tanh_backward", Slope {}, grad, x));
        }
    }
}

unary!(costly Formula(self, x: T) = x * (x * (T::from_f64(TWICE) + T::from_f64(TWICE * CUBIC) * (x * x))).sigmoid());
binary!(Slope(self, grad: T, x) = {
    let square = (x * x).minimum(T::from_f64(FLAT));
    let s = (x * (T::from_f64(TWICE) + T::from_f64(TWICE * CUBIC) * square)).sigmoid();
    let slope = T::from_f64(TWICE) + T::from_f64(3.0 * TWICE * CUBIC) * square;
    grad * (s + x * (s * (T::ONE - s)) * slope)
});

impl<T: Real> Tensor<T> {
    /// The Gaussian error linear unit of every element, in its approximate form: `gelu(x, approximate="tanh")` of PyTorch.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || GeluTanh { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // The approximation is within 5e-4 of the exact form.
        let x = Tensor::from([0.0f64, 1.0, -1.0, 3.0, -3.0, 50.0, -50.0]);
        let (y, exact) = (x.gelu_tanh().to_vec(), x.gelu().to_vec());
        assert!(y.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 5e-4), "{y:?} {exact:?}");
        assert_eq!((y[0], y[5], y[6].abs()), (0.0, 50.0, 0.0));
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.gelu_tanh(), |x| x.gelu_tanh());
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.gelu_tanh());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.gelu_tanh(), -2.0, 2.0);
    }
}
