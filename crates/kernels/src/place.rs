//! [`place`]: an array becomes a part of a larger one.
//!
//! Along each dimension its numbers stand at `start, start + step, ..` of the larger array. Dimensions that are filled whole
//! count as one with the dimension around them, so that rows are as long as possible.

use crate::simd::{self, Kernel};
use crate::{Real, parallel, strided};

concrete! {
    <T> trait PartKernels;
    /// Puts `src`, row-major along the ranges, into `out`, row-major along their sizes.
    ///
    /// # Panics
    /// If a range does not lie within its size, or a length does not fit.
    pub fn place(src: &[T], ranges: &[Range], put: Put<T>, out: &mut [T]) = place_impl;
}

/// The places `start, start + step, ..` of `count` numbers along a dimension of `size`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Range {
    pub size: usize,
    pub start: usize,
    pub count: usize,
    pub step: usize,
}

impl Range {
    /// All of a dimension.
    pub fn all(size: usize) -> Self {
        Range { size, start: 0, count: size, step: 1 }
    }

    /// How many numbers stand before a place.
    fn before(&self, place: usize) -> usize {
        match place.saturating_sub(self.start) {
            // Without a division where a whole dimension is walked.
            0 => 0,
            ahead if self.step == 1 => ahead.min(self.count),
            ahead => ahead.div_ceil(self.step).min(self.count),
        }
    }
}

/// What becomes of the larger array.
#[derive(Clone, Copy, Debug)]
pub enum Put<T> {
    /// Its other numbers stay.
    Alone,
    /// Its other numbers become this one.
    Among(T),
    /// The array is added to what stands there.
    Added,
}

/// Numbers of the larger array in a piece of parallel work.
const PIECE: usize = 1 << 14;

fn place_impl<T: Real>(src: &[T], ranges: &[Range], put: Put<T>, out: &mut [T]) {
    assert_eq!(src.len(), ranges.iter().map(|r| r.count).product(), "place: the ranges do not hold the numbers");
    assert_eq!(out.len(), ranges.iter().map(|r| r.size).product(), "place: the sizes do not fill the output");
    let fits = |r: &Range| r.step > 0 && (r.count == 0 || r.start + (r.count - 1) * r.step < r.size);
    assert!(ranges.iter().all(fits), "place: {ranges:?} do not lie within their sizes");
    if out.is_empty() {
        return;
    }
    let mut folded = vec![Range::all(1)];
    for (d, &inner) in ranges.iter().enumerate() {
        let whole = inner.count == inner.size && inner.step == 1;
        match folded.last_mut() {
            Some(r) if whole && r.step == 1 => {
                let n = inner.size;
                *r = Range { size: r.size * n, start: r.start * n, count: r.count * n, step: 1 };
            }
            // One number of each of the innermost ones: they stand evenly apart.
            Some(r) if d + 1 == ranges.len() && inner.count == 1 => {
                let n = inner.size;
                *r = Range { size: r.size * n, start: r.start * n + inner.start, count: r.count, step: r.step * n };
            }
            // A dimension of one is no dimension.
            Some(r) if r.size == 1 && r.count == 1 => *r = inner,
            _ => folded.push(inner),
        }
    }
    let slab = out.len() / folded[0].size;
    let together = (PIECE / slab).max(1);
    parallel::for_each_chunk(out, together * slab, |piece, out| slabs(src, &folded, put, piece * together, out));
}

/// Fills what is in `out` of the first dimension, from its place `first` on.
fn slabs<T: Real>(src: &[T], ranges: &[Range], put: Put<T>, first: usize, out: &mut [T]) {
    let [range, inner @ ..] = ranges else { return };
    if inner.is_empty() {
        return row(src, *range, put, first, out);
    }
    let (slab, part): (usize, usize) =
        (inner.iter().map(|r| r.size).product(), inner.iter().map(|r| r.count).product());
    let mut i = range.before(first);
    if let ([inner], 1) = (inner, range.step) {
        // The slabs that get numbers are neighbors, and rows.
        let end = range.before(first + out.len() / slab);
        let begin = if i < end { range.start + i - first } else { 0 };
        let (before, rest) = out.split_at_mut(begin * slab);
        let (rows, after) = rest.split_at_mut((end - i) * slab);
        if let Put::Among(x) = put {
            before.fill(x);
            after.fill(x);
        }
        return simd::dispatch(Rows { src: &src[i * part..end * part], range: *inner, put, out: rows });
    }
    for (place, out) in (first..).zip(out.chunks_exact_mut(slab)) {
        if i < range.count && place == range.start + i * range.step {
            slabs(&src[i * part..][..part], inner, put, 0, out);
            i += 1;
        } else if let Put::Among(x) = put {
            out.fill(x);
        }
    }
}

