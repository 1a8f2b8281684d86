//! What the operations that pick elements by position share: tables of offsets for the kernels.

use crate::{Shape, Tensor};
use chainrule_kernels::{Real, index};

/// Along each dimension, the positions to be read, in order.
pub(super) struct Positions(Vec<Vec<usize>>);

impl Positions {
    /// All positions of a shape.
    pub(super) fn all(shape: &Shape) -> Self {
        Positions(shape.iter().map(|&n| (0..n).collect()).collect())
    }

    /// Other positions along one dimension.
    pub(super) fn along(mut self, dim: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        self.0[dim] = positions.into_iter().collect();
        self
    }

    /// The positions as offsets into memory with these strides.
    fn offsets(self, strides: &[usize]) -> Vec<Vec<usize>> {
        let mut tables = self.0;
        for (table, stride) in tables.iter_mut().zip(strides) {
            table.iter_mut().for_each(|at| *at *= stride);
        }
        tables
    }

    /// The elements of `x` at these positions, untracked.
    pub(super) fn read<T: Real>(self, x: &Tensor<T>) -> Tensor<T> {
        let shape = self.0.iter().map(Vec::len).collect();
        let tables = self.offsets(x.strides());
        Tensor::build(shape, |out| index::take(x.as_view().data(), &tables, out))
    }

    /// Adds the elements of `part` to those of `sum`, a row-major tensor of shape `full`, at these positions.
    pub(super) fn add<T: Real>(self, part: &Tensor<T>, sum: &mut [T], full: &Shape) {
        index::put_add(&part.to_slice(), &self.offsets(&full.row_major()), sum);
    }
}
