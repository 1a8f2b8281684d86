//! The inner product of two vectors.
//!
//! | | |
//! |---|---|
//! | equation | `y = sum over i of a_i b_i` |
//! | derivative | composed of `matmul`: `a' = y' b`, `b' = y' a` |
//! | shapes | `[n]`, `[n]` -> a number |
//! | saved | what that saves |

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "dot",
    equation: "y = sum over i of a_i b_i",
    derivative: "composed of matmul: a' = y' b, b' = y' a",
    torch: "torch.dot",
};

impl<T: Real> Tensor<T> {
    /// The inner product of two vectors, as a tensor without dimensions.
    ///
    /// # Panics
    /// If one of them is no vector, or their lengths differ.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> Self {
        assert!(
            self.rank() == 1 && self.shape() == other.shape(),
            "dot: shapes {} and {}: both must be vectors of one length",
            self.shape(),
            other.shape()
        );
        self.matmul(other)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0, 3.0]), Tensor::from([4.0f32, -5.0, 6.0]));
        assert_eq!(a.dot(&b).item(), 12.0);
        assert_eq!(Tensor::<f32>::zeros(0).dot(&Tensor::zeros(0)).item(), 0.0);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([4], -1.0, 1.0), check::random([4, 2], -1.0, 1.0));
        check::gradients(|x| x[0].dot(&x[1].select(1, 0)), &[&a, &b]);
        check::gradients(|x| x[0].dot(&x[0]), &[&a]);
        check::gradients(|x| x[0].dot(&x[1].broadcast_to([4])), &[&a, &check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].dot(&x[0]), &[&check::random([0], -1.0, 1.0)]);
        check::gradients(|x| x[0].dot(&x[0]), &[&check::random([1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "dot: shapes [2] and [3]: both must be vectors of one length")]
    fn lengths_must_agree() {
        let _ = Tensor::<f32>::zeros([2]).dot(&Tensor::zeros([3]));
    }
}
