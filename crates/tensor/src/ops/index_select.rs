//! The slices of a dimension that a list of indices names, in its order.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i, ..] = x[.., index_i, ..]` |
//! | derivative | `x' = index_add(0, index, y')`: `x'[.., index_i, ..]` sums `y'[.., i, ..]` |
//! | shapes | `y` has as many slices as there are indices; the other dimensions stay |
//! | saved | the indices and the input's shape |
//!
//! An index may come several times, and then several gradients flow into one slice.

use super::take::Positions;
use crate::{Dims, Indices, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "index_select",
    equation: "y[.., i, ..] = x[.., index_i, ..]",
    derivative: "x'[.., index_i, ..] sums y'[.., i, ..]",
    torch: "torch.index_select",
};

#[derive(Debug)]
struct IndexSelect {
    dim: usize,
    index: Indices,
    from: Shape,
}

impl<T: Real> Op<T> for IndexSelect {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let IndexSelect { dim, index, from } = self;
        if inputs.is_tracked() {
            inputs.add(0, || Tensor::zeros(from).index_add(*dim, index, &grad));
        } else {
            inputs.add_part(0, |sum| positions(from, *dim, index).add(&grad, sum, from));
        }
    }
}

/// All positions of a shape, but along `dim` those that the indices name.
pub(super) fn positions(shape: &Shape, dim: usize, index: &Indices) -> Positions {
    Positions::all(shape).along(dim, index.iter().copied())
}

impl<T: Real> Tensor<T> {
    /// The slices along one dimension that `index`, a list, names.
    ///
    /// A tensor without dimensions counts as one of one element.
    ///
    /// # Panics
    /// If the dimension does not exist, or an index is not below its size.
    #[track_caller]
    pub fn index_select(&self, dim: impl Into<Dims>, index: impl Into<Indices>) -> Self {
        let (dim, index) = (dim.into(), index.into());
        assert!(index.rank() == 1, "index_select: the indices have shape {}, but must be a list", index.shape());
        if self.rank() == 0 {
            let y = self.unsqueeze(0).index_select(dim, index);
            return if y.numel() == 1 { y.squeeze(0) } else { y };
        }
        let dim = dim.resolve_one(INFO.name, self.rank());
        index.check(INFO.name, dim, self.shape());
        let value = positions(self.shape(), dim, &index).read(self);
        Self::from_op(&INFO, value, &[self], || IndexSelect { dim, index, from: self.shape().clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    const NONE: [usize; 0] = [];

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.index_select(1, [2, 0, 2]).to_vec(), [2., 0., 2., 5., 3., 5.]);
        assert_eq!(x.index_select(0, [1]).to_vec(), [3., 4., 5.]);
        assert_eq!(x.index_select(-2, NONE).shape(), &[0, 3]);
        assert_eq!(Tensor::scalar(3.0f32).index_select(0, [0]).shape(), &[0usize; 0]);
    }

    #[test]
    fn one_slice_may_be_taken_more_often_than_there_are_elements() {
        let x = Tensor::from([[1.0f32], [2.0]]).unsqueeze(0).requires_grad();
        let y = x.index_select(0, [0, 0, 0]);
        assert_eq!(y.to_vec(), [1., 2., 1., 2., 1., 2.]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [3., 3.]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([3, 4, 2], -1.0, 1.0);
        check::gradients(|x| x[0].index_select(1, [3, 0, 3, 3]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().index_select(-1, [1, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3, 4, 2]).index_select(0, [1, 0, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].slice(1, 0, 4, 3).index_select(1, [1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].index_select(0, NONE), &[&x]);
        check::gradients(|x| x[0].index_select(0, [0, 0]), &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].index_select(0, [0]), &[&check::random([], -1.0, 1.0)]);
        check::layouts_agree(&check::random([3, 4], -1.0, 1.0), |x| x.index_select(0, [2, 1]));
    }

    #[test]
    #[should_panic(expected = "index_select: index 3 (number 1) is out of range for dimension 0 of shape [3, 2]")]
    fn indices_must_exist() {
        let _ = Tensor::<f32>::zeros([3, 2]).index_select(0, [0, 3]);
    }
}
