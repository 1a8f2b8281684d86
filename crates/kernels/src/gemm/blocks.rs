//! A task in blocks for the caches and tiles for the registers.
//!
//! ```text
//! task    rows x cols of the product, all terms of the sums
//! chunk   up to 2048 of the columns, 1024 of the terms   b's panels stay in the L3 cache
//! block   some rows of the chunk                         a's block is packed first, it stays in the L2 cache
//! column  two registers of columns of the block          b's panel is packed by the first block
//! tile    up to 14 rows of the column                    the microkernel
//! ```
//!
//! A task of one block does not keep the panels of `b`: one after the other takes the same place.
//!
//! Factors that stand in memory such that tiles can read them there are not packed: `a` with any contiguous side, as
//! long as its lines do not push each other out of the caches, and `b` with contiguous rows, of which the first tile leaves a
//! packed copy if there are enough others. Products with one column or few rows are products with vectors.
//!
//! Every sum runs over its terms in order and visits the output after each chunk.
//!
//! Source: the order of loops follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication",
//! ACM TOMS 34 (2008), with the roles of the factors exchanged (`c` is row-major here).

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::null_mut;

use super::apart::Apart;
use super::driver::{Element, part};
use super::lane::Lane;
use super::pack::Source;
use super::small::{FEW_TILES, Small};
use super::task::{Task, k_block};
use super::tile::{self, Tile};
use super::{Mat, gemv};
use crate::Real;
use crate::buffer::Scratch;
use crate::simd::Kernel;

/// Bytes of a block of `a`: half of a 1 MiB L2 cache.
const A_BLOCK: usize = 512 << 10;
/// Columns of a chunk: its panels of `b` take up to 8 MiB.
const CHUNK_COLS: usize = 2048;
/// No block has more tiles below each other: the output's columns at their right are near in time.
const MANY_TILES: usize = 20;
/// The most tiles below each other that read what stands apart: for more it is packed.
const APART_TILES: usize = 6;
/// From so many bytes on, the output will not be in the cache.
const FAR: usize = 128 << 10;

/// Whether tiles need a packed copy of `a`, for this many columns of tiles.
pub(super) fn copies_a<T: Real>(a: &Mat<'_, T>, columns: usize) -> bool {
    let distance = if a.col_stride == 1 { a.row_stride } else { a.col_stride };
    let contiguous = a.col_stride == 1 || a.row_stride == 1;
    // Lines that are a multiple of 4 KiB apart push each other out of the L1 cache.
    columns > 2 && (!contiguous || (distance * T::BYTES).is_multiple_of(4096))
}

/// The rows of a task as tiles of nearly equal height, in blocks.
struct Tiles {
    start: usize,
    count: usize,
    height: usize,
    /// So many tiles, the first ones, are one row taller.
    taller: usize,
    blocks: usize,
}

impl Tiles {
    #[inline(always)]
    fn new(rows: &Range<usize>, tallest: usize, bytes_of_row: usize) -> Self {
        let count = rows.len().div_ceil(tallest).max(1);
        let (height, taller) = (rows.len() / count, rows.len() % count);
        let blocks = if count <= FEW_TILES {
            1
        } else {
            count.div_ceil((A_BLOCK / (bytes_of_row * tallest).max(1)).clamp(FEW_TILES, MANY_TILES))
        };
        Tiles { start: rows.start, count, height, taller, blocks }
    }

    #[inline(always)]
    fn rows(&self, tile: usize) -> Range<usize> {
        let start = self.start + tile * self.height + tile.min(self.taller);
        start..start + self.height + usize::from(tile < self.taller)
    }

    #[inline(always)]
    fn block(&self, i: usize) -> Range<usize> {
        part(i, self.blocks, self.count, 1)
    }
}

/// A panel of `b`, packed or in place: row `p` starts at `at + p * row`, or stands apart; the next tile leaves a copy at `copy`.
#[derive(Clone, Copy)]
struct Panel<T> {
    at: *const T,
    row: usize,
    copy: *mut T,
    apart: Option<Apart<T>>,
}

/// A task that is computed in tiles of registers.
pub(super) struct Tiled<'a, T, L, A, B> {
    a: &'a A,
    b: &'a B,
    task: Task<'a, T>,
    lane: PhantomData<L>,
}

impl<'a, T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Tiled<'a, T, L, A, B> {
    /// Columns of a tile.
    const WIDTH: usize = 2 * L::LANES;

    /// # Safety
    /// To run it, this part of the output must be there, nobody else may use it, and the factors must have passed
    /// [`Task::check`].
    pub(super) unsafe fn new(a: &'a A, b: &'a B, task: Task<'a, T>) -> Self {
        Tiled { a, b, task, lane: PhantomData }
    }

