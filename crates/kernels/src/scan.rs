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
const PIECE: usize = 1 << 14;
/// So few lines go along side by side, several at a time; more of them row by row.
const FEW: usize = 16;

/// Calls `step(at, total, y)` for every element in the order of the running: `at` is its place, `total` what the line has
/// come to, `y` the output.
fn run<T: Real>(
    n: usize,
    inner: usize,
    reverse: bool,
    out: &mut [T],
    step: impl Fn(usize, &mut f64, &mut T) + Sync + Send,
) {
    let size = n * inner;
    if out.is_empty() {
        return;
    }
    assert!(out.len().is_multiple_of(size), "scan: the lines do not fill the output");
    // Two pieces, at least, are equally large.
    let piece = if out.len() <= PIECE { PIECE } else { PIECE / 2 };
    let together = (piece / size).max(1) * size;
    parallel::for_each_chunk(out, together, |piece, out| {
        let mut totals = vec![0.0f64; if inner < FEW { 0 } else { inner }];
        for (block, out) in out.chunks_mut(size).enumerate() {
            let start = piece * together + block * size;
            if inner < FEW {
                let mut first = 0;
                while first < inner {
                    first += match inner - first {
                        8.. => lines::<T, 8>(first, inner, reverse, start, out, &step),
                        4.. => lines::<T, 4>(first, inner, reverse, start, out, &step),
                        2.. => lines::<T, 2>(first, inner, reverse, start, out, &step),
                        _ => lines::<T, 1>(first, inner, reverse, start, out, &step),
                    };
                }
                continue;
            }
            totals.fill(0.0);
            for i in 0..n {
                let row = if reverse { n - 1 - i } else { i } * inner;
                let line = totals.iter_mut().zip(&mut out[row..row + inner]);
                line.enumerate().for_each(|(j, (total, y))| step(start + row + j, total, y));
            }
        }
    });
}

/// The lines from `first` on of a block, whose totals stay in registers. Returns how many they are.
fn lines<T: Real, const LINES: usize>(
    first: usize,
    inner: usize,
    reverse: bool,
    start: usize,
    out: &mut [T],
    step: impl Fn(usize, &mut f64, &mut T),
) -> usize {
    let mut totals = [0.0; LINES];
    let n = out.len() / inner;
    for i in 0..n {
        let at = if reverse { n - 1 - i } else { i } * inner + first;
        let row = out[at..].first_chunk_mut::<LINES>().expect("a row has all lines");
        for j in 0..LINES {
            step(start + at + j, &mut totals[j], &mut row[j]);
        }
    }
    LINES
}

fn cumsum_impl<T: Real>(src: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) {
    assert_eq!(src.len(), out.len(), "cumsum: input and output differ in length");
    run(n, inner, reverse, out, |at, total, y| {
        *total += src[at].to_f64();
        *y = T::from_f64(*total);
    });
}

fn linear_impl<T: Real>(a: &[T], b: &[T], n: usize, inner: usize, reverse: bool, out: &mut [T]) {
    assert!(a.len() == out.len() && b.len() == out.len(), "linear scan: inputs and output differ in length");
    let first = if reverse { n.wrapping_sub(1) } else { 0 };
    run(n, inner, reverse, out, |at, total, y| {
        // Nothing comes before the first: an infinite factor has nothing to multiply.
        let before = if at / inner % n == first { 0.0 } else { a[at].to_f64() * *total };
        *total = before + b[at].to_f64();
        *y = T::from_f64(*total);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_agree_with_the_definition() {
        for (outer, n, inner) in
            [(2, 5, 3), (1, 40_000, 1), (700, 9, 4), (3, 1, 2), (7, 6, 15), (4, 3, 21), (0, 4, 2), (2, 0, 3)]
        {
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
