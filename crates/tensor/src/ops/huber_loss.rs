//! Huber loss: squared error where it is small, absolute error beyond.
//!
//! | | |
//! |---|---|
//! | equation | `d^2 / 2` where `abs(d) < delta`, else `delta (abs(d) - delta / 2)`, with `d = a - b`; their mean, their sum, or each |
//! | derivative | `a' = y' min(max(d, -delta), delta) / n`, `b' = -a'` |
//! | shapes | `a` and `b` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `a` and `b` |
//! | source | P. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964) |

use super::elementwise::map2;
use super::reduction::{Reduction, require_same_shape};
use super::smooth_l1_loss::Pieces;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "huber_loss",
    equation: "y = mean of d^2 / 2 where |d| < delta, else delta (|d| - delta / 2)",
    derivative: "a' = y' min(max(d, -delta), delta) / n, b' = -a'",
    torch: "torch.nn.functional.huber_loss",
};

/// The Huber loss, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberLoss {
    /// Where the absolute error begins. 1 by default.
    pub delta: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for HuberLoss {
    fn default() -> Self {
        HuberLoss { delta: 1.0, reduction: Reduction::Mean }
    }
}

#[derive(Debug)]
struct Rule<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
    loss: HuberLoss,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let HuberLoss { delta, reduction } = self.loss;
        let each = reduction.each(grad, self.a.numel());
        let slope = (&self.a - &self.b).hardtanh(-delta, delta) * each;
        inputs.add(1, || -&slope);
        inputs.add(0, || slope);
    }
}

impl HuberLoss {
    /// The loss of `input` against `target`.
    ///
    /// # Panics
    /// If the shapes differ, or `delta` is 0 or less.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("input", input), ("target", target));
        let HuberLoss { delta, reduction } = *self;
        assert!(delta > 0.0, "huber_loss: delta is {delta}; it must not be 0 or less");
        let each = map2(INFO.name, Pieces { bound: delta, inner: 0.5, outer: delta }, input, target);
        let value = reduction.value(each);
        Tensor::from_op(&INFO, value, &[input, target], || Rule { a: input.clone(), b: target.clone(), loss: *self })
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of the Huber loss of the differences to `target`, with `delta` 1. [`HuberLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn huber_loss(&self, target: &Self) -> Self {
        HuberLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0, 0.0]), Tensor::from([3.0, 1.5, 0.0]));
        let each = HuberLoss { delta: 0.5, reduction: Reduction::None }.forward(&a, &b);
        assert_eq!(each.to_vec(), [0.875, 0.125, 0.0]);
        assert_eq!(a.huber_loss(&b).item(), (1.5 + 0.125) / 3.0);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            check::gradients(|x| HuberLoss { delta: 0.7, reduction }.forward(&x[0], &x[1].t()), &[&a, &b]);
        }
        check::gradients(|x| x[0].slice(1, 0, 4, 2).huber_loss(&x[0].narrow(1, 2, 2)), &[&a]);
    }

    #[test]
    #[should_panic(expected = "huber_loss: input [4, 1] and target [4] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([4, 1]).huber_loss(&Tensor::zeros([4]));
    }
}
