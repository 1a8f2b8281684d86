//! Products of a matrix and a vector: `y = M x`, where the output of a product has one row or one column.
//!
//! Every number of `M` is used once, so the work is reading it in long runs. If its rows are contiguous, each `y[i]` is
//! an inner product, several at a time; if its columns are, `y` is a sum of columns, weighted by `x`:
//!
//! ```text
//! y[i] = sum_p M[i, p] x[p]          y += x[p] M[:, p]
//! ```

use super::Mat;
use super::lane::Lane;
use super::tile::{self, Tile};
use crate::{Buffer, Real};

/// Outputs computed before they are stored: they stay in the L1 cache.
const CHUNK: usize = 512;
/// Inner products or weighted columns at a time.
const GROUP: usize = 4;
/// The longest register.
const MAX_LANES: usize = 16;

/// Whether [`run`] can read this matrix, whose rows belong to the outputs.
#[inline(always)]
pub(super) fn reads<T>(m: &Mat<'_, T>) -> bool {
    m.row_stride == 1 || m.col_stride == 1
}

/// Computes `M x` and stores it with the epilogue of `tile`: as a row of the output if `tile` has one row, else as a
/// column. The tile's factors are ignored.
///
/// `x` is a matrix of one row.
///
/// # Safety
/// The CPU has the registers, and what `tile` says of the output and the biases holds.
#[inline(always)]
pub(super) unsafe fn run<L: Lane>(m: Mat<'_, L::Num>, x: Mat<'_, L::Num>, tile: Tile<L::Num>) {
    assert!(m.cols == x.cols && x.rows == 1 && reads(&m), "a matrix and a vector of the same length");
    let gathered;
    let x = if x.col_stride == 1 || x.cols < 2 {
        &x.data[..x.cols]
    } else {
        let mut copy = Buffer::unspecified(x.cols);
        copy.iter_mut().enumerate().for_each(|(p, to)| *to = x.data[p * x.col_stride]);
        gathered = copy;
        &gathered[..]
    };
    let mut y = [L::Num::ZERO; CHUNK];
    for start in (0..m.rows).step_by(CHUNK) {
        let rows = (m.rows - start).min(CHUNK);
        let part = m.row_range(start..start + rows);
        // SAFETY: the caller's; the part has as many rows as `y`, and `x` as many numbers as it has columns.
        unsafe {
            if x.is_empty() {
                y[..rows].fill(L::Num::ZERO);
            } else if m.col_stride == 1 {
                inner_products::<L>(part, x, &mut y[..rows]);
            } else {
                weighted_columns::<L>(part, x, &mut y[..rows]);
            }
            let mut tile = tile;
            let skip = |bias: *const L::Num| if bias.is_null() { bias } else { bias.add(start) };
            if tile.rows == 1 {
                tile.c = tile.c.add(start);
                tile.finish.col_bias = skip(tile.finish.col_bias);
                tile.cols = rows;
                tile::store_finished::<L>(&tile, y.as_ptr(), CHUNK);
            } else {
                tile.c = tile.c.add(start * tile.c_row);
                tile.finish.row_bias = skip(tile.finish.row_bias);
                tile.rows = rows;
                tile::store_finished::<L>(&tile, y.as_ptr(), 1);
            }
        }
    }
}

/// `y[i] = sum_p m[i, p] x[p]`, rows contiguous.
///
/// # Safety
/// The CPU has the registers; `m` has as many rows as `y` and as many columns as `x` has numbers.
#[inline(always)]
unsafe fn inner_products<L: Lane>(m: Mat<'_, L::Num>, x: &[L::Num], y: &mut [L::Num]) {
    let mut groups = y.chunks_exact_mut(GROUP);
    let mut row = m.data.as_ptr();
    for y in &mut groups {
        // SAFETY: the caller's: these rows are there.
        unsafe {
            y.copy_from_slice(&rows::<L, GROUP>(row, m.row_stride, x));
            row = row.wrapping_add(GROUP * m.row_stride);
        }
    }
    for y in groups.into_remainder() {
        // SAFETY: as above.
        unsafe {
            [*y] = rows::<L, 1>(row, m.row_stride, x);
            row = row.wrapping_add(m.row_stride);
        }
    }
}

