//! [`Folded`]: a view with as few dimensions as can describe it, read in row-major order in runs as long as possible.
//!
//! | neighbors in a row of the output | how it is read |
//! |---|---|
//! | are neighbors in memory | one copy for each row |
//! | are the same number | one fill for each row |
//! | stand apart, but those of one or two other dimensions are neighbors | squares are turned in registers ([`turn`](crate::turn)) |
//! | are two to four | their columns are zipped |
//! | stand apart | one by one |

use crate::gemm::Lanes;
use crate::merged::{Merged, Sizes};
use crate::simd::{self, Kernel};
use crate::turn::{Places, turn};
use crate::{View, lanes, strided};

/// Rows that are shorter than this take twice as long as others.
pub(crate) const COSTLY: usize = 32;
/// Numbers that fill a line of the cache.
const TOGETHER: usize = 16;

/// A row-major counter over a shape. Ranks up to 8 take no memory.
pub(crate) struct Index(Sizes);

impl Index {
    /// The index of the `position`-th element.
    pub(crate) fn at(shape: &[usize], mut position: usize) -> Self {
        let mut index = Sizes::zeros(shape.len());
        for (i, &n) in index.iter_mut().zip(shape).rev() {
            if n > 0 {
                *i = position % n;
                position /= n;
            }
        }
        Index(index)
    }

    pub(crate) fn get(&self) -> &[usize] {
        &self.0
    }

    /// Where the element stands in memory with these strides.
    pub(crate) fn offset(&self, strides: &[usize]) -> usize {
        self.0.iter().zip(strides).map(|(&i, &stride)| i * stride).sum()
    }

    /// Moves on to the next index; from the last one back to the first.
    pub(crate) fn next(&mut self, shape: &[usize]) {
        for (i, &n) in self.0.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < n {
                return;
            }
            *i = 0;
        }
    }
}

/// A view whose dimensions of size 1 are left out and whose others are merged where one lies inside the other.
///
/// There are always two at least: rows, and the numbers of a row.
pub(crate) struct Folded<'a, T> {
    data: &'a [T],
    shape: Sizes,
    strides: Sizes,
    /// The dimension whose steps are read together: if the last has no neighbors in memory, the outer one of those that have,
    /// else the one before the last.
    dim: usize,
    /// Numbers in a step of that dimension.
    unit: usize,
    turned: Option<Box<Turned>>,
}

/// Where the neighbors in memory are, if not along the last dimension.
struct Turned {
    /// How many steps of `dim` should be read together.
    steps: usize,
    run: Run,
    /// Where numbers that are neighbors in memory stand in the output.
    places: Places,
    /// The other dimensions within a step of `dim` but the last: sizes, strides and distances in the output.
    middle: [Sizes; 3],
}

/// How many neighbors in memory some steps of `dim` are.
enum Run {
    /// So many for each step.
    Each(usize),
    /// So many for all steps together; some of them are no run.
    All(usize),
}

impl Turned {
    /// A view of this kind, and its `dim`.
    fn of(shape: &[usize], strides: &[usize]) -> Option<(Self, usize)> {
        let last = shape.len() - 1;
        if strides[last] <= 1 || shape[last] <= 4 {
            return None;
        }
        let first = (0..last).find(|&d| strides[d] == 1)?;
        let size = shape[first];
        // What goes on where the steps of a short dimension end.
        let second = (0..last).find(|&d| size < TOGETHER && strides[d] == size);
        // Rows that lie between each other are gathered faster one by one, if they are few.
        let between = size <= 4 && strides[last] == size;
        if between || size < 4 && second.is_none() {
            return None;
        }
        let pitch = |d: usize| shape[d + 1..].iter().product::<usize>();
        let even = Places::even(pitch(first));
        let places = second.map_or(even, |second| Places { count: size, outer: pitch(second), ..even });
        let (dim, steps, run) = match second {
            None => (first, TOGETHER, Run::Each(1)),
            Some(second) if second < first => (second, TOGETHER.div_ceil(size), Run::Each(size)),
            Some(second) => (first, size, Run::All(size * shape[second])),
        };
        let mut middle = [Sizes::default(), Sizes::default(), Sizes::default()];
        for d in (dim + 1..last).filter(|&d| d != first && Some(d) != second) {
            middle.iter_mut().zip([shape[d], strides[d], pitch(d)]).for_each(|(list, x)| list.push(x));
        }
        Some((Turned { steps, run, places, middle }, dim))
    }
}

