//! The microkernel: one tile of the product, held in registers.
//!
//! A tile has up to `Lane::ROWS` rows and one or two registers of columns. For each `p` it loads a row of `b`
//! and adds `a[i, p] * b[p, ..]` to the accumulators of row `i`:
//!
//! ```text
//! for p in 0..k:  acc[i][j] += splat(a[i, p]) * b[p, j]        i < ROWS, j < REGS
//! ```
//!
//! With 14 x 2 accumulators there are 28 multiply-adds for 16 loads, so memory is never the limit: `a` and `b` may stand in
//! the second-level cache, packed or in place. Each element is summed over `p` in order, whatever tile it falls into.
//!
//! Source: K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008).

// Plain indices show which accumulator meets which factor.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;
use std::ptr::null;

use super::Epilogue;
use super::lane::Lane;
use super::pack::{MAX_LANES, transpose_square};
use crate::simd::{Kernel, prefetch};

/// How many rows of `b` ahead a tile that copies asks for.
const AHEAD: usize = 16;
/// How many terms of `a` ahead a tile of so many rows asks for. Lower ones have no load to spare.
const A_AHEAD: usize = 24;
const TALL: usize = 12;

/// A tile to compute: where its factors and its place in the output are, and what to do at the store.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T> {
    /// `a[0, 0]`; `a[i, p]` stands `i * a_row + p * a_k` numbers further.
    pub(super) a: *const T,
    pub(super) a_row: usize,
    pub(super) a_k: usize,
    /// `b[0, 0]`; `b[p, j]` stands `p * b_k + j` numbers further. All registers of a row are readable.
    pub(super) b: *const T,
    pub(super) b_k: usize,
    /// Where the tile, while it reads it, leaves a packed copy of `b` for the tiles below: register after register. Null
    /// for no copy. The copy costs next to nothing here, since the stores wait for no one.
    pub(super) b_copy: *mut T,
    /// What a tall tile asks for meanwhile, so many numbers further with each term: its part of the next panel of `b`, which
    /// is near then when its turn comes.
    pub(super) next: *const T,
    pub(super) next_k: usize,
    /// Terms of each sum.
    pub(super) k: usize,
    /// `c[0, 0]`; `c[i, j]` stands `i * c_row + j` numbers further or, if the output is `transposed`, `j * c_row + i`.
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) transposed: bool,
    /// Whether to ask for the output's lines before the sums begin.
    pub(super) far: bool,
    /// Rows and columns to store.
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// What happens at the store, in the output's orientation.
    pub(super) finish: Finish<T>,
}

/// What happens at the store. Null pointers stand for no bias.
#[derive(Clone, Copy)]
pub(super) struct Finish<T> {
    /// Add what stands in the output.
    pub(super) add: bool,
    /// The bias of the tile's first column.
    pub(super) col_bias: *const T,
    /// The bias of the tile's first row.
    pub(super) row_bias: *const T,
    /// Negative elements become 0.
    pub(super) relu: bool,
}

impl<T> Default for Finish<T> {
    /// Replaces the output.
    fn default() -> Self {
        Finish { add: false, col_bias: null(), row_bias: null(), relu: false }
    }
}

impl<T: Copy> Finish<T> {
    /// The epilogue, for a tile that starts at `row` and `col`. It does not add.
    #[inline(always)]
    pub(super) fn new(epilogue: &Epilogue<'_, T>, row: usize, col: usize) -> Self {
        let from = |bias: Option<&[T]>, at: usize| bias.map_or(null(), |bias| bias[at..].as_ptr());
        Finish {
            add: false,
            col_bias: from(epilogue.col_bias, col),
            row_bias: from(epilogue.row_bias, row),
            relu: epilogue.relu,
        }
    }

    /// The same for a tile that starts `row` rows and `col` columns further on.
    #[inline(always)]
    pub(super) fn from(&self, row: usize, col: usize) -> Self {
        let skip = |bias: *const T, by: usize| if bias.is_null() { bias } else { bias.wrapping_add(by) };
        Finish { row_bias: skip(self.row_bias, row), col_bias: skip(self.col_bias, col), ..*self }
    }

