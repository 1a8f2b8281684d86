//! Gaussian error linear unit: `y = x P(N <= x)` for a standard normal `N`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i F(x_i)`, `F(x) = (1 + erf(x / sqrt 2)) / 2` |
//! | derivative | `x' = y' (F(x) + x f(x))`, `f(x) = exp(-x^2/2) / sqrt(2 pi)` |
//! | shapes | any |
//! | saved | `x` |
//! | source | D. Hendrycks, K. Gimpel, "Gaussian error linear units", arXiv:1606.08415 (2016) |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

pub(super) static INFO: OpInfo = OpInfo {
    name: "gelu",
    equation: "y = x F(x), F(x) = (1 + erf(x / sqrt 2)) / 2",
    derivative: "x' = y' (F(x) + x f(x)), f(x) = exp(-x^2/2) / sqrt(2 pi)",
    torch: "torch.nn.functional.gelu",
};

/// `1 / sqrt(2 pi)`
const FRAC_1_SQRT_TAU: f64 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI / 2.0;

#[derive(Debug)]
struct Gelu<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Gelu<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let x = &self.x;
        if inputs.is_tracked() {
            let number = T::from_f64;
            let below = ((x * number(FRAC_1_SQRT_2)).erf() + T::ONE) * number(0.5);
            let density = (x * x * number(-0.5)).exp() * number(FRAC_1_SQRT_TAU);
            inputs.add(0, || grad * (below + x * density));
        } else {
            inputs.add(0, || map2_owned("gelu_backward", Slope {}, grad, x));
        }
    }
}

unary!(Formula(self, x: T) = {
    let half = T::from_f64(0.5);
    x * (half + half * (x * T::from_f64(FRAC_1_SQRT_2)).erf())
});
binary!(Slope(self, grad: T, x) = {
    let half = T::from_f64(0.5);
    let below = half + half * (x * T::from_f64(FRAC_1_SQRT_2)).erf();
    grad * (below + x * (-half * x * x).exp() * T::from_f64(FRAC_1_SQRT_TAU))
});

impl<T: Real> Tensor<T> {
    /// The Gaussian error linear unit of every element, in its exact form.
    #[track_caller]
    pub fn gelu(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Gelu { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // P(N <= 1) = 0.841344746068543 (Abramowitz and Stegun, table 26.1).
        let y = Tensor::from([0.0f64, 1.0, -1.0]).gelu().to_vec();
        assert!(y[0] == 0.0 && (y[1] - 0.841344746068543).abs() < 1e-15 && (y[2] + 0.158655253931457).abs() < 1e-15);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.gelu(), -2.0, 2.0);
    }
}