impl<'a, T: Copy> Folded<'a, T> {
    pub(crate) fn new(view: View<'a, T>) -> Self {
        let Merged { mut shape, mut strides } = Merged::new(view.shape(), view.strides());
        while shape.len() < 2 {
            shape.push(1);
            strides.push(1);
            shape.rotate_right(1);
            strides.rotate_right(1);
        }
        let (turned, dim) = match Turned::of(&shape, &strides) {
            Some((turned, dim)) => (Some(Box::new(turned)), dim),
            None => (None, shape.len() - 2),
        };
        let unit = shape[dim + 1..].iter().product();
        Folded { data: view.data(), shape, strides, dim, unit, turned }
    }

    fn last(&self) -> usize {
        self.shape.len() - 1
    }

    /// Numbers in a row.
    pub(crate) fn width(&self) -> usize {
        self.shape[self.last()]
    }

    /// The distance between neighbors in a row.
    pub(crate) fn step(&self) -> usize {
        self.strides[self.last()]
    }

    /// Whether neighbors in memory lie along another dimension than the last. Such views should be read in pieces of
    /// the length [`piece`](Folded::piece).
    pub(crate) fn is_turned(&self) -> bool {
        self.turned.is_some()
    }

    /// So many times as long as for neighbors it takes to read a number, roughly.
    pub(crate) fn cost(&self) -> usize {
        match (self.step(), self.width()) {
            (2.., _) => 4,
            (_, ..COSTLY) => 2,
            _ => 1,
        }
    }

    /// The length of the pieces in which a walk reads: about `target`, and whole rows unless they are longer; where it is
    /// turned whole lines of the cache, or all of the dimension if that is not much longer.
    pub(crate) fn piece(&self, target: usize) -> usize {
        let Some(turned) = &self.turned else { return target.next_multiple_of(self.width().min(target).max(1)) };
        let lines = target.next_multiple_of((self.unit * turned.steps).max(1));
        let whole = (self.unit * self.shape[self.dim]).max(1);
        if self.dim > 0 && whole <= 2 * lines { target.next_multiple_of(whole) } else { lines }
    }

    /// The length after which the numbers repeat, if they do: the view is one row again and again.
    pub(crate) fn period(&self) -> Option<usize> {
        match (&self.shape[..], &self.strides[..]) {
            (&[_, width], &[0, 1]) => Some(width),
            _ => None,
        }
    }

    /// The place of a row among the others.
    pub(crate) fn row(&self, row: usize) -> Index {
        Index::at(&self.shape[..self.last()], row)
    }

    /// Moves on to the next row.
    pub(crate) fn next_row(&self, row: &mut Index) {
        row.next(&self.shape[..self.last()]);
    }

    /// The memory from where a row begins.
    pub(crate) fn numbers(&self, row: &Index) -> &'a [T] {
        &self.data[row.offset(&self.strides)..]
    }
}

