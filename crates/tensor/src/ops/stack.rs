//! Tensors of one shape side by side along a new dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., k, ..] = x_k` |
//! | derivative | composed of `unsqueeze` and `cat`: `x_k' = y'[.., k, ..]` |
//! | shapes | all inputs have one; the new dimension has as many places as there are inputs |
//! | saved | what those save |

use crate::{Dims, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "stack",
    equation: "y[.., k, ..] = x_k",
    derivative: "composed of unsqueeze and cat: x_k' = y'[.., k, ..]",
    torch: "torch.stack",
};

impl<T: Real> Tensor<T> {
    /// The tensors, all of one shape, side by side along a new dimension.
    ///
    /// # Panics
    /// If there is no tensor, the dimension is out of range, or the shapes differ.
    #[track_caller]
    pub fn stack(tensors: &[&Self], dim: impl Into<Dims>) -> Self {
        let Some(first) = tensors.first() else { panic!("stack: there is nothing to put together") };
        let dim = dim.into().resolve_one(INFO.name, first.rank() + 1);
        if let Some(other) = tensors.iter().find(|x| x.shape() != first.shape()) {
            panic!("stack: shapes {} and {} differ", first.shape(), other.shape());
        }
        let rows: Vec<Self> = tensors.iter().map(|x| x.unsqueeze(dim)).collect();
        Self::cat(&rows.iter().collect::<Vec<_>>(), dim)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0f32, 4.0]));
        assert_eq!(Tensor::stack(&[&a, &b], 0).to_vec(), [1., 2., 3., 4.]);
        assert_eq!(Tensor::stack(&[&a, &b], -1).to_vec(), [1., 3., 2., 4.]);
        assert_eq!(Tensor::stack(&[&a.sum(), &b.sum()], 0).to_vec(), [3., 7.]);
        assert_eq!(Tensor::stack(&[&Tensor::<f32>::zeros(0); 3], 1).shape(), &[0, 3]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([2, 3], -1.0, 1.0), check::random([3, 2], -1.0, 1.0));
        check::gradients(|x| Tensor::stack(&[&x[0], &x[1].t()], 1).powf(2.0), &[&a, &b]);
        check::gradients(|x| Tensor::stack(&[&x[0], &x[0]], -1).powf(2.0), &[&a]);
    }

    #[test]
    #[should_panic(expected = "stack: shapes [2, 3] and [3, 2] differ")]
    fn shapes_must_agree() {
        let _ = Tensor::stack(&[&Tensor::<f32>::zeros([2, 3]), &Tensor::zeros([3, 2])], 0);
    }
}
