//! Gaussian error linear unit: `y = x P(N <= x)` for a standard normal `N`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i F(x_i)`, `F(x) = (1 + erf(x / sqrt 2)) / 2` |
//! | derivative | `x' = y' (F(x) + x f(x))`, `f(x) = exp(-x^2/2) / sqrt(2 pi)`; of that `f(x) (2 - x^2)` |
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
            inputs.add(0, || grad * slope(x));
        } else {
            inputs.add(0, || map2_owned("gelu_backward", SlopeTimes {}, grad, x));
        }
    }
}

/// The derivative as an operation of its own: composed of `erf` it would cancel where `F` is small.
#[track_caller]
fn slope<T: Real>(x: &Tensor<T>) -> Tensor<T> {
    Tensor::from_op(&INFO, map1(Slope {}, x), &[x], || GeluSlope { x: x.clone() })
}

#[derive(Debug)]
struct GeluSlope<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for GeluSlope<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The density is 0 long before this; an infinite square times 0 would be NaN.
        let square = self.x.square().clamp(None, 1e4);
        let density = (&square * T::from_f64(-0.5)).exp() * T::from_f64(FRAC_1_SQRT_TAU);
        inputs.add(0, || grad * density * (-square + T::from_f64(2.0)));
    }
}

unary!(costly Formula(self, x: T) = x * x.normal().0);
unary!(costly Slope(self, x: T) = {
    let (below, density) = x.normal();
    below + x * density
});
binary!(SlopeTimes(self, grad: T, x) = {
    let (below, density) = x.normal();
    grad * (below + x * density)
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
    use crate::ops::check;
    use crate::{CreateGraph, Tensor};

    #[test]
    fn worked_example() {
        // P(N <= 1) = 0.841344746068543 (Abramowitz and Stegun, table 26.1).
        let y = Tensor::from([0.0f64, 1.0, -1.0]).gelu().to_vec();
        assert!(y[0] == 0.0 && (y[1] - 0.841344746068543).abs() < 1e-15 && (y[2] + 0.158655253931457).abs() < 1e-15);
    }

    #[test]
    fn the_tail_is_kept() {
        // P(N <= -10) = 7.619853024160525e-24 and the density 7.694598626706419e-23, from a computation with 40 digits.
        let (value, slope) = (-7.619853024160525e-23, 7.619853024160525e-24 - 7.694598626706419e-22);
        let x = Tensor::from([-10.0f32]).requires_grad();
        let y = x.gelu().sum();
        let first = crate::grad(&y, &[&x], CreateGraph).remove(0);
        let near = |got: f32, want: f64| (f64::from(got) / want - 1.0).abs() < 1e-6;
        assert!(
            near(y.item(), value) && near(first.item(), slope) && near(y.backward().get(&x).unwrap().item(), slope)
        );
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.gelu(), |x| x.gelu());
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.gelu());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.gelu(), -2.0, 2.0);
    }
}
