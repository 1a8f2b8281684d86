//! [`Pair`]: two views of one shape, of which one may repeat its numbers, walked together in rows.
//!
//! Dimensions are merged where both views allow it. In a row each of them has neighbors or one number, so that neither has to be
//! written out: a loop takes many rows at once.

use crate::fold::{self, Index};
use crate::lanes::LANES;
use crate::merged::Sizes;
use crate::{Real, View};

/// Rows that are shorter than this are gathered instead, unless so many of them stand beside one that repeats that they make long ones.
const SHORT: usize = 8;
/// A row that repeats is written out several times, and not walked again and again, up to this length.
const REPEATED: usize = 128;
/// The most numbers as which it is written out on its way.
const BLOCK: usize = 512;

/// A view's part in some rows: number `j` of row `i` stands at `i * row_step + j * step`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) row_step: usize,
    /// 1 for neighbors, 0 for one number.
    pub(crate) step: usize,
}

impl<'a, T> Rows<'a, T> {
    /// A single row of neighbors.
    pub(crate) fn one(numbers: &'a [T]) -> Self {
        Rows::of(numbers, numbers.len())
    }

    /// Rows of neighbors, one after the other.
    pub(crate) fn of(numbers: &'a [T], width: usize) -> Self {
        Rows { numbers, row_step: width, step: 1 }
    }
}

/// Which of two inputs repeats a row of `width` neighbors, beside one whose rows follow each other: then they make longer ones.
fn repeating(row_steps: [usize; 2], steps: [usize; 2], width: usize) -> [bool; 2] {
    [0, 1].map(|k| steps == [1, 1] && row_steps[k] == 0 && row_steps[1 - k] == width)
}

/// The length of the rows that short ones of `width` become: as many as fill whole registers, if the block holds them.
fn long_row(width: usize) -> usize {
    let even = width * (LANES >> width.trailing_zeros().min(LANES.trailing_zeros()));
    REPEATED.next_multiple_of(if even <= BLOCK { even } else { width })
}

/// Whether so many numbers in rows of `width` fill a longer one, and an input repeats a row.
fn lengthens(row_steps: [usize; 2], steps: [usize; 2], width: usize, numbers: usize) -> bool {
    let fills = width < REPEATED && numbers >= REPEATED && numbers >= long_row(width);
    fills && repeating(row_steps, steps, width) != [false; 2]
}

/// A function of two numbers over rows of a length.
pub(crate) type Call<'a, T> = &'a (dyn Fn(Rows<'_, T>, Rows<'_, T>, usize, &mut [T]) + Sync);

/// Calls `call` with rows of `width` of two inputs and an output. Short ones become longer ones where an input repeats one of them.
#[inline(always)]
pub(crate) fn in_long_rows<T: Real>(call: Call<'_, T>, inputs: [Rows<'_, T>; 2], width: usize, dst: &mut [T]) {
    let [a, b] = inputs;
    if lengthens([a.row_step, b.row_step], [a.step, b.step], width, dst.len()) {
        lengthened(call, inputs, width, dst);
    } else {
        call(a, b, width, dst);
    }
}

/// [`in_long_rows`], where an input repeats a row.
fn lengthened<T: Real>(call: Call<'_, T>, inputs: [Rows<'_, T>; 2], width: usize, dst: &mut [T]) {
    let [a, b] = inputs;
    let repeats = repeating([a.row_step, b.row_step], [a.step, b.step], width);
    let long = long_row(width);
    let mut block = [T::ZERO; BLOCK];
    let row = if repeats[0] { a } else { b };
    block[..long].chunks_mut(width).for_each(|copy| copy.copy_from_slice(&row.numbers[..width]));
    let block = Rows { numbers: &block, row_step: 0, step: 1 };
    let from = |k: usize, at: usize| if repeats[k] { block } else { Rows::of(&inputs[k].numbers[at..], long) };
    let (whole, rest) = dst.split_at_mut(dst.len() / long * long);
    call(from(0, 0), from(1, 0), long, whole);
    if !rest.is_empty() {
        call(from(0, whole.len()), from(1, whole.len()), rest.len(), rest);
    }
}

/// Where a view's part in some rows begins, and its steps.
pub(crate) struct Place {
    at: usize,
    row_step: usize,
    step: usize,
}

impl Place {
    /// The rows in the view's data.
    pub(crate) fn rows<T>(self, data: &[T]) -> Rows<'_, T> {
        Rows { numbers: &data[self.at..], row_step: self.row_step, step: self.step }
    }
}

pub(crate) struct Pair {
    shape: Sizes,
    strides: [Sizes; 2],
}

impl Pair {
    /// Two views as rows of neighbors or of one number; none if their numbers stand otherwise, or rows are short.
    pub(crate) fn new<T: Copy>(a: View<'_, T>, b: View<'_, T>) -> Option<Self> {
        Self::of(a.shape(), a.strides(), b.strides())
    }

    /// A view, and beside it numbers that lie in its order without gaps.
    pub(crate) fn beside<T: Copy>(b: View<'_, T>) -> Option<Self> {
        let mut strides = Sizes::zeros(b.shape().len());
        let mut next = 1;
        for (stride, &n) in strides.iter_mut().zip(b.shape()).rev() {
            *stride = next;
            next *= n;
        }
        Self::of(b.shape(), &strides, b.strides())
    }

