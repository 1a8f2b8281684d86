//! One element along a dimension for each index.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i, ..] = x[.., index[.., i, ..], ..]` |
//! | derivative | `x' = scatter_add(0, index, y')`: `x'[.., index[.., i, ..], ..]` sums `y'[.., i, ..]` |
//! | shapes | `y` has the shape of the indices, whose other dimensions are at most those of `x` |
//! | saved | the indices and the input's shape |
//!
//! Two places of `y` may read the same element of `x`, whose gradient is then their sum, in row-major order.

use crate::{Dims, Indices, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Real, index};

pub(super) static INFO: OpInfo = OpInfo {
    name: "gather",
    equation: "y[.., i, ..] = x[.., index[.., i, ..], ..]",
    derivative: "x'[.., index[.., i, ..], ..] sums y'[.., i, ..]",
    torch: "torch.gather",
};

#[derive(Debug)]
struct Gather {
    dim: usize,
    index: Indices,
    from: Shape,
}

impl<T: Real> Op<T> for Gather {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Gather { dim, index, from } = self;
        if inputs.is_tracked() {
            inputs.add(0, || Tensor::zeros(from).scatter_add(*dim, index, &grad));
        } else {
            inputs.add_part(0, |sum| index::scatter_add(&grad.to_slice(), *dim, index, index.shape(), sum, from));
        }
    }
}

/// The dimension that indices of some shape address in a tensor.
///
/// # Panics
/// If it does not exist, the ranks differ, another dimension of the indices is larger, or an index is out of range.
#[track_caller]
pub(super) fn addressed(op: &str, dim: Dims, index: &Indices, shape: &Shape) -> usize {
    let dim = dim.resolve_one(op, shape.rank());
    let fits = |d: usize| d == dim || index.shape()[d] <= shape[d];
    assert!(
        index.rank() == shape.rank() && (0..shape.rank()).all(fits),
        "{op}: indices of shape {} do not address shape {shape}: beyond dimension {dim}, no size may be larger",
        index.shape()
    );
    index.check(op, dim, shape);
    dim
}

impl<T: Real> Tensor<T> {
    /// For each index the element that it names along one dimension; in the other dimensions, its own place.
    ///
    /// A tensor without dimensions counts as one of one element.
    ///
    /// # Panics
    /// If the dimension does not exist, the indices have another rank or are larger in another dimension, or one is not
    /// below the dimension's size.
    #[track_caller]
    pub fn gather(&self, dim: impl Into<Dims>, index: impl Into<Indices>) -> Self {
        let (dim, index) = (dim.into(), index.into());
        if self.rank() == 0 && index.rank() <= 1 {
            return self.unsqueeze(0).gather(dim, index.reshape(index.len())).reshape(index.shape());
        }
        let dim = addressed(INFO.name, dim, &index, self.shape());
        let value = Self::build(index.shape().clone(), |out| {
            index::gather(self.as_view(), dim, &index, index.shape(), out);
        });
        Self::from_op(&INFO, value, &[self], || Gather { dim, index, from: self.shape().clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Indices, Tensor};

    #[test]
    fn worked_example() {
        // The example of PyTorch's documentation.
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
        assert_eq!(x.gather(1, [[0, 0], [1, 0]]).to_vec(), [1., 1., 4., 3.]);
        assert_eq!(x.gather(0, [[1, 0]]).to_vec(), [3., 2.]);
        assert_eq!(x.gather(-1, Indices::new([], [2, 0])).shape(), &[2, 0]);
        assert_eq!(Tensor::scalar(3.0f32).gather(0, [0, 0]).to_vec(), [3., 3.]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].gather(1, [[3, 3, 0, 1, 2], [0, 0, 0, 0, 0]]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].gather(0, [[2, 0, 1]; 5]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().gather(0, [[2, 0, 1]]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3, 4]).gather(0, [[[1, 0], [1, 1]]]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].slice(1, 1, 4, 2).gather(1, [[1], [0], [1]]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].gather(1, Indices::new([], [0, 0])), &[&check::random([0, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].gather(0, [0, 0]), &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].gather(0, [0]), &[&check::random([], -1.0, 1.0)]);
        check::layouts_agree(&x, |x| x.gather(1, [[3], [0], [2]]));
    }

    #[test]
    #[should_panic(expected = "gather: indices of shape [3, 1] do not address shape [2, 4]")]
    fn other_sizes_must_fit() {
        let _ = Tensor::<f32>::zeros([2, 4]).gather(1, [[0], [0], [0]]);
    }

    #[test]
    #[should_panic(expected = "gather: index 4 (number 1) is out of range for dimension 1 of shape [2, 4]")]
    fn indices_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 4]).gather(1, [[0], [4]]);
    }
}
