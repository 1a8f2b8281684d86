//! Slices added to those that a list of indices names.
//!
//! | | |
//! |---|---|
//! | equation | `y = x`, then `y[.., index_i, ..] += s[.., i, ..]` for each `i` |
//! | derivative | `x' = y'`, `s' = index_select(y', index)` |
//! | shapes | `s` has as many slices along the dimension as there are indices; the other dimensions are those of `x` |
//! | saved | the indices |
//!
//! An index may come several times: the slices are added in their order. It is the derivative of
//! [`index_select`](crate::Tensor::index_select), and that is its own.

use super::index_select::positions;
use crate::{Dims, Indices, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "index_add",
    equation: "y = x, y[.., index_i, ..] += s[.., i, ..]",
    derivative: "x' = y', s'[.., i, ..] = y'[.., index_i, ..]",
    torch: "torch.index_add",
};

#[derive(Debug)]
struct IndexAdd {
    dim: usize,
    index: Indices,
}

impl<T: Real> Op<T> for IndexAdd {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(1, || grad.index_select(self.dim, &self.index));
        inputs.add(0, || grad);
    }
}

impl<T: Real> Tensor<T> {
    /// This tensor with the slices of `source` added to those that `index`, a list, names.
    ///
    /// # Panics
    /// If the dimension does not exist, an index is not below its size, or `source` has another shape than these slices.
    #[track_caller]
    pub fn index_add(&self, dim: impl Into<Dims>, index: impl Into<Indices>, source: &Self) -> Self {
        let index = index.into();
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.rank() == 0 && source.rank() == 0 {
            return self.unsqueeze(0).index_add(0, index, &source.unsqueeze(0)).squeeze(0);
        }
        let mut slices = self.shape().clone();
        if let Some(size) = slices.0.get_mut(dim) {
            *size = index.len();
        }
        assert!(
            index.rank() == 1 && source.shape() == &slices,
            "index_add: shape {} at indices of shape {} along dimension {dim} takes a source of shape {slices}, not {}",
            self.shape(),
            index.shape(),
            source.shape()
        );
        index.check(INFO.name, dim, self.shape());
        let mut sum = Buffer::from_slice(&self.to_slice());
        positions(source.shape(), dim, &index).add(source, &mut sum, self.shape());
        let value = Self::from_buffer(sum, self.shape().clone());
        Self::from_op(&INFO, value, &[self, source], || IndexAdd { dim, index })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    const NONE: [usize; 0] = [];

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
        let rows = Tensor::from([[10.0f32, 20.0], [30.0, 40.0], [50.0, 60.0]]);
        assert_eq!(x.index_add(0, [1, 0, 1], &rows).to_vec(), [31., 42., 63., 84.]);
        assert_eq!(x.index_add(1, NONE, &Tensor::zeros([2, 0])).to_vec(), x.to_vec());
    }

    #[test]
    fn gradcheck() {
        let (x, s) = (check::random([3, 4], -1.0, 1.0), check::random([3, 3], -1.0, 1.0));
        check::gradients(|x| x[0].index_add(1, [3, 0, 3], &x[1]).powf(2.0), &[&x, &s]);
        check::gradients(|x| x[0].t().index_add(0, [2, 2, 1], &x[1].t()).powf(2.0), &[&x, &s]);
        check::gradients(|x| x[0].index_add(-2, [1, 1, 0], &x[0]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].index_add(0, NONE, &x[1]), &[&x, &check::random([0, 4], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "takes a source of shape [2, 2], not [2, 3]")]
    fn slices_must_fit() {
        let _ = Tensor::<f32>::zeros([3, 2]).index_add(0, [0, 1], &Tensor::zeros([2, 3]));
    }
}
