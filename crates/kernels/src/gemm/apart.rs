//! Tiles whose rows of one factor stand anywhere: windows of an image, read from its planes without being packed.
//!
//! As columns of `b`, a register of neighboring windows is a run of numbers, or the ends of two: the last windows of one row of the
//! image and the first of the next. As rows of `a`, windows may stand at any distances, such as a stride. From one term to the next
//! all of them move by the same distance.

// Plain indices show which accumulator meets which factor.
#![allow(clippy::needless_range_loop)]

use super::lane::Lane;
use super::tile::{Fixed, Tile};
use crate::simd::Kernel;

/// Where the rows of `b` stand: of row `p`, register `j` holds the first `count[j]` numbers of those at `runs[j][0]`, and behind
/// them what stands in the same lanes at `runs[j][1]`, both moved by `moves[p]`. Whole registers can be read there.
#[derive(Clone, Copy)]
pub(crate) struct Apart<T> {
    pub(crate) runs: [[*const T; 2]; 2],
    pub(crate) count: [usize; 2],
    /// One for each term.
    pub(crate) moves: *const usize,
}

/// A tile of `ROWS` rows and two registers of columns.
pub(super) struct FixedApart<'a, L: Lane, const ROWS: usize>(pub(super) &'a Tile<L::Num>, pub(super) &'a Apart<L::Num>);

impl<L: Lane, const ROWS: usize> Kernel for FixedApart<'_, L, ROWS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Tile { a, a_row, a_k, k, .. } = *self.0;
        let Apart { runs, count, moves } = *self.1;
        // SAFETY: whoever made the tile and the runs promises that all elements can be read and written where they say, and
        // that the CPU has the registers (see `Lane::compute_apart`).
        unsafe {
            let tile = Fixed::<L, ROWS, 2, false>(self.0);
            tile.ask();
            let mut acc = [[L::splat(L::Num::default()); 2]; ROWS];
            let mut a = a;
            for p in 0..k {
                let at = *moves.add(p);
                let mut row = [L::splat(L::Num::default()); 2];
                for j in 0..2 {
                    row[j] = L::load(runs[j][0].add(at)).then(L::load(runs[j][1].add(at)), count[j]);
                }
                for i in 0..ROWS {
                    let x = L::splat(*a.add(i * a_row));
                    for j in 0..2 {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                a = a.wrapping_add(a_k);
            }
            tile.store(acc);
        }
    }
}

/// Where rows of `a` stand: number `p` of row `i` at `base + starts[i] + moves[p]`.
#[derive(Clone, Copy)]
pub(crate) struct RowsApart<T> {
    pub(crate) base: *const T,
    /// One for each row.
    pub(crate) starts: *const usize,
    /// One for each term.
    pub(crate) moves: *const usize,
}

/// Terms of a low tile that are added at once.
const TERMS: usize = 4;

/// A tile of `ROWS` rows, which stand apart, and `REGS` registers of columns.
pub(super) struct FixedRowsApart<'a, L: Lane, const ROWS: usize, const REGS: usize>(
    pub(super) &'a Tile<L::Num>,
    pub(super) &'a RowsApart<L::Num>,
);

impl<L: Lane, const ROWS: usize, const REGS: usize> Kernel for FixedRowsApart<'_, L, ROWS, REGS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Tile { mut b, b_k, k, .. } = *self.0;
        let RowsApart { base, starts, moves } = *self.1;
        // SAFETY: whoever made the tile and the rows promises that all elements can be read and written where they say, and
        // that the CPU has the registers (see `Lane::compute_rows_apart`).
        unsafe {
            let mut acc = [[L::splat(L::Num::default()); REGS]; ROWS];
            // Of low tiles, which have registers to spare, some terms for each reading of the starts: it takes as long as one.
            let together = if REGS == 1 { k / TERMS * TERMS } else { 0 };
            for p in (0..together).step_by(TERMS) {
                let (mut at, mut terms) = ([0; TERMS], [L::splat(L::Num::default()); TERMS]);
                for q in 0..TERMS {
                    at[q] = *moves.add(p + q);
                    terms[q] = L::load(b.add(q * b_k));
                }
                for i in 0..ROWS {
                    let row = base.add(starts.add(i).read_volatile());
                    for q in 0..TERMS {
                        acc[i][0] = acc[i][0].add_product(L::splat(*row.add(at[q])), terms[q]);
                    }
                }
                b = b.wrapping_add(TERMS * b_k);
            }
            for p in together..k {
                let at = *moves.add(p);
                let mut row = [L::splat(L::Num::default()); REGS];
                for j in 0..REGS {
                    row[j] = L::load(b.add(j * L::LANES));
                }
                for i in 0..ROWS {
                    // Volatile: there are too few registers to keep all of the starts, and a compiler that tries spills the sums.
                    let x = L::splat(*base.add(starts.add(i).read_volatile() + at));
                    for j in 0..REGS {
                        acc[i][j] = acc[i][j].add_product(x, row[j]);
                    }
                }
                b = b.wrapping_add(b_k);
            }
            Fixed::<L, ROWS, REGS, false>(self.0).store(acc);
        }
    }
}