    /// A number for each column, and perhaps a ReLU.
    #[inline(always)]
    fn has_only_col_bias(&self) -> bool {
        !self.col_bias.is_null() && self.row_bias.is_null()
    }

    /// Nothing but adding or replacing.
    #[inline(always)]
    pub(super) fn is_bare(&self) -> bool {
        !self.relu && self.col_bias.is_null() && self.row_bias.is_null()
    }
}

/// A tile of `ROWS` rows and `REGS` registers of columns that may copy `b`.
pub(super) struct Fixed<'a, L: Lane, const ROWS: usize, const REGS: usize, const COPY: bool>(
    pub(super) &'a Tile<L::Num>,
);

impl<L: Lane, const ROWS: usize, const REGS: usize, const COPY: bool> Kernel for Fixed<'_, L, ROWS, REGS, COPY> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Tile { a, a_row, a_k, b, b_k, next_k, k, .. } = *self.0;
        // SAFETY: whoever made the tile promises that all elements can be read and written where it says, and that the
        // CPU has the registers (see `compute`).
        unsafe {
            self.ask();
            let mut acc = [[L::splat(L::Num::default()); REGS]; ROWS];
            let (mut a, mut b, mut copy, mut next) = (a, b, self.0.b_copy, self.0.next);
            for _ in 0..k {
                let mut row = [L::splat(L::Num::default()); REGS];
                for j in 0..REGS {
                    row[j] = L::load(b.add(j * L::LANES));
                    if COPY {
                        row[j].store(copy.add(j * L::LANES));
                    }
                }
                if COPY {
                    // The rows of `b` may be whole pages apart, where the hardware does not foresee them.
                    for j in 0..REGS {
                        prefetch(b.wrapping_add(AHEAD * b_k + j * L::LANES));
                    }
                }
                if ROWS >= TALL {
                    prefetch(next);
                    next = next.wrapping_add(next_k);
                    // Those of a transposed `a` are as far apart. The line of the first row is the last one of the tile above.
                    prefetch(a.wrapping_add(A_AHEAD * a_k + (ROWS - 1) * a_row));
                }
                for i in 0..ROWS {
                    let x = L::splat(*a.add(i * a_row));
                    for j in 0..REGS {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                a = a.wrapping_add(a_k);
                b = b.wrapping_add(b_k);
                if COPY {
                    copy = copy.wrapping_add(REGS * L::LANES);
                }
            }
            self.store(acc);
        }
    }
}

impl<L: Lane, const ROWS: usize, const REGS: usize, const COPY: bool> Fixed<'_, L, ROWS, REGS, COPY> {
    /// Asks for the output's lines, if they are far.
    #[inline(always)]
    pub(super) fn ask(&self) {
        if self.0.far && !self.0.transposed {
            for i in 0..ROWS {
                prefetch(self.0.c.wrapping_add(i * self.0.c_row));
                prefetch(self.0.c.wrapping_add(i * self.0.c_row + (REGS - 1) * L::LANES));
            }
        }
    }

    /// Applies the epilogue and stores.
    ///
    /// The accumulators are only used in loops that the compiler unrolls, else they would live in memory.
    ///
    /// # Safety
    /// As for [`compute`].
    #[inline(always)]
    pub(super) unsafe fn store(self, acc: [[L; REGS]; ROWS]) {
        let tile = self.0;
        // SAFETY: the caller's; the detour holds a whole tile.
        unsafe {
            if tile.cols == REGS * L::LANES && tile.finish.is_bare() && !tile.transposed {
                for i in 0..ROWS {
                    for j in 0..REGS {
                        let c = tile.c.add(i * tile.c_row + j * L::LANES);
                        let x = acc[i][j];
                        if tile.finish.add { L::load(c).add(x).store(c) } else { x.store(c) }
                    }
                }
            } else if tile.cols == REGS * L::LANES && tile.finish.has_only_col_bias() && !tile.transposed {
                // A dense layer's forward pass.
                let mut bias = [L::splat(L::Num::default()); REGS];
                for j in 0..REGS {
                    bias[j] = L::load(tile.finish.col_bias.add(j * L::LANES));
                }
                for i in 0..ROWS {
                    for j in 0..REGS {
                        let c = tile.c.add(i * tile.c_row + j * L::LANES);
                        let x = acc[i][j];
                        let x = if tile.finish.add { L::load(c).add(x).add(bias[j]) } else { x.add(bias[j]) };
                        if tile.finish.relu { x.relu().store(c) } else { x.store(c) }
                    }
                }
            } else {
                let mut detour = MaybeUninit::<[[L; REGS]; ROWS]>::uninit();
                let start: *mut L::Num = detour.as_mut_ptr().cast();
                for i in 0..ROWS {
                    for j in 0..REGS {
                        acc[i][j].store(start.add((i * REGS + j) * L::LANES));
                    }
                }
                // A function of its own, which all heights share: it is long, and only some stores need it.
                L::enter(Finished::<L> {
                    size: (ROWS, tile.cols),
                    from: (start, REGS * L::LANES),
                    to: (tile.c, tile.c_row),
                    transposed: tile.transposed,
                    finish: &tile.finish,
                });
            }
        }
    }
}

