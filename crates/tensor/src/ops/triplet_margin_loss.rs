//! Triplet margin loss: an anchor should be nearer to a positive than to a negative, by a margin.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of max(0, d(a, p) - d(a, n) + margin)`, `d` the [distance](Tensor::pairwise_distance) of vectors |
//! | derivative | that of [`pairwise_distance`](Tensor::pairwise_distance) and [`relu`](Tensor::relu), of which it is composed |
//! | shapes | `a`, `p`, `n` equal, their last dimension the vectors; `y` has no dimension, or theirs without the last if not reduced |
//! | source | V. Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks" (2016) |

use super::reduction::{Reduction, require_same_shape};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "triplet_margin_loss",
    equation: "y = mean of max(0, d(a, p) - d(a, n) + margin)",
    derivative: "composed of pairwise_distance and relu",
    torch: "torch.nn.functional.triplet_margin_loss",
};

/// The triplet margin loss, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginLoss {
    /// By how much the negative has to be farther. 1 by default.
    pub margin: f64,
    /// Which norm measures distances. 2 by default.
    pub p: f64,
    /// What is added to differences. 1e-6 by default.
    pub eps: f64,
    /// Whether the negative's distance is that to the anchor or to the positive, whichever is less. Not by default.
    pub swap: bool,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for TripletMarginLoss {
    fn default() -> Self {
        TripletMarginLoss { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMarginLoss {
    /// The loss of the vectors `anchor`, `positive` and `negative`.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Real>(&self, anchor: &Tensor<T>, positive: &Tensor<T>, negative: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("anchor", anchor), ("positive", positive));
        require_same_shape(INFO.name, ("anchor", anchor), ("negative", negative));
        let near = anchor.pairwise_distance(positive, self.p, self.eps);
        let mut far = anchor.pairwise_distance(negative, self.p, self.eps);
        if self.swap {
            far = far.minimum(positive.pairwise_distance(negative, self.p, self.eps));
        }
        self.reduction.apply(&(near - far + T::from_f64(self.margin)).relu())
    }
}

impl<T: Real> Tensor<T> {
    /// The mean triplet margin loss of these anchors, with margin 1 and Euclidean distances. [`TripletMarginLoss`] has the
    /// options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn triplet_margin_loss(&self, positive: &Self, negative: &Self) -> Self {
        TripletMarginLoss::default().forward(self, positive, negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let a = Tensor::from([[0.0f64, 0.0], [0.0, 0.0]]);
        let p = Tensor::from([[3.0, 4.0], [0.0, 1.0]]);
        let n = Tensor::from([[6.0, 8.0], [0.0, 1.0]]);
        let loss = TripletMarginLoss { margin: 7.0, eps: 0.0, reduction: Reduction::None, ..Default::default() };
        assert_eq!(loss.forward(&a, &p, &n).to_vec(), [2.0, 7.0]);
        assert_eq!(TripletMarginLoss { swap: true, ..loss }.forward(&a, &p, &n).to_vec(), [7.0, 8.0]);
        assert!((a.triplet_margin_loss(&p, &n).item() - 0.5).abs() < 1e-5);
    }

    #[test]
    fn gradcheck() {
        let (a, p) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -0.8, 1.3));
        let n = check::random([3, 5], -1.0, 1.0);
        for (reduction, swap, norm) in
            [(Reduction::Mean, false, 2.0), (Reduction::Sum, true, 4.0), (Reduction::None, true, 2.0)]
        {
            let loss = TripletMarginLoss { margin: 1.3, p: norm, swap, reduction, ..Default::default() };
            check::gradients(|x| loss.forward(&x[0], &x[1].t(), &x[2].narrow(1, 1, 4)), &[&a, &p, &n]);
        }
    }

    #[test]
    #[should_panic(expected = "triplet_margin_loss: anchor [3] and negative [2] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([3]).triplet_margin_loss(&Tensor::zeros([3]), &Tensor::zeros([2]));
    }
}
