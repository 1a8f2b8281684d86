//! Ways to combine numbers, and their loops over runs of neighbors and over rows beside each other.

use std::marker::PhantomData;

use super::ROWS;
use crate::merged::Merged;
use crate::simd::Kernel;
use crate::{Real, lanes};

/// An associative way to combine numbers.
pub(super) trait Fold {
    fn identity<T: Real>() -> T;
    fn combine<T: Real>(a: T, b: T) -> T;
    /// Combines the lanes of a register.
    #[inline(always)]
    fn lanes<T: Real>(lanes: [T; lanes::LANES]) -> T {
        lanes::fold(lanes, Self::combine)
    }
    /// Combines `x` into `total`, where `lost` may keep what rounding drops.
    #[inline(always)]
    fn compensated<T: Real>(total: &mut T, _lost: &mut T, x: T) {
        *total = Self::combine(*total, x);
    }
}

pub(super) struct Sum;
impl Fold for Sum {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        T::ZERO
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a + b
    }
    #[inline(always)]
    fn compensated<T: Real>(total: &mut T, lost: &mut T, x: T) {
        let x = x - *lost;
        let next = *total + x;
        let dropped = (next - *total) - x;
        // Infinite totals would turn the compensation, and then the sum, into NaN.
        *lost = if dropped.is_finite() { dropped } else { T::ZERO };
        *total = next;
    }
}

pub(super) struct Product;
impl Fold for Product {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        T::ONE
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a * b
    }
}

pub(super) struct Maximum;
impl Fold for Maximum {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        -T::INFINITY
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a.maximum(b)
    }
    #[inline(always)]
    fn lanes<T: Real>(lanes: [T; lanes::LANES]) -> T {
        lanes::fold_extremes(lanes, |a, b| if a > b { a } else { b })
    }
}

pub(super) struct Minimum;
impl Fold for Minimum {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        T::INFINITY
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a.minimum(b)
    }
    #[inline(always)]
    fn lanes<T: Real>(lanes: [T; lanes::LANES]) -> T {
        lanes::fold_extremes(lanes, |a, b| if a < b { a } else { b })
    }
}

/// Independent accumulators of a block: four registers of the widest level, so that no addition waits for the one before.
const LANES: usize = 4 * lanes::LANES;

/// Folds contiguous elements.
#[inline(always)]
fn fold_run<T: Real, F: Fold>(run: &[T]) -> T {
    const N: usize = lanes::LANES;
    let (groups, rest) = run.as_chunks::<LANES>();
    let mut lanes = [F::identity::<T>(); N];
    if !groups.is_empty() {
        // Four arrays: of one, not all would stay in registers.
        let [mut a, mut b, mut c, mut d] = [lanes; 4];
        for group in groups {
            for i in 0..N {
                a[i] = F::combine(a[i], group[i]);
                b[i] = F::combine(b[i], group[N + i]);
                c[i] = F::combine(c[i], group[2 * N + i]);
                d[i] = F::combine(d[i], group[3 * N + i]);
            }
        }
        for i in 0..N {
            lanes[i] = F::combine(F::combine(a[i], b[i]), F::combine(c[i], d[i]));
        }
    }
    let (parts, rest) = rest.as_chunks::<N>();
    for part in parts {
        for i in 0..N {
            lanes[i] = F::combine(lanes[i], part[i]);
        }
    }
    // What is left of a short run counts: one after the other, its numbers would wait for each other.
    let (halves, rest) = rest.as_chunks::<{ lanes::LANES / 2 }>();
    for half in halves {
        for i in 0..N / 2 {
            lanes[i] = F::combine(lanes[i], half[i]);
        }
    }
    let mut last = F::identity();
    for &x in rest {
        last = F::combine(last, x);
    }
    if run.len() < N / 2 {
        return last;
    }
    F::combine(F::lanes(lanes), last)
}

/// `out[i] = fold of from[i * row..][..length]`.
pub(super) struct FoldRuns<'a, T, F> {
    pub(super) from: &'a [T],
    pub(super) row: usize,
    pub(super) length: usize,
    pub(super) out: &'a mut [T],
    pub(super) fold: PhantomData<F>,
}
impl<T: Real, F: Fold> Kernel for FoldRuns<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = fold_run::<T, F>(&self.from[i * self.row..][..self.length]);
        }
    }
}

/// Lines that are folded at once where their numbers stand apart, so that no step waits for the one before.
pub(super) const LINES: usize = 8;

/// Lines along the reduced dimensions, one for each position in the kept ones, from position `start` on.
pub(super) struct Apart<'a> {
    pub(super) kept: &'a Merged,
    pub(super) reduced: &'a Merged,
    pub(super) start: usize,
}