/// A tile on its way from the detour through the epilogue.
struct Finished<'a, L: Lane> {
    size: (usize, usize),
    from: (*const L::Num, usize),
    to: (*mut L::Num, usize),
    transposed: bool,
    finish: &'a Finish<L::Num>,
}

impl<L: Lane> Kernel for Finished<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Finished { size: (rows, cols), from, to, transposed, finish } = self;
        // SAFETY: whoever makes one keeps the promises of `store_finished`; a tile has at most `MAX_LANES` rows.
        unsafe {
            if !transposed {
                return store_finished::<L>((rows, cols), from, to, finish);
            }
            // Square by square, the columns become rows of `MAX_LANES` numbers.
            let mut turned = MaybeUninit::<[[L::Num; MAX_LANES]; 2 * MAX_LANES]>::uninit();
            let turned: *mut L::Num = turned.as_mut_ptr().cast();
            for row in (0..rows).step_by(L::LANES) {
                for col in (0..cols).step_by(L::LANES) {
                    let mut square = [L::splat(L::Num::default()); MAX_LANES];
                    for (i, lane) in square.iter_mut().enumerate().take((rows - row).min(L::LANES)) {
                        *lane = L::load(from.0.add((row + i) * from.1 + col));
                    }
                    transpose_square(&mut square);
                    for (j, lane) in square.iter().enumerate().take(L::LANES) {
                        lane.store(turned.add((col + j) * MAX_LANES + row));
                    }
                }
            }
            store_finished::<L>((cols, rows), (turned, MAX_LANES), to, finish);
        }
    }
}

/// Stores `rows x cols` numbers through all of the epilogue. Rows start every `from.1` numbers in `from.0`, every `to.1`
/// in `to.0`.
///
/// # Safety
/// The CPU has the registers; all of these numbers, and the biases of all rows and columns, are there.
#[inline(always)]
pub(super) unsafe fn store_finished<L: Lane>(
    (rows, cols): (usize, usize),
    from: (*const L::Num, usize),
    to: (*mut L::Num, usize),
    finish: &Finish<L::Num>,
) {
    // SAFETY: the caller's; partial registers touch only the columns that exist.
    unsafe {
        let zero = L::splat(L::Num::default());
        for col in (0..cols).step_by(L::LANES) {
            let count = (cols - col).min(L::LANES);
            let col_bias =
                if finish.col_bias.is_null() { zero } else { L::load_first(finish.col_bias.add(col), count) };
            for i in 0..rows {
                let c = to.0.add(i * to.1 + col);
                let mut x = L::load_first(from.0.add(i * from.1 + col), count);
                if finish.add {
                    x = L::load_first(c, count).add(x);
                }
                if !finish.col_bias.is_null() {
                    x = x.add(col_bias);
                }
                if !finish.row_bias.is_null() {
                    x = x.add(L::splat(*finish.row_bias.add(i)));
                }
                if finish.relu {
                    x = x.relu();
                }
                if count == L::LANES { x.store(c) } else { x.store_first(c, count) }
            }
        }
    }
}

