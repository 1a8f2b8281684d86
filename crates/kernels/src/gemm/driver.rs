//! The driver: cuts products into tasks, tasks into blocks, blocks into tiles.
//!
//! ```text
//! task   rows x cols of one product's output, all of k          one thread
//! block  the same, K_BLOCK terms of the sums at a time          a's block is packed once: it stays in the L2 cache
//! column one or two registers of columns of the block           b's panel is packed when its turn comes
//! tile   up to 14 rows of the column                            the microkernel
//! ```
//!
//! Tasks share nothing but their inputs, so there is nothing to wait for between them, and their cut depends on shapes
//! alone. Every sum runs over `k` in order, cut every `K_BLOCK` terms: the bits are the same at any number of threads.
//!
//! Factors whose numbers can be read where they are, and are not read often enough to repay a copy, are not packed.
//!
//! Source: the order of loops follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication",
//! ACM TOMS 34 (2008), with the roles of the factors exchanged (`c` is row-major here).

use std::marker::PhantomData;
use std::ops::Range;

use super::lane::{Lane, Lanes, One};
use super::pack::Source;
use super::tile::{self, Finish, Tile};
use super::{Epilogue, Mat, MatsMut, gemv, portable};
use crate::simd::{Kernel, Level};
use crate::{Accum, Buffer, Real, parallel};

/// Terms of a sum between two visits to the output: a panel of `b` (128 bytes a term) stays in the caches.
const K_BLOCK: usize = 512;
/// Rows of a task: `a`'s block of 256 x 512 numbers takes half of a 1 MiB L2 cache.
const ROW_BLOCK: usize = 256;
/// Multiplications worth a task of its own: about 10 microseconds.
const TASK: usize = 1 << 19;
/// Tasks wanted of a product that is large enough.
const TASKS: usize = 16;

/// Columns of a task are cut at multiples of this: two of the longest registers.
const COL_UNIT: usize = 32;
/// Tasks that are cut to save packing keep at least so many rows or columns.
const GOOD_ROWS: usize = 64;
const GOOD_COLS: usize = 64;
/// No task is cut to fewer rows.
const LEAST_ROWS: usize = 14;
/// Up to so many rows of tiles `b` is read in place.
const B_TILES: usize = 5;

/// What kernels need to know of a number type.
pub(crate) trait Element: Real + Lanes + portable::Product {}
impl<T: Real + Lanes + portable::Product> Element for T {}

/// The sides of a product: `c` is `m x n`, sums have `k` terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

/// How the products of a batch are cut into tasks.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Tasks along the rows and the columns of one product.
    rows: usize,
    cols: usize,
    /// How many tasks, one after another, are handed to a thread at once.
    group: usize,
}

impl Cut {
    /// Cuts tasks in two until there are enough, or they would become too small: across the rows if only `a` has to be
    /// packed (each task packs its own rows once), across the columns if only `b` has, else across the longer side.
    fn new(batch: usize, size: Size, packs_a: bool, packs_b: bool) -> Cut {
        let Size { m, n, k } = size;
        let work = m * n * k;
        let mut cut = Cut { rows: m.div_ceil(ROW_BLOCK), cols: 1, group: 1 };
        if work < TASK {
            cut.group = (TASK / work.max(1)).min(batch);
        }
        while batch * cut.rows * cut.cols < TASKS && work / (cut.rows * cut.cols) >= 2 * TASK {
            let (rows, cols) = (m / cut.rows, n / cut.cols);
            let cut_rows = match (packs_a, packs_b) {
                (true, false) => rows >= 2 * GOOD_ROWS || cols < 2 * COL_UNIT,
                (false, true) => rows > cols && cols < 2 * GOOD_COLS,
                _ => rows > cols || cols < 2 * COL_UNIT,
            };
            if cut_rows && rows < 2 * LEAST_ROWS || !cut_rows && cols < 2 * COL_UNIT {
                break;
            }
            *(if cut_rows { &mut cut.rows } else { &mut cut.cols }) *= 2;
        }
        cut
    }
}