/// The inner products of `ROWS` rows with `x`, each in two registers of partial sums.
///
/// # Safety
/// The CPU has the registers; rows of the length of `x` start every `stride` numbers from `from` on.
#[inline(always)]
unsafe fn rows<L: Lane, const ROWS: usize>(from: *const L::Num, stride: usize, x: &[L::Num]) -> [L::Num; ROWS] {
    let whole = x.len() / (2 * L::LANES) * (2 * L::LANES);
    let mut sums = [[L::Num::ZERO; MAX_LANES]; ROWS];
    // SAFETY: the caller's; the last registers read only what exists.
    unsafe {
        let zero = L::splat(L::Num::ZERO);
        let mut acc = [[zero; 2]; ROWS];
        for p in (0..whole).step_by(2 * L::LANES) {
            let x = x.as_ptr().add(p);
            let x = [L::load(x), L::load(x.add(L::LANES))];
            for (i, acc) in acc.iter_mut().enumerate() {
                let from = from.add(i * stride + p);
                acc[0] = acc[0].add_product(L::load(from), x[0]);
                acc[1] = acc[1].add_product(L::load(from.add(L::LANES)), x[1]);
            }
        }
        for p in (whole..x.len()).step_by(L::LANES) {
            let count = (x.len() - p).min(L::LANES);
            let x = L::load_first(x.as_ptr().add(p), count);
            for (i, acc) in acc.iter_mut().enumerate() {
                acc[0] = acc[0].add_product(L::load_first(from.add(i * stride + p), count), x);
            }
        }
        for (sums, acc) in sums.iter_mut().zip(acc) {
            acc[0].add(acc[1]).store(sums.as_mut_ptr());
        }
    }
    sums.map(|mut sums| {
        let mut half = L::LANES / 2;
        while half > 0 {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
            half /= 2;
        }
        sums[0]
    })
}

/// `y = sum_p x[p] m[:, p]`, columns contiguous.
///
/// # Safety
/// As for [`inner_products`].
#[inline(always)]
unsafe fn weighted_columns<L: Lane>(m: Mat<'_, L::Num>, x: &[L::Num], y: &mut [L::Num]) {
    y.fill(L::Num::ZERO);
    let whole = x.len() / GROUP * GROUP;
    // SAFETY: the caller's: these columns are there.
    unsafe {
        for p in (0..whole).step_by(GROUP) {
            columns::<L, GROUP>(m.data.as_ptr().add(p * m.col_stride), m.col_stride, &x[p..], y);
        }
        for p in whole..x.len() {
            columns::<L, 1>(m.data.as_ptr().add(p * m.col_stride), m.col_stride, &x[p..], y);
        }
    }
}

/// Adds the weighted sum of `COLS` columns to `y`.
///
/// # Safety
/// The CPU has the registers; columns of the length of `y` start every `stride` numbers from `from` on.
#[inline(always)]
unsafe fn columns<L: Lane, const COLS: usize>(from: *const L::Num, stride: usize, x: &[L::Num], y: &mut [L::Num]) {
    let whole = y.len() / L::LANES * L::LANES;
    let x: &[L::Num; COLS] = x[..COLS].try_into().expect("one weight for each column");
    // SAFETY: the caller's; the last register touches only what exists.
    unsafe {
        let weights = x.map(|x| L::splat(x));
        for i in (0..whole).step_by(L::LANES) {
            let y = y.as_mut_ptr().add(i);
            let mut sum = L::load(y);
            for (p, &x) in weights.iter().enumerate() {
                sum = sum.add_product(x, L::load(from.add(p * stride + i)));
            }
            sum.store(y);
        }
        let rest = y.len() - whole;
        if rest > 0 {
            let y = y.as_mut_ptr().add(whole);
            let mut sum = L::load_first(y, rest);
            for (p, &x) in weights.iter().enumerate() {
                sum = sum.add_product(x, L::load_first(from.add(p * stride + whole), rest));
            }
            sum.store_first(y, rest);
        }
    }
}