/// Computes a tile of at most `L::ROWS` rows and two registers of columns, at least one of each. One that copies `b` has at
/// least `L::COPIES` rows.
///
/// # Safety
/// The CPU has the registers, and everything that the tile points to (see [`Tile`]) is there; nobody else uses the
/// output meanwhile.
#[inline(always)]
pub(super) unsafe fn compute<L: Lane>(tile: &Tile<L::Num>) {
    debug_assert!((1..=L::ROWS).contains(&tile.rows) && (1..=2 * L::LANES).contains(&tile.cols));
    debug_assert!(tile.b_copy.is_null() || tile.rows >= L::COPIES);
    // SAFETY: the caller's.
    unsafe { L::compute(tile) }
}

/// Writes `Lane::compute` for the heights that the register file holds, the last ones of which may copy `b` or have rows apart:
/// others are not compiled.
macro_rules! heights {
    ($($rows:literal)*, copies: $($tall:literal)*) => {
        #[inline(always)]
        unsafe fn compute(tile: &crate::gemm::tile::Tile<Self::Num>) {
            use crate::gemm::tile::Fixed;
            let (wide, copies) = (tile.cols > Self::LANES, !tile.b_copy.is_null());
            match (tile.rows, wide, copies) {
                $(
                    // SAFETY: the caller's.
                    ($rows, true, false) => unsafe { Self::enter(Fixed::<Self, $rows, 2, false>(tile)) },
                    // SAFETY: the caller's.
                    ($rows, false, false) => unsafe { Self::enter(Fixed::<Self, $rows, 1, false>(tile)) },
                )*
                $(
                    // SAFETY: the caller's.
                    ($tall, true, true) => unsafe { Self::enter(Fixed::<Self, $tall, 2, true>(tile)) },
                    // SAFETY: the caller's.
                    ($tall, false, true) => unsafe { Self::enter(Fixed::<Self, $tall, 1, true>(tile)) },
                )*
                _ => unreachable!("a tile has 1 to {} rows, at least {} if it copies", Self::ROWS, Self::COPIES),
            }
        }
        #[inline(always)]
        unsafe fn compute_edge(tile: &crate::gemm::tile::Tile<Self::Num>) {
            use crate::gemm::edge::Masked;
            match (tile.rows, tile.cols <= <Self::Narrow as crate::gemm::edge::Edge>::LANES) {
                $(
                    // SAFETY: the caller's.
                    ($rows, true) => unsafe { Self::enter(Masked::<Self::Narrow, $rows>(tile)) },
                    // SAFETY: the caller's.
                    ($rows, false) => unsafe { Self::enter(Masked::<Self, $rows>(tile)) },
                )*
                _ => unreachable!("a tile has 1 to {} rows", Self::ROWS),
            }
        }
        #[inline(always)]
        unsafe fn compute_apart(
            tile: &crate::gemm::tile::Tile<Self::Num>,
            b: &crate::gemm::apart::Apart<Self::Num>,
        ) {
            use crate::gemm::apart::FixedApart;
            match tile.rows {
                $(
                    // SAFETY: the caller's.
                    $rows => unsafe { Self::enter(FixedApart::<Self, $rows>(tile, b)) },
                )*
                _ => unreachable!("a tile has 1 to {} rows", Self::ROWS),
            }
        }
        #[inline(always)]
        unsafe fn compute_rows_apart(
            tile: &crate::gemm::tile::Tile<Self::Num>,
            a: &crate::gemm::apart::RowsApart<Self::Num>,
        ) {
            use crate::gemm::apart::FixedRowsApart;
            match (tile.rows, tile.cols > Self::LANES) {
                $(
                    // SAFETY: the caller's.
                    ($tall, true) => unsafe { Self::enter(FixedRowsApart::<Self, $tall, 2>(tile, a)) },
                    // SAFETY: the caller's.
                    ($tall, false) => unsafe { Self::enter(FixedRowsApart::<Self, $tall, 1>(tile, a)) },
                )*
                _ => unreachable!("a tile whose rows stand apart has {} to {} rows", Self::COPIES, Self::ROWS),
            }
        }
    };
}
pub(super) use heights;
