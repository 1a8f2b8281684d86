//! Cosine of the angle between the vectors of two tensors.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = sum over j of a[i, j] b[i, j] / (max(norm a[i], eps) max(norm b[i], eps))` |
//! | derivative | that of [`norm_dim`](Tensor::norm_dim), [`clamp`](Tensor::clamp), [`div`](Tensor::div) and [`sum_dim`](Tensor::sum_dim), of which it is composed |
//! | shapes | `a` and `b` broadcast; the dimension of the vectors disappears |

use crate::{Dims, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "cosine_similarity",
    equation: "y = a b / (|a| |b|)",
    derivative: "composed of norm, clamp, div, mul and sum",
    torch: "torch.nn.functional.cosine_similarity",
};

impl<T: Real> Tensor<T> {
    /// The cosine of the angle between the vectors along a dimension. Norms count as at least `eps` (1e-8 in PyTorch).
    ///
    /// # Panics
    /// If the shapes do not broadcast, or there is no such dimension.
    #[track_caller]
    pub fn cosine_similarity(&self, other: &Self, dim: impl Into<Dims>, eps: f64) -> Self {
        let shape = super::elementwise::broadcast_shape(INFO.name, self.shape(), other.shape());
        let dim = dim.into().resolve_one(INFO.name, shape.rank());
        let unit = |x: &Self| {
            let x = x.broadcast_to(&shape);
            &x / x.norm_dim(2.0, dim, true).clamp(eps, None)
        };
        (unit(self) * unit(other)).sum_dim(dim, false)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([[3.0f64, 4.0], [1.0, 0.0], [0.0, 0.0]]), Tensor::from([4.0, 3.0]));
        let y = a.cosine_similarity(&b, 1, 1e-8).to_vec();
        assert!(y.iter().zip([0.96, 0.8, 0.0]).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        check::gradients(|x| x[0].cosine_similarity(&x[1].t(), -1, 1e-8), &[&a, &b]);
        check::gradients(|x| x[0].cosine_similarity(&x[1].t(), 0, 1e-8), &[&a, &b]);
        check::gradients(|x| x[0].cosine_similarity(&x[1], 1, 1e-8), &[&a, &check::random([4], 0.5, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "cosine_similarity: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).cosine_similarity(&Tensor::zeros([2]), 0, 1e-8);
    }
}
