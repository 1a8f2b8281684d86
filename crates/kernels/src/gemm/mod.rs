//! Matrix products: `c = op(a b)` for matrices with any strides, one or many at a time.
//!
//! From the outside in: `driver` cuts products into tasks (`task`) for the threads, `blocks` cuts a task into blocks for the
//! caches and tiles for the registers, `pack` puts the factors' numbers into the order of the tiles, `tile` is the microkernel (`apart` the
//! one that reads windows of images where they stand), `lane` a register of the CPU (for other kernels: `registers`); `gemv` takes products with vectors, and `portable` machines without kernels of their own.

use std::ops::Range;

use crate::simd::{self, Level};
use crate::{Accum, size};

mod apart;
mod batch;
mod blocks;
mod driver;
mod edge;
mod gemv;
mod lane;
mod pack;
mod portable;
pub mod reference;
pub(crate) mod registers;
mod small;
mod task;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use apart::{Apart, RowsApart};
pub(crate) use batch::SharedRows;
pub use batch::{Mats, MatsMut};
use driver::gemm_mats;
pub(crate) use driver::{Element, Size, gemm_here, gemm_packed, gemm_turned};
pub(crate) use lane::{Lane, Lanes, One};
pub(crate) use pack::{MAX_LANES, Source, transpose_square};
pub(crate) use tile::Tile;

/// A read-only matrix: element `(i, j)` stands at `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// The end of the data that a matrix reaches.
fn reach(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> usize {
    size::end(1, [(rows, row_stride), (cols, col_stride)].into_iter())
}

impl<'a, T> Mat<'a, T> {
    /// A matrix with any strides (transposed, sliced, broadcast).
    ///
    /// # Panics
    /// If an element lies outside `data`.
    pub fn new(data: &'a [T], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        let end = reach(rows, cols, row_stride, col_stride);
        assert!(end <= data.len(), "a {rows}x{cols} matrix reaches element {end} of {}", data.len());
        Mat { data, rows, cols, row_stride, col_stride }
    }

    /// A matrix whose rows follow each other without gaps.
    ///
    /// # Panics
    /// If an element lies outside `data`.
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::new(data, rows, cols, cols, 1)
    }

    /// The same numbers, rows and columns exchanged.
    #[must_use]
    pub fn t(self) -> Self {
        Mat { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Element `(i, j)`.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize, j: usize) -> T
    where
        T: Copy,
    {
        self.data[i * self.row_stride + j * self.col_stride]
    }

    /// Row `i`, if its numbers stand next to each other.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> Option<&'a [T]> {
        let start = (i * self.row_stride).min(self.data.len());
        (self.col_stride == 1 || self.cols == 1).then(|| &self.data[start..][..self.cols])
    }

    /// Some of the rows.
    pub(crate) fn row_range(self, rows: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "the rows lie outside the matrix");
        let start = (rows.start * self.row_stride).min(self.data.len());
        Mat { data: &self.data[start..], rows: rows.len(), ..self }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

/// What happens to an element of the product before it is stored. Applied in this order.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// Replace the output or add to it.
    pub accum: Accum,
    /// A number for each column, added to all of its elements.
    pub col_bias: Option<&'a [T]>,
    /// A number for each row, added to all of its elements.
    pub row_bias: Option<&'a [T]>,
    /// Negative elements become 0 (after the bias).
    pub relu: bool,
}

impl<T> Epilogue<'_, T> {
    /// Store the product, or add it to the output.
    pub fn plain(accum: Accum) -> Self {
        Epilogue { accum, col_bias: None, row_bias: None, relu: false }
    }
}

concrete! {
    <T> trait GemmKernels;
    /// `c = epilogue(a b)`, where `c` is row-major without gaps: `a.rows() * b.cols()` numbers.
    ///
    /// Large products are spread over threads; the order of each sum does not depend on how many there are.
    ///
    /// # Panics
    /// If the inner sizes differ, `c` has another size, or a bias has another length than its side.
    pub fn gemm(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], epilogue: Epilogue<'_, T>) = gemm_impl;
    /// `c[i] = epilogue(a[i] b[i])` for each `i` of the batch, whose shape is that of `c`.
    ///
    /// The products are spread over threads together.
    ///
    /// # Panics
    /// If the inner sizes differ, `c` has another size, the batches have different shapes, or a bias has another length
    /// than its side.
    pub fn gemm_batched(a: Mats<'_, T>, b: Mats<'_, T>, c: &mut MatsMut<'_, T>, epilogue: Epilogue<'_, T>)
        = batched_impl;
}

fn gemm_impl<T: Element>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], epilogue: Epilogue<'_, T>) {
    assert_eq!(c.len(), size::count(&[a.rows, b.cols]), "gemm: the output has another size");
    gemm_at(simd::level(), a, b, &mut MatsMut::row_major(c, a.rows, b.cols), epilogue);
}

fn batched_impl<T: Element>(a: Mats<'_, T>, b: Mats<'_, T>, c: &mut MatsMut<'_, T>, epilogue: Epilogue<'_, T>) {
    batched_at(simd::level(), a, b, c, epilogue);
}

/// One product at a given level.
pub(crate) fn gemm_at<T: Element>(
    level: Level,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    assert_eq!(a.cols, b.rows, "gemm: the inner sizes differ");
    let size = Size { m: a.rows, n: b.cols, k: a.cols };
    gemm_mats(level, size, |_| (a, b.t()), c, epilogue);
}

/// A batch at a given level.
fn batched_at<T: Element>(
    level: Level,
    a: Mats<'_, T>,
    b: Mats<'_, T>,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    assert_eq!(a.first.cols, b.first.rows, "gemm: the inner sizes differ");
    // Element by element: comparing two slices as memory costs 200 ns where they are empty, since masked loads from where no
    // page is trap inside the processor.
    let same = |batch: &[usize]| batch.iter().eq(c.batch);
    assert!(same(a.batch) && same(b.batch), "gemm: the batches have different shapes");
    let size = Size { m: a.first.rows, n: b.first.cols, k: a.first.cols };
    gemm_mats(level, size, |i| (a.get(i), b.get(i).t()), c, epilogue);
}
