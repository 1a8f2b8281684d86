//! Products of a matrix and a vector: `y = M x`, where the output of a product has one row or one column.
//!
//! Every number of `M` is used once, so the work is reading it in long runs. If its rows are contiguous, each `y[i]` is
//! an inner product, several at a time; if its columns are, `y` is a sum of columns, weighted by `x`:
//!
//! ```text
//! y[i] = sum_p M[i, p] x[p]          y += x[p] M[:, p]
//! ```

use std::mem::MaybeUninit;

use super::Mat;
use super::lane::Lane;
use super::tile::{Finish, store_finished};
use crate::simd::Kernel;
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

/// A matrix, a vector, and where their product goes.
pub(super) struct Vector<'a, L: Lane> {
    /// Its rows belong to the outputs; [`reads`] holds.
    pub(super) m: Mat<'a, L::Num>,
    /// One row, as long as those of `m`.
    pub(super) x: Mat<'a, L::Num>,
    /// The first output; the others follow next to each other, or every `c_row` numbers if they are a `column`.
    pub(super) c: *mut L::Num,
    pub(super) c_row: usize,
    pub(super) column: bool,
    pub(super) finish: Finish<L::Num>,
}

/// To run it, the CPU must have the registers, and the outputs and biases must be there for us alone.
impl<L: Lane> Kernel for Vector<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Vector { m, x, c, c_row, mut column, mut finish } = self;
        if column && c_row == 1 {
            // A column without gaps is stored like a row.
            column = false;
            (finish.row_bias, finish.col_bias) = (finish.col_bias, finish.row_bias);
        }
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
        let mut y = MaybeUninit::<[L::Num; CHUNK]>::uninit();
        for start in (0..m.rows).step_by(CHUNK) {
            let rows = (m.rows - start).min(CHUNK);
            let part = m.row_range(start..start + rows);
            // SAFETY: as promised; the part has as many rows as `y`, whose numbers are all written before they are read, and
            // `x` as many numbers as the part has columns.
            unsafe {
                let y = y.as_mut_ptr().cast::<L::Num>();
                std::ptr::write_bytes(y, 0, rows);
                let sums = std::slice::from_raw_parts_mut(y, rows);
                match (x.is_empty(), m.col_stride == 1) {
                    (true, _) => {}
                    (_, true) => inner_products::<L>(part, x, sums),
                    (_, false) => weighted_columns::<L>(part, x, sums),
                }
                let skip = |bias: *const L::Num| if bias.is_null() { bias } else { bias.add(start) };
                if column {
                    let finish = Finish { row_bias: skip(finish.row_bias), ..finish };
                    store_finished::<L>((rows, 1), (y, 1), (c.add(start * c_row), c_row), &finish);
                } else {
                    let finish = Finish { col_bias: skip(finish.col_bias), ..finish };
                    store_finished::<L>((1, rows), (y, rows), (c.add(start), c_row), &finish);
                }
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

/// `y += sum_p x[p] m[:, p]`, columns contiguous.
///
/// # Safety
/// As for [`inner_products`].
#[inline(always)]
unsafe fn weighted_columns<L: Lane>(m: Mat<'_, L::Num>, x: &[L::Num], y: &mut [L::Num]) {
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
