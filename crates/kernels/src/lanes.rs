//! Loops over a row that several kernels share: lane-wise sums and padded tails.
//!
//! A fixed number of accumulators, whatever the instruction set, gives every level the same bits. What is left after whole
//! groups of lanes goes to fewer of them, eight and four, and the last three one by one; rows too short for lanes are added up
//! one by one in registers, where they overlap each other. Each block's
//! sum goes on in `f64`, so that the error does not grow with the length of the row.
//!
//! The loops are `for` loops: a closure may be compiled apart, without the registers of the level.

use crate::Real;
use std::ops::Add;

/// Independent accumulators: a register of the widest level.
pub(crate) const LANES: usize = 16;
/// Elements summed in their own type before the sum goes on in `f64`; fits the first-level cache many times.
pub(crate) const BLOCK: usize = 512;

/// The most rows that are worked on together, one number of each in an array, side by side.
pub(crate) const TOGETHER: usize = 64;
/// Elements that these rows may have: they stay in the first-level cache.
const GROUP: usize = 4096;

/// How many rows of `cols` elements are worked on together.
#[inline(always)]
pub(crate) fn together(cols: usize) -> usize {
    (GROUP / cols).clamp(1, TOGETHER)
}

/// A fence between a loop over lanes and what reads them one by one. Without it the compiler arranges the loop by what
/// comes after and loses the vectors.
#[inline(always)]
pub(crate) fn settle<T>(lanes: [T; LANES]) -> [T; LANES] {
    /// What is read back soon after it was written must not lie across two lines of the cache.
    #[repr(align(64))]
    struct Line<T>([T; LANES]);
    std::hint::black_box(Line(lanes)).0
}

/// Combines the lanes in pairs, then pairs of pairs. Each half is an array of its own, which is a register: in place, they would be
/// combined one by one in memory.
#[inline(always)]
pub(crate) fn fold<T: Copy>(lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let lanes = settle(lanes);
    let half: [T; LANES / 2] = std::array::from_fn(|i| combine(lanes[i], lanes[i + LANES / 2]));
    let [a, b, c, d]: [T; LANES / 4] = std::array::from_fn(|i| combine(half[i], half[i + LANES / 4]));
    combine(combine(a, c), combine(b, d))
}

/// [`fold`] of maxima or minima. NaN is looked for first: then each pair takes one instruction, which need not mind it.
#[inline(always)]
pub(crate) fn fold_extremes<T: Real>(lanes: [T; LANES], pick: impl Fn(T, T) -> T) -> T {
    let mut any = false;
    for x in lanes {
        any |= x.is_nan();
    }
    if any { T::NAN } else { fold(lanes, pick) }
}

/// The few elements after the last whole group of lanes, filled up.
#[inline(always)]
pub(crate) fn padded<T: Copy>(rest: &[T], fill: T) -> [T; LANES] {
    let mut lanes = [fill; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// Applies `f`, a function rather than a closure, to the first `count` numbers, whole registers of them: one by one, what takes long would
/// be waited for again and again.
#[inline(always)]
pub(crate) fn map_first<T: Copy>(numbers: &mut [T], count: usize, f: impl Fn(T) -> T) {
    for lanes in &mut numbers.as_chunks_mut::<LANES>().0[..count.div_ceil(LANES)] {
        for x in lanes {
            *x = f(*x);
        }
    }
}

/// The largest element that is a number; negative infinity if there is none.
#[inline(always)]
pub(crate) fn largest<T: Real>(x: &[T]) -> T {
    let mut lanes = [-T::INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(chunk[i], lanes[i]);
        }
    }
    // What is left, once more with some of what came before it.
    if let (Some(last), false) = (x.last_chunk::<LANES>(), rest.is_empty()) {
        for i in 0..LANES {
            lanes[i] = larger(last[i], lanes[i]);
        }
    }
    if !chunks.is_empty() {
        return fold(lanes, larger);
    }
    let mut max = -T::INFINITY;
    for &x in rest {
        max = larger(x, max);
    }
    max
}

/// The larger of two numbers, in one instruction; the second if the first is NaN.
#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// Adds as many elements to the first lanes, if they are there, and returns the others.
#[inline(always)]
fn add_few<'a, T: Real, const COUNT: usize>(lanes: &mut [T; LANES], x: &'a [T]) -> &'a [T] {
    let Some((few, rest)) = x.split_first_chunk::<COUNT>() else { return x };
    for i in 0..COUNT {
        lanes[i] += few[i];
    }
    rest
}

