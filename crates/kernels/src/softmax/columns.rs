//! Softmax and its logarithm along a dimension that others follow: the numbers that sum to 1 stand below each other.
//!
//! Columns go through the registers side by side, in strips whose maxima and sums stay in the first-level cache.

use std::ops::Range;

use crate::number::{Like, exp_normal, ln};
use crate::parallel::{self, Strip};
use crate::simd::{self, Elementary};
use crate::{Real, lanes};

/// Columns that are worked on together.
const STRIP: usize = 128;
/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 14;
/// Rows that are summed before the sum goes on in `f64`.
const ROWS: usize = 32;
/// From so many columns on they fill registers.
pub const LEAST_COLUMNS: usize = lanes::LANES;

concrete! {
    <T> trait ColumnKernels;
    /// `y = softmax(x)` along the columns of each of the matrices of `rows x cols` numbers in `x`; its logarithm, if `log`.
    ///
    /// # Panics
    /// If `y` is not as long as `x`, or `x` is not whole matrices.
    pub fn softmax(log: bool, x: &[T], rows: usize, cols: usize, y: &mut [T]) = softmax_impl;
    /// The gradient of [`softmax`]: its output `y` and the gradient `g` of that in, the gradient of its input out.
    ///
    /// # Panics
    /// If the lengths differ, or are not whole matrices.
    pub fn softmax_backward(log: bool, y: &[T], g: &[T], rows: usize, cols: usize, dx: &mut [T]) = softmax_backward_impl;
}

/// Calls `work` with the start of each matrix and the strips of the output.
fn for_each_strip<T: Real>(
    (rows, cols): (usize, usize),
    inputs: &[usize],
    out: &mut [T],
    work: impl Fn(usize, Strip<'_, T>) + Sync + Send,
) {
    assert!(
        inputs.iter().all(|&len| len == out.len()),
        "softmax: the lengths differ: {inputs:?} in, {} out",
        out.len()
    );
    if out.is_empty() {
        return;
    }
    assert!(out.len().is_multiple_of(rows * cols), "softmax: the elements are not whole matrices of {rows} x {cols}");
    let strip = (PIECE / rows).next_multiple_of(STRIP).max(STRIP);
    parallel::for_each_strip(out, rows, cols, strip, PIECE, |matrix, strip| work(matrix * rows * cols, strip));
}

fn softmax_impl<T: Real>(log: bool, x: &[T], rows: usize, cols: usize, y: &mut [T]) {
    for_each_strip((rows, cols), &[x.len()], y, |start, y| {
        let x = &x[start..start + rows * cols];
        if log {
            simd::dispatch(Forward::<T, true> { x, cols, y })
        } else {
            simd::dispatch(Forward::<T, false> { x, cols, y })
        }
    });
}

fn softmax_backward_impl<T: Real>(log: bool, y: &[T], g: &[T], rows: usize, cols: usize, dx: &mut [T]) {
    for_each_strip((rows, cols), &[y.len(), g.len()], dx, |start, dx| {
        let (y, g) = (&y[start..start + rows * cols], &g[start..start + rows * cols]);
        if log {
            simd::dispatch(Backward::<T, true> { y, g, cols, dx });
        } else {
            simd::dispatch(Backward::<T, false> { y, g, cols, dx });
        }
    });
}

/// The parts of a range of columns that are worked on together.
fn parts(columns: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = columns.end;
    columns.step_by(STRIP).map(move |start| start..end.min(start + STRIP))
}

/// Sums of columns: rows are added up in their own type, some rows at a time.
struct Sums<T> {
    some: [T; STRIP],
    all: [f64; STRIP],
    rows: usize,
    /// The columns that are there, filled up to whole registers.
    width: usize,
}

impl<T: Real> Sums<T> {
    #[inline(always)]
    fn new(columns: usize) -> Self {
        Sums { some: [T::ZERO; STRIP], all: [0.0; STRIP], rows: 0, width: columns.next_multiple_of(lanes::LANES) }
    }

    /// To be called after each row that has been added to `some`.
    #[inline(always)]
    fn next_row(&mut self) {
        self.rows += 1;
        if self.rows == ROWS {
            self.carry();
        }
    }

    #[inline(always)]
    fn carry(&mut self) {
        for (all, some) in self.all[..self.width].iter_mut().zip(&mut self.some) {
            *all += some.to_f64();
            *some = T::ZERO;
        }
        self.rows = 0;
    }
}

struct Forward<'a, T, const LOG: bool> {
    x: &'a [T],
    cols: usize,
    y: Strip<'a, T>,
}
impl<T: Real, const LOG: bool> Elementary for Forward<'_, T, LOG> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(mut self) {
        for columns in parts(self.y.columns()) {
            let row_at = |row: usize| &self.x[row * self.cols..][columns.clone()];
            let rows = self.x.len() / self.cols;
            let mut max = [-T::INFINITY; STRIP];
            for row in 0..rows {
                for (max, &x) in max.iter_mut().zip(row_at(row)) {
                    *max = max.maximum(x);
                }
            }
            let mut sums = Sums::<T>::new(columns.len());
            for row in 0..rows {
                let y = self.y.row(row, columns.clone());
                for (((y, &x), &max), sum) in y.iter_mut().zip(row_at(row)).zip(&max).zip(&mut sums.some) {
                    let e = exp_normal::<T, N>(x - max);
                    *sum += e;
                    if !LOG {
                        *y = e;
                    }
                }
                sums.next_row();
            }
            sums.carry();
            let mut last = [T::ZERO; STRIP];
            for (last, &sum) in last.iter_mut().zip(&sums.all[..sums.width]) {
                *last = T::from_f64(if LOG { sum } else { 1.0 / sum });
            }
            if LOG {
                lanes::map_first(&mut last, columns.len(), ln::<T, N>);
            }
            for row in 0..rows {
                let y = self.y.row(row, columns.clone());
                for (((y, &x), &max), &last) in y.iter_mut().zip(row_at(row)).zip(&max).zip(&last) {
                    *y = if LOG { (x - max) - last } else { *y * last };
                }
            }
        }
    }
}

