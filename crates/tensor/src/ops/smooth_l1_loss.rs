//! Smooth absolute error: squared where it is small.
//!
//! | | |
//! |---|---|
//! | equation | `d^2 / (2 beta)` where `abs(d) < beta`, else `abs(d) - beta / 2`, with `d = a - b`; their mean, their sum, or each |
//! | derivative | `a' = y' min(max(d / beta, -1), 1) / n`, `b' = -a'` |
//! | shapes | `a` and `b` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `a` and `b` |
//! | source | P. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964) |
//!
//! `beta` times it is the Huber loss.

use super::elementwise::map2;
use super::l1_loss::L1Loss;
use super::reduction::{Reduction, require_same_shape};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "smooth_l1_loss",
    equation: "y = mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2",
    derivative: "a' = y' min(max(d / beta, -1), 1) / n, b' = -a'",
    torch: "torch.nn.functional.smooth_l1_loss",
};

/// The smooth absolute error, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// Where the absolute error begins; 0 makes it [`L1Loss`]. 1 by default.
    pub beta: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        SmoothL1Loss { beta: 1.0, reduction: Reduction::Mean }
    }
}

#[derive(Debug)]
struct Rule<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
    loss: SmoothL1Loss,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let SmoothL1Loss { beta, reduction } = self.loss;
        let each = reduction.each(grad, self.a.numel());
        let slope = ((&self.a - &self.b) * T::from_f64(1.0 / beta)).hardtanh(-1.0, 1.0) * each;
        inputs.add(1, || -&slope);
        inputs.add(0, || slope);
    }
}

// Shared with the Huber loss.
binary!(pub(super) Pieces { bound: f64, inner: f64, outer: f64 }(self, a: T, b) = {
    let (d, bound) = ((a - b).abs(), T::from_f64(self.bound));
    let outside = T::from_f64(self.outer) * (d - T::from_f64(0.5) * bound);
    if d < bound { T::from_f64(self.inner) * d * d } else { outside }
});

impl SmoothL1Loss {
    /// The loss of `input` against `target`.
    ///
    /// # Panics
    /// If the shapes differ, or `beta` is negative.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("input", input), ("target", target));
        let SmoothL1Loss { beta, reduction } = *self;
        assert!(beta >= 0.0, "smooth_l1_loss: beta is {beta}; it must not be negative");
        if beta == 0.0 {
            return L1Loss { reduction }.forward(input, target);
        }
        let each = map2(INFO.name, Pieces { bound: beta, inner: 0.5 / beta, outer: 1.0 }, input, target);
        let value = reduction.value(each);
        Tensor::from_op(&INFO, value, &[input, target], || Rule { a: input.clone(), b: target.clone(), loss: *self })
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of the smooth absolute error of the differences to `target`, with `beta` 1. [`SmoothL1Loss`] has the options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn smooth_l1_loss(&self, target: &Self) -> Self {
        SmoothL1Loss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0, 0.0]), Tensor::from([3.0, 1.5, 0.0]));
        let each = SmoothL1Loss { beta: 0.5, reduction: Reduction::None }.forward(&a, &b);
        assert_eq!(each.to_vec(), [1.75, 0.25, 0.0]);
        assert_eq!(a.smooth_l1_loss(&b).item(), (1.5 + 0.125) / 3.0);
        let sharp = SmoothL1Loss { beta: 0.0, reduction: Reduction::None }.forward(&a, &b);
        assert_eq!(sharp.to_vec(), [2.0, 0.5, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            check::gradients(|x| SmoothL1Loss { beta: 0.7, reduction }.forward(&x[0], &x[1].t()), &[&a, &b]);
        }
        check::gradients(|x| x[0].slice(1, 0, 4, 2).smooth_l1_loss(&x[0].narrow(1, 2, 2)), &[&a]);
    }

    #[test]
    #[should_panic(expected = "smooth_l1_loss: input [4, 1] and target [4] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([4, 1]).smooth_l1_loss(&Tensor::zeros([4]));
    }
}