/// The sum of the elements.
#[inline(always)]
pub(crate) fn sum<T: Real>(x: &[T]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(BLOCK) {
        let mut lanes = [T::ZERO; LANES];
        let (chunks, rest) = block.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += chunk[i];
            }
        }
        let mut rest = rest;
        if !chunks.is_empty() {
            rest = add_few::<T, 8>(&mut lanes, rest);
            rest = add_few::<T, 4>(&mut lanes, rest);
        }
        let mut last = T::ZERO;
        for &x in rest {
            last += x;
        }
        total += if chunks.is_empty() { last } else { fold(lanes, Add::add) + last }.to_f64();
    }
    total
}

/// The sum of `a` and the sum of `a * (b - shift)`, in one pass.
#[inline(always)]
pub(crate) fn sum_and_dot<T: Real>(a: &[T], b: &[T], shift: T) -> (f64, f64) {
    let mut totals = (0.0, 0.0);
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let (mut sums, mut dots) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for i in 0..LANES {
                sums[i] += a[i];
                dots[i] += a[i] * (b[i] - shift);
            }
        }
        let (mut sum, mut dot) = (T::ZERO, T::ZERO);
        for (&a, &b) in a_rest.iter().zip(b_rest) {
            sum += a;
            dot += a * (b - shift);
        }
        if !a_chunks.is_empty() {
            sum += fold(sums, Add::add);
            dot += fold(dots, Add::add);
        }
        totals.0 += sum.to_f64();
        totals.1 += dot.to_f64();
    }
    totals
}

/// Adds the deviations of as many elements, and their squares, to the first lanes, if they are there, and returns the others.
#[inline(always)]
fn deviations<'a, T: Real, const COUNT: usize>(
    sums: &mut [T; LANES],
    squares: &mut [T; LANES],
    x: &'a [T],
    shift: T,
) -> &'a [T] {
    let Some((few, rest)) = x.split_first_chunk::<COUNT>() else { return x };
    for i in 0..COUNT {
        let d = few[i] - shift;
        sums[i] += d;
        squares[i] += d * d;
    }
    rest
}

/// Number, mean and sum of squared deviations of a set of values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    pub(crate) squares: f64,
}

impl Moments {
    /// The moments of a row. Each block is read twice while the cache has it: for a first mean `m`, then for the sums of
    /// `x - m` and `(x - m)^2`, the first of which corrects what rounding did to `m`.
    #[inline(always)]
    pub(crate) fn of<T: Real>(x: &[T]) -> Self {
        let mut all = Moments::default();
        for block in x.chunks(BLOCK) {
            let count = block.len() as f64;
            // Nothing that follows has to wait for a division.
            let share = 1.0 / count;
            let shift = T::from_f64(sum(block) * share);
            let (mut sums, mut squares) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            let (chunks, rest) = block.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    let d = chunk[i] - shift;
                    sums[i] += d;
                    squares[i] += d * d;
                }
            }
            let rest = deviations::<T, 8>(&mut sums, &mut squares, rest, shift);
            let rest = deviations::<T, 4>(&mut sums, &mut squares, rest, shift);
            let (mut sum, mut square) = (T::ZERO, T::ZERO);
            for &x in rest {
                let d = x - shift;
                sum += d;
                square += d * d;
            }
            let sum = (fold(sums, Add::add) + sum).to_f64();
            let square = (fold(squares, Add::add) + square).to_f64();
            all.merge(Moments { count, mean: shift.to_f64() + sum * share, squares: square - sum * sum * share });
        }
        all
    }

    /// Adds other values to the set.
    ///
    /// Source: T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    /// variances" (1979).
    #[inline(always)]
    pub(crate) fn merge(&mut self, other: Moments) {
        if other.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        self.mean += delta * (other.count / count);
        self.squares += other.squares + delta * delta * (self.count * other.count / count);
        self.count = count;
    }

    /// The biased variance, never negative.
    #[inline(always)]
    pub(crate) fn variance(&self) -> f64 {
        let variance = self.squares / self.count;
        if variance < 0.0 { 0.0 } else { variance }
    }
}
