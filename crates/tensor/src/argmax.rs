//! Where the largest or the smallest element stands. An index has no derivative, so this is no operation of the graph.

use crate::ops::reduce_dims;
use crate::{Dims, Tensor};
use chainrule_kernels::{Real, View, extremes, reduce};

impl<T: Real> Tensor<T> {
    /// The index of the largest element of each line along one dimension, lines in row-major order of the other
    /// dimensions. The first of equals wins, and NaN over all, as in PyTorch.
    ///
    /// # Panics
    /// If there is no such dimension, or it is empty while there are lines.
    #[track_caller]
    pub fn argmax(&self, dim: impl Into<Dims>) -> Vec<usize> {
        self.extremes("argmax", dim.into(), reduce::maximum).1
    }

    /// The index of the smallest element of each line along one dimension, lines in row-major order of the other
    /// dimensions. The first of equals wins, and NaN over all, as in PyTorch.
    ///
    /// # Panics
    /// If there is no such dimension, or it is empty while there are lines.
    #[track_caller]
    pub fn argmin(&self, dim: impl Into<Dims>) -> Vec<usize> {
        self.extremes("argmin", dim.into(), reduce::minimum).1
    }

    /// What `find` finds along a dimension, which stays with size 1, untracked, and where.
    #[track_caller]
    pub(crate) fn extremes(&self, op: &str, dim: Dims, find: fn(View<'_, T>, usize, &mut [T])) -> (Self, Vec<usize>) {
        let dim = dim.resolve_one(op, self.rank().max(1));
        if self.rank() == 0 {
            return (self.detach(), vec![0]);
        }
        let length = self.shape()[dim];
        let values = reduce_dims(self, &[dim], true, find);
        let mut found = vec![0; values.numel()];
        if self.numel() == 0 {
            assert!(found.is_empty(), "{op}: dimension {dim} of shape {} is empty", self.shape());
            return (values, found);
        }
        let side_by_side: usize = self.shape()[dim + 1..].iter().product();
        if side_by_side > 1 {
            extremes::in_columns(&self.to_slice(), length, side_by_side, &values.to_slice(), &mut found);
        } else {
            let lines = crate::no_grad(|| self.with_last(dim));
            extremes::in_rows(&lines.to_slice(), length, &values.to_slice(), &mut found);
        }
        (values, found)
    }

    /// The dimension as the last one, the others in their order.
    fn with_last(&self, dim: usize) -> Self {
        let mut order: Vec<usize> = (0..self.rank()).filter(|&d| d != dim).collect();
        order.push(dim);
        self.permute(order)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn first_largest_and_nan() {
        let x = Tensor::from([[1.0f32, 5.0, 5.0], [f32::NAN, 9.0, f32::NAN], [-1.0, f32::NAN, 3.0]]);
        assert_eq!(x.argmax(1), [1, 0, 1]);
        assert_eq!(x.argmax(0), [1, 2, 1]);
        let x = Tensor::from_fn([3, 5, 20], |i| (i * 37 % 101) as f64);
        let turned = x.permute([0, 2, 1]);
        assert_eq!(x.argmax(1), turned.argmax(2));
        assert_eq!(x.argmin(-1), turned.argmin(1));
        assert_eq!(Tensor::<f32>::zeros([0, 3]).argmax(1), Vec::<usize>::new());
    }

    #[test]
    fn first_smallest_and_nan() {
        let x = Tensor::from([[5.0f32, 1.0, 1.0], [f32::NAN, -9.0, f32::NAN], [-1.0, f32::NAN, 3.0]]);
        assert_eq!(x.argmin(1), [1, 0, 1]);
        assert_eq!(x.argmin(0), [1, 2, 1]);
    }

    #[test]
    #[should_panic(expected = "argmax: dimension 1 of shape [2, 0] is empty")]
    fn nothing_has_no_largest() {
        let _ = Tensor::<f32>::zeros([2, 0]).argmax(1);
    }
}