impl<T: Lanes> Folded<'_, T> {
    /// Copies numbers `start..start + out.len()` of the row-major order to `out`.
    pub(crate) fn read(&self, start: usize, out: &mut [T]) {
        let (outer, rows) = (&self.shape[..self.dim], self.shape[self.dim]);
        if out.is_empty() {
            return;
        }
        let (mut row, mut within) = (start / self.unit, start % self.unit);
        let mut index = Index::at(outer, row / rows);
        row %= rows;
        let mut done = 0;
        while done < out.len() {
            let from = &self.data[index.offset(&self.strides) + row * self.strides[self.dim]..];
            let left = out.len() - done;
            if within == 0 && left >= self.unit {
                let count = (left / self.unit).min(rows - row);
                self.read_units(from, &mut out[done..][..count * self.unit]);
                (done, row) = (done + count * self.unit, row + count);
            } else {
                let count = left.min(self.unit - within);
                self.read_part(from, within, &mut out[done..][..count]);
                (done, row, within) = (done + count, row + 1, 0);
            }
            if row == rows {
                row = 0;
                index.next(outer);
            }
        }
    }

    /// Reads whole steps of the dimension from where `from` begins.
    fn read_units(&self, from: &[T], out: &mut [T]) {
        let (dim, width, step) = (self.dim, self.width(), self.step());
        let Some(turned) = &self.turned else {
            return simd::dispatch(Rows { from, row_step: self.strides[dim], step, width, out });
        };
        let steps = out.len() / self.unit;
        let rows = match turned.run {
            Run::Each(count) => steps * count,
            Run::All(count) if steps == self.shape[dim] => count,
            Run::All(_) => {
                let parts = out.chunks_exact_mut(self.unit).enumerate();
                return parts.for_each(|(i, part)| self.read_part(&from[i * self.strides[dim]..], 0, part));
            }
        };
        let [middle, strides, places] = &turned.middle;
        let mut index = Index::at(middle, 0);
        for _ in 0..middle.iter().product() {
            let (from, out) = (&from[index.offset(strides)..], &mut out[index.offset(places)..]);
            turn(from, step, (rows, width), out, turned.places);
            index.next(middle);
        }
    }

    /// Reads a part of one step of the dimension, from its number `within` on, row by row.
    fn read_part(&self, from: &[T], within: usize, out: &mut [T]) {
        let (width, step) = (self.width(), self.step());
        let (middle, strides) = (&self.shape[self.dim + 1..self.last()], &self.strides[self.dim + 1..]);
        let mut index = Index::at(middle, within / width);
        let (mut column, mut done) = (within % width, 0);
        while done < out.len() {
            let count = (out.len() - done).min(width - column);
            let row = &from[index.offset(strides) + column * step..];
            simd::dispatch(Rows { from: row, row_step: 0, step, width: count, out: &mut out[done..][..count] });
            (done, column) = (done + count, 0);
            index.next(middle);
        }
    }
}

/// `out[i * width + j] = from[i * row_step + j * step]`.
struct Rows<'a, T> {
    from: &'a [T],
    row_step: usize,
    step: usize,
    width: usize,
    out: &'a mut [T],
}

impl<T: Lanes> Kernel for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Rows { from, row_step, step, width, out } = self;
        match (step, width) {
            (0 | 2.., 2) => zip::<T, 2>(from, row_step, step, out),
            (0 | 2.., 3) => zip::<T, 3>(from, row_step, step, out),
            (0 | 2.., 4) => zip::<T, 4>(from, row_step, step, out),
            (0, ..=REGISTER) => repeat(from, row_step, width, out),
            (1, ..=4) => short::<T, 4>(from, row_step, width, out),
            (1, ..=8) => short::<T, 8>(from, row_step, width, out),
            (1, ..=REGISTER) => short::<T, REGISTER>(from, row_step, width, out),
            _ => {
                for (i, row) in out.chunks_exact_mut(width).enumerate() {
                    let from = &from[i * row_step..];
                    match step {
                        0 => row.fill(from[0]),
                        1 => strided::copy(&from[..width], row),
                        _ => strided::gather(step, from, row, |to, x| *to = x),
                    }
                }
            }
        }
    }
}

/// The longest rows of one number that are written as a whole register.
const REGISTER: usize = lanes::LANES;

/// [`Rows`] of one number each: what is written behind a row, the next one replaces.
#[inline(always)]
fn repeat<T: Copy>(from: &[T], row_step: usize, width: usize, out: &mut [T]) {
    for i in 0..out.len() / width {
        let (x, rest) = (from[i * row_step], &mut out[i * width..]);
        match rest.first_chunk_mut::<REGISTER>() {
            Some(register) => *register = [x; REGISTER],
            None => rest.fill(x),
        }
    }
}

