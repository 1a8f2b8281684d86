//! Hinge embedding loss: small distances for what is alike, large ones for what is not.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of x` where `t = 1`, of `max(0, margin - x)` where `t = -1` |
//! | derivative | that of [`relu`](Tensor::relu) and [`where_`](Tensor::where_), of which it is composed |
//! | shapes | `x` and `t` broadcast; `y` has no dimension, or the broadcast shape if not reduced |

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "hinge_embedding_loss",
    equation: "y = mean of x where t = 1, max(0, margin - x) where t = -1",
    derivative: "composed of relu and where",
    torch: "torch.nn.functional.hinge_embedding_loss",
};

/// The hinge embedding loss, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingLoss {
    /// The distance from which on what is not alike costs nothing. 1 by default.
    pub margin: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for HingeEmbeddingLoss {
    fn default() -> Self {
        HingeEmbeddingLoss { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbeddingLoss {
    /// The loss of the distances `input`; a target is 1 (alike) or -1.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        let zero = || Tensor::scalar(T::ZERO);
        let hinge = (-input + T::from_f64(self.margin)).relu();
        let apart = Tensor::where_(&target.eq(Tensor::scalar(T::ONE)), zero(), hinge);
        let alike = Tensor::where_(&target.eq(Tensor::scalar(-T::ONE)), zero(), input);
        self.reduction.apply(&(apart + alike))
    }
}

impl<T: Real> Tensor<T> {
    /// The mean hinge embedding loss of these distances, with margin 1. [`HingeEmbeddingLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn hinge_embedding_loss(&self, target: &Self) -> Self {
        HingeEmbeddingLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (x, t) = (Tensor::from([0.25f32, 0.25, 3.0]), Tensor::from([1.0, -1.0, -1.0]));
        assert_eq!(x.hinge_embedding_loss(&t).item(), 1.0 / 3.0);
        let each = HingeEmbeddingLoss { margin: 4.0, reduction: Reduction::None }.forward(&x, &t);
        assert_eq!(each.to_vec(), [0.25, 3.75, 1.0]);
    }

    #[test]
    fn gradcheck() {
        let t = Tensor::from([1.0, -1.0, 1.0, -1.0]);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let loss = HingeEmbeddingLoss { margin: 0.9, reduction };
            check::gradients(|x| loss.forward(&x[0], &t), &[&check::random([3, 4], 0.0, 2.0)]);
            check::gradients(|x| loss.forward(&x[0].t().square(), &t), &[&check::random([4, 2], 0.1, 1.0)]);
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).hinge_embedding_loss(&Tensor::zeros([2]));
    }
}
