//! Softmax, its logarithm, and the cross entropy of its probabilities, over the rows of a matrix.
//!
//! For each row `x` of `cols` numbers, with `m = max x` and `s = sum_j e^(x_j - m)`:
//!
//! ```text
//! softmax        y_i = e^(x_i - m) / s               dx_i = y_i (g_i - sum_j g_j y_j)
//! log_softmax    y_i = (x_i - m) - ln s              dx_i = g_i - e^(y_i) sum_j g_j
//! cross entropy  loss = ln s - (x_label - m)         dx_i = g (softmax(x)_i - [i = label])
//! ```
//!
//! No exponent is positive, so nothing overflows; the term of the maximum is 1, so `s >= 1` and nothing is divided by
//! zero. A row of negative infinities, or with NaN or positive infinity in it, gives NaN, as in PyTorch.

pub mod columns;

use crate::lanes::{self, TOGETHER};
use crate::number::{Like, Number, exp_normal, ln};
use crate::simd::{self, Elementary, Kernel};
use crate::{Real, parallel};

/// Elements in a piece of parallel work (whole rows).
const PIECE: usize = 1 << 14;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 3 << 13;
/// What a row takes beside its elements, counted in elements.
const ROW: usize = 16;

concrete! {
    <T> trait SoftmaxKernels;
    /// `y = softmax(x)` for each row of `cols` numbers.
    ///
    /// # Panics
    /// If `y` is not as long as `x`, or `x` is not whole rows.
    pub fn softmax(x: &[T], cols: usize, y: &mut [T]) = softmax_impl;
    /// `y = ln softmax(x)` for each row of `cols` numbers.
    ///
    /// # Panics
    /// As [`softmax`].
    pub fn log_softmax(x: &[T], cols: usize, y: &mut [T]) = log_softmax_impl;
    /// The gradient of [`softmax`]: its output `y` and the gradient `g` of that in, the gradient of its input out.
    ///
    /// # Panics
    /// If the lengths differ, or are not whole rows.
    pub fn softmax_backward(y: &[T], g: &[T], cols: usize, dx: &mut [T]) = softmax_backward_impl;
    /// The gradient of [`log_softmax`]: its output `y` and the gradient `g` of that in, the gradient of its input out.
    ///
    /// # Panics
    /// As [`softmax_backward`].
    pub fn log_softmax_backward(y: &[T], g: &[T], cols: usize, dx: &mut [T]) = log_softmax_backward_impl;
    /// For each row of `cols` logits: minus the logarithm of its label's probability, and the probabilities (which
    /// [`cross_entropy_backward`] wants).
    ///
    /// # Panics
    /// If the lengths disagree, or a label is not below `cols`.
    pub fn cross_entropy(
        logits: &[T], labels: &[usize], cols: usize, losses: &mut [T], probabilities: &mut [T],
    ) = cross_entropy_impl;
    /// The gradient of the logits of [`cross_entropy`]. `g` is the gradient of the losses: one number for each row, or a
    /// single one for all of them (`1 / rows` for a mean).
    ///
    /// # Panics
    /// As [`cross_entropy`].
    pub fn cross_entropy_backward(
        probabilities: &[T], labels: &[usize], g: &[T], cols: usize, dx: &mut [T],
    ) = cross_entropy_backward_impl;
}

/// Checks lengths and tells how many elements are a piece of work; `None` where there is nothing to do.
fn piece(op: &str, cols: usize, out: usize, inputs: &[usize]) -> Option<usize> {
    assert!(inputs.iter().all(|&len| len == out), "{op}: the lengths differ: {inputs:?} in, {out} out");
    if out == 0 {
        return None;
    }
    assert!(cols > 0 && out.is_multiple_of(cols), "{op}: {out} elements are not whole rows of {cols}");
    Some(parallel::together(out / cols, cols + ROW, PARALLEL, PIECE) * cols)
}

fn softmax_impl<T: Real>(x: &[T], cols: usize, y: &mut [T]) {
    let Some(piece) = piece("softmax", cols, y.len(), &[x.len()]) else { return };
    parallel::for_each_chunk(y, piece, |i, y| {
        let x = &x[i * piece..][..y.len()];
        simd::dispatch(Softmax { x, cols, y });
    });
}

struct Softmax<'a, T> {
    x: &'a [T],
    cols: usize,
    y: &'a mut [T],
}
impl<T: Real> Elementary for Softmax<'_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let Softmax { x, cols, y } = self;
        let group = lanes::together(cols) * cols;
        for (x, y) in x.chunks(group).zip(y.chunks_mut(group)) {
            exp_rows::<T, N>(x, cols, y);
            divide(y, cols, sums(y, cols));
        }
    }
}