/// Part `i` of `parts` nearly equal parts of `0..len`, cut at multiples of `unit`.
#[inline(always)]
fn part(i: usize, parts: usize, len: usize, unit: usize) -> Range<usize> {
    let units = len.div_ceil(unit);
    (i * units / parts * unit)..((i + 1) * units / parts * unit).min(len)
}

/// `c[i] = epilogue(a[i] b[i])` for each product `i` of a batch, where `factors(i)` gives `a[i]` and `b[i]`.
///
/// This is the door for other kernels: a [`Source`] can make its numbers while it packs them (the patches of an image).
/// The lanes of `a` are the rows of the output, those of `b` its columns. Biases are the same for all products.
///
/// # Panics
/// If the machine lacks the level, or a bias has another length than its side. Sources panic if they are too small.
pub(crate) fn gemm_packed<T: Element, A: Source<T>, B: Source<T>>(
    level: Level,
    size: Size,
    factors: impl Fn(usize) -> (A, B) + Sync + Send,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    assert!(crate::simd::available().contains(&level), "SIMD level {} is not available", level.name());
    assert_eq!((c.rows, c.cols), (size.m, size.n), "gemm: the output has another size");
    assert!(epilogue.col_bias.is_none_or(|x| x.len() == size.n), "gemm: the column bias has another length");
    assert!(epilogue.row_bias.is_none_or(|x| x.len() == size.m), "gemm: the row bias has another length");
    let batch = c.count();
    if size.m == 0 || size.n == 0 || batch == 0 {
        return;
    }
    let start = Start(c.data.as_mut_ptr());
    let c = &*c;
    let (a, b) = factors(0);
    let packs_a = a.in_place().is_none_or(|a| !reads_a_in_place(&a, size.n.div_ceil(COL_UNIT)));
    let packs_b = b.in_place().is_none_or(|b| b.row_stride != 1);
    let cut = Cut::new(batch, size, packs_a, packs_b);
    let (parts, tasks) = (cut.rows * cut.cols, batch * cut.rows * cut.cols);
    parallel::for_each(tasks.div_ceil(cut.group), |group| {
        for task in group * cut.group..((group + 1) * cut.group).min(tasks) {
            let (a, b) = factors(task / parts);
            let rows = part(task % parts % cut.rows, cut.rows, size.m, 1);
            let cols = part(task % parts / cut.rows, cut.cols, size.n, COL_UNIT);
            let (c_row, at) = (c.row_stride, c.offset(task / parts));
            // SAFETY: `MatsMut` checked that each product has a place of its own inside the data.
            let c = unsafe { start.at(at) };
            let task = Task { a: &a, b: &b, k: size.k, rows, cols, c, c_row, epilogue };
            // SAFETY: the level is available; each task writes its own rows and columns of its own product, and `c` is
            // borrowed mutably meanwhile.
            unsafe {
                match level {
                    Level::Portable => task.portable(),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => <T::Half as Lane>::enter(Tiled::<T, T::Half, A, B>(task, PhantomData)),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => <T::Wide as Lane>::enter(Tiled::<T, T::Wide, A, B>(task, PhantomData)),
                    #[cfg(not(target_arch = "x86_64"))]
                    _ => unreachable!("the level is not available"),
                }
            }
        }
    });
}

/// The start of the output, for all threads.
struct Start<T>(*mut T);
// SAFETY: tasks write to places of their own.
unsafe impl<T: Send> Send for Start<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    /// # Safety
    /// `at` lies inside the output.
    unsafe fn at(&self, at: usize) -> *mut T {
        // SAFETY: the caller's.
        unsafe { self.0.add(at) }
    }
}

/// Some rows and columns of one product.
struct Task<'a, T, A, B> {
    a: &'a A,
    b: &'a B,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    /// Element (0, 0) of the product's output.
    c: *mut T,
    c_row: usize,
    epilogue: Epilogue<'a, T>,
}

