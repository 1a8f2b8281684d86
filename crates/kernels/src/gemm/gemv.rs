//! Products of a matrix and a vector, or a few: `y = M x`, where the output of a product has one row or column, or few rows.
//!
//! Every number of `M` is used once or a few times, so the work is reading it in long runs. If its rows are contiguous, each
//! `y[i]` is an inner product, several at a time; if its columns are, `y` is a sum of columns, weighted by `x`:
//!
//! ```text
//! y[i] = sum_p M[i, p] x[p]          y += x[p] M[:, p]
//! ```
//!
//! Of a few vectors, up to four go along together.

// Plain indices show which accumulator meets which factor.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use super::Mat;
use super::lane::Lane;
use super::task::k_block;
use super::tile::{Finish, store_finished};
use crate::simd::Kernel;
use crate::{Buffer, Number};

/// Outputs computed before they are stored: they stay in the L1 cache.
const OUTPUTS: usize = 2048;
/// Inner products or weighted columns at a time.
const GROUP: usize = 4;
/// The longest register.
const MAX_LANES: usize = 16;
/// The most vectors.
const MOST: usize = 8;
/// The most vectors whose products are sums of columns: tiles of registers load and store less.
const MOST_COLUMNS: usize = 2;
/// Registers of outputs that tiles keep while they go through all columns, instead of loading and storing them for every few.
const KEPT: usize = 2;
/// Of several vectors, each wants so many terms more: adding up the lanes of a register takes its time.
const TERMS: usize = 32;
/// Adding up the lanes of a register takes as long as so many products of registers.
pub(super) const ADDING: usize = 8;

/// Whether [`run`](Vectors::run) can read this matrix, whose rows belong to the outputs, and is the fastest for so many vectors. The outputs
/// of one are a `column` or a row.
#[inline(always)]
pub(super) fn serves<L: Lane>(m: &Mat<'_, L::Num>, vectors: usize, column: bool) -> bool {
    match (m.col_stride, m.row_stride) {
        (1, _) => vectors == 1 || vectors <= MOST && m.cols >= vectors * TERMS,
        // Tiles add up longer sums in parts: then one output must not come from here and there as the product is cut.
        (_, 1) => vectors <= MOST_COLUMNS && (column || m.rows > KEPT * L::LANES || m.cols > k_block::<L::Num>()),
        _ => false,
    }
}

/// Whether the inner products of the rows of `m` with so many columns are faster than tiles of registers, most of whose lanes would be
/// empty.
#[inline(always)]
pub(super) fn serves_columns<L: Lane>(m: &Mat<'_, L::Num>, columns: usize) -> bool {
    let tile = m.cols * (if columns <= L::LANES / 2 { L::LANES / 2 } else { L::LANES });
    m.col_stride == 1 && columns <= MOST && m.rows >= GROUP && columns * (m.cols + ADDING * L::LANES) < tile
}

/// A few vectors: vector `v` of the last number starts at element `v` times the middle one.
type Few<'a, T> = (&'a [T], usize, usize);

/// A matrix, vectors, and where their products go.
pub(super) struct Vectors<'a, L: Lane> {
    /// Its rows belong to the outputs; [`serves`] holds.
    pub(super) m: Mat<'a, L::Num>,
    /// The vectors are its rows, as long as those of `m`.
    pub(super) x: Mat<'a, L::Num>,
    /// The first output of the first vector; the others follow next to each other, those of the next vector `c_row` numbers
    /// further; if the outputs of a vector are a `column`, they stand `c_row` numbers apart, and those of the next vector beside them.
    pub(super) c: *mut L::Num,
    pub(super) c_row: usize,
    pub(super) column: bool,
    pub(super) finish: Finish<L::Num>,
}

