//! Mish: `y = x tanh(ln(1 + e^x))`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i t(x_i)`, `t(x) = tanh(ln(1 + exp(x)))` |
//! | derivative | `x' = y' (t + x s (1 - t^2))`, `s` the logistic function |
//! | shapes | any |
//! | saved | `x` |
//! | source | D. Misra, "Mish: a self regularized non-monotonic activation function", arXiv:1908.08681 (2019) |
//!
//! With `e = exp(x)` and `n = e (e + 2)`, `t = n / (n + 2)` and `1 - t = 2 / (n + 2)`: one exponential serves all. From
//! `x = 30` on, `t` is 1 in double precision, and `e` need not grow.

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Number, Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "mish",
    equation: "y = x t, t = tanh(ln(1 + exp(x)))",
    derivative: "x' = y' (t + x s (1 - t^2)), s the logistic function",
    torch: "torch.nn.functional.mish",
};

#[derive(Debug)]
struct Mish<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Mish<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let x = &self.x;
        if inputs.is_tracked() {
            let t = x.softplus(1.0, 20.0).tanh();
            inputs.add(0, || grad * (x * x.sigmoid() * (-t.square() + T::ONE) + t));
        } else {
            inputs.add(0, || map2_owned("mish_backward", Slope {}, grad, x));
        }
    }
}

/// `x` as far as it makes a difference.
#[inline(always)]
fn up_to_30<T: Number>(x: T) -> T {
    let limit = T::from_f64(30.0);
    if x > limit { limit } else { x }
}

unary!(costly Formula(self, x: T) = {
    let two = T::from_f64(2.0);
    let e = up_to_30(x).exp();
    let n = e * (e + two);
    x * (n / (n + two))
});
binary!(Slope(self, grad: T, x) = {
    let two = T::from_f64(2.0);
    let x = up_to_30(x);
    let e = x.exp();
    let n = e * (e + two);
    let (t, rest) = (n / (n + two), two / (n + two));
    grad * (t + x * (e / (T::ONE + e)) * rest * (T::ONE + t))
});

impl<T: Real> Tensor<T> {
    /// Mish of every element.
    #[track_caller]
    pub fn mish(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Mish { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // At 0: tanh(ln 2) = (4 - 1) / (4 + 1).
        let x = Tensor::from([0.0f64, 1000.0, -1000.0]).requires_grad();
        let y = x.mish();
        assert_eq!(y.to_vec(), [0.0, 1000.0, 0.0]);
        let slope = y.sum().backward().get(&x).unwrap().to_vec();
        assert!((slope[0] - 0.6).abs() < 1e-15 && slope[1..] == [1.0, 0.0]);
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.mish(), |x| x.mish());
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.mish());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.mish(), -2.0, 2.0);
    }
}
