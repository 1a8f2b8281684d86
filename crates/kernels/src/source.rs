//! [`Source`]: an input of an element-wise walk, which gives its numbers in parts: where they lie, if it can.

use crate::fold::{Folded, Index};
use crate::gemm::Lanes;
use crate::simd::{self, Kernel};
use crate::{Buffer, View};

/// The most numbers that are gathered at once: they stay in the first-level cache.
const BLOCK: usize = 512;
/// The most numbers that are written out at once where one or few of them repeat.
const REPEATED: usize = 2048;
/// The shortest row that is a part of its own.
const LONG: usize = 128;
/// The longest piece of a turned view that is copied at once: it stays in the second-level cache.
const PIECE: usize = 1 << 17;

/// An input as a whole.
pub(crate) enum Source<'a, T: Lanes> {
    /// Row-major.
    Slice(&'a [T]),
    /// `period` numbers again and again: written out, so that from each of them on a block follows.
    Repeated { period: usize, values: Buffer<T> },
    /// Rows of neighbors, of one number again and again, or of numbers apart.
    Rows(Folded<'a, T>),
    /// A copy, where pieces of a turned view would be too long.
    Packed(Buffer<T>),
}

impl<'a, T: Lanes> Source<'a, T> {
    pub(crate) fn new(view: View<'a, T>) -> Self {
        if let Some(slice) = view.as_slice() {
            return Source::Slice(slice);
        }
        let len = view.len();
        if view.strides().iter().all(|&stride| stride == 0) {
            let mut values = Buffer::unspecified(len.min(REPEATED));
            values.fill(view.data()[0]);
            return Source::Repeated { period: 1, values };
        }
        let folded = Folded::new(view);
        match folded.period() {
            Some(period) if period < LONG => {
                let mut values = Buffer::unspecified(len.min(REPEATED + period));
                folded.read(0, &mut values);
                Source::Repeated { period, values }
            }
            _ if folded.piece(1) > PIECE => {
                let mut copy = Buffer::unspecified(len);
                crate::view::copy(view, &mut copy);
                Source::Packed(copy)
            }
            _ => Source::Rows(folded),
        }
    }

    /// So many times as long as for neighbors it takes to read a number, roughly.
    pub(crate) fn cost(&self) -> usize {
        if let Source::Rows(rows) = self { rows.cost() } else { 1 }
    }

    /// The length of the pieces in which the input should be read.
    pub(crate) fn piece(&self, target: usize) -> usize {
        if let Source::Rows(rows) = self { rows.piece(target) } else { target }
    }

    /// The input as a piece of `len` numbers from `start` on needs it. Turned numbers are copied to `piece`, others are gathered
    /// into `block` later.
    pub(crate) fn over<'b>(&'b self, start: usize, len: usize, memory: &'b mut Buffer<T>) -> Piece<'b, T> {
        match self {
            Source::Slice(slice) => Piece::Slice(&slice[start..start + len]),
            Source::Packed(copy) => Piece::Slice(&copy[start..start + len]),
            Source::Repeated { period, values } => Piece::Repeated { period: *period, values, at: start % period },
            Source::Rows(rows) if rows.is_turned() => {
                *memory = Buffer::unspecified(len);
                rows.read(start, memory);
                Piece::Slice(memory)
            }
            Source::Rows(rows) if rows.width() >= LONG && rows.step() <= 1 => {
                *memory = Buffer::unspecified(if rows.step() == 0 { REPEATED } else { 0 });
                Piece::Runs {
                    rows,
                    row: rows.row(start / rows.width()),
                    column: start % rows.width(),
                    filled: 0,
                    block: memory,
                }
            }
            Source::Rows(rows) => {
                // Whole rows, unless they are longer.
                let whole = BLOCK - BLOCK % rows.width().clamp(1, BLOCK);
                *memory = Buffer::unspecified(len.min(whole));
                Piece::Gathered { rows, at: start, block: memory }
            }
        }
    }
}

/// What is left of an input within a piece of the walk.
pub(crate) enum Piece<'a, T: Lanes> {
    Slice(&'a [T]),
    Repeated {
        period: usize,
        values: &'a [T],
        at: usize,
    },
    /// Long rows, of neighbors or of one number, of which `block` then has the first `filled` ones.
    Runs {
        rows: &'a Folded<'a, T>,
        row: Index,
        column: usize,
        filled: usize,
        block: &'a mut [T],
    },
    Gathered {
        rows: &'a Folded<'a, T>,
        at: usize,
        block: &'a mut [T],
    },
}

impl<T: Lanes> Piece<'_, T> {
    /// How many numbers can come at once.
    pub(crate) fn most(&self) -> usize {
        match self {
            Piece::Slice(slice) => slice.len(),
            Piece::Repeated { .. } => REPEATED,
            Piece::Runs { rows, column, .. } if rows.step() == 1 => rows.width() - column,
            Piece::Runs { rows, column, .. } => (rows.width() - column).min(REPEATED),
            Piece::Gathered { block, .. } => block.len(),
        }
    }

    /// The next `len` numbers: at most as many as [`most`](Piece::most) says.
    pub(crate) fn next(&mut self, len: usize) -> &[T] {
        match self {
            Piece::Slice(slice) => {
                let (next, rest) = slice.split_at(len);
                *slice = rest;
                next
            }
            Piece::Repeated { period, values, at } => {
                let next = &values[*at..][..len];
                *at = (*at + len) % *period;
                next
            }
            Piece::Runs { rows, row, column, filled, block } => {
                let from = rows.numbers(row);
                let start = *column;
                *column += len;
                if *column == rows.width() {
                    *column = 0;
                    rows.next_row(row);
                }
                if rows.step() == 1 {
                    return &from[start..][..len];
                }
                if *filled < len {
                    simd::dispatch(Fill(from[0], &mut block[*filled..len]));
                }
                // The next row has another number.
                *filled = if *column == 0 { 0 } else { len.max(*filled) };
                &block[..len]
            }
            Piece::Gathered { rows, at, block } => {
                rows.read(*at, &mut block[..len]);
                *at += len;
                &block[..len]
            }
        }
    }
}

/// Walks two inputs beside a piece of the output that begins at element `start`: `work` gets where a part begins, the parts of both
/// inputs and that of the output, at most `most` numbers long.
#[inline(always)]
pub(crate) fn in_parts<T: Lanes, U>(
    [a, b]: [&Source<'_, T>; 2],
    mut start: usize,
    mut out: &mut [U],
    most: usize,
    work: impl Fn(usize, &[T], &[T], &mut [U]),
) {
    let (mut memory_a, mut memory_b) = (Buffer::unspecified(0), Buffer::unspecified(0));
    let mut a = a.over(start, out.len(), &mut memory_a);
    let mut b = b.over(start, out.len(), &mut memory_b);
    while !out.is_empty() {
        let len = a.most().min(b.most()).min(most).min(out.len());
        let part = out.split_off_mut(..len).expect("a part of the piece");
        work(start, a.next(len), b.next(len), part);
        start += len;
    }
}

struct Fill<'a, T>(T, &'a mut [T]);

impl<T: Lanes> Kernel for Fill<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.1.fill(self.0);
    }
}