struct Backward<'a, T, const LOG: bool> {
    y: &'a [T],
    g: &'a [T],
    cols: usize,
    dx: Strip<'a, T>,
}
impl<T: Real, const LOG: bool> Elementary for Backward<'_, T, LOG> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(mut self) {
        for columns in parts(self.dx.columns()) {
            let rows = self.y.len() / self.cols;
            let row_at = |row: usize| row * self.cols + columns.start..row * self.cols + columns.end;
            let mut sums = Sums::<T>::new(columns.len());
            for row in 0..rows {
                let at = row_at(row);
                for ((sum, &y), &g) in sums.some.iter_mut().zip(&self.y[at.clone()]).zip(&self.g[at]) {
                    *sum += if LOG { g } else { g * y };
                }
                sums.next_row();
            }
            sums.carry();
            let mut total = [T::ZERO; STRIP];
            for (total, &sum) in total.iter_mut().zip(&sums.all[..sums.width]) {
                *total = T::from_f64(sum);
            }
            for row in 0..rows {
                let at = row_at(row);
                let dx = self.dx.row(row, columns.clone());
                for (((dx, &y), &g), &total) in dx.iter_mut().zip(&self.y[at.clone()]).zip(&self.g[at]).zip(&total) {
                    *dx = if LOG { g - exp_normal::<T, N>(y) * total } else { y * (g - total) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::softmax as rows;

    /// The same through transposed copies and the kernels of rows.
    fn turned<T: Real>(x: &[T], rows: usize, cols: usize) -> Vec<T> {
        x.chunks(rows * cols)
            .flat_map(|x| (0..cols).flat_map(move |j| (0..rows).map(move |i| x[i * cols + j])))
            .collect()
    }

    fn check<T: Real>(tolerance: f64) {
        for (count, len, cols) in
            [(1, 1, 1), (2, 3, 16), (3, 64, 57), (1, 100, 1300), (5, 2, 128), (400, 5, 17), (1, 3, 20_000)]
        {
            let n = count * len * cols;
            let numbers = |seed: usize| -> Vec<T> {
                (0..n).map(|i| T::from_f64(((i * 7919 + seed) % 1013) as f64 / 80.0 - 6.0)).collect()
            };
            let (x, g) = (numbers(3), numbers(500));
            let (xt, gt) = (turned(&x, len, cols), turned(&g, len, cols));
            for log in [false, true] {
                let (mut y, mut yt) = (vec![T::NAN; n], vec![T::NAN; n]);
                softmax(log, &x, len, cols, &mut y);
                if log {
                    rows::log_softmax(&xt, len, &mut yt)
                } else {
                    rows::softmax(&xt, len, &mut yt)
                }
                let close = |a: &[T], b: &[T], what: &str| {
                    for (a, b) in turned(a, len, cols).iter().zip(b) {
                        let (a, b) = (a.to_f64(), b.to_f64());
                        assert!(
                            (a - b).abs() <= tolerance * (1.0 + b.abs()),
                            "{what} of {len} x {cols}: {a} is not {b}"
                        );
                    }
                };
                close(&y, &yt, "softmax");
                let (mut dx, mut dxt) = (vec![T::NAN; n], vec![T::NAN; n]);
                softmax_backward(log, &y, &g, len, cols, &mut dx);
                if log {
                    rows::log_softmax_backward(&yt, &gt, len, &mut dxt);
                } else {
                    rows::softmax_backward(&yt, &gt, len, &mut dxt);
                }
                close(&dx, &dxt, "softmax_backward");
            }
        }
    }

    #[test]
    fn columns_agree_with_rows() {
        check::<f64>(1e-13);
        check::<f32>(1e-5);
    }

    #[test]
    fn extremes() {
        let inf = f32::INFINITY;
        let x = [1000.0, 3e38, -inf, -inf, inf, f32::NAN, -1000.0, -3e38, 0.0, -inf, 0.0, 0.0];
        let mut y = [0.0; 12];
        softmax(false, &x, 2, 6, &mut y);
        assert_eq!((y[..3].to_vec(), y[6..9].to_vec()), (vec![1.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]));
        assert!(y[3..6].iter().chain(&y[9..]).filter(|y| y.is_nan()).count() >= 5);
        softmax::<f32>(false, &[], 0, 3, &mut []);
    }
}