    /// The task as a matrix and a vector, or a few, if it has few columns or rows and the matrix can be read in place.
    #[inline(always)]
    fn as_vectors(&self, (a, b): (Mat<'a, T>, Mat<'a, T>)) -> Option<gemv::Vectors<'a, L>> {
        let task = &self.task;
        let (rows, cols) = (task.rows.len(), task.cols.len());
        let column = cols == 1 && rows > 1 || gemv::serves_columns::<L>(&a, cols);
        let (m, x) = if column || cols == 1 { (a, b) } else { (b, a) };
        let c = task.place(task.rows.start, task.cols.start);
        let finish = task.finish(&task.ks, task.rows.start, task.cols.start);
        (column && cols > 1 || gemv::serves::<L>(&m, x.rows(), column)).then_some(gemv::Vectors {
            m,
            x,
            c,
            c_row: task.c_row,
            column,
            finish,
        })
    }

    /// The task as a small product, if it is one.
    #[inline(always)]
    fn as_small(&self, (a, b): (Mat<'a, T>, Mat<'a, T>)) -> Option<Small<'a, L>> {
        let task = &self.task;
        let c = task.place(task.rows.start, task.cols.start);
        Small::new(a, b, task.cold, (c, task.c_row), task.finish(&task.ks, task.rows.start, task.cols.start))
    }

    /// The panel of the columns `cols`, which the first block finds in place, if they `may_stay` there, or packs to `packed`. With
    /// `leaves_copy` the first tile is to leave a copy there of what stands in place.
    #[inline(always)]
    fn panel(
        &self,
        ks: &Range<usize>,
        cols: Range<usize>,
        packed: &mut [T],
        first: bool,
        (apart, may_stay, leaves_copy): (bool, bool, bool),
    ) -> Panel<T> {
        if apart && let apart @ Some(_) = self.b.apart::<L>(ks.clone(), cols.clone()) {
            return Panel { at: packed.as_ptr(), row: 0, copy: null_mut(), apart };
        }
        let width = cols.len().next_multiple_of(L::LANES);
        let b_here = self.b.in_place().filter(|b| b.row_stride == 1);
        match b_here {
            _ if !first && !packed.is_empty() => {}
            // In place, registers must not reach beyond the columns.
            Some(b) if cols.len() == width && !ks.is_empty() && may_stay => {
                let at = b.data[cols.start + ks.start * b.col_stride..].as_ptr();
                let copy = if leaves_copy { packed.as_mut_ptr() } else { null_mut() };
                return Panel { at, row: b.col_stride, copy, apart: None };
            }
            _ => self.b.pack::<L>(ks.clone(), cols, width, &mut packed[..width * ks.len()]),
        }
        Panel { at: packed.as_ptr(), row: width, copy: null_mut(), apart: None }
    }

    /// The tiles of one block and one column, from the top to the bottom.
    ///
    /// # Safety
    /// We run inside `L::enter`, as [`Tiled::new`] was promised, and `a_packed`, if not empty, holds the block's panels of
    /// `a`, `a_width` wide.
    #[inline(always)]
    unsafe fn column(
        &self,
        (tiles, block): (&Tiles, Range<usize>),
        ks: &Range<usize>,
        cols: &Range<usize>,
        (a_packed, a_width): (&[T], usize),
        mut b: Panel<T>,
        next: Option<*const T>,
    ) {
        let (k, count) = (ks.len(), block.len());
        let far = self.task.rows.len() * self.task.cols.len() * T::BYTES > FAR;
        for (i, tile) in block.enumerate() {
            let rows = tiles.rows(tile);
            let apart = if a_packed.is_empty() { self.a.rows_apart(ks.clone(), rows.clone()) } else { None };
            let (a, a_row, a_k) = match self.a.in_place() {
                _ if apart.is_some() => (b.at, 0, 0),
                Some(_) if k == 0 => (b.at, 0, 0),
                Some(a) if a_packed.is_empty() => {
                    let start = &a.data[rows.start * a.row_stride + ks.start * a.col_stride..];
                    (start.as_ptr(), a.row_stride, a.col_stride)
                }
                _ => (a_packed[i * a_width * k..].as_ptr(), 1, a_width),
            };
            // Each tile asks for its part of the next panel.
            let step = Self::WIDTH.div_ceil(count);
            let (next, next_k) = next.map_or((b.at, 0), |next| (next.wrapping_add(i * k * step), step));
            let tile = Tile {
                a,
                a_row,
                a_k,
                b: b.at,
                b_k: b.row,
                b_copy: b.copy,
                next,
                next_k,
                k,
                c: self.task.place(rows.start, cols.start),
                c_row: self.task.c_row,
                transposed: self.task.transposed,
                far,
                rows: rows.len(),
                cols: cols.len(),
                finish: self.task.finish(ks, rows.start, cols.start),
            };
            match (&b.apart, &apart) {
                // SAFETY: factors read in place have all rows, columns and terms, as `check` has seen; panels have been packed to
                // whole registers, and the copy takes as many numbers as a panel. `new` was promised that the output is there
                // for us alone.
                (None, None) => unsafe { tile::compute::<L>(&tile) },
                // SAFETY: as above; the source promises whole registers for all terms.
                (Some(apart), _) => unsafe { L::compute_apart(&tile, apart) },
                // SAFETY: as above; the source promises a number for each row and term.
                (None, Some(apart)) => unsafe { L::compute_rows_apart(&tile, apart) },
            }
            if !b.copy.is_null() {
                b = Panel { at: b.copy, row: cols.len().next_multiple_of(L::LANES), copy: null_mut(), apart: None };
            }
        }
    }
}

