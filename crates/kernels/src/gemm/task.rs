//! A task: some rows and columns of one product, on one thread.
//!
//! `blocks` computes it in tiles of registers; levels without registers of their own hand it to matrixmultiply.

use std::ops::Range;

use super::driver::{Element, part};
use super::lane::One;
use super::pack::Source;
use super::tile::Finish;
use super::{Epilogue, Mat, portable};
use crate::{Accum, Buffer, Real};

/// Terms of a sum between two visits to the output: 1024 or 512, so that packed panels stay in the caches.
pub(super) const fn k_block<T: Real>() -> usize {
    4096 / T::BYTES
}

/// Some rows and columns of one product, some terms of its sums.
pub(super) struct Task<'a, T> {
    pub(super) ks: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    /// Element (0, 0) of the product's output.
    pub(super) c: *mut T,
    /// How far apart the output's rows start: those of the product or, if it is stored `transposed`, its columns.
    pub(super) c_row: usize,
    pub(super) transposed: bool,
    /// Whether the factors are too many to be found in a cache near.
    pub(super) cold: bool,
    /// Of the output: where that is the product's transpose, the column biases belong to the product's rows.
    pub(super) epilogue: Epilogue<'a, T>,
}

impl<T: Element> Task<'_, T> {
    /// Asserts that factors that are read in place have the numbers.
    pub(super) fn check(&self, a: &impl Source<T>, b: &impl Source<T>) {
        let holds = |m: Option<Mat<'_, T>>, lanes| m.is_none_or(|m| m.rows >= lanes && m.cols >= self.ks.end);
        assert!(
            holds(a.in_place(), self.rows.end) && holds(b.in_place(), self.cols.end),
            "gemm: a factor is too small"
        );
    }

    /// Where an element of the product goes.
    #[inline(always)]
    pub(super) fn place(&self, row: usize, col: usize) -> *mut T {
        let (row, col) = if self.transposed { (col, row) } else { (row, col) };
        self.c.wrapping_add(row * self.c_row + col)
    }

    /// Whether the terms `ks` are added to the output.
    fn adds(&self, ks: &Range<usize>) -> bool {
        ks.start > self.ks.start || self.epilogue.accum == Accum::Add
    }

    /// What happens at the store of a tile that starts at `row` and `col` of the product, after the terms `ks`.
    #[inline(always)]
    pub(super) fn finish(&self, ks: &Range<usize>, row: usize, col: usize) -> Finish<T> {
        let (row, col) = if self.transposed { (col, row) } else { (row, col) };
        let finish = if ks.end == self.ks.end { Finish::new(&self.epilogue, row, col) } else { Finish::default() };
        Finish { add: self.adds(ks), ..finish }
    }

    /// The blocks of up to `most` terms, nearly equal; one empty block if there are no terms.
    pub(super) fn blocks(&self, most: usize) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (start, k) = (self.ks.start, self.ks.len());
        let blocks = k.div_ceil(most).max(1);
        (0..blocks).map(move |i| part(i, blocks, k, 16)).map(move |block| start + block.start..start + block.end)
    }

    /// The task's parts of the factors, if both stand in memory: its rows and its columns, each with its terms.
    #[inline(always)]
    pub(super) fn standing<'b>(
        &self,
        a: &'b impl Source<T>,
        b: &'b impl Source<T>,
    ) -> Option<(Mat<'b, T>, Mat<'b, T>)> {
        let a = a.in_place()?.row_range(self.rows.clone()).t().row_range(self.ks.clone()).t();
        let b = b.in_place()?.row_range(self.cols.clone()).t().row_range(self.ks.clone()).t();
        Some((a, b))
    }

    /// The task for levels without kernels of their own.
    ///
    /// # Safety
    /// This part of the output is there, and nobody else uses it.
    pub(super) unsafe fn portable(&self, a: &impl Source<T>, b: &impl Source<T>) {
        assert!(!self.transposed, "matrixmultiply takes factors as they are");
        let (rows, cols) = (self.rows.len(), self.cols.len());
        if rows == 0 || cols == 0 {
            return;
        }
        let c = self.place(self.rows.start, self.cols.start);
        if let Some((a, b)) = self.standing(a, b) {
            // SAFETY: the caller's.
            unsafe { portable::product(a, b.t(), self.epilogue.accum, c, self.c_row) };
        } else {
            let k = self.ks.len().min(k_block::<T>());
            let (mut a_packed, mut b_packed) = (Buffer::unspecified(rows * k), Buffer::unspecified(cols * k));
            for ks in self.blocks(k_block::<T>()) {
                let accum = if self.adds(&ks) { Accum::Add } else { Accum::Replace };
                a.pack::<One<T>>(ks.clone(), self.rows.clone(), rows, &mut a_packed);
                b.pack::<One<T>>(ks.clone(), self.cols.clone(), cols, &mut b_packed);
                let a = Mat::row_major(&a_packed, ks.len(), rows).t();
                let b = Mat::row_major(&b_packed, ks.len(), cols);
                // SAFETY: the caller's.
                unsafe { portable::product(a, b, accum, c, self.c_row) };
            }
        }
        let finish = Finish::new(&self.epilogue, self.rows.start, self.cols.start);
        // SAFETY: the caller's; the biases have as many numbers as the output has columns and rows.
        unsafe { portable::finish(c, self.c_row, rows, cols, &finish) };
    }
}
