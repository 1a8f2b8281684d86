//! Each element of a source added to the place that its index names along a dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y = x`, then `y[.., index[.., i, ..], ..] += s[.., i, ..]` for each index |
//! | derivative | `x' = y'`, `s' = gather(y', index)` |
//! | shapes | `y` has the shape of `x`; the indices are at most as large as `s`, and as `x` beyond the dimension |
//! | saved | the indices and the source's shape |
//!
//! The adjoint of [`gather`](crate::Tensor::gather). What goes to one place is added in row-major order of the source. Where
//! the source is larger than the indices, its rest is not read and gets no gradient.

use super::gather::addressed;
use crate::{Dims, Indices, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real, index};

pub(super) static INFO: OpInfo = OpInfo {
    name: "scatter_add",
    equation: "y = x, y[.., index[.., i, ..], ..] += s[.., i, ..]",
    derivative: "x' = y', s'[.., i, ..] = y'[.., index[.., i, ..], ..]",
    torch: "torch.scatter_add",
};

#[derive(Debug)]
struct ScatterAdd {
    dim: usize,
    index: Indices,
    source: Shape,
}

impl<T: Real> Op<T> for ScatterAdd {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(1, || {
            let part = grad.gather(self.dim, &self.index);
            let missing = self.source.iter().zip(self.index.shape().iter()).map(|(all, read)| all - read);
            let missing: Vec<isize> = missing.rev().flat_map(|after| [0, after as isize]).collect();
            part.pad(missing, super::PadMode::Constant(0.0))
        });
        inputs.add(0, || grad);
    }
}

impl<T: Real> Tensor<T> {
    /// This tensor with each element of `source` added to the place that its index names along one dimension; in the other
    /// dimensions the place is the element's own.
    ///
    /// # Panics
    /// If the dimension does not exist, the ranks differ, the indices are larger than the source or, in another dimension,
    /// than this tensor, or an index is not below the dimension's size.
    #[track_caller]
    pub fn scatter_add(&self, dim: impl Into<Dims>, index: impl Into<Indices>, source: &Self) -> Self {
        let (dim, index) = (dim.into(), index.into());
        if self.rank() == 0 && index.rank() == 0 && source.rank() == 0 {
            let one = |x: &Self| x.unsqueeze(0);
            return one(self).scatter_add(dim, index.reshape(1), &one(source)).squeeze(0);
        }
        let dim = addressed(INFO.name, dim, &index, self.shape());
        assert!(
            source.rank() == self.rank() && index.shape().iter().zip(source.shape().iter()).all(|(i, s)| i <= s),
            "scatter_add: indices of shape {} do not fit a source of shape {}: no size may be larger",
            index.shape(),
            source.shape()
        );
        let part = source.window(index.shape().clone(), source.strides().into(), source.offset());
        let mut sum = Buffer::from_slice(&self.to_slice());
        index::scatter_add(&part.to_slice(), dim, &index, index.shape(), &mut sum, self.shape());
        let value = Self::from_buffer(sum, self.shape().clone());
        Self::from_op(&INFO, value, &[self, source], || ScatterAdd { dim, index, source: source.shape().clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Indices, Tensor};

    #[test]
    fn worked_example() {
        // The example of PyTorch's documentation.
        let (x, ones) = (Tensor::<f32>::zeros([3, 5]), Tensor::ones([2, 5]));
        let y = x.scatter_add(0, [[0, 1, 2, 0, 0], [2, 0, 0, 1, 2]], &ones);
        assert_eq!(y.to_vec(), [1., 1., 1., 1., 1., 0., 1., 0., 1., 0., 1., 0., 1., 0., 1.]);
        let y = x.scatter_add(1, [[4, 4]], &Tensor::from([[1.0f32, 2.0, 7.0], [8.0, 9.0, 7.0]]));
        assert_eq!((y.to_vec()[4], y.sum().item()), (3.0, 3.0));
    }

    #[test]
    fn gradcheck() {
        let (x, s) = (check::random([3, 4], -1.0, 1.0), check::random([2, 5], -1.0, 1.0));
        let index = [[3, 3, 0, 1, 2], [0, 0, 0, 0, 0]];
        check::gradients(|x| x[0].scatter_add(1, index, &x[1]).powf(2.0), &[&x, &s]);
        check::gradients(|x| x[0].t().scatter_add(0, [[2, 0], [3, 3], [3, 0]], &x[1].t()).powf(2.0), &[&x, &s]);
        check::gradients(|x| x[0].scatter_add(-1, [[1, 1, 0]], &x[0]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3]).scatter_add(1, [[1, 1]; 2], &x[1]), &[&check::random([1, 3], -1.0, 1.0), &s]);
        check::gradients(|x| x[0].scatter_add(1, Indices::new([], [0, 2]), &x[1]), &[&x, &s]);
        check::gradients(|x| x[0].scatter_add(0, [0, 0, 0], &x[1]), &[&check::random([1], -1.0, 1.0), &check::random([3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "scatter_add: indices of shape [2, 3] do not fit a source of shape [2, 2]")]
    fn the_source_must_be_large_enough() {
        let _ = Tensor::<f32>::zeros([3, 5]).scatter_add(0, [[0, 1, 2], [0, 1, 2]], &Tensor::zeros([2, 2]));
    }
}
