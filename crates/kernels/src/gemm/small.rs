//! Products so small that what comes before the tiles counts: no blocks, and nothing is packed that tiles can read in place.
//!
//! The last columns go to tiles with masks (`edge`). All sums have the order that they have in [`Tiled`](super::blocks::Tiled).

use std::ptr::null_mut;

use super::blocks::copies_a;
use super::driver::Element;
use super::lane::Lane;
use super::pack::Source;
use super::task::k_block;
use super::tile::{self, Finish, Tile};
use super::{Epilogue, Mat, gemv};
use crate::buffer::Scratch;
use crate::simd::{Kernel, Level};
use crate::{Accum, Real};

/// The most tiles below each other: with more, a packed copy of `b` is worth its while.
pub(super) const FEW_TILES: usize = 10;

/// The most multiplications of a product that goes straight to its tiles: about two microseconds.
pub(super) const AT_ONCE: usize = 1 << 17;

/// Setting columns aside wants to save so many products of registers.
const WORTH: usize = 128;

/// Terms whose rows of `b` the L1 cache holds although they are a multiple of 4 KiB apart.
const FAR_TERMS: usize = 64;

/// A product of `a`, which tiles read in place, and `b`.
pub(super) struct Small<'a, L: Lane> {
    /// Rows and terms.
    a: Mat<'a, L::Num>,
    /// Columns and terms.
    b: Mat<'a, L::Num>,
    /// Whether tiles below each other get a packed copy of `b`, wherever it stands.
    copies: bool,
    /// Element (0, 0) of the output, whose rows start `c_row` numbers apart.
    c: *mut L::Num,
    c_row: usize,
    /// For a tile that starts at element (0, 0).
    finish: Finish<L::Num>,
}

impl<'a, L: Lane> Small<'a, L> {
    /// The product of rows of terms, `a`, and columns of terms, `b`, if it is a small one and not one of vectors. `b` may be
    /// `cold`: not in a cache near.
    #[inline(always)]
    pub(super) fn new(
        a: Mat<'a, L::Num>,
        b: Mat<'a, L::Num>,
        cold: bool,
        (c, c_row): (*mut L::Num, usize),
        finish: Finish<L::Num>,
    ) -> Option<Self> {
        let few = a.rows > 0 && a.rows <= FEW_TILES * L::ROWS && a.cols <= k_block::<L::Num>();
        let copies = copies_a(&a, b.rows.div_ceil(2 * L::LANES));
        // Many rows that are a multiple of 4 KiB apart push each other out of the L1 cache before the next tile reads them.
        let far = a.cols > FAR_TERMS && (b.col_stride * L::Num::BYTES).is_multiple_of(4096);
        let small = Small { a, b, copies: cold && far && a.rows > L::ROWS, c, c_row, finish };
        (few && a.cols == b.cols && !copies).then_some(small)
    }
}

/// To run it, the CPU must have the registers, and the output and biases must be there for us alone.
impl<L: Lane> Kernel for Small<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Small { a, b, copies, c, c_row, finish } = self;
        let (m, n, k) = (a.rows, b.rows, a.cols);
        let tiles = m.div_ceil(L::ROWS);
        let (height, taller) = (m / tiles, m % tiles);
        let here = b.row_stride == 1 && !copies;
        let mut packed = Scratch::<L::Num>::new(if here && L::MASKS {
            0
        } else {
            k * n.min(2 * L::LANES).next_multiple_of(L::LANES)
        });
        let mut col = 0;
        while col < n {
            let cols = if n - col >= L::LANES { (n - col) / L::LANES * L::LANES } else { n - col }.min(2 * L::LANES);
            let edge = cols < L::LANES && L::MASKS;
            let (b_at, b_k) = if here && (edge || cols >= L::LANES) {
                (b.data.as_ptr().wrapping_add(col), b.col_stride)
            } else {
                let width = cols.next_multiple_of(L::LANES);
                b.pack::<L>(0..k, col..col + cols, width, &mut packed[..width * k]);
                (packed.as_ptr(), width)
            };
            let mut row = 0;
            for i in 0..tiles {
                let rows = height + usize::from(i < taller);
                let tile = Tile {
                    a: a.data.as_ptr().wrapping_add(row * a.row_stride),
                    a_row: a.row_stride,
                    a_k: a.col_stride,
                    b: b_at,
                    b_k,
                    b_copy: null_mut(),
                    next: b_at,
                    next_k: 0,
                    k,
                    c: c.wrapping_add(row * c_row + col),
                    c_row,
                    transposed: false,
                    far: false,
                    rows,
                    cols,
                    finish: finish.from(row, col),
                };
                // SAFETY: the factors have all rows, columns and terms, panels have been packed to whole registers, and of columns
                // in place that are no whole registers only an edge is made; the rest is as promised.
                unsafe { if edge { L::compute_edge(&tile) } else { tile::compute::<L>(&tile) } }
                row += rows;
            }
            col += cols;
        }
    }
}