    fn of(sizes: &[usize], a: &[usize], b: &[usize]) -> Option<Self> {
        let (mut shape, mut strides) = (Sizes::default(), [Sizes::default(), Sizes::default()]);
        // Rows in one dimension at least.
        shape.push(1);
        strides.iter_mut().for_each(|strides| strides.push(0));
        for (d, &n) in sizes.iter().enumerate().filter(|&(_, &n)| n != 1) {
            let inner = [a[d], b[d]];
            let last = shape.len() - 1;
            if last > 0 && (0..2).all(|k| strides[k][last] == n * inner[k]) {
                shape[last] *= n;
                (0..2).for_each(|k| strides[k][last] = inner[k]);
            } else {
                shape.push(n);
                (0..2).for_each(|k| strides[k].push(inner[k]));
            }
        }
        let last = shape.len() - 1;
        let steps = [strides[0][last], strides[1][last]];
        let repeats = |k: usize| steps[k] == 1 && strides[k][..last].iter().all(|&stride| stride == 0);
        let width = shape[last];
        let fits = last > 0
            && !sizes.contains(&0)
            && steps.iter().all(|&step| step <= 1)
            && (width >= REPEATED || last == 1 || !repeats(0) && !repeats(1));
        let pair = Pair { shape, strides };
        (fits && (width >= SHORT || pair.becomes_long())).then_some(pair)
    }

    /// Whether short rows become long ones: there are enough beside one that repeats.
    fn becomes_long(&self) -> bool {
        let last = self.shape.len() - 1;
        let part = |d: usize| [self.strides[0][d], self.strides[1][d]];
        lengthens(part(last - 1), part(last), self.shape[last], self.shape[last - 1] * self.shape[last])
    }

    /// So many times as long as in long rows it takes to walk a number, roughly.
    pub(crate) fn cost(&self) -> usize {
        if self.shape[self.shape.len() - 1] < fold::COSTLY && !self.becomes_long() { 2 } else { 1 }
    }

    /// The length of the pieces in which to walk: about `target`, and whole rows if they are short.
    pub(crate) fn piece(&self, target: usize) -> usize {
        let width = self.shape[self.shape.len() - 1];
        if width < target { target.next_multiple_of(width) } else { target }
    }

    /// Walks numbers `start..start + len` of the row-major order, at most `most` at once. `work` gets the places of both
    /// views, the length of a row and how many numbers there are.
    pub(crate) fn walk(&self, start: usize, len: usize, most: usize, mut work: impl FnMut(Place, Place, usize, usize)) {
        let last = self.shape.len() - 1;
        let (width, height, outer) = (self.shape[last], self.shape[last - 1], &self.shape[..last - 1]);
        let (mut row, mut column) = (start / width, start % width);
        let mut index = Index::at(outer, row / height);
        row %= height;
        let mut done = 0;
        while done < len {
            let part = |k: usize| {
                let strides: &[usize] = &self.strides[k];
                let (row_step, step) = (strides[last - 1], strides[last]);
                let at = index.offset(&strides[..last - 1]) + row * row_step + column * step;
                Place { at, row_step, step }
            };
            let (a, b) = (part(0), part(1));
            let left = most.min(len - done);
            let whole = column == 0 && left >= width;
            let (width, count) = if whole {
                let rows = (left / width).min(height - row);
                row += rows;
                (width, rows * width)
            } else {
                let count = left.min(width - column);
                column += count;
                (row, column) = if column == width { (row + 1, 0) } else { (row, column) };
                (count, count)
            };
            work(a, b, width, count);
            done += count;
            if row == height {
                row = 0;
                index.next(outer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn any_two_views_are_walked_as_their_plain_definitions() {
        let mut rng = SmallRng::seed_from_u64(9);
        let data: Vec<f32> = (0..20_000).map(|i| i as f32).collect();
        let mut walked = 0;
        for _ in 0..2000 {
            let rank = rng.random_range(1..5);
            let widest = [1, 3000, 140, 20, 9][rank];
            let shape: Vec<usize> = (0..rank).map(|_| rng.random_range(1..=widest)).collect();
            let [a, b] = [(); 2].map(|()| {
                let mut next = 1;
                let mut strides: Vec<usize> = (0..rank)
                    .rev()
                    .map(|d| {
                        let stride = if rng.random_range(0..3) == 0 { 0 } else { next };
                        next *= if stride > 0 { shape[d] + rng.random_range(0..8) / 7 } else { 1 };
                        stride
                    })
                    .collect();
                strides.reverse();
                strides
            });
            let views = [&a, &b].map(|strides| View::new(&data, &shape, strides));
            let Some(pair) = Pair::new(views[0], views[1]) else { continue };
            walked += 1;
            let beside = Pair::beside(views[1]).map(|pair| pair.strides[0].last().copied());
            assert!(beside.is_none_or(|step| step == Some(1)));
            let start = rng.random_range(0..views[0].len());
            let len = rng.random_range(0..=views[0].len() - start);
            let most = if rng.random_range(0..2) == 0 { usize::MAX } else { rng.random_range(1..600) };
            let mut got = [Vec::new(), Vec::new()];
            pair.walk(start, len, most, |a, b, width, count| {
                assert!(count <= most && count.is_multiple_of(width));
                for (place, got) in [a, b].into_iter().zip(&mut got) {
                    let rows = place.rows(&data);
                    let at = |i: usize| i / width * rows.row_step + i % width * rows.step;
                    got.extend((0..count).map(|i| rows.numbers[at(i)]));
                }
            });
            for (view, got) in views.iter().zip(got) {
                let mut want = vec![-1.0; len];
                view.read(start, &mut want);
                assert_eq!(got, want, "{shape:?} {:?} from {start}", view.strides());
            }
        }
        assert!(walked > 500, "{walked} pairs are in rows");
    }
}