impl<T: Element, A: Source<T>, B: Source<T>> Task<'_, T, A, B> {
    /// Adds to the output or replaces it, from the first block of terms on.
    fn adds(&self, ks: &Range<usize>) -> bool {
        ks.start > 0 || self.epilogue.accum == Accum::Add
    }

    /// What happens at the store of a tile that starts at `row` and `col`, for the terms `ks`.
    fn finish(&self, ks: &Range<usize>, row: usize, col: usize) -> Finish<T> {
        let last = ks.end == self.k;
        let bias = |bias: Option<&[T]>, at: usize| match bias {
            Some(bias) if last => bias[at..].as_ptr(),
            _ => std::ptr::null(),
        };
        Finish {
            add: self.adds(ks),
            col_bias: bias(self.epilogue.col_bias, col),
            row_bias: bias(self.epilogue.row_bias, row),
            relu: last && self.epilogue.relu,
        }
    }

    /// The blocks of terms, nearly equal; one empty block if there are no terms.
    fn k_blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T, A, B> {
        let (k, blocks) = (self.k, self.k.div_ceil(K_BLOCK).max(1));
        (0..blocks).map(move |i| part(i, blocks, k, 16))
    }

    /// The task for levels without kernels of their own.
    ///
    /// # Safety
    /// Nobody else uses this part of the output.
    unsafe fn portable(&self) {
        let (rows, cols) = (self.rows.len(), self.cols.len());
        if rows == 0 || cols == 0 {
            return;
        }
        // SAFETY: `MatsMut` checked that the part lies inside the output.
        let c = unsafe { self.c.add(self.rows.start * self.c_row + self.cols.start) };
        if let (Some(a), Some(b)) = (self.a.in_place(), self.b.in_place()) {
            let (a, b) = (a.row_range(self.rows.clone()), b.row_range(self.cols.clone()).t());
            // SAFETY: as above.
            unsafe { portable::product(a, b, self.epilogue.accum, c, self.c_row) };
        } else {
            let mut a = Buffer::unspecified(rows * self.k.min(K_BLOCK + 16));
            let mut b = Buffer::unspecified(cols * self.k.min(K_BLOCK + 16));
            for ks in self.k_blocks() {
                let accum = if self.adds(&ks) { Accum::Add } else { Accum::Replace };
                self.a.pack::<One<T>>(ks.clone(), self.rows.clone(), rows, &mut a);
                self.b.pack::<One<T>>(ks.clone(), self.cols.clone(), cols, &mut b);
                let (a, b) = (Mat::new(&a, rows, ks.len(), 1, rows), Mat::row_major(&b, ks.len(), cols));
                // SAFETY: as above.
                unsafe { portable::product(a, b, accum, c, self.c_row) };
            }
        }
        let finish = self.finish(&(0..self.k), self.rows.start, self.cols.start);
        // SAFETY: as above; the biases were checked to have as many numbers as the output rows and columns.
        unsafe { portable::finish(c, self.c_row, rows, cols, &finish) };
    }
}

/// A task that is computed in tiles.
struct Tiled<'a, T, L, A, B>(Task<'a, T, A, B>, PhantomData<L>);