/// `y = e^(x - m)` for a group of rows; returns each row's `m`.
///
/// The exponentials run over the whole group, so that short rows fill the registers too.
#[inline(always)]
fn exp_rows<T: Real, N: Like<T>>(x: &[T], cols: usize, y: &mut [T]) -> [T; TOGETHER] {
    let mut maxima = [T::ZERO; TOGETHER];
    for ((x, y), max) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)).zip(&mut maxima) {
        // A row with NaN in it becomes NaN by its exponentials.
        *max = lanes::largest(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x - *max;
        }
    }
    for y in y {
        *y = exp_normal::<T, N>(*y);
    }
    maxima
}

/// The sum of each row of a group.
#[inline(always)]
fn sums<T: Real>(y: &[T], cols: usize) -> [f64; TOGETHER] {
    let mut sums = [1.0; TOGETHER];
    for (sum, y) in sums.iter_mut().zip(y.chunks_exact(cols)) {
        *sum = lanes::sum(y);
    }
    sums
}

/// Divides each row of a group by its sum.
#[inline(always)]
fn divide<T: Real>(y: &mut [T], cols: usize, mut sums: [f64; TOGETHER]) {
    lanes::map_first(&mut sums, y.len() / cols, inverse);
    for (y, inverse) in y.chunks_exact_mut(cols).zip(sums) {
        let factor = T::from_f64(inverse);
        for y in y {
            *y *= factor;
        }
    }
}

#[inline(always)]
fn inverse(x: f64) -> f64 {
    1.0 / x
}

fn log_softmax_impl<T: Real>(x: &[T], cols: usize, y: &mut [T]) {
    let Some(piece) = piece("log_softmax", cols, y.len(), &[x.len()]) else { return };
    parallel::for_each_chunk(y, piece, |i, y| {
        let x = &x[i * piece..][..y.len()];
        simd::dispatch(LogSoftmax { x, cols, y });
    });
}

struct LogSoftmax<'a, T> {
    x: &'a [T],
    cols: usize,
    y: &'a mut [T],
}
impl<T: Real> Elementary for LogSoftmax<'_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let LogSoftmax { x, cols, y } = self;
        let group = lanes::together(cols) * cols;
        for (x, y) in x.chunks(group).zip(y.chunks_mut(group)) {
            let maxima = exp_rows::<T, N>(x, cols, y);
            let mut logs = sums(y, cols).map(T::from_f64);
            lanes::map_first(&mut logs, y.len() / cols, ln::<T, N>);
            for (((x, y), max), ln) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)).zip(maxima).zip(logs) {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - max) - ln;
                }
            }
        }
    }
}

fn softmax_backward_impl<T: Real>(y: &[T], g: &[T], cols: usize, dx: &mut [T]) {
    let Some(piece) = piece("softmax_backward", cols, dx.len(), &[y.len(), g.len()]) else { return };
    parallel::for_each_chunk(dx, piece, |i, dx| {
        let at = i * piece..i * piece + dx.len();
        simd::dispatch(SoftmaxBackward { y: &y[at.clone()], g: &g[at], cols, dx });
    });
}

struct SoftmaxBackward<'a, T> {
    y: &'a [T],
    g: &'a [T],
    cols: usize,
    dx: &'a mut [T],
}
impl<T: Real> Kernel for SoftmaxBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.y.chunks_exact(self.cols).zip(self.g.chunks_exact(self.cols));
        for ((y, g), dx) in rows.zip(self.dx.chunks_exact_mut(self.cols)) {
            let dot = T::from_f64(lanes::sum_and_dot(g, y, T::ZERO).1);
            for ((dx, &y), &g) in dx.iter_mut().zip(y).zip(g) {
                *dx = y * (g - dot);
            }
        }
    }
}

fn log_softmax_backward_impl<T: Real>(y: &[T], g: &[T], cols: usize, dx: &mut [T]) {
    let Some(piece) = piece("log_softmax_backward", cols, dx.len(), &[y.len(), g.len()]) else { return };
    parallel::for_each_chunk(dx, piece, |i, dx| {
        let at = i * piece..i * piece + dx.len();
        simd::dispatch(LogSoftmaxBackward { y: &y[at.clone()], g: &g[at], cols, dx });
    });
}

