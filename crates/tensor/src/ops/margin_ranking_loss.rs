//! Margin ranking loss: the right one of two scores should be higher, by a margin.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of max(0, margin - t (a - b))`, `t = 1` where `a` should be higher, else -1 |
//! | derivative | that of [`relu`](Tensor::relu), [`mul`](Tensor::mul) and [`sub`](Tensor::sub), of which it is composed |
//! | shapes | `a`, `b` and `t` broadcast; `y` has no dimension, or the broadcast shape if not reduced |

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "margin_ranking_loss",
    equation: "y = mean of max(0, margin - t (a - b))",
    derivative: "composed of relu, mul and sub",
    torch: "torch.nn.functional.margin_ranking_loss",
};

/// The margin ranking loss, with options.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRankingLoss {
    /// By how much the right score has to be higher. 0 by default.
    pub margin: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl MarginRankingLoss {
    /// The loss of the scores `a` and `b`; a target is 1 where `a` should be higher, -1 where `b` should.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward<T: Real>(&self, a: &Tensor<T>, b: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        let each = ((b - a) * target + T::from_f64(self.margin)).relu();
        self.reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean margin ranking loss of these scores and others, without a margin. [`MarginRankingLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn margin_ranking_loss(&self, other: &Self, target: &Self) -> Self {
        MarginRankingLoss::default().forward(self, other, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0, 3.0]), Tensor::from([2.0, 1.0, 1.0]));
        let t = Tensor::from([1.0, 1.0, -1.0]);
        assert_eq!(a.margin_ranking_loss(&b, &t).item(), 1.0);
        let each = MarginRankingLoss { margin: 1.5, reduction: Reduction::None }.forward(&a, &b, &t);
        assert_eq!(each.to_vec(), [2.5, 0.5, 3.5]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        let t = Tensor::from([1.0, -1.0, 1.0, -1.0]);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let loss = MarginRankingLoss { margin: 0.3, reduction };
            check::gradients(|x| loss.forward(&x[0], &x[1].t(), &t), &[&a, &b]);
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).margin_ranking_loss(&Tensor::zeros([2]), &Tensor::zeros([3]));
    }
}