impl<T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Kernel for Tiled<'_, T, L, A, B> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Task { a, b, ref rows, ref cols, c, c_row, .. } = self.0;
        if (rows.len() == 1 || cols.len() == 1) && self.vector() {
            return;
        }
        let (tiles, width) = (rows.len().div_ceil(L::ROWS), 2 * L::LANES);
        let a_width = rows.len().min(L::ROWS).next_multiple_of(L::LANES);
        let k_max = self.0.k.min(K_BLOCK + 16);
        let a_here = a.in_place().filter(|a| reads_a_in_place(a, cols.len().div_ceil(width)));
        let b_here = b.in_place().filter(|b| b.row_stride == 1);
        let a_len = if a_here.is_some() { 0 } else { tiles * a_width * k_max };
        // The first tile of a column copies it for the others.
        let copies = tiles > B_TILES;
        let b_len = if b_here.is_some() && cols.len().is_multiple_of(L::LANES) && !copies { 0 } else { width * k_max };
        let mut packed = Buffer::<T>::unspecified(a_len + b_len);
        let (a_packed, b_packed) = packed.split_at_mut(a_len);
        for ks in self.0.k_blocks() {
            let panel = a_width * ks.len();
            if a_here.is_none() {
                for i in 0..tiles {
                    let part = part(i, tiles, rows.len(), 1);
                    let lanes = rows.start + part.start..rows.start + part.end;
                    a.pack::<L>(ks.clone(), lanes, a_width, &mut a_packed[i * panel..(i + 1) * panel]);
                }
            }
            for col in cols.clone().step_by(width) {
                let count = (cols.end - col).min(width);
                let b_width = count.next_multiple_of(L::LANES);
                let (mut b, mut b_k, mut b_copy) = match b_here {
                    Some(b) if count == b_width && !ks.is_empty() => {
                        let copy = if copies { b_packed.as_mut_ptr() } else { std::ptr::null_mut() };
                        (b.data[col + ks.start * b.col_stride..].as_ptr(), b.col_stride, copy)
                    }
                    _ => {
                        b.pack::<L>(ks.clone(), col..col + count, b_width, b_packed);
                        (b_packed.as_ptr(), b_width, std::ptr::null_mut())
                    }
                };
                for i in 0..tiles {
                    let part = part(i, tiles, rows.len(), 1);
                    let row = rows.start + part.start;
                    let (a, a_row, a_k) = match a_here {
                        Some(a) if !ks.is_empty() => {
                            let start = &a.data[row * a.row_stride + ks.start * a.col_stride..];
                            (start.as_ptr(), a.row_stride, a.col_stride)
                        }
                        _ => (a_packed[i * panel..].as_ptr(), 1, a_width),
                    };
                    let finish = self.0.finish(&ks, row, col);
                    // SAFETY: the part lies inside the output (see `gemm_packed`).
                    let c = unsafe { c.add(row * c_row + col) };
                    let (k, rows) = (ks.len(), part.len());
                    let tile = Tile { a, a_row, a_k, b, b_k, b_copy, k, c, c_row, rows, cols: count, finish };
                    // SAFETY: we run inside `L::enter`; the panels hold all terms of all lanes, and matrices that are
                    // read in place have them too, in whole registers.
                    unsafe { tile::compute::<L>(&tile) };
                    if !b_copy.is_null() {
                        (b, b_k, b_copy) = (b_copy, b_width, std::ptr::null_mut());
                    }
                }
            }
        }
    }
}

impl<T: Element, L: Lane<Num = T>, A: Source<T>, B: Source<T>> Tiled<'_, T, L, A, B> {
    /// Computes a single row or column, if the factors can be read in place.
    #[inline(always)]
    fn vector(&self) -> bool {
        let task = &self.0;
        let (Some(a), Some(b)) = (task.a.in_place(), task.b.in_place()) else {
            return false;
        };
        let (a, b) = (a.row_range(task.rows.clone()), b.row_range(task.cols.clone()));
        let (m, x) = if task.cols.len() == 1 && (task.rows.len() > 1 || !gemv::reads(&b)) { (a, b) } else { (b, a) };
        if !gemv::reads(&m) {
            return false;
        }
        let null = std::ptr::null();
        // SAFETY: the part lies inside the output (see `gemm_packed`); we run inside `L::enter`.
        unsafe {
            let c = task.c.add(task.rows.start * task.c_row + task.cols.start);
            let finish = task.finish(&(0..task.k), task.rows.start, task.cols.start);
            let (rows, cols) = (task.rows.len(), task.cols.len());
            let b_copy = std::ptr::null_mut();
            let tile = Tile {
                a: null,
                a_row: 0,
                a_k: 0,
                b: null,
                b_k: 0,
                b_copy,
                k: 0,
                c,
                c_row: task.c_row,
                rows,
                cols,
                finish,
            };
            gemv::run::<L>(m, x, tile);
        }
        true
    }
}

/// Whether tiles read `a` where it stands, for this many columns of tiles.
fn reads_a_in_place<T: Real>(a: &Mat<'_, T>, columns: usize) -> bool {
    let other = if a.col_stride == 1 { a.row_stride } else { a.col_stride };
    // Lines whose distance is a multiple of 4 KiB push each other out of the caches.
    let far = (a.col_stride == 1 || a.row_stride == 1) && !(other * T::BYTES).is_multiple_of(4096);
    far || columns <= 2
}