impl<T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Kernel for Tiled<'_, T, L, A, B> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if let Some(factors) = self.task.standing(self.a, self.b).filter(|_| !self.task.transposed) {
            if let Some(vectors) = self.as_vectors(factors) {
                // SAFETY: we run inside `L::enter`; the rest `new` was promised.
                return unsafe { L::enter(vectors) };
            }
            if let Some(small) = self.as_small(factors) {
                // SAFETY: as above.
                return unsafe { L::enter(small) };
            }
        }
        let Task { rows, cols, .. } = &self.task;
        let tiles = Tiles::new(rows, L::ROWS, self.task.ks.len().min(k_block::<T>()) * T::BYTES);
        let rows_apart = tiles.height >= L::COPIES && self.a.rows_apart(0..0, 0..0).is_some();
        // Where no packed rows take room in the caches, there are fewer visits to the output.
        let k_most = self.task.ks.len().min(k_block::<T>() * if rows_apart { 2 } else { 1 });
        let a_width = rows.len().min(L::ROWS).next_multiple_of(L::LANES);
        let packs_a = !rows_apart && self.a.in_place().is_none_or(|a| copies_a(&a, cols.len().div_ceil(Self::WIDTH)));
        // Where there are many tiles, they are nearly as tall as can be.
        let leaves_copy = !rows_apart && tiles.count > FEW_TILES && tiles.height >= L::COPIES;
        let apart = tiles.count <= APART_TILES
            && self.b.apart::<L>(self.task.ks.start..self.task.ks.start, cols.start..cols.start).is_some();
        let packs_b = !apart
            && (self.b.in_place().is_none_or(|b| b.row_stride != 1)
                || leaves_copy
                || rows_apart
                || !cols.len().is_multiple_of(L::LANES));
        let chunk_cols = if tiles.blocks > 1 { CHUNK_COLS } else { cols.len().max(1) };
        let kept = if tiles.blocks > 1 { chunk_cols.min(cols.len()).div_ceil(Self::WIDTH) } else { 1 };
        let a_len = if packs_a { tiles.count.div_ceil(tiles.blocks) * a_width * k_most } else { 0 };
        let b_len = if packs_b { Self::WIDTH * k_most } else { 0 };
        let mut packed = Scratch::<T>::new(a_len + kept * b_len);
        let (a_packed, b_packed) = packed.split_at_mut(a_len);
        let chunks = cols.len().div_ceil(chunk_cols);
        for chunk in (0..chunks).map(|i| part(i, chunks, cols.len(), Self::WIDTH)) {
            for (ks, block) in
                self.task.blocks(k_most.max(1)).flat_map(|ks| (0..tiles.blocks).map(move |i| (ks.clone(), i)))
            {
                let a_panel = a_width * ks.len();
                if packs_a {
                    for (i, tile) in tiles.block(block).enumerate() {
                        let panel = &mut a_packed[i * a_panel..(i + 1) * a_panel];
                        self.a.pack::<L>(ks.clone(), tiles.rows(tile), a_width, panel);
                    }
                }
                for (j, col) in (cols.start + chunk.start..cols.start + chunk.end).step_by(Self::WIDTH).enumerate() {
                    let cols = col..(col + Self::WIDTH).min(cols.start + chunk.end);
                    let place = if kept > 1 { j * b_len } else { 0 };
                    let b = self.panel(
                        &ks,
                        cols.clone(),
                        &mut b_packed[place..][..b_len],
                        block == 0,
                        (apart, !rows_apart, leaves_copy),
                    );
                    let next = (block > 0 && b.row == Self::WIDTH).then_some(b.at.wrapping_add(b_len));
                    // SAFETY: `new` was promised what is needed, and the block has just been packed.
                    unsafe { self.column((&tiles, tiles.block(block)), &ks, &cols, (a_packed, a_width), b, next) };
                }
            }
        }
    }
}