/// To run it, the CPU must have the registers, and the outputs and biases must be there for us alone.
impl<L: Lane> Kernel for Vectors<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Vectors { m, x, c, c_row, mut column, mut finish } = self;
        assert!(
            m.cols == x.cols && (serves::<L>(&m, x.rows, column) || serves_columns::<L>(&m, x.rows)),
            "a matrix and vectors of the same length"
        );
        if column && c_row == 1 && x.rows == 1 {
            // A column without gaps is stored like a row.
            column = false;
            (finish.row_bias, finish.col_bias) = (finish.col_bias, finish.row_bias);
        }
        let vectors = x.rows;
        let gathered;
        let (x, stride) = if x.col_stride == 1 || x.cols < 2 {
            (x.data, x.row_stride)
        } else {
            let mut copy = Buffer::unspecified(x.rows * x.cols);
            for (v, to) in copy.chunks_exact_mut(x.cols).enumerate() {
                to.iter_mut().enumerate().for_each(|(p, to)| *to = x.at(v, p));
            }
            gathered = copy;
            (&gathered[..], x.cols)
        };
        let mut y = MaybeUninit::<[L::Num; OUTPUTS]>::uninit();
        // Whole groups, so that an output's sum has the same order wherever its task begins.
        let most = OUTPUTS / vectors / MAX_LANES * MAX_LANES;
        for start in (0..m.rows).step_by(most) {
            let rows = (m.rows - start).min(most);
            let part = m.row_range(start..start + rows);
            // Whole registers: what some lanes were stored to is slow to load again.
            let room = rows.next_multiple_of(L::LANES);
            // SAFETY: as promised; `y` has `room` for each vector's outputs, all written before they are read.
            unsafe {
                let y = y.as_mut_ptr().cast::<L::Num>();
                std::ptr::write_bytes(y, 0, vectors * room);
                let sums = std::slice::from_raw_parts_mut(y, vectors * room);
                match (m.cols == 0, m.col_stride == 1) {
                    (true, _) => {}
                    (_, true) => inner_products::<L>(part, (x, stride, vectors), sums),
                    (_, false) => weighted_columns::<L>(part, (x, stride, vectors), sums),
                }
                let skip = |bias: *const L::Num| if bias.is_null() { bias } else { bias.add(start) };
                if column {
                    let mut turned = MaybeUninit::<[L::Num; OUTPUTS]>::uninit();
                    let turned = turned.as_mut_ptr().cast::<L::Num>();
                    for i in 0..if vectors > 1 { rows } else { 0 } {
                        for v in 0..vectors {
                            turned.add(i * vectors + v).write(*y.add(v * room + i));
                        }
                    }
                    let y = if vectors > 1 { turned } else { y };
                    let finish = Finish { row_bias: skip(finish.row_bias), ..finish };
                    store_finished::<L>((rows, vectors), (y, vectors), (c.add(start * c_row), c_row), &finish);
                } else {
                    let finish = Finish { col_bias: skip(finish.col_bias), ..finish };
                    store_finished::<L>((vectors, rows), (y, room), (c.add(start), c_row), &finish);
                }
            }
        }
    }
}

/// `y[v, i] = sum_p m[i, p] x[v, p]`, rows contiguous. Vector `v` starts at `x[v * stride]`.
///
/// # Safety
/// The CPU has the registers; for each vector, `y` has room for as many numbers as `m` has rows, in whole registers, and `x` as many as
/// `m` has columns.
#[inline(always)]
unsafe fn inner_products<L: Lane>(m: Mat<'_, L::Num>, (x, stride, vectors): Few<'_, L::Num>, y: &mut [L::Num]) {
    let (grouped, room) = (m.rows / GROUP * GROUP, y.len() / vectors);
    // The sums of short rows fill a register before they are added up.
    let many = if vectors == 1 && m.cols <= L::LANES { m.rows / MAX_LANES * MAX_LANES } else { 0 };
    let x = |v: usize| x[v * stride..].as_ptr();
    // SAFETY: the caller's: rows, vectors and outputs are there.
    unsafe {
        for i in (0..many).step_by(MAX_LANES) {
            products::<L, MAX_LANES, 1, 1>(&m, i, x(0), stride, (&mut *y, room));
        }
        for i in (many..grouped).step_by(GROUP) {
            let mut v = 0;
            while v < vectors {
                v += match vectors - v {
                    4.. => products::<L, GROUP, 4, 1>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                    2.. => products::<L, GROUP, 2, 1>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                    _ => products::<L, GROUP, 1, 2>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                };
            }
        }
        for i in grouped..m.rows {
            let mut v = 0;
            while v < vectors {
                v += match vectors - v {
                    4.. => products::<L, 1, 4, 1>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                    2.. => products::<L, 1, 2, 1>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                    _ => products::<L, 1, 1, 2>(&m, i, x(v), stride, (&mut y[v * room..], room)),
                };
            }
        }
    }
}

/// The inner products of the rows from `i` on with some vectors, each in `REGS` registers of partial sums. Returns how many
/// vectors they are.
///
/// # Safety
/// The CPU has the registers; these rows of `m` and vectors of their length are there.
#[inline(always)]
unsafe fn products<L: Lane, const ROWS: usize, const VECTORS: usize, const REGS: usize>(
    m: &Mat<'_, L::Num>,
    i: usize,
    x: *const L::Num,
    stride: usize,
    (y, room): (&mut [L::Num], usize),
) -> usize {
    let whole = m.cols / (REGS * L::LANES) * (REGS * L::LANES);
    // SAFETY: the caller's; the last registers read only what exists.
    unsafe {
        let from = m.data.as_ptr().add(i * m.row_stride);
        let mut acc = [[[L::splat(L::Num::ZERO); REGS]; ROWS]; VECTORS];
        for p in (0..whole).step_by(REGS * L::LANES) {
            for j in 0..REGS {
                let at = p + j * L::LANES;
                let mut vectors = [L::splat(L::Num::ZERO); VECTORS];
                for (v, lanes) in vectors.iter_mut().enumerate() {
                    *lanes = L::load(x.add(v * stride + at));
                }
                for r in 0..ROWS {
                    let row = L::load(from.add(r * m.row_stride + at));
                    for v in 0..VECTORS {
                        acc[v][r][j] = acc[v][r][j].add_product(row, vectors[v]);
                    }
                }
            }
        }
        for p in (whole..m.cols).step_by(L::LANES) {
            let count = (m.cols - p).min(L::LANES);
            for r in 0..ROWS {
                let row = L::load_first(from.add(r * m.row_stride + p), count);
                for v in 0..VECTORS {
                    acc[v][r][0] = acc[v][r][0].add_product(row, L::load_first(x.add(v * stride + p), count));
                }
            }
        }
        let mut sums = [L::splat(L::Num::ZERO); MAX_LANES];
        for v in 0..VECTORS {
            for r in 0..ROWS {
                sums[v * ROWS + r] = if REGS == 2 { acc[v][r][0].add(acc[v][r][REGS - 1]) } else { acc[v][r][0] };
            }
        }
        let mut numbers = [L::Num::ZERO; MAX_LANES];
        add_up(&mut sums, VECTORS * ROWS, &mut numbers);
        for v in 0..VECTORS {
            y[v * room + i..][..ROWS].copy_from_slice(&numbers[v * ROWS..][..ROWS]);
        }
    }
    VECTORS
}

