//! Running sums and linear recurrences along one dimension.
//!
//! A tensor is seen as `[outer, n, inner]`; the running goes along `n`, forward or backward. Totals are kept in double
//! precision, so that a long running sum in single precision is as exact as its result can be.

use crate::{Real, parallel};

concrete! {
    <T> trait ScanKernels;
    /// `out[t] = src[0] + .. + src[t]` along the middle one of the dimensions `[outer, n, inner]`; from the end if
    /// `reverse`.
    ///
    /// # Panics
    /// If the lengths differ or are no multiple of `n * inner`.
    pub fn cumsum(src: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) = cumsum_impl;
    /// `out[t] = a[t] out[t - 1] + b[t]` along the middle one of the dimensions `[outer, n, inner]`, where what comes
    /// before the first is 0; from the end if `reverse`: `out[t] = a[t] out[t + 1] + b[t]`.
    ///
    /// # Panics
    /// If the lengths differ or are no multiple of `n * inner`.
    pub fn linear(a: &[T], b: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) = linear_impl;
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 13;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 14;
/// Lines that go along side by side: none has to wait for the sums of the one before.
const BESIDE: usize = 8;
/// So many lines of one matrix go along row by row.
const MANY: usize = 16;

/// A running over `K` inputs: the total after the first of a line, and after another one.
trait Running<const K: usize>: Sync {
    fn first(&self, x: [f64; K]) -> f64;
    fn next(&self, total: f64, x: [f64; K]) -> f64;
}

struct Sum;
impl Running<1> for Sum {
    fn first(&self, [x]: [f64; 1]) -> f64 {
        0.0 + x
    }
    fn next(&self, total: f64, [x]: [f64; 1]) -> f64 {
        total + x
    }
}

struct Linear;
impl Running<2> for Linear {
    /// Nothing comes before the first: an infinite factor has nothing to multiply.
    fn first(&self, [_, b]: [f64; 2]) -> f64 {
        0.0 + b
    }
    fn next(&self, total: f64, [a, b]: [f64; 2]) -> f64 {
        a * total + b
    }
}

/// The matrices `[n, inner]` of a piece, along whose columns the running goes.
struct Lines<R> {
    n: usize,
    inner: usize,
    reverse: bool,
    running: R,
}

impl<R> Lines<R> {
    /// Where the `i`-th row on the way starts.
    fn row(&self, i: usize) -> usize {
        let i = if self.reverse { self.n - 1 - i } else { i };
        i * self.inner
    }

    /// All outputs, a piece at a time.
    fn run<T: Real, const K: usize>(&self, src: [&[T]; K], out: &mut [T])
    where
        R: Running<K>,
    {
        let size = self.n * self.inner;
        if out.is_empty() {
            return;
        }
        assert!(out.len().is_multiple_of(size), "scan: the lines do not fill the output");
        let together = parallel::together(out.len() / size, size, PARALLEL, PIECE) * size;
        parallel::for_each_chunk(out, together, |piece, out| {
            let src = src.map(|x| &x[piece * together..][..out.len()]);
            match self.inner {
                1 => self.side_by_side::<T, K, BESIDE, 1>(src, out),
                2..4 => self.side_by_side::<T, K, { BESIDE / 2 }, 2>(src, out),
                4..MANY => self.side_by_side::<T, K, { BESIDE / 4 }, 4>(src, out),
                _ => self.row_by_row(src, out),
            }
        });
    }

    /// `LINES` columns of `MATRICES` matrices at a time, and what is left one by one.
    fn side_by_side<T: Real, const K: usize, const MATRICES: usize, const LINES: usize>(
        &self,
        src: [&[T]; K],
        out: &mut [T],
    ) where
        R: Running<K>,
    {
        let size = self.n * self.inner;
        for (group, out) in out.chunks_mut(MATRICES * size).enumerate() {
            let src = src.map(|x| &x[group * MATRICES * size..]);
            let mut column = 0;
            if out.len() == MATRICES * size {
                while column + LINES <= self.inner {
                    self.some::<T, K, MATRICES, LINES>(src, out, column);
                    column += LINES;
                }
            }
            for (at, out) in out.chunks_mut(size).enumerate() {
                let src = src.map(|x| &x[at * size..]);
                (column..self.inner).for_each(|column| self.some::<T, K, 1, 1>(src, out, column));
            }
        }
    }

    /// Some columns of some matrices, whose totals stay in registers.
    fn some<T: Real, const K: usize, const MATRICES: usize, const LINES: usize>(
        &self,
        src: [&[T]; K],
        out: &mut [T],
        column: usize,
    ) where
        R: Running<K>,
    {
        let size = self.n * self.inner;
        let src: [[&[T]; K]; MATRICES] = std::array::from_fn(|i| src.map(|x| &x[i * size..][..size]));
        let mut rest = out.chunks_exact_mut(size);
        let out: [&mut [T]; MATRICES] = std::array::from_fn(|_| rest.next().expect("all matrices are there"));
        let mut totals = [[0.0; LINES]; MATRICES];
        for i in 0..self.n {
            let at = self.row(i) + column;
            for (m, totals) in totals.iter_mut().enumerate() {
                let x = src[m].map(|x| x[at..].first_chunk::<LINES>().expect("a row has all columns"));
                let y = out[m][at..].first_chunk_mut::<LINES>().expect("a row has all columns");
                for j in 0..LINES {
                    let x = x.map(|x| x[j].to_f64());
                    totals[j] = if i == 0 { self.running.first(x) } else { self.running.next(totals[j], x) };
                    y[j] = T::from_f64(totals[j]);
                }
            }
        }
    }

    fn row_by_row<T: Real, const K: usize>(&self, src: [&[T]; K], out: &mut [T])
    where
        R: Running<K>,
    {
        let (inner, size) = (self.inner, self.n * self.inner);
        let mut totals = vec![0.0f64; inner];
        for (matrix, out) in out.chunks_mut(size).enumerate() {
            for i in 0..self.n {
                let row = self.row(i);
                let x = src.map(|x| &x[matrix * size + row..][..inner]);
                for (j, (total, y)) in totals.iter_mut().zip(&mut out[row..row + inner]).enumerate() {
                    let x = x.map(|x| x[j].to_f64());
                    *total = if i == 0 { self.running.first(x) } else { self.running.next(*total, x) };
                    *y = T::from_f64(*total);
                }
            }
        }
    }
}

fn cumsum_impl<T: Real>(src: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) {
    assert_eq!(src.len(), out.len(), "cumsum: input and output differ in length");
    Lines { n, inner, reverse, running: Sum }.run([src], out);
}

fn linear_impl<T: Real>(a: &[T], b: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) {
    assert!(a.len() == out.len() && b.len() == out.len(), "linear scan: inputs and output differ in length");
    Lines { n, inner, reverse, running: Linear }.run([a, b], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_agree_with_the_definition() {
        for (outer, n, inner) in [
            (2, 5, 3),
            (1, 40_000, 1),
            (700, 9, 4),
            (3, 1, 2),
            (7, 6, 15),
            (13, 5, 3),
            (19, 7, 1),
            (4, 3, 21),
            (0, 4, 2),
            (2, 0, 3),
        ] {
            let size = outer * n * inner;
            let a: Vec<f64> = (0..size).map(|i| ((i * 37) % 17) as f64 / 16.0 - 0.5).collect();
            let b: Vec<f64> = (0..size).map(|i| ((i * 23) % 29) as f64 / 8.0 - 1.5).collect();
            for reverse in [false, true] {
                let (mut sums, mut states) = (vec![0.0; size], vec![0.0; size]);
                cumsum(&b, n, inner, reverse, &mut sums);
                linear(&a, &b, n, inner, reverse, &mut states);
                for o in 0..outer {
                    for j in 0..inner {
                        let (mut sum, mut state) = (0.0, 0.0);
                        for i in 0..n {
                            let t = if reverse { n - 1 - i } else { i };
                            let at = (o * n + t) * inner + j;
                            (sum, state) = (sum + b[at], a[at] * state + b[at]);
                            assert_eq!((sums[at], states[at]), (sum, state));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn long_sums_stay_exact_in_single_precision() {
        let ones = vec![0.1f32; 1 << 20];
        let mut out = vec![0.0; ones.len()];
        cumsum(&ones, ones.len(), 1, false, &mut out);
        let exact = f64::from(0.1f32) * ones.len() as f64;
        assert!((f64::from(out[ones.len() - 1]) / exact - 1.0).abs() < 1e-7);
    }
}