/// Computes `c = epilogue(a b)`, for `b` as columns of terms, and returns true; or returns false, if the product is not so small
/// that choosing a way and handing it on would take a part of the time. `b` may be `cold`: not in a cache near. The `place` is where
/// the output starts and how far apart its rows are.
///
/// # Safety
/// The machine has the level; the output has all rows and columns and is there for us alone, and the biases have theirs.
#[inline(always)]
pub(super) unsafe fn at_once<T: Element>(
    level: Level,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    cold: bool,
    place: (*mut T, usize),
    epilogue: &Epilogue<'_, T>,
) -> bool {
    if a.rows * b.rows * a.cols > AT_ONCE || b.rows < 2 {
        return false;
    }
    let finish = Finish { add: epilogue.accum == Accum::Add, ..Finish::new(epilogue, 0, 0) };
    // SAFETY: the caller's.
    unsafe {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => enter::<T::Half>(a, b, cold, place, finish),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => enter::<T::Wide>(a, b, cold, place, finish),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => enter::<T::Quad>(a, b, cold, place, finish),
            _ => false,
        }
    }
}

/// Runs the product, if it is a small one.
///
/// # Safety
/// The CPU has the registers, and the output and the biases are there for us alone.
#[inline(always)]
unsafe fn enter<L: Lane>(
    a: Mat<'_, L::Num>,
    b: Mat<'_, L::Num>,
    cold: bool,
    c: (*mut L::Num, usize),
    finish: Finish<L::Num>,
) -> bool {
    if gemv::serves::<L>(&b, a.rows, false) || gemv::serves_columns::<L>(&a, b.rows) {
        return false;
    }
    let (n, aside) = (b.rows, set_aside::<L>(&a, b.rows));
    let Some(small) = Small::<L>::new(a, b.row_range(0..n - aside), cold, c, finish) else { return false };
    // SAFETY: the caller's.
    unsafe { L::enter(small) };
    if aside > 0 {
        let (x, c, finish) = (b.row_range(n - aside..n), (c.0.wrapping_add(n - aside), c.1), finish.from(0, n - aside));
        // SAFETY: as above.
        unsafe { L::enter(gemv::Vectors::<L> { m: a, x, c: c.0, c_row: c.1, column: true, finish }) };
    }
    true
}

/// How many of the `n` columns are better computed as products of a matrix and vectors: one or two that would have a register, or half of
/// it, for themselves.
#[inline(always)]
fn set_aside<L: Lane>(a: &Mat<'_, L::Num>, n: usize) -> usize {
    let half = L::LANES / 2;
    let aside = n % half.max(1);
    let (tile, vectors) = (a.cols * half, aside * (a.cols + gemv::ADDING * L::LANES));
    if L::MASKS
        && n > half
        && gemv::serves::<L>(a, aside.max(1), true)
        && (1..=2).contains(&aside)
        && tile > vectors
        && a.rows * (tile - vectors) > WORTH * L::LANES
    {
        aside
    } else {
        0
    }
}
