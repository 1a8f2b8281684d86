//! Batches of matrices in one slice: the factors and the outputs of a batched product.
//!
//! A batch has any number of dimensions with strides of their own, as the leading dimensions of a tensor do: matrix
//! `(i, j, ..)` starts at `i * strides[0] + j * strides[1] + ..`. A stride of 0 uses a matrix again, which is how factors
//! are broadcast; attention heads, `[batch, token, head, feature]`, are matrices `batch x head` of `token x feature`.

use super::{Mat, reach};
use crate::size;

/// A batch of read-only matrices of the same shape.
#[derive(Clone, Copy, Debug)]
pub struct Mats<'a, T> {
    /// The matrix that starts at the data's start.
    pub(super) first: Mat<'a, T>,
    pub(super) batch: &'a [usize],
    strides: &'a [usize],
}

/// Where matrix `i`, counted in row-major order, of a batch starts.
fn offset(batch: &[usize], strides: &[usize], mut i: usize) -> usize {
    let mut at = 0;
    for (&size, &stride) in batch.iter().zip(strides).rev() {
        at += i % size * stride;
        i /= size;
    }
    at
}

/// The end of the data that a batch of matrices, each of which reaches `one`, reaches.
fn reach_all(one: usize, batch: &[usize], strides: &[usize]) -> usize {
    assert_eq!(batch.len(), strides.len(), "a batch has a stride for each dimension");
    size::end(one, batch.iter().copied().zip(strides.iter().copied()))
}

impl<'a, T> Mats<'a, T> {
    /// Matrices shaped and strided like `first`, whose data reaches to the end of the batch.
    ///
    /// # Panics
    /// If `batch` and `strides` have different lengths or an element lies outside the data.
    pub fn new(first: Mat<'a, T>, batch: &'a [usize], strides: &'a [usize]) -> Self {
        let one = reach(first.rows, first.cols, first.row_stride, first.col_stride);
        let end = reach_all(one, batch, strides);
        assert!(end <= first.data.len(), "the batch reaches element {end} of {}", first.data.len());
        Mats { first, batch, strides }
    }

    /// The number of matrices.
    pub fn count(&self) -> usize {
        size::count(self.batch)
    }

    /// Rows and columns of each matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.first.size()
    }

    /// Matrix `i` of the batch, counted in row-major order.
    pub(crate) fn get(&self, i: usize) -> Mat<'a, T> {
        let at = offset(self.batch, self.strides, i).min(self.first.data.len());
        Mat { data: &self.first.data[at..], ..self.first }
    }
}

/// A batch of matrices to write: element `(i, j)` of each stands `i * row_stride + j` numbers after its start. No two
/// elements share a place.
#[derive(Debug)]
pub struct MatsMut<'a, T> {
    pub(super) data: &'a mut [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    pub(super) batch: &'a [usize],
    strides: &'a [usize],
}

impl<'a, T> MatsMut<'a, T> {
    /// Matrices in `data`.
    ///
    /// # Panics
    /// If `batch` and `strides` have different lengths, an element lies outside the data, or elements share a place.
    /// Dimensions must nest: a stride is at least what the dimensions with smaller strides reach.
    pub fn new(
        data: &'a mut [T],
        (rows, cols): (usize, usize),
        row_stride: usize,
        batch: &'a [usize],
        strides: &'a [usize],
    ) -> Self {
        let end = reach_all(reach(rows, cols, row_stride, 1), batch, strides);
        assert!(end <= data.len(), "the output reaches element {end} of {}", data.len());
        let out = MatsMut { data, rows, cols, row_stride, batch, strides };
        assert!(end == 0 || out.nests(), "elements of the output share a place");
        out
    }

    /// One matrix whose rows start every `row_stride` numbers: a part of a wider matrix, say.
    ///
    /// # Panics
    /// If an element lies outside the data, or rows overlap.
    pub fn one(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self::new(data, (rows, cols), row_stride, &[], &[])
    }

    /// One matrix whose rows follow each other without gaps.
    ///
    /// # Panics
    /// If an element lies outside the data.
    pub fn row_major(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        Self::one(data, rows, cols, cols)
    }

    /// The number of matrices.
    pub fn count(&self) -> usize {
        size::count(self.batch)
    }

    /// Rows and columns of each matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The rows, for threads that write to different ones.
    pub(crate) fn shared<'b>(&'b mut self) -> SharedRows<'b, T> {
        SharedRows { start: self.data.as_mut_ptr(), mats: self }
    }

    /// Where matrix `i` starts, counted in row-major order.
    pub(super) fn offset(&self, i: usize) -> usize {
        offset(self.batch, self.strides, i)
    }

    /// Whether each dimension steps over all that the dimensions with smaller strides reach.
    fn nests(&self) -> bool {
        let rows = (self.rows, self.row_stride);
        let dims = || self.batch.iter().copied().zip(self.strides.iter().copied()).chain([rows]).enumerate();
        dims().filter(|&(_, (size, _))| size > 1).all(|(i, (_, stride))| {
            let inner = dims().filter(|&(j, (_, other))| (other, j) < (stride, i));
            stride >= inner.fold(self.cols, |end, (_, (size, stride))| end + (size - 1) * stride)
        })
    }
}

/// The rows of a batch of outputs, which different threads write to.
pub(crate) struct SharedRows<'a, T> {
    start: *mut T,
    mats: &'a MatsMut<'a, T>,
}

// SAFETY: rows are only lent out under the promise that nobody else uses them.
unsafe impl<T: Send> Sync for SharedRows<'_, T> {}

impl<'a, T> SharedRows<'a, T> {
    /// Row `row` of matrix `i`.
    ///
    /// # Safety
    /// Nobody else uses this row as long as it is borrowed.
    pub(crate) unsafe fn row(&self, i: usize, row: usize) -> &'a mut [T] {
        assert!(i < self.mats.count() && row < self.mats.rows, "the row lies outside the output");
        if self.mats.cols == 0 {
            // Nobody has asked whether such rows, which hold nothing, lie inside the data.
            return &mut [];
        }
        let at = self.mats.offset(i) + row * self.mats.row_stride;
        // SAFETY: `MatsMut` checked that all rows lie inside its data, which is borrowed mutably for `'a`, and share no
        // place; that nobody else uses this one is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), self.mats.cols) }
    }
}