/// Whole rows of the last dimension.
struct Rows<'a, T> {
    src: &'a [T],
    range: Range,
    put: Put<T>,
    out: &'a mut [T],
}
impl<T: Real> Kernel for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Rows { src, range, put, out } = self;
        let Range { size, start, count, step } = range;
        if step != 1 || matches!(put, Put::Added) {
            for (i, out) in out.chunks_exact_mut(size).enumerate() {
                row(&src[i * count..][..count], range, put, 0, out);
            }
            return;
        }
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            let (left, rest) = out.split_at_mut(start);
            let (middle, right) = rest.split_at_mut(count);
            strided::copy(&src[i * count..][..count], middle);
            if let Put::Among(x) = put {
                left.fill(x);
                right.fill(x);
            }
        }
    }
}

/// Fills what is in `out` of the last dimension, from its place `first` on.
fn row<T: Real>(src: &[T], range: Range, put: Put<T>, first: usize, out: &mut [T]) {
    let Range { start, step, .. } = range;
    // The numbers that fall into `out`.
    let (before, end) = (range.before(first), range.before(first + out.len()));
    let src = &src[before..end];
    let begin = if src.is_empty() { out.len() } else { start + before * step - first };
    let (left, rest) = out.split_at_mut(begin);
    let (middle, right) = rest.split_at_mut(if src.is_empty() { 0 } else { (src.len() - 1) * step + 1 });
    if let Put::Among(x) = put {
        left.fill(x);
        right.fill(x);
    }
    match put {
        Put::Added => simd::dispatch(Add { src, step, out: middle }),
        _ if step == 1 => strided::copy(src, middle),
        Put::Among(x) => strided::spread(step, src, middle, x),
        Put::Alone => strided::scatter(step, src, middle, |to, x| *to = x),
    }
}

struct Add<'a, T> {
    src: &'a [T],
    step: usize,
    out: &'a mut [T],
}
impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        strided::scatter(self.step, self.src, self.out, |sum, x| *sum += x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn any_ranges_agree_with_plain_indices() {
        let mut rng = SmallRng::seed_from_u64(8);
        for _ in 0..400 {
            let rank = rng.random_range(0..5);
            let ranges: Vec<Range> = (0..rank)
                .map(|_| {
                    let size = rng.random_range(1..=[1, 60_000, 300, 40, 12][rank]);
                    let (start, step): (usize, usize) = (rng.random_range(0..size), rng.random_range(1..4));
                    let count = rng.random_range(0..=(size - start).div_ceil(step));
                    if rng.random_range(0..2) == 0 { Range::all(size) } else { Range { size, start, count, step } }
                })
                .collect();
            let len: usize = ranges.iter().map(|r| r.count).product();
            let src: Vec<f32> = (0..len).map(|i| i as f32 + 1.0).collect();
            let total: usize = ranges.iter().map(|r| r.size).product();
            let old: Vec<f32> = (0..total).map(|i| -(i as f32)).collect();
            for put in [Put::Alone, Put::Among(0.5), Put::Added] {
                let mut out = old.clone();
                place(&src, &ranges, put, &mut out);
                for (at, &x) in out.iter().enumerate() {
                    let (mut rest, mut i, mut stride) = (at, Some(0), 1);
                    for r in ranges.iter().rev() {
                        let ahead = (rest % r.size).checked_sub(r.start);
                        let found = ahead.filter(|ahead| ahead % r.step == 0 && ahead / r.step < r.count);
                        i = i.zip(found).map(|(i, ahead)| i + ahead / r.step * stride);
                        (rest, stride) = (rest / r.size, stride * r.count);
                    }
                    let want = match (i, put) {
                        (Some(i), Put::Added) => old[at] + src[i],
                        (Some(i), _) => src[i],
                        (None, Put::Among(x)) => x,
                        (None, _) => old[at],
                    };
                    assert_eq!(x, want, "{ranges:?} at {at}");
                }
            }
        }
    }
}
