//! Reductions over the trailing dimensions of a view: sum, product, maximum, minimum.
//!
//! Long sums are cut into blocks whose sums are added in pairs (rows) or with Kahan's compensation (columns), so that the
//! error grows with the logarithm of the length or not at all. Blocks and their order depend on the shape alone.
//!
//! Source: N. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14 (1993).

mod loops;

use std::marker::PhantomData;
use std::ops::Range;

use crate::merged::{Merged, Outer};
use crate::{Buffer, Real, View, parallel, simd};
use loops::{Apart, Compensate, Fold, FoldApart, FoldRows, FoldRuns, Maximum, Minimum, Product, Sum};

concrete! {
    <T> trait ReduceKernels;
    /// `out[i] = sum_j src[i, j]`: `i` runs over the first `kept` dimensions in row-major order, `j` over the others.
    ///
    /// # Panics
    /// If `out` has another length than the product of the kept dimensions.
    pub fn sum(src: View<'_, T>, kept: usize, out: &mut [T]) = reduce_with::<T, Sum>;
    /// Like [`sum`], the product. An empty product is 1.
    pub fn product(src: View<'_, T>, kept: usize, out: &mut [T]) = reduce_with::<T, Product>;
    /// Like [`sum`], the maximum; NaN if any element is NaN, negative infinity if there is none.
    pub fn maximum(src: View<'_, T>, kept: usize, out: &mut [T]) = reduce_with::<T, Maximum>;
    /// Like [`sum`], the minimum; NaN if any element is NaN, infinity if there is none.
    pub fn minimum(src: View<'_, T>, kept: usize, out: &mut [T]) = reduce_with::<T, Minimum>;
}

/// Elements folded lane by lane before a pairwise step.
const BLOCK: usize = 2048;
/// Runs folded before a pairwise step.
const RUNS: usize = 64;
/// Shorter runs are gathered first.
const SHORT: usize = 8;
/// Columns folded at once.
const STRIP: usize = 512;
/// Elements in a piece of parallel work; a power of two times `BLOCK`, so that pieces are whole subtrees.
const PIECE: usize = 1 << 15;
/// Rows folded one after another before a compensated step, where columns are reduced.
const ROWS: usize = 16;

/// The loops of a way to combine numbers. What is around them is compiled once for all.
struct Loops<T> {
    identity: T,
    combine: fn(T, T) -> T,
    /// Folds runs of some length, so many numbers apart, into one number each.
    runs: fn(&[T], usize, usize, &mut [T]),
    /// Folds lines whose numbers stand apart into one number each.
    apart: fn(&[T], Apart<'_>, &mut [T]),
    /// Folds rows, so many numbers apart and so many of them, into one.
    rows: fn(&[T], usize, usize, &mut [T]),
    /// Folds the totals of some rows into those of all, where the second may keep what rounding drops.
    compensated: fn(&mut [T], &mut [T], &[T]),
}

fn reduce_with<T: Real, F: Fold>(src: View<'_, T>, kept: usize, out: &mut [T]) {
    let loops = Loops {
        identity: F::identity(),
        combine: F::combine,
        runs: |from, row, length, out| simd::dispatch(FoldRuns { from, row, length, out, fold: PhantomData::<F> }),
        apart: |data, lines, out| simd::dispatch(FoldApart { data, lines, out, fold: PhantomData::<F> }),
        rows: |from, step, count, out| simd::dispatch(FoldRows { from, step, count, out, fold: PhantomData::<F> }),
        compensated: |totals, lost, block| simd::dispatch(Compensate(totals, lost, block, PhantomData::<F>)),
    };
    reduce(&loops, src, kept, out);
}

/// Adds block results in pairs, then pairs of pairs, as they come: a binary counter of partial results.
struct Cascade<'a, T> {
    loops: &'a Loops<T>,
    partial: [T; usize::BITS as usize],
    count: usize,
}

impl<'a, T: Real> Cascade<'a, T> {
    fn new(loops: &'a Loops<T>) -> Self {
        Cascade { loops, partial: [T::ZERO; usize::BITS as usize], count: 0 }
    }

    fn push(&mut self, mut x: T) {
        let mut level = 0;
        while self.count >> level & 1 == 1 {
            x = (self.loops.combine)(self.partial[level], x);
            level += 1;
        }
        self.partial[level] = x;
        self.count += 1;
    }

    /// Pushes the blocks of contiguous elements.
    fn push_run(&mut self, run: &[T]) {
        for block in run.chunks(BLOCK) {
            let mut total = [T::ZERO];
            (self.loops.runs)(block, 0, block.len(), &mut total);
            self.push(total[0]);
        }
    }

    /// Pushes runs of a length, as many at once as stand evenly apart.
    fn push_runs(&mut self, data: &[T], runs: Outer<'_>, run: usize) {
        let (outer, count, stride) = runs.split_inner();
        let mut totals = [T::ZERO; RUNS];
        for data in (0..outer.len()).map(|i| &data[outer.offset(i)..]) {
            for start in (0..count).step_by(RUNS) {
                let totals = &mut totals[..RUNS.min(count - start)];
                (self.loops.runs)(&data[start * stride..], stride, run, totals);
                self.push_run(totals);
            }
        }
    }

    fn finish(self) -> T {
        let mut total = None;
        for level in 0..usize::BITS as usize {
            if self.count >> level & 1 == 1 {
                total = Some(match total {
                    None => self.partial[level],
                    Some(t) => (self.loops.combine)(self.partial[level], t),
                });
            }
        }
        total.unwrap_or(self.loops.identity)
    }
}

/// Folds elements `start..end` of a view.
fn fold_range<T: Real>(loops: &Loops<T>, view: View<'_, T>, start: usize, end: usize) -> T {
    let mut cascade = Cascade::new(loops);
    if let Some(slice) = view.as_slice() {
        cascade.push_run(&slice[start..end]);
        return cascade.finish();
    }
    let mut block = [T::ZERO; BLOCK];
    let mut at = start;
    while at < end {
        let block = &mut block[..BLOCK.min(end - at)];
        view.read(at, block);
        cascade.push_run(block);
        at += block.len();
    }
    cascade.finish()
}

fn reduce<T: Real>(loops: &Loops<T>, src: View<'_, T>, kept: usize, out: &mut [T]) {
    let (kept_shape, reduced_shape) = src.shape().split_at(kept);
    let (kept_strides, reduced_strides) = src.strides().split_at(kept);
    let (rows, length): (usize, usize) = (kept_shape.iter().product(), reduced_shape.iter().product());
    assert_eq!(rows, out.len(), "reduce: the output does not match the kept dimensions");
    if rows == 0 || length == 0 {
        return out.fill(loops.identity);
    }
    let data = src.data();
    if rows == 1 && length > PIECE {
        // One long row: pieces of it in parallel, then their results in pairs.
        let row = View::new(data, reduced_shape, reduced_strides);
        let mut partial = Buffer::<T>::unspecified(length.div_ceil(PIECE));
        parallel::for_each_chunk(&mut partial, 1, |i, p| {
            p[0] = fold_range(loops, row, i * PIECE, length.min((i + 1) * PIECE));
        });
        let mut cascade = Cascade::new(loops);
        partial.iter().for_each(|&p| cascade.push(p));
        out[0] = cascade.finish();
        return;
    }
    let (kept, reduced) = (Merged::new(kept_shape, kept_strides), Merged::new(reduced_shape, reduced_strides));
    let (runs, run, run_stride) = reduced.split_inner();
    let contiguous = run_stride == 1 || run == 1;
    let (_, width, column) = kept.split_inner();
    if column == 1 && width >= 8 && (!contiguous || length == 1) {
        return columns(loops, data, &kept, reduced.all(), out);
    }
    let work = |start: usize, out: &mut [T]| {
        if contiguous && runs.len() == 1 && run <= BLOCK {
            // A run for each element of the output: those of the innermost kept dimension at once.
            return segments(&kept, start, out, |offset, out| {
                (loops.runs)(&data[offset..], column, run, out);
            });
        }
        if (!contiguous || run < SHORT) && length <= BLOCK && out.len() >= loops::LINES {
            return (loops.apart)(data, Apart { kept: &kept, reduced: &reduced, start }, out);
        }
        for (i, out) in out.iter_mut().enumerate() {
            let data = &data[kept.all().offset(start + i)..];
            if !contiguous || run < SHORT {
                *out = fold_range(loops, View::new(data, reduced_shape, reduced_strides), 0, length);
                continue;
            }
            let mut cascade = Cascade::new(loops);
            if run <= BLOCK {
                cascade.push_runs(data, runs, run);
            } else {
                (0..runs.len()).for_each(|i| cascade.push_run(&data[runs.offset(i)..][..run]));
            }
            *out = cascade.finish();
        }
    };
    let per_piece = (PIECE / length).max(1);
    if rows * length <= PIECE {
        work(0, out);
    } else {
        parallel::for_each_chunk(out, per_piece, |i, out| work(i * per_piece, out));
    }
}

/// Cuts the elements of an output from `start` on where its innermost dimension begins again, and calls
/// `work(offset, elements)` with the place of each part's first element in the input.
fn segments<T>(kept: &Merged, start: usize, mut out: &mut [T], mut work: impl FnMut(usize, &mut [T])) {
    let (outer, width, stride) = kept.split_inner();
    let (mut row, mut at) = (start / width, start % width);
    while !out.is_empty() {
        let (part, rest) = out.split_at_mut((width - at).min(out.len()));
        work(outer.offset(row) + at * stride, part);
        (row, at, out) = (row + 1, 0, rest);
    }
}

/// Reduction where neighbors of the output are neighbors in memory: whole rows are folded into the output at once.
fn columns<T: Real>(loops: &Loops<T>, data: &[T], kept: &Merged, reduced: Outer<'_>, out: &mut [T]) {
    let length = reduced.len();
    let (outer, width, _) = kept.split_inner();
    let (runs, count, step) = reduced.split_inner();
    let lines = Lines { run_at: &|run| runs.offset(run), count, step };
    // Rows of each piece, where there are too few columns to share: fixed by the shape, so that partial results do not
    // depend on the number of threads.
    let per_piece = (PIECE / width).max(ROWS).next_multiple_of(ROWS);
    let pieces = length.div_ceil(per_piece);
    if out.len() >= 2 * STRIP || pieces == 1 {
        let work = |start: usize, out: &mut [T]| {
            let mut scratch = Scratch::new();
            segments(kept, start, out, |at, out| fold_rows(loops, &data[at..], &lines, 0..length, out, &mut scratch));
        };
        // Whole strips, or as many whole matrices: where one is cut, two ends of it are left.
        let unit = if width < STRIP { width } else { STRIP };
        let columns = (PIECE / length).next_multiple_of(unit).max(unit);
        if out.len() * length <= PIECE {
            return work(0, out);
        }
        return parallel::for_each_chunk(out, columns, |i, out| work(i * columns, out));
    }
    for (i, out) in out.chunks_mut(width).enumerate() {
        let data = &data[outer.offset(i)..];
        let mut partial = Buffer::<T>::unspecified(pieces * width);
        parallel::for_each_chunk(&mut partial, width, |p, out| {
            let rows = p * per_piece..length.min((p + 1) * per_piece);
            fold_rows(loops, data, &lines, rows, out, &mut Scratch::new());
        });
        let lines = Lines { run_at: &|_| 0, count: pieces, step: width };
        fold_rows(loops, &partial, &lines, 0..pieces, out, &mut Scratch::new());
    }
}

/// What [`fold_rows`] needs beside its output. For a few short rows, filling it with zeros would take longer than they do.
struct Scratch<T> {
    lost: [T; STRIP],
    block: [T; STRIP],
}

impl<T: Real> Scratch<T> {
    fn new() -> Self {
        Scratch { lost: [T::ZERO; STRIP], block: [T::ZERO; STRIP] }
    }
}

/// Where rows stand: in runs of `count` rows `step` numbers apart.
struct Lines<'a> {
    /// Where a run starts.
    run_at: &'a (dyn Fn(usize) -> usize + Sync),
    count: usize,
    step: usize,
}

/// Folds the first numbers of some rows into `out`, in strips that stay in the first-level cache.
fn fold_rows<T: Real>(
    loops: &Loops<T>,
    data: &[T],
    lines: &Lines<'_>,
    rows: Range<usize>,
    out: &mut [T],
    Scratch { lost, block }: &mut Scratch<T>,
) {
    for (strip, out) in out.chunks_mut(STRIP).enumerate() {
        let width = out.len();
        let mut at = rows.start;
        while at < rows.end {
            let (run, row) = (at / lines.count, at % lines.count);
            let count = ROWS.min(lines.count - row).min(rows.end - at);
            let from = &data[(lines.run_at)(run) + row * lines.step + strip * STRIP..];
            if at == rows.start {
                (loops.rows)(from, lines.step, count, out);
                if count < rows.len() {
                    lost[..width].fill(T::ZERO);
                }
            } else {
                (loops.rows)(from, lines.step, count, &mut block[..width]);
                (loops.compensated)(out, &mut lost[..width], &block[..width]);
            }
            at += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Index;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    /// The plain definition, in `f64`.
    fn reference(
        data: &[f64],
        shape: &[usize],
        strides: &[usize],
        kept: usize,
        fold: fn(f64, f64) -> f64,
        init: f64,
    ) -> Vec<f64> {
        let rows: usize = shape[..kept].iter().product();
        let length: usize = shape[kept..].iter().product();
        (0..rows * length).fold(vec![init; rows], |mut out, at| {
            let index = Index::at(shape, at);
            let x = data[index.get().iter().zip(strides).map(|(i, s)| i * s).sum::<usize>()];
            out[at / length] = fold(out[at / length], x);
            out
        })
    }

    #[test]
    fn all_layouts_agree_with_the_definition() {
        let data: Vec<f64> = (0..6 * 40 * 700).map(|i| ((i * 7919) % 1013) as f64 / 500.0 - 1.0).collect();
        let cases: &[(&[usize], &[usize], usize)] = &[
            (&[6, 28000], &[28000, 1], 1),
            (&[28000, 6], &[1, 28000], 1),
            (&[40, 6, 700], &[700, 28000, 1], 1),
            (&[6, 700, 40], &[28000, 1, 700], 2),
            (&[700, 240], &[1, 700], 1),
            (&[168000], &[1], 0),
            (&[168000], &[1], 1),
            (&[3, 5, 70], &[0, 28000, 2], 2),
            (&[9, 17], &[1, 9], 1),
            (&[4, 0], &[1, 1], 1),
        ];
        for &(shape, strides, kept) in cases {
            let view = View::new(&data, shape, strides);
            let rows: usize = shape[..kept].iter().product();
            let mut out = vec![f64::NAN; rows];
            sum(view, kept, &mut out);
            for (a, b) in out.iter().zip(reference(&data, shape, strides, kept, |a, b| a + b, 0.0)) {
                assert!((a - b).abs() <= 1e-9, "sum of {shape:?}: {a} is not {b}");
            }
            maximum(view, kept, &mut out);
            assert_eq!(out, reference(&data, shape, strides, kept, f64::max, f64::NEG_INFINITY));
            minimum(view, kept, &mut out);
            assert_eq!(out, reference(&data, shape, strides, kept, f64::min, f64::INFINITY));
        }
    }

    #[test]
    fn random_dimensions_agree_with_the_definition() {
        let mut rng = SmallRng::seed_from_u64(5);
        let data: Vec<f64> = (0..1 << 20).map(|_| rng.random::<f64>() - 0.5).collect();
        for _ in 0..300 {
            // Three dimensions in any order in memory, one or two of them reduced.
            let shape: [usize; 3] = std::array::from_fn(|_| [1, 2, 3, 5, 8, 17, 40, 101][rng.random_range(0..8)]);
            let mut order = [0, 1, 2];
            order.swap(0, rng.random_range(0..3));
            order.swap(1, rng.random_range(1..3));
            let (mut strides, mut size) = ([0; 3], 1);
            for d in order {
                (strides[d], size) = (size, size * shape[d]);
            }
            let kept = rng.random_range(1..3);
            let (rows, view) = (shape[..kept].iter().product(), View::new(&data, &shape, &strides));
            let mut out = vec![f64::NAN; rows];
            sum(view, kept, &mut out);
            for (a, b) in out.iter().zip(reference(&data, &shape, &strides, kept, |a, b| a + b, 0.0)) {
                assert!((a - b).abs() <= 1e-9, "sum of {shape:?} {strides:?}, {kept} kept: {a} is not {b}");
            }
            maximum(view, kept, &mut out);
            let want = reference(&data, &shape, &strides, kept, f64::max, f64::NEG_INFINITY);
            assert_eq!(out, want, "maximum of {shape:?} {strides:?}, {kept} kept");
        }
    }

    #[test]
    fn ten_million_values_keep_their_accuracy() {
        let n = 10_000_000;
        let data: Vec<f32> = (0..n).map(|i| 0.1 + (i % 7) as f32).collect();
        let exact: f64 = data.iter().map(|&x| f64::from(x)).sum();
        let mut out = [0.0f32];
        sum(View::new(&data, &[n], &[1]), 0, &mut out);
        assert!((f64::from(out[0]) / exact - 1.0).abs() < 1e-6);
        let mut out = [0.0f32; 10];
        sum(View::new(&data, &[10, n / 10], &[1, 10]), 1, &mut out);
        let total: f64 = out.iter().map(|&x| f64::from(x)).sum();
        assert!((total / exact - 1.0).abs() < 1e-6);
    }

    #[test]
    fn infinities_and_nan_stay() {
        let data: Vec<f32> = (0..64 * 16).map(|i| if i == 35 { f32::INFINITY } else { 1.0 }).collect();
        let mut out = [0.0; 16];
        sum(View::new(&data, &[16, 64], &[1, 16]), 1, &mut out);
        assert_eq!((out[3], out[4]), (f32::INFINITY, 64.0));
        let mut nan = data.clone();
        nan[700] = f32::NAN;
        let mut out = [0.0];
        maximum(View::new(&nan, &[1024], &[1]), 0, &mut out);
        assert!(out[0].is_nan());
    }

    #[test]
    fn products() {
        let mut out = [0.0f64; 2];
        product(View::new(&[2.0, 3.0, 4.0, 5.0], &[2, 2], &[2, 1]), 1, &mut out);
        assert_eq!(out, [6.0, 20.0]);
    }
}
