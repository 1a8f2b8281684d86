//! Cosine embedding loss: small angles for what is alike, large ones for what is not.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of 1 - cos(a, b)` where `t = 1`, of `max(0, cos(a, b) - margin)` where `t = -1` |
//! | derivative | that of [`mul`](Tensor::mul), [`sum_dim`](Tensor::sum_dim), [`sqrt`](Tensor::sqrt), [`div`](Tensor::div), [`relu`](Tensor::relu) and [`where_`](Tensor::where_), of which it is composed |
//! | shapes | `a`, `b` `[n, d]`, `t` `[n]`; or `[d]` and no dimension. `y` has no dimension, or that of `t` if not reduced |
//!
//! The squared lengths count 1e-12 more than they are, so that vectors of length 0 have no angle and no infinite gradient.

use super::reduction::{Reduction, require_same_shape};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "cosine_embedding_loss",
    equation: "y = mean of 1 - cos(a, b) where t = 1, max(0, cos(a, b) - margin) where t = -1",
    derivative: "composed of mul, sum, sqrt, div, relu and where",
    torch: "torch.nn.functional.cosine_embedding_loss",
};

/// The cosine embedding loss, with options.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbeddingLoss {
    /// The cosine up to which what is not alike costs nothing. 0 by default.
    pub margin: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl CosineEmbeddingLoss {
    /// The loss of the vectors `a` and `b`; a target is 1 (alike) or -1.
    ///
    /// # Panics
    /// If the shapes of `a` and `b` differ, or the target is not of their shape without the last dimension.
    #[track_caller]
    pub fn forward<T: Real>(&self, a: &Tensor<T>, b: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("vectors", a), ("vectors", b));
        let fits = a.rank() > 0 && target.shape()[..] == a.shape()[..a.rank() - 1];
        assert!(fits, "cosine_embedding_loss: vectors {} do not go with targets {}", a.shape(), target.shape());
        let square = |x: &Tensor<T>| x.square().sum_dim(-1, false) + T::from_f64(1e-12);
        let cosine = (a * b).sum_dim(-1, false) / (square(a) * square(b)).sqrt();
        let zero = || Tensor::scalar(T::ZERO);
        let alike = Tensor::where_(&target.eq(Tensor::scalar(T::ONE)), -&cosine + T::ONE, zero());
        let apart = (cosine - T::from_f64(self.margin)).relu();
        let apart = Tensor::where_(&target.eq(Tensor::scalar(-T::ONE)), apart, zero());
        self.reduction.apply(&(alike + apart))
    }
}

impl<T: Real> Tensor<T> {
    /// The mean cosine embedding loss of these vectors and others, with margin 0. [`CosineEmbeddingLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes differ, or the target is not of their shape without the last dimension.
    #[track_caller]
    pub fn cosine_embedding_loss(&self, other: &Self, target: &Self) -> Self {
        CosineEmbeddingLoss::default().forward(self, other, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let a = Tensor::from([[3.0f64, 4.0], [3.0, 4.0], [1.0, 0.0]]);
        let b = Tensor::from([[4.0, 3.0], [4.0, 3.0], [-1.0, 0.0]]);
        let t = Tensor::from([1.0, -1.0, -1.0]);
        let each = CosineEmbeddingLoss { margin: 0.5, reduction: Reduction::None }.forward(&a, &b, &t).to_vec();
        assert!(each.iter().zip([0.04, 0.46, 0.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{each:?}");
        assert!((a.cosine_embedding_loss(&b, &t).item() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        let t = Tensor::from([1.0, -1.0, 1.0]);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let loss = CosineEmbeddingLoss { margin: -0.6, reduction };
            check::gradients(|x| loss.forward(&x[0], &x[1].t(), &t), &[&a, &b]);
        }
    }

    #[test]
    #[should_panic(expected = "cosine_embedding_loss: vectors [3, 2] do not go with targets [2]")]
    fn every_pair_has_a_target() {
        let _ = Tensor::<f32>::zeros([3, 2]).cosine_embedding_loss(&Tensor::zeros([3, 2]), &Tensor::zeros([2]));
    }
}
