//! A task: some rows and columns of one product, on one thread.
//!
//! ```text
//! task    rows x cols of the output, all terms of the sums
//! block   the same, 512 terms at a time            a's block is packed once, it stays in the L2 cache
//! column  two registers of columns of the block    b's panel is packed when its turn comes
//! tile    up to 14 rows of the column              the microkernel
//! ```
//!
//! Factors that stand in memory such that tiles can read them there are not packed: `a` with any contiguous side, as
//! long as its lines do not push each other out of the caches, and `b` with contiguous rows, of which the first tile leaves a
//! packed copy if there are enough others. Outputs with one row or column are products with a vector.
//!
//! Every sum runs over its terms in order and visits the output after each block.
//!
//! Source: the order of loops follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication",
//! ACM TOMS 34 (2008), with the roles of the factors exchanged (`c` is row-major here).

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::null_mut;

use super::driver::{Element, part};
use super::lane::{Lane, One};
use super::pack::Source;
use super::tile::{self, Finish, Tile};
use super::{Epilogue, Mat, gemv, portable};
use crate::simd::Kernel;
use crate::{Accum, Buffer, Real};

/// Terms of a sum between two visits to the output: 512 or 256, so that packed blocks stay in the caches.
const fn k_block<T: Real>() -> usize {
    2048 / T::BYTES
}
/// Up to so many tiles below each other, a packed copy of `b` is not worth its while.
const FEW_TILES: usize = 10;

/// Some rows and columns of one product, some terms of its sums.
pub(super) struct Task<'a, T> {
    pub(super) ks: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    /// Element (0, 0) of the product's output.
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) epilogue: Epilogue<'a, T>,
}

/// Whether tiles need a packed copy of `a`, for this many columns of tiles.
pub(super) fn copies_a<T: Real>(a: &Mat<'_, T>, columns: usize) -> bool {
    let distance = if a.col_stride == 1 { a.row_stride } else { a.col_stride };
    let contiguous = a.col_stride == 1 || a.row_stride == 1;
    columns > 2 && (!contiguous || collides::<T>(distance))
}

