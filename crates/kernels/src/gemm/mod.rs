//! Matrix products: `c = op(a b)` for matrices with any strides.

use crate::{Accum, Real, parallel};

mod portable;
pub mod reference;

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
    if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 }
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
    /// Large products are spread over threads in fixed tiles.
    ///
    /// # Panics
    /// If the inner sizes differ, `c` has another size, or a bias has another length than its side.
    pub fn gemm(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], epilogue: Epilogue<'_, T>) = gemm_impl;
}

/// Products of fewer multiplications stay on the calling thread.
const PARALLEL: usize = 1 << 20;

fn gemm_impl<T: Real + portable::Product>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], epilogue: Epilogue<'_, T>) {
    assert_eq!(a.cols, b.rows, "gemm: the inner sizes differ");
    assert_eq!(c.len(), a.rows * b.cols, "gemm: the output has another size");
    assert!(epilogue.col_bias.is_none_or(|x| x.len() == b.cols), "gemm: the column bias has another length");
    assert!(epilogue.row_bias.is_none_or(|x| x.len() == a.rows), "gemm: the row bias has another length");
    let (n, k) = (b.cols, a.cols);
    if c.is_empty() {
        return;
    }
    let rows = if a.rows * n * k < PARALLEL { a.rows } else { (1usize << 18).div_ceil(n * k).next_multiple_of(32) };
    parallel::for_each_chunk(c, rows * n, |i, c| {
        let start = i * rows;
        let part = Mat { data: &a.data[start * a.row_stride..], rows: c.len() / n, ..a };
        portable::product(part, b, c, epilogue.accum);
        finish(c, n, start, epilogue);
    });
}

/// Bias and activation, after the product.
fn finish<T: Real>(c: &mut [T], n: usize, first_row: usize, epilogue: Epilogue<'_, T>) {
    if epilogue.col_bias.is_none() && epilogue.row_bias.is_none() && !epilogue.relu {
        return;
    }
    for (i, row) in c.chunks_mut(n).enumerate() {
        if let Some(bias) = epilogue.col_bias {
            row.iter_mut().zip(bias).for_each(|(x, &b)| *x += b);
        }
        if let Some(bias) = epilogue.row_bias {
            row.iter_mut().for_each(|x| *x += bias[first_row + i]);
        }
        if epilogue.relu {
            row.iter_mut().for_each(|x| *x = x.maximum(T::ZERO));
        }
    }
}