/// [`Rows`] of at most `MOST` neighbors each: so many are copied, and what is written behind a row, the next one replaces.
#[inline(always)]
fn short<T: Copy, const MOST: usize>(from: &[T], row_step: usize, width: usize, out: &mut [T]) {
    for i in 0..out.len() / width {
        let (from, out) = (&from[i * row_step..], &mut out[i * width..]);
        match (from.first_chunk::<MOST>(), out.first_chunk_mut::<MOST>()) {
            (Some(from), Some(out)) => *out = *from,
            _ => out[..width].copy_from_slice(&from[..width]),
        }
    }
}

/// [`Rows`] of a few numbers each.
#[inline(always)]
fn zip<T: Copy, const WIDTH: usize>(from: &[T], row_step: usize, step: usize, out: &mut [T]) {
    let (out, _) = out.as_chunks_mut::<WIDTH>();
    let rows = out.len();
    if row_step == 1 {
        let columns: [&[T]; WIDTH] = std::array::from_fn(|j| &from[j * step..][..rows]);
        for i in 0..rows {
            for j in 0..WIDTH {
                out[i][j] = columns[j][i];
            }
        }
    } else {
        for (i, row) in out.iter_mut().enumerate() {
            let from = &from[i * row_step..][..(WIDTH - 1) * step + 1];
            for j in 0..WIDTH {
                row[j] = from[j * step];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn any_view_reads_as_its_plain_definition() {
        let mut rng = SmallRng::seed_from_u64(5);
        let data: Vec<f32> = (0..200_000).map(|i| i as f32).collect();
        for round in 0..600 {
            let rank = rng.random_range(0..if round % 20 == 0 { 11 } else { 5 });
            let widest = [200, 200, 60, 20, 9, 3, 3, 3, 3, 2, 2][rank];
            let shape: Vec<usize> = (0..rank).map(|_| rng.random_range(1..=widest)).collect();
            // Row-major strides in another order of the dimensions, some of them larger, some 0.
            let mut order: Vec<usize> = (0..rank).collect();
            (1..rank).for_each(|i| order.swap(i, rng.random_range(0..=i)));
            let (mut strides, mut next) = (vec![0; rank], 1);
            for d in order {
                strides[d] = if rng.random_range(0..5) == 0 { 0 } else { next };
                next *= shape[d] * if rng.random_range(0..6) == 0 { 2 } else { 1 };
            }
            if next > data.len() {
                continue;
            }
            let view = View::new(&data, &shape, &strides);
            let folded = Folded::new(view);
            for _ in 0..3 {
                let start = rng.random_range(0..view.len());
                let len = rng.random_range(0..=view.len() - start);
                let (mut got, mut want) = (vec![-1.0; len], vec![-2.0; len]);
                folded.read(start, &mut got);
                view.read(start, &mut want);
                assert_eq!(got, want, "{shape:?} {strides:?} from {start}");
            }
            let (mut got, mut want) = (vec![-1.0; view.len()], vec![-2.0; view.len()]);
            folded.read(0, &mut got);
            view.read(0, &mut want);
            assert_eq!(got, want, "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn dimensions_are_merged() {
        let data = [0.0f32; 1000];
        let fold = |shape: &[usize], strides: &[usize]| {
            let folded = Folded::new(View::new(&data, shape, strides));
            (folded.shape.to_vec(), folded.strides.to_vec())
        };
        assert_eq!(fold(&[4, 1, 5, 6], &[30, 7, 6, 1]), (vec![1, 120], vec![1, 1]));
        assert_eq!(fold(&[4, 5, 6], &[1, 24, 4]), (vec![4, 30], vec![1, 4]));
        assert_eq!(fold(&[4, 5, 6], &[0, 0, 0]), (vec![1, 120], vec![1, 0]));
        assert_eq!(fold(&[4, 5, 6], &[0, 6, 1]), (vec![4, 30], vec![0, 1]));
        assert_eq!(fold(&[], &[]), (vec![1, 1], vec![1, 1]));
    }
}
