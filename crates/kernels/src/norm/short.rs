//! Sums over channels whose runs are short, for batch normalization: rows are read across as many channels as a register has lanes, run
//! after run, and the columns of each channel are added up at the end.

use super::channels::{SHORT, Shape, load};
use crate::Real;
use crate::lanes::LANES;
use crate::simd::Kernel;

/// Some channels of short runs, as many as a register has lanes: a number for each of their columns.
#[derive(Clone, Copy)]
struct Short<T>([[T; LANES]; SHORT]);

impl<T: Real> Short<T> {
    fn zeros() -> Self {
        Short([[T::ZERO; LANES]; SHORT])
    }

    /// A number for each channel, in all of its `l` columns.
    #[inline(always)]
    fn spread(channels: &[T], l: usize) -> Self {
        let mut all = Self::zeros();
        for (run, &x) in all.0.as_flattened_mut().chunks_exact_mut(l).zip(channels) {
            run.fill(x);
        }
        all
    }

    /// The registers.
    #[inline(always)]
    fn registers(&mut self) -> impl Iterator<Item = &mut [T; LANES]> {
        self.0.iter_mut()
    }

    /// The sum of each channel's columns.
    #[inline(always)]
    fn sums(&self, l: usize) -> impl Iterator<Item = T> {
        self.0.as_flattened().chunks_exact(l).map(|run| run.iter().copied().sum())
    }
}

/// Moments of every channel of some rows, in which each has a short run of `l` neighbors.
pub(super) struct ShortMoments<'a, T>(pub &'a [T], pub Shape, pub &'a mut [[f64; 2]]);
impl<T: Real> Kernel for ShortMoments<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ShortMoments(x, Shape { c, l, .. }, out) = self;
        let count = (x.len() / c) as f64;
        for (start, out) in (0..c).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let columns = start * l..(start + out.len()) * l;
            let mut sums = Short::<T>::zeros();
            for row in x.chunks_exact(c * l) {
                let row = &row[columns.clone()];
                for (at, sums) in (0..row.len()).step_by(LANES).zip(sums.registers()) {
                    let x = load(row, at);
                    for i in 0..LANES {
                        sums[i] += x[i];
                    }
                }
            }
            let mut means = [T::ZERO; LANES];
            for (mean, sum) in means[..out.len()].iter_mut().zip(sums.sums(l)) {
                *mean = sum / T::from_f64(count);
            }
            // As in `Moments::of`: the deviations' own sum corrects the mean.
            let mut shifts = Short::spread(&means[..out.len()], l);
            let (mut sums, mut squares) = (Short::<T>::zeros(), Short::<T>::zeros());
            for row in x.chunks_exact(c * l) {
                let row = &row[columns.clone()];
                let registers = shifts.registers().zip(sums.registers().zip(squares.registers()));
                for (at, (shift, (sums, squares))) in (0..row.len()).step_by(LANES).zip(registers) {
                    let x = load(row, at);
                    for i in 0..LANES {
                        let d = x[i] - shift[i];
                        sums[i] += d;
                        squares[i] += d * d;
                    }
                }
            }
            for ((out, shift), (sum, square)) in out.iter_mut().zip(means).zip(sums.sums(l).zip(squares.sums(l))) {
                let (sum, square) = (sum.to_f64(), square.to_f64());
                *out = [shift.to_f64() + sum / count, square - sum * sum / count];
            }
        }
    }
}

/// The sums of `g` and of `g (x - mean)` over every channel of some rows, in which each has a short run of neighbors.
pub(super) struct ShortSums<'a, T>(pub &'a [T], pub &'a [T], pub &'a [T], pub Shape, pub &'a mut [[f64; 2]]);
impl<T: Real> Kernel for ShortSums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ShortSums(x, g, mean, Shape { c, l, .. }, out) = self;
        for (start, out) in (0..c).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let columns = start * l..(start + out.len()) * l;
            let mut means = Short::spread(&mean[start..start + out.len()], l);
            let (mut sums, mut dots) = (Short::<T>::zeros(), Short::<T>::zeros());
            for (x, g) in x.chunks_exact(c * l).zip(g.chunks_exact(c * l)) {
                let (x, g) = (&x[columns.clone()], &g[columns.clone()]);
                let registers = means.registers().zip(sums.registers().zip(dots.registers()));
                for (at, (mean, (sums, dots))) in (0..x.len()).step_by(LANES).zip(registers) {
                    let (x, g) = (load(x, at), load(g, at));
                    for i in 0..LANES {
                        sums[i] += g[i];
                        dots[i] += g[i] * (x[i] - mean[i]);
                    }
                }
            }
            for (out, (sum, dot)) in out.iter_mut().zip(sums.sums(l).zip(dots.sums(l))) {
                *out = [sum.to_f64(), dot.to_f64()];
            }
        }
    }
}
