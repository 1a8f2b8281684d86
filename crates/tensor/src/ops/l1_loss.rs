//! Absolute error: `y = mean of |a - b|`.
//!
//! | | |
//! |---|---|
//! | equation | `y = 1/n sum over i of abs(a_i - b_i)`; or the sum, or each |
//! | derivative | `a' = y' sign(a - b) / n`, `b' = -a'` |
//! | shapes | `a` and `b` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `a` and `b` |

use super::elementwise::map2;
use super::reduction::{Reduction, require_same_shape};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "l1_loss",
    equation: "y = mean of |a - b|",
    derivative: "a' = y' sign(a - b) / n, b' = -a'",
    torch: "torch.nn.functional.l1_loss",
};

/// The absolute error, with options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Loss {
    /// Mean, sum or each.
    pub reduction: Reduction,
}

#[derive(Debug)]
struct Rule<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
    reduction: Reduction,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let slope = (&self.a - &self.b).sign() * self.reduction.each(grad, self.a.numel());
        inputs.add(1, || -&slope);
        inputs.add(0, || slope);
    }
}

binary!(Distance(self, a: T, b) = (a - b).abs());

impl L1Loss {
    /// The absolute error of `input` against `target`.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("input", input), ("target", target));
        let reduction = self.reduction;
        let value = reduction.value(map2(INFO.name, Distance {}, input, target));
        Tensor::from_op(&INFO, value, &[input, target], || Rule { a: input.clone(), b: target.clone(), reduction })
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of the absolute differences to `target`. [`L1Loss`] has the options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn l1_loss(&self, target: &Self) -> Self {
        L1Loss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0, -3.0]));
        assert_eq!(a.l1_loss(&b).item(), 3.5);
        assert_eq!(L1Loss { reduction: Reduction::Sum }.forward(&a, &b).item(), 7.0);
        assert_eq!(L1Loss { reduction: Reduction::None }.forward(&a, &b).to_vec(), [2.0, 5.0]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -0.8, 1.3));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            check::gradients(|x| L1Loss { reduction }.forward(&x[0], &x[1].t()), &[&a, &b]);
        }
        check::gradients(
            |x| x[0].slice(1, 0, 4, 2).l1_loss(&x[1].broadcast_to([3, 2])),
            &[&a, &check::random([], 2.0, 3.0)],
        );
    }

    #[test]
    #[should_panic(expected = "l1_loss: input [4, 1] and target [4] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([4, 1]).l1_loss(&Tensor::zeros([4]));
    }
}
