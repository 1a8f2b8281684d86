//! Tiles of a product's last columns, where those fill no register: of each row of `b` they read no more than there is.
//!
//! Masks spare the packing of these columns and the detour of their results. Half a register serves up to half as many: where the CPU
//! goes through two of them at a time, that is half of the time.

// Plain indices show which accumulator meets which factor.
#![allow(clippy::needless_range_loop)]

use std::hint::black_box;

use super::lane::Lane;
use super::tile::{Finish, Tile};
use crate::simd::Kernel;
use crate::{Number, Real};

/// What the last columns of a product need of a register. The promises are those of [`Lane`].
pub(crate) trait Edge: Copy {
    /// The type of one number.
    type Num: Real;
    /// Numbers in a register.
    const LANES: usize;
    /// The same number in every lane.
    unsafe fn splat(x: Self::Num) -> Self;
    /// The first `count` numbers from memory, zeros behind them. `count` is at most `LANES`.
    unsafe fn load_first(from: *const Self::Num, count: usize) -> Self;
    /// Stores the first `count` numbers. `count` is at most `LANES`.
    unsafe fn store_first(self, to: *mut Self::Num, count: usize);
    /// `self + a * b`, rounded once.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// Lane by lane, `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// Negative numbers, and -0, become 0; NaN stays.
    unsafe fn relu(self) -> Self;
}

/// A whole register.
impl<L: Lane> Edge for L {
    type Num = L::Num;
    const LANES: usize = L::LANES;

    #[inline(always)]
    unsafe fn splat(x: L::Num) -> L {
        // SAFETY: the caller's.
        unsafe { <L as Lane>::splat(x) }
    }
    #[inline(always)]
    unsafe fn load_first(from: *const L::Num, count: usize) -> L {
        // SAFETY: the caller's.
        unsafe { <L as Lane>::load_first(from, count) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut L::Num, count: usize) {
        // SAFETY: the caller's.
        unsafe { Lane::store_first(self, to, count) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: L, b: L) -> L {
        // SAFETY: the caller's.
        unsafe { Lane::add_product(self, a, b) }
    }
    #[inline(always)]
    unsafe fn add(self, other: L) -> L {
        // SAFETY: the caller's.
        unsafe { Lane::add(self, other) }
    }
    #[inline(always)]
    unsafe fn relu(self) -> L {
        // SAFETY: the caller's.
        unsafe { Lane::relu(self) }
    }
}

/// Rows whose places are counted from the first of them. The compiler adds up the distance from one row to the next, and a sum of
/// all rows would take longer than the multiplications.
const GROUP: usize = 5;
/// Groups of the tallest tile.
const GROUPS: usize = 3;

/// A tile of `ROWS` rows and up to one register of columns, whose output is not transposed.
pub(super) struct Masked<'a, E: Edge, const ROWS: usize>(pub(super) &'a Tile<E::Num>);

impl<E: Edge, const ROWS: usize> Kernel for Masked<'_, E, ROWS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Tile { a, a_row, a_k, b, b_k, k, c, c_row, cols, .. } = *self.0;
        // SAFETY: whoever made the tile promises that all elements can be read and written where it says, and that the
        // CPU has the registers (see `Lane::compute_edge`).
        unsafe {
            let mut acc = [E::splat(E::Num::ZERO); ROWS];
            let mut starts = [a; GROUPS];
            for g in 1..ROWS.div_ceil(GROUP) {
                starts[g] = black_box(a.wrapping_add(g * GROUP * a_row));
            }
            let mut b = b;
            for _ in 0..k {
                let row = E::load_first(b, cols);
                for i in 0..ROWS {
                    acc[i] = acc[i].add_product(E::splat(*starts[i / GROUP].add(i % GROUP * a_row)), row);
                }
                for g in 0..ROWS.div_ceil(GROUP) {
                    starts[g] = starts[g].wrapping_add(a_k);
                }
                b = b.wrapping_add(b_k);
            }
            if self.0.finish.is_bare() && !self.0.finish.add {
                for i in 0..ROWS {
                    acc[i].store_first(c.add(i * c_row), cols);
                }
            } else {
                for i in 0..ROWS {
                    let c = c.add(i * c_row);
                    finished(acc[i], i, c, cols, &self.0.finish).store_first(c, cols);
                }
            }
        }
    }
}

/// Row `i` of the tile after the epilogue; its output is at `c`.
///
/// # Safety
/// The CPU has the registers; `cols` numbers of the output and the biases are there.
#[inline(always)]
unsafe fn finished<E: Edge>(mut x: E, i: usize, c: *const E::Num, cols: usize, finish: &Finish<E::Num>) -> E {
    // SAFETY: the caller's.
    unsafe {
        if finish.add {
            x = E::load_first(c, cols).add(x);
        }
        if !finish.col_bias.is_null() {
            x = x.add(E::load_first(finish.col_bias, cols));
        }
        if !finish.row_bias.is_null() {
            x = x.add(E::splat(*finish.row_bias.add(i)));
        }
        if finish.relu {
            x = x.relu();
        }
    }
    x
}