/// `out[i] = fold of line start + i`.
pub(super) struct FoldApart<'a, T, F> {
    pub(super) data: &'a [T],
    pub(super) lines: Apart<'a>,
    pub(super) out: &'a mut [T],
    pub(super) fold: PhantomData<F>,
}
impl<T: Real, F: Fold> Kernel for FoldApart<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let FoldApart { data, lines: Apart { kept, reduced, start }, out, .. } = self;
        let (outer, width, column) = kept.split_inner();
        let (runs, length, step) = reduced.split_inner();
        let (mut row, mut at) = (start / width, start % width);
        let mut offset = outer.offset(row);
        for out in out.chunks_mut(LINES) {
            // Where each line begins; those that are missing at the end are the first once more.
            let mut begin = [offset + at * column; LINES];
            for begin in &mut begin[..out.len()] {
                *begin = offset + at * column;
                at += 1;
                if at == width {
                    (row, at) = (row + 1, 0);
                    offset = outer.offset(row);
                }
            }
            let (mut totals, mut lost) = ([F::identity::<T>(); LINES], [T::ZERO; LINES]);
            for run in (0..runs.len()).map(|run| runs.offset(run)) {
                for first in (0..length).step_by(ROWS) {
                    let mut folded = [F::identity::<T>(); LINES];
                    for j in first..length.min(first + ROWS) {
                        for i in 0..LINES {
                            folded[i] = F::combine(folded[i], data[begin[i] + run + j * step]);
                        }
                    }
                    for i in 0..LINES {
                        F::compensated(&mut totals[i], &mut lost[i], folded[i]);
                    }
                }
            }
            out.copy_from_slice(&totals[..out.len()]);
        }
    }
}

/// Folds some columns of rows, from column `at` on.
#[inline(always)]
fn beside<T: Real, F: Fold, const WIDTH: usize>(from: &[T], step: usize, count: usize, at: usize) -> [T; WIDTH] {
    let mut folded = [F::identity(); WIDTH];
    for row in 0..count {
        let row = &from[row * step + at..][..WIDTH];
        for i in 0..WIDTH {
            folded[i] = F::combine(folded[i], row[i]);
        }
    }
    folded
}

/// `out[j] = fold of from[row * step + j]` over `count` rows.
pub(super) struct FoldRows<'a, T, F> {
    pub(super) from: &'a [T],
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) out: &'a mut [T],
    pub(super) fold: PhantomData<F>,
}
impl<T: Real, F: Fold> Kernel for FoldRows<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        const N: usize = lanes::LANES;
        let FoldRows { from, step, count, out, .. } = self;
        let (groups, rest) = out.as_chunks_mut::<LANES>();
        for (j, out) in groups.iter_mut().enumerate() {
            // Four arrays: one would stay in memory, not in registers.
            let [mut a, mut b, mut c, mut d] = [[F::identity::<T>(); N]; 4];
            for row in 0..count {
                let row = &from[row * step + j * LANES..][..LANES];
                for i in 0..N {
                    a[i] = F::combine(a[i], row[i]);
                    b[i] = F::combine(b[i], row[N + i]);
                    c[i] = F::combine(c[i], row[2 * N + i]);
                    d[i] = F::combine(d[i], row[3 * N + i]);
                }
            }
            for (out, wide) in out.as_chunks_mut::<N>().0.iter_mut().zip([a, b, c, d]) {
                *out = wide;
            }
        }
        // What is left, in blocks of which the last one may overlap the one before.
        let (start, width) = (groups.len() * LANES, rest.len());
        if width >= N {
            for at in (0..width).step_by(N).map(|at| at.min(width - N)) {
                rest[at..][..N].copy_from_slice(&beside::<T, F, N>(from, step, count, start + at));
            }
        } else if width >= N / 2 {
            for at in [0, width - N / 2] {
                rest[at..][..N / 2].copy_from_slice(&beside::<T, F, { lanes::LANES / 2 }>(
                    from,
                    step,
                    count,
                    start + at,
                ));
            }
        } else {
            for (at, out) in rest.iter_mut().enumerate() {
                *out = beside::<T, F, 1>(from, step, count, start + at)[0];
            }
        }
    }
}

pub(super) struct Compensate<'a, T, F>(
    pub(super) &'a mut [T],
    pub(super) &'a mut [T],
    pub(super) &'a [T],
    pub(super) PhantomData<F>,
);
impl<T: Real, F: Fold> Kernel for Compensate<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for ((total, lost), &x) in self.0.iter_mut().zip(self.1).zip(self.2) {
            F::compensated(total, lost, x);
        }
    }
}
