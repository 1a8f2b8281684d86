//! The products of all pairs from two vectors.
//!
//! | | |
//! |---|---|
//! | equation | `c[i, j] = a_i b_j` |
//! | derivative | composed of `unsqueeze` and `mul`: `a' = c' b`, `b' = c'^T a` |
//! | shapes | `[n]`, `[m]` -> `[n, m]` |
//! | saved | what those save |

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "outer",
    equation: "c[i, j] = a_i b_j",
    derivative: "composed of unsqueeze and mul: a' = c' b, b' = c'^T a",
    torch: "torch.outer",
};

impl<T: Real> Tensor<T> {
    /// The matrix of the products of all pairs of elements of two vectors.
    ///
    /// # Panics
    /// If one of them is no vector.
    #[track_caller]
    pub fn outer(&self, other: &Self) -> Self {
        assert!(
            self.rank() == 1 && other.rank() == 1,
            "outer: shapes {} and {}: both must be vectors",
            self.shape(),
            other.shape()
        );
        self.unsqueeze(1) * other.unsqueeze(0)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0f32, 4.0, 5.0]));
        assert_eq!(a.outer(&b).to_vec(), [3., 4., 5., 6., 8., 10.]);
        assert_eq!(a.outer(&Tensor::zeros(0)).shape(), &[2, 0]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3], -1.0, 1.0), check::random([4, 2], -1.0, 1.0));
        check::gradients(|x| x[0].outer(&x[1].select(1, 1)), &[&a, &b]);
        check::gradients(|x| x[0].outer(&x[0]), &[&a]);
        check::gradients(|x| x[0].broadcast_to([3]).outer(&x[0]), &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].outer(&x[1]), &[&a, &check::random([0], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "outer: shapes [2] and [2, 3]: both must be vectors")]
    fn vectors_only() {
        let _ = Tensor::<f32>::zeros([2]).outer(&Tensor::zeros([2, 3]));
    }
}
