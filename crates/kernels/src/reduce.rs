//! Reductions over the trailing dimensions of a view: sum, product, maximum, minimum.
//!
//! Long sums are cut into blocks whose sums are added in pairs (rows) or with Kahan's compensation (columns), so that the
//! error grows with the logarithm of the length or not at all. Blocks and their order depend on the shape alone.
//!
//! Source: N. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14 (1993).

use std::marker::PhantomData;

use crate::simd::{self, Kernel};
use crate::view::Index;
use crate::{Buffer, Real, View, parallel};

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

/// An associative way to combine numbers.
trait Fold {
    fn identity<T: Real>() -> T;
    fn combine<T: Real>(a: T, b: T) -> T;
    /// Combines `x` into `total`, where `lost` may keep what rounding drops.
    #[inline(always)]
    fn compensated<T: Real>(total: &mut T, _lost: &mut T, x: T) {
        *total = Self::combine(*total, x);
    }
}

struct Sum;
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

struct Product;
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

struct Maximum;
impl Fold for Maximum {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        -T::INFINITY
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a.maximum(b)
    }
}

struct Minimum;
impl Fold for Minimum {
    #[inline(always)]
    fn identity<T: Real>() -> T {
        T::INFINITY
    }
    #[inline(always)]
    fn combine<T: Real>(a: T, b: T) -> T {
        a.minimum(b)
    }
}

/// Elements folded lane by lane before a pairwise step.
const BLOCK: usize = 512;
/// Independent accumulators of a block: a register of the widest level.
const LANES: usize = 16;
/// Elements in a piece of parallel work; a power of two times `BLOCK`, so that pieces are whole subtrees.
const PIECE: usize = 1 << 15;
/// Rows folded one after another before a compensated step, where columns are reduced.
const ROWS: usize = 16;

struct FoldBlock<'a, T, F>(&'a [T], PhantomData<F>);
impl<T: Real, F: Fold> Kernel for FoldBlock<'_, T, F> {
    type Output = T;
    #[inline(always)]
    fn run(self) -> T {
        let mut lanes = [F::identity::<T>(); LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane = F::combine(*lane, x);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane = F::combine(*lane, x);
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] = F::combine(lanes[i], lanes[i + width]);
            }
            width /= 2;
        }
        lanes[0]
    }
}

/// The loops of a way to combine numbers. What is around them is compiled once for all.
struct Loops<T> {
    identity: T,
    combine: fn(T, T) -> T,
    /// Folds a block.
    block: fn(&[T]) -> T,
    /// Folds a row into one of totals.
    row: fn(&mut [T], &[T]),
    /// Folds the totals of some rows into those of all, where the second may keep what rounding drops.
    compensated: fn(&mut [T], &mut [T], &[T]),
}