struct LogSoftmaxBackward<'a, T> {
    y: &'a [T],
    g: &'a [T],
    cols: usize,
    dx: &'a mut [T],
}
impl<T: Real> Elementary for LogSoftmaxBackward<'_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let LogSoftmaxBackward { y, g, cols, dx } = self;
        let group = lanes::together(cols) * cols;
        for ((y, g), dx) in y.chunks(group).zip(g.chunks(group)).zip(dx.chunks_mut(group)) {
            for (dx, &y) in dx.iter_mut().zip(y) {
                *dx = exp_normal::<T, N>(y);
            }
            for (g, dx) in g.chunks_exact(cols).zip(dx.chunks_exact_mut(cols)) {
                let sum = T::from_f64(lanes::sum(g));
                for (dx, &g) in dx.iter_mut().zip(g) {
                    *dx = g - *dx * sum;
                }
            }
        }
    }
}

/// Checks that there is a label for each row, and that each is a column.
fn check_labels(op: &str, labels: &[usize], rows: usize, cols: usize) {
    assert_eq!(labels.len(), rows, "{op}: there must be one label for each row");
    if let Some(label) = labels.iter().find(|&&label| label >= cols) {
        panic!("{op}: label {label} is not below {cols}, the number of classes");
    }
}

fn cross_entropy_impl<T: Real>(logits: &[T], labels: &[usize], cols: usize, losses: &mut [T], probabilities: &mut [T]) {
    let piece = piece("cross_entropy", cols, probabilities.len(), &[logits.len()]);
    let rows = piece.map_or(losses.len(), |_| logits.len() / cols);
    assert_eq!(losses.len(), rows, "cross_entropy: there must be one loss for each row");
    check_labels("cross_entropy", labels, rows, cols);
    let Some(piece) = piece else { return };
    parallel::for_each_chunk2((losses, probabilities), (piece / cols, piece), |i, losses, probabilities| {
        let logits = &logits[i * piece..][..probabilities.len()];
        let labels = &labels[i * (piece / cols)..][..losses.len()];
        simd::dispatch(CrossEntropy { logits, labels, cols, losses, probabilities });
    });
}

struct CrossEntropy<'a, T> {
    logits: &'a [T],
    labels: &'a [usize],
    cols: usize,
    losses: &'a mut [T],
    probabilities: &'a mut [T],
}
impl<T: Real> Elementary for CrossEntropy<'_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let CrossEntropy { logits, labels, cols, losses, probabilities } = self;
        let group = lanes::together(cols) * cols;
        let groups = logits.chunks(group).zip(probabilities.chunks_mut(group));
        let rows = labels.chunks(group / cols).zip(losses.chunks_mut(group / cols));
        for ((x, y), (labels, losses)) in groups.zip(rows) {
            let maxima = exp_rows::<T, N>(x, cols, y);
            let sums = sums(y, cols);
            divide(y, cols, sums);
            let mut logs = sums;
            lanes::map_first(&mut logs, losses.len(), Number::ln);
            let rows = x.chunks_exact(cols).zip(maxima).zip(logs);
            for (((x, max), ln), (&label, loss)) in rows.zip(labels.iter().zip(losses)) {
                *loss = T::from_f64(ln - (x[label] - max).to_f64());
            }
        }
    }
}

fn cross_entropy_backward_impl<T: Real>(probabilities: &[T], labels: &[usize], g: &[T], cols: usize, dx: &mut [T]) {
    let Some(piece) = piece("cross_entropy_backward", cols, dx.len(), &[probabilities.len()]) else { return };
    let rows = dx.len() / cols;
    check_labels("cross_entropy_backward", labels, rows, cols);
    assert!(g.len() == 1 || g.len() == rows, "cross_entropy_backward: {} gradients for {rows} rows", g.len());
    parallel::for_each_chunk(dx, piece, |i, dx| {
        let first = i * (piece / cols);
        let g = if g.len() == 1 { g } else { &g[first..first + dx.len() / cols] };
        let p = &probabilities[i * piece..][..dx.len()];
        simd::dispatch(CrossEntropyBackward { p, labels: &labels[first..], g, cols, dx });
    });
}

