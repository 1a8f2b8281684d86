//! [`Indices`]: places along a dimension, in the shape of the tensor that they pick or that picked them.

use crate::Shape;
use chainrule_kernels::index::all_below;
use std::ops::Deref;
use std::sync::Arc;

/// Plain integers with a shape: what [`gather`](crate::Tensor::gather) takes and [`sort`](crate::Tensor::sort) gives.
///
/// Indices are no tensor: nobody could ask for their gradient. They deref to their values in row-major order, are cheap to
/// clone, and are made from lists: `[0, 2].into()`, `[[0, 2], [1, 1]].into()`, or [`Indices::new`] for any shape.
///
/// ```
/// use chainrule_tensor::{Indices, Tensor};
/// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.gather(1, [[0, 0], [1, 0]]).to_vec(), [1.0, 1.0, 4.0, 3.0]);
/// let (values, places) = Tensor::from([3.0f32, 1.0, 2.0]).sort(0, false);
/// assert_eq!((values.to_vec(), &places[..]), (vec![1.0, 2.0, 3.0], &[1, 2, 0][..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indices {
    values: Arc<[usize]>,
    shape: Shape,
}

impl Indices {
    /// Indices of a shape, given in row-major order.
    ///
    /// # Panics
    /// If `values` has another length than the shape has elements.
    #[track_caller]
    pub fn new(values: impl Into<Arc<[usize]>>, shape: impl Into<Shape>) -> Self {
        let (values, shape) = (values.into(), shape.into());
        assert!(
            values.len() == shape.numel(),
            "Indices: {} values do not fill the shape {shape} of {} elements",
            values.len(),
            shape.numel()
        );
        Indices { values, shape }
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The same indices in another shape.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    #[must_use]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        Self::new(self.values.clone(), shape)
    }

    /// Whether all are below the size of the dimension that they index.
    ///
    /// # Panics
    /// If one is not; the message begins with `op`.
    #[track_caller]
    pub(crate) fn check(&self, op: &str, dim: usize, shape: &Shape) {
        let size = shape[dim];
        if !all_below(self, size)
            && let Some(at) = self.iter().position(|&i| i >= size)
        {
            panic!("{op}: index {} (number {at}) is out of range for dimension {dim} of shape {shape}", self[at]);
        }
    }
}

impl Deref for Indices {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.values
    }
}

impl From<Vec<usize>> for Indices {
    fn from(values: Vec<usize>) -> Self {
        let shape = values.len().into();
        Indices { values: values.into(), shape }
    }
}
impl From<&Vec<usize>> for Indices {
    fn from(values: &Vec<usize>) -> Self {
        values.as_slice().into()
    }
}
impl From<&[usize]> for Indices {
    fn from(values: &[usize]) -> Self {
        Indices { values: values.into(), shape: values.len().into() }
    }
}
impl From<&Indices> for Indices {
    fn from(indices: &Indices) -> Self {
        indices.clone()
    }
}
impl<const N: usize> From<[usize; N]> for Indices {
    fn from(values: [usize; N]) -> Self {
        values.as_slice().into()
    }
}
impl<const N: usize> From<&[usize; N]> for Indices {
    fn from(values: &[usize; N]) -> Self {
        values.as_slice().into()
    }
}
impl<const N: usize, const M: usize> From<[[usize; N]; M]> for Indices {
    fn from(rows: [[usize; N]; M]) -> Self {
        Indices { values: rows.as_flattened().into(), shape: [M, N].into() }
    }
}
impl<const N: usize, const M: usize, const L: usize> From<[[[usize; N]; M]; L]> for Indices {
    fn from(blocks: [[[usize; N]; M]; L]) -> Self {
        Indices { values: blocks.as_flattened().as_flattened().into(), shape: [L, M, N].into() }
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Indices {
    fn eq(&self, values: &[usize; N]) -> bool {
        **self == *values
    }
}
impl PartialEq<Vec<usize>> for Indices {
    fn eq(&self, values: &Vec<usize>) -> bool {
        **self == **values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_shapes() {
        assert_eq!(Indices::from([[1, 2, 3], [4, 5, 6]]).shape(), &[2, 3]);
        assert_eq!(Indices::from([[[0]; 4]; 3]).shape(), &[3, 4, 1]);
        let list = Indices::from(vec![5, 6, 7, 8]).reshape([2, 2]);
        assert_eq!((list.shape().to_vec(), list[3]), (vec![2, 2], 8));
        assert_eq!(list, [5, 6, 7, 8]);
    }

    #[test]
    #[should_panic(expected = "Indices: 3 values do not fill the shape [2, 2] of 4 elements")]
    fn shapes_must_fit() {
        Indices::new([1, 2, 3], [2, 2]);
    }

    #[test]
    #[should_panic(expected = "gather: index 7 (number 1) is out of range for dimension 1 of shape [4, 5]")]
    fn ranges_are_checked() {
        Indices::from([0, 7]).check("gather", 1, &[4, 5].into());
    }
}