fn reduce_with<T: Real, F: Fold>(src: View<'_, T>, kept: usize, out: &mut [T]) {
    let loops = Loops {
        identity: F::identity(),
        combine: F::combine,
        block: |block| simd::dispatch(FoldBlock::<T, F>(block, PhantomData)),
        row: |totals, row| simd::dispatch(FoldRow::<T, F>(totals, row, PhantomData)),
        compensated: |totals, lost, block| simd::dispatch(Compensate::<T, F>(totals, lost, block, PhantomData)),
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
    if let Some(slice) = view.as_slice() {
        return fold_slice(loops, &slice[start..end]);
    }
    let mut cascade = Cascade::new(loops);
    let mut block = [T::ZERO; BLOCK];
    let mut at = start;
    while at < end {
        let block = &mut block[..BLOCK.min(end - at)];
        view.read(at, block);
        cascade.push((loops.block)(block));
        at += block.len();
    }
    cascade.finish()
}

fn fold_slice<T: Real>(loops: &Loops<T>, slice: &[T]) -> T {
    if slice.len() <= BLOCK {
        return (loops.block)(slice);
    }
    let mut cascade = Cascade::new(loops);
    slice.chunks(BLOCK).for_each(|block| cascade.push((loops.block)(block)));
    cascade.finish()
}

fn reduce<T: Real>(loops: &Loops<T>, src: View<'_, T>, kept: usize, out: &mut [T]) {
    let (kept_shape, reduced_shape) = src.shape().split_at(kept);
    let (kept_strides, reduced_strides) = src.strides().split_at(kept);
    let rows: usize = kept_shape.iter().product();
    let length: usize = reduced_shape.iter().product();
    assert_eq!(rows, out.len(), "reduce: the output does not match the kept dimensions");
    if rows == 0 || length == 0 {
        return out.fill(loops.identity);
    }
    let data = src.data();
    let columns_adjacent = kept > 0 && kept_strides[kept - 1] == 1 && kept_shape[kept - 1] >= 8;
    let rows_adjacent = reduced_strides.last() == Some(&1) && reduced_shape.last() > Some(&1);
    if columns_adjacent && !rows_adjacent {
        return columns(loops, src, kept, out);
    }
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
    let per_piece = (PIECE / length).max(1);
    let work = |start: usize, out: &mut [T]| {
        let mut index = Index::at(kept_shape, start);
        for o in out {
            let offset: usize = index.get().iter().zip(kept_strides).map(|(i, s)| i * s).sum();
            *o = fold_range(loops, View::new(&data[offset..], reduced_shape, reduced_strides), 0, length);
            index.next(kept_shape);
        }
    };
    if rows * length <= PIECE {
        work(0, out);
    } else {
        parallel::for_each_chunk(out, per_piece, |i, out| work(i * per_piece, out));
    }
}

/// Reduction where neighbors of the output are neighbors in memory: whole rows are folded into the output at once.
fn columns<T: Real>(loops: &Loops<T>, src: View<'_, T>, kept: usize, out: &mut [T]) {
    let (kept_shape, reduced_shape) = src.shape().split_at(kept);
    let (kept_strides, reduced_strides) = src.strides().split_at(kept);
    let data = src.data();
    let width = kept_shape[kept - 1];
    let length: usize = reduced_shape.iter().product();
    // Rows of each piece: fixed by the shape, so that partial results do not depend on the number of threads.
    let per_piece = (PIECE / width).max(ROWS).next_multiple_of(ROWS);
    let pieces = length.div_ceil(per_piece);
    let outer = &kept_shape[..kept - 1];
    for (i, out) in out.chunks_mut(width).enumerate() {
        let index = Index::at(outer, i);
        let offset: usize = index.get().iter().zip(kept_strides).map(|(i, s)| i * s).sum();
        let row_at = |row: usize| {
            let index = Index::at(reduced_shape, row);
            let at: usize = offset + index.get().iter().zip(reduced_strides).map(|(i, s)| i * s).sum::<usize>();
            &data[at..at + width]
        };
        if pieces == 1 {
            fold_rows(loops, length, &row_at, out);
            continue;
        }
        let mut partial = Buffer::<T>::unspecified(pieces * width);
        parallel::for_each_chunk(&mut partial, width, |p, out| {
            let start = p * per_piece;
            fold_rows(loops, per_piece.min(length - start), &|row| row_at(start + row), out);
        });
        fold_rows(loops, pieces, &|row| &partial[row * width..(row + 1) * width], out);
    }
}

/// Folds `rows` rows into `out`, in strips that stay in the first-level cache.
fn fold_rows<'a, T: Real>(loops: &Loops<T>, rows: usize, row_at: &dyn Fn(usize) -> &'a [T], out: &mut [T]) {
    let mut lost = [T::ZERO; BLOCK];
    let mut block = [T::ZERO; BLOCK];
    for (strip, out) in out.chunks_mut(BLOCK).enumerate() {
        let (lost, block) = (&mut lost[..out.len()], &mut block[..out.len()]);
        let columns = strip * BLOCK..strip * BLOCK + out.len();
        out.fill(loops.identity);
        lost.fill(T::ZERO);
        for start in (0..rows).step_by(ROWS) {
            block.fill(loops.identity);
            for row in start..rows.min(start + ROWS) {
                (loops.row)(block, &row_at(row)[columns.clone()]);
            }
            if rows <= ROWS {
                out.copy_from_slice(block);
            } else {
                (loops.compensated)(out, lost, block);
            }
        }
    }
}

struct FoldRow<'a, T, F>(&'a mut [T], &'a [T], PhantomData<F>);
impl<T: Real, F: Fold> Kernel for FoldRow<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (total, &x) in self.0.iter_mut().zip(self.1) {
            *total = F::combine(*total, x);
        }
    }
}

struct Compensate<'a, T, F>(&'a mut [T], &'a mut [T], &'a [T], PhantomData<F>);
impl<T: Real, F: Fold> Kernel for Compensate<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for ((total, lost), &x) in self.0.iter_mut().zip(self.1).zip(self.2) {
            F::compensated(total, lost, x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