struct CrossEntropyBackward<'a, T> {
    p: &'a [T],
    labels: &'a [usize],
    g: &'a [T],
    cols: usize,
    dx: &'a mut [T],
}
impl<T: Real> Kernel for CrossEntropyBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.p.chunks_exact(self.cols).zip(self.dx.chunks_exact_mut(self.cols));
        for (((p, dx), &label), g) in rows.zip(self.labels).zip(self.g.iter().cycle()) {
            for (dx, &p) in dx.iter_mut().zip(p) {
                *dx = p * *g;
            }
            dx[label] = (p[label] - T::ONE) * *g;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

    fn random(n: usize, scale: f64, rng: &mut impl Rng) -> Vec<f64> {
        (0..n).map(|_| (rng.random::<f64>() - 0.5) * scale).collect()
    }

    /// The definition of softmax, its logarithm and their logarithmic sum, for one row.
    fn reference(x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let s: f64 = x.iter().map(|x| (x - max).exp()).sum();
        let log: Vec<f64> = x.iter().map(|x| x - max - s.ln()).collect();
        (log.iter().map(|y| y.exp()).collect(), log)
    }

    fn close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
        assert_eq!(a.len(), b.len());
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what} at {i}: {a} is not {b}");
        }
    }

    /// Shapes with and without tails, of one and of many pieces, with rows of several blocks.
    const SHAPES: [(usize, usize); 8] = [(1, 1), (3, 2), (5, 10), (7, 16), (4, 17), (3, 1300), (901, 65), (3, 40_000)];

    fn check<T: Real>(tolerance: f64) {
        let mut rng = SmallRng::seed_from_u64(7);
        for (rows, cols) in SHAPES {
            let n = rows * cols;
            let cast = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
            let back = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
            let x = cast(&random(n, 20.0, &mut rng));
            let g = cast(&random(n, 2.0, &mut rng));
            let labels: Vec<usize> = (0..rows).map(|_| rng.random_range(0..cols)).collect();
            let row_g = cast(&random(rows, 2.0, &mut rng));
            let (xs, gs, row_gs) = (back(&x), back(&g), back(&row_g));
            let (mut p, mut log) = (Vec::new(), Vec::new());
            for row in xs.chunks(cols) {
                let (a, b) = reference(row);
                p.extend(a);
                log.extend(b);
            }
            let mut out = vec![T::NAN; n];
            softmax(&x, cols, &mut out);
            close(&back(&out), &p, tolerance, "softmax");
            let mut dx = vec![T::NAN; n];
            softmax_backward(&out, &g, cols, &mut dx);
            let mut want = vec![0.0; n];
            for r in 0..rows {
                let at = r * cols..(r + 1) * cols;
                let dot: f64 = at.clone().map(|i| gs[i] * p[i]).sum();
                at.for_each(|i| want[i] = p[i] * (gs[i] - dot));
            }
            close(&back(&dx), &want, tolerance, "softmax_backward");

            log_softmax(&x, cols, &mut out);
            close(&back(&out), &log, tolerance, "log_softmax");
            log_softmax_backward(&out, &g, cols, &mut dx);
            for r in 0..rows {
                let at = r * cols..(r + 1) * cols;
                let sum: f64 = gs[at.clone()].iter().sum();
                at.for_each(|i| want[i] = gs[i] - p[i] * sum);
            }
            close(&back(&dx), &want, tolerance * 10.0, "log_softmax_backward");

            let mut losses = vec![T::NAN; rows];
            cross_entropy(&x, &labels, cols, &mut losses, &mut out);
            close(&back(&out), &p, tolerance, "cross_entropy's probabilities");
            let want_losses: Vec<f64> = labels.iter().enumerate().map(|(r, l)| -log[r * cols + l]).collect();
            close(&back(&losses), &want_losses, tolerance, "cross_entropy");
            for g in [&row_gs[..], &[0.25]] {
                cross_entropy_backward(&out, &labels, &cast(g), cols, &mut dx);
                for i in 0..n {
                    let hit = if labels[i / cols] == i % cols { 1.0 } else { 0.0 };
                    want[i] = (p[i] - hit) * g[(i / cols) % g.len()];
                }
                close(&back(&dx), &want, tolerance, "cross_entropy_backward");
            }
        }
    }

    #[test]
    fn all_shapes_agree_with_the_definitions() {
        check::<f64>(1e-13);
        check::<f32>(3e-6);
    }

    #[test]
    fn extremes() {
        let inf = f32::INFINITY;
        let x = [1000.0, -1000.0, 3e38, -3e38, -inf, 0.0, -inf, -inf, inf, 0.0, f32::NAN, 0.0];
        let mut y = [0.0; 12];
        softmax(&x, 2, &mut y);
        assert_eq!(y[..6], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert!(y[6..8].iter().all(|y| y.is_nan()) && y[10..].iter().all(|y| y.is_nan()) && y[8].is_nan());
        log_softmax(&x[..2], 2, &mut y[..2]);
        assert_eq!(y[..2], [0.0, -2000.0]);
        let (mut losses, mut p) = ([0.0; 2], [0.0; 4]);
        cross_entropy(&[1000.0f32, -1000.0, 0.0, -inf], &[1, 1], 2, &mut losses, &mut p);
        assert_eq!(losses, [2000.0, inf]);
        softmax::<f32>(&[], 0, &mut []);
    }

    #[test]
    #[should_panic(expected = "label 2 is not below 2")]
    fn labels_are_checked() {
        cross_entropy(&[0.0f32; 2], &[2], 2, &mut [0.0], &mut [0.0; 2]);
    }
}
