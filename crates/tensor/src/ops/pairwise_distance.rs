//! Distance between the vectors of two tensors.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = p-norm over j of (a[i, j] - b[i, j] + eps)` |
//! | derivative | that of [`norm_dim`](Tensor::norm_dim) and [`sub`](Tensor::sub), of which it is composed |
//! | shapes | `a` and `b` broadcast; the last dimension disappears |
//!
//! `eps` keeps equal vectors away from the point where a norm has no derivative.

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "pairwise_distance",
    equation: "y[i] = p-norm over j of (a[i, j] - b[i, j] + eps)",
    derivative: "composed of norm and sub",
    torch: "torch.nn.functional.pairwise_distance",
};

impl<T: Real> Tensor<T> {
    /// The `p`-norm of the differences along the last dimension, to each of which `eps` is added (1e-6 in PyTorch).
    ///
    /// # Panics
    /// If the shapes do not broadcast, or there is no dimension.
    #[track_caller]
    pub fn pairwise_distance(&self, other: &Self, p: f64, eps: f64) -> Self {
        (self - other + T::from_f64(eps)).norm_dim(p, -1, false)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([[3.0f32, 4.0], [1.0, 1.0]]), Tensor::from([0.0, 0.0]));
        assert_eq!(a.pairwise_distance(&b, 2.0, 0.0).to_vec(), [5.0, 2f32.sqrt()]);
        assert_eq!(a.pairwise_distance(&b, 1.0, 0.5).to_vec(), [8.0, 3.0]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -0.8, 1.3));
        check::gradients(|x| x[0].pairwise_distance(&x[1].t(), 2.0, 1e-6), &[&a, &b]);
        check::gradients(|x| x[0].pairwise_distance(&x[1].t(), 3.0, 1e-6), &[&a, &b]);
        check::gradients(|x| x[0].pairwise_distance(&x[1], 2.0, 1e-6), &[&a, &check::random([4], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).pairwise_distance(&Tensor::zeros([2]), 2.0, 1e-6);
    }
}