/// Adds up the lanes of each of `count` registers, a power of two: the upper half to the lower half until one is left. Several
/// registers share the work: two of them, zipped, are one with half as many lanes for each.
///
/// # Safety
/// The CPU has the registers.
#[inline(always)]
unsafe fn add_up<L: Lane>(sums: &mut [L; MAX_LANES], count: usize, to: &mut [L::Num; MAX_LANES]) {
    let together = count.min(L::LANES);
    for first in (0..count).step_by(together) {
        let sums = &mut sums[first..][..together];
        // SAFETY: the caller's; the detour holds a whole register.
        unsafe {
            let mut left = together;
            while left > 1 {
                left /= 2;
                for i in 0..left {
                    let (low, high) = L::zip(sums[i], sums[i + left]);
                    sums[i] = low.add(high);
                }
            }
            let times = L::LANES / together;
            for _ in 0..times.trailing_zeros() {
                let (low, high) = L::zip(sums[0], sums[0]);
                sums[0] = low.add(high);
            }
            let mut lanes = [L::Num::ZERO; MAX_LANES];
            sums[0].store(lanes.as_mut_ptr());
            for i in 0..together {
                to[first + i] = lanes[i * times];
            }
        }
    }
}

/// `y[v, :] += sum_p x[v, p] m[:, p]`, columns contiguous, for one or two vectors.
///
/// # Safety
/// As for [`inner_products`].
#[inline(always)]
unsafe fn weighted_columns<L: Lane>(m: Mat<'_, L::Num>, few: Few<'_, L::Num>, y: &mut [L::Num]) {
    let whole = m.cols / GROUP * GROUP;
    // SAFETY: the caller's: these columns are there.
    unsafe {
        for p in (0..whole).step_by(GROUP) {
            match few.2 {
                1 => columns::<L, GROUP, 1>(&m, p, few, y),
                _ => columns::<L, GROUP, MOST_COLUMNS>(&m, p, few, y),
            }
        }
        for p in whole..m.cols {
            match few.2 {
                1 => columns::<L, 1, 1>(&m, p, few, y),
                _ => columns::<L, 1, MOST_COLUMNS>(&m, p, few, y),
            }
        }
    }
}

/// Adds the weighted sum of `COLS` columns from `p` on to `y`.
///
/// # Safety
/// As for [`inner_products`]; there are as many vectors as this says.
#[inline(always)]
unsafe fn columns<L: Lane, const COLS: usize, const VECTORS: usize>(
    m: &Mat<'_, L::Num>,
    p: usize,
    (x, stride, vectors): Few<'_, L::Num>,
    y: &mut [L::Num],
) {
    let whole = m.rows / L::LANES * L::LANES;
    let (rest, room) = (m.rows - whole, y.len() / vectors);
    // SAFETY: the caller's; the last register reads only what exists, and `y` has room for all of it.
    unsafe {
        let from = m.data.as_ptr().add(p * m.col_stride);
        let y = y.as_mut_ptr();
        let mut weights = [[L::splat(L::Num::ZERO); COLS]; VECTORS];
        for (v, weights) in weights.iter_mut().enumerate() {
            for (c, weight) in weights.iter_mut().enumerate() {
                *weight = L::splat(x[v * stride + p + c]);
            }
        }
        for i in (0..whole).step_by(L::LANES) {
            let mut lanes = [L::splat(L::Num::ZERO); COLS];
            for (c, lanes) in lanes.iter_mut().enumerate() {
                *lanes = L::load(from.add(c * m.col_stride + i));
            }
            for v in 0..VECTORS {
                let y = y.add(v * room + i);
                let mut sum = L::load(y);
                for c in 0..COLS {
                    sum = sum.add_product(weights[v][c], lanes[c]);
                }
                sum.store(y);
            }
        }
        if rest > 0 {
            for v in 0..VECTORS {
                let y = y.add(v * room + whole);
                let mut sum = L::load(y);
                for c in 0..COLS {
                    sum = sum.add_product(weights[v][c], L::load_first(from.add(c * m.col_stride + whole), rest));
                }
                sum.store(y);
            }
        }
    }
}