/// Whether lines at this distance push each other out of the caches.
fn collides<T: Real>(distance: usize) -> bool {
    (distance * T::BYTES).is_multiple_of(4096)
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

    /// Whether the terms `ks` are added to the output.
    fn adds(&self, ks: &Range<usize>) -> bool {
        ks.start > self.ks.start || self.epilogue.accum == Accum::Add
    }

    /// What happens at the store of a tile that starts at `row` and `col`, after the terms `ks`.
    #[inline(always)]
    fn finish(&self, ks: &Range<usize>, row: usize, col: usize) -> Finish<T> {
        let finish = if ks.end == self.ks.end { Finish::new(&self.epilogue, row, col) } else { Finish::default() };
        Finish { add: self.adds(ks), ..finish }
    }

    /// The blocks of terms, nearly equal; one empty block if there are no terms.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (start, k) = (self.ks.start, self.ks.len());
        let blocks = k.div_ceil(k_block::<T>()).max(1);
        (0..blocks).map(move |i| part(i, blocks, k, 16)).map(move |block| start + block.start..start + block.end)
    }

    /// The task for levels without kernels of their own.
    ///
    /// # Safety
    /// This part of the output is there, and nobody else uses it.
    pub(super) unsafe fn portable(&self, a: &impl Source<T>, b: &impl Source<T>) {
        let (rows, cols) = (self.rows.len(), self.cols.len());
        if rows == 0 || cols == 0 {
            return;
        }
        let c = self.c.wrapping_add(self.rows.start * self.c_row + self.cols.start);
        if let (Some(a), Some(b)) = (a.in_place(), b.in_place()) {
            let a = a.row_range(self.rows.clone()).t().row_range(self.ks.clone()).t();
            let b = b.row_range(self.cols.clone()).t().row_range(self.ks.clone());
            // SAFETY: the caller's.
            unsafe { portable::product(a, b, self.epilogue.accum, c, self.c_row) };
        } else {
            let k = self.ks.len().min(k_block::<T>());
            let (mut a_packed, mut b_packed) = (Buffer::unspecified(rows * k), Buffer::unspecified(cols * k));
            for ks in self.blocks() {
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

/// A task that is computed in tiles of registers.
pub(super) struct Tiled<'a, T, L, A, B> {
    a: &'a A,
    b: &'a B,
    task: Task<'a, T>,
    lane: PhantomData<L>,
}

impl<'a, T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Tiled<'a, T, L, A, B> {
    /// # Safety
    /// To run it, this part of the output must be there, nobody else may use it, and the factors must have passed
    /// [`Task::check`].
    pub(super) unsafe fn new(a: &'a A, b: &'a B, task: Task<'a, T>) -> Self {
        Tiled { a, b, task, lane: PhantomData }
    }

    /// The task as a matrix and a vector, if it has one row or column and the matrix can be read in place.
    #[inline(always)]
    fn as_vector(&self) -> Option<gemv::Vector<'_, L>> {
        let task = &self.task;
        let (rows, cols) = (task.rows.len(), task.cols.len());
        if rows > 1 && cols > 1 {
            return None;
        }
        let a = self.a.in_place()?.row_range(task.rows.clone()).t().row_range(task.ks.clone()).t();
        let b = self.b.in_place()?.row_range(task.cols.clone()).t().row_range(task.ks.clone()).t();
        let (m, x) = if cols == 1 { (a, b) } else { (b, a) };
        let c = task.c.wrapping_add(task.rows.start * task.c_row + task.cols.start);
        let finish = task.finish(&task.ks, task.rows.start, task.cols.start);
        gemv::reads(&m).then_some(gemv::Vector { m, x, c, c_row: task.c_row, column: cols == 1, finish })
    }
}

impl<T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Kernel for Tiled<'_, T, L, A, B> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Task { ref rows, ref cols, c, c_row, .. } = self.task;
        if let Some(vector) = self.as_vector() {
            // SAFETY: we run inside `L::enter`; the rest `new` was promised.
            return unsafe { L::enter(vector) };
        }
        let width = 2 * L::LANES;
        // The rows of tiles, of nearly equal height.
        let tiles = rows.len().div_ceil(L::ROWS);
        let (height, taller) = (rows.len() / tiles.max(1), rows.len() % tiles.max(1));
        let tile_rows = |i: usize| {
            let start = rows.start + i * height + i.min(taller);
            start..start + height + usize::from(i < taller)
        };
        let a_width = rows.len().min(L::ROWS).next_multiple_of(L::LANES);
        let a_here = self.a.in_place().filter(|a| !copies_a(a, cols.len().div_ceil(width)));
        let b_here = self.b.in_place().filter(|b| b.row_stride == 1);
        // Where there are many tiles, they are nearly as tall as can be.
        let leaves_copy = tiles > FEW_TILES && height >= L::COPIES;
        let k_most = self.task.ks.len().min(k_block::<T>());
        let a_len = if a_here.is_some() { 0 } else { tiles * a_width * k_most };
        let packs_b = b_here.is_none() || leaves_copy || !cols.len().is_multiple_of(L::LANES);
        let mut packed = Buffer::<T>::unspecified(a_len + if packs_b { width * k_most } else { 0 });
        let (a_packed, b_packed) = packed.split_at_mut(a_len);
        for ks in self.task.blocks() {
            let k = ks.len();
            let panel = a_width * k;
            if a_here.is_none() {
                for i in 0..tiles {
                    self.a.pack::<L>(ks.clone(), tile_rows(i), a_width, &mut a_packed[i * panel..(i + 1) * panel]);
                }
            }
            for col in cols.clone().step_by(width) {
                let count = (cols.end - col).min(width);
                let b_width = count.next_multiple_of(L::LANES);
                let (mut b, mut b_k, mut b_copy) = match b_here {
                    // In place, registers must not reach beyond the columns.
                    Some(b) if count == b_width && k > 0 => {
                        let copy = if leaves_copy { b_packed.as_mut_ptr() } else { null_mut() };
                        (b.data[col + ks.start * b.col_stride..].as_ptr(), b.col_stride, copy)
                    }
                    _ => {
                        self.b.pack::<L>(ks.clone(), col..col + count, b_width, b_packed);
                        (b_packed.as_ptr(), b_width, null_mut())
                    }
                };
                for i in 0..tiles {
                    let Range { start: row, end } = tile_rows(i);
                    let (a, a_row, a_k) = match a_here {
                        Some(a) if k > 0 => {
                            let start = &a.data[row * a.row_stride + ks.start * a.col_stride..];
                            (start.as_ptr(), a.row_stride, a.col_stride)
                        }
                        Some(_) => (b_packed.as_ptr(), 0, 0),
                        None => (a_packed[i * panel..].as_ptr(), 1, a_width),
                    };
                    let c = c.wrapping_add(row * c_row + col);
                    let finish = self.task.finish(&ks, row, col);
                    let tile =
                        Tile { a, a_row, a_k, b, b_k, b_copy, k, c, c_row, rows: end - row, cols: count, finish };
                    // SAFETY: we run inside `L::enter`. Factors read in place have all rows, columns and terms, panels have
                    // been packed to whole registers, and the copy takes as many numbers as a panel. `new` was promised
                    // that the output is there for us alone.
                    unsafe { tile::compute::<L>(&tile) };
                    if !b_copy.is_null() {
                        (b, b_k, b_copy) = (b_copy, b_width, null_mut());
                    }
                }
            }
        }
    }
}
