//! The loops of batch normalization: how the values of a channel lie in `[n, c, l]`, and how they are cut in pieces.
//!
//! Each channel has `n` runs of `l` neighbors. Long runs are read where they lie, others gathered into blocks; where
//! `l` is 1, channels are the columns of a matrix, and rows are read across many channels at once. So they are where runs are short.

use super::{PARALLEL, PIECE};
use crate::lanes::{self, BLOCK, LANES};
use crate::{Buffer, Real, parallel};

/// Rows that a column sum adds up in its own type.
const ROWS: usize = 128;
/// Runs of so many neighbors are short: those of the channels in a register's lanes fill few of them.
pub(super) const SHORT: usize = 16;

/// The shape; a single channel counts as one long run of one sample.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) n: usize,
    pub(super) c: usize,
    pub(super) l: usize,
}

impl Shape {
    pub(super) fn new(op: &str, n: usize, c: usize, l: usize, full: &[usize], channels: &[usize]) -> Self {
        assert!(full.iter().all(|&len| len == n * c * l), "{op}: {full:?} elements are not {n}x{c}x{l}");
        assert!(channels.iter().all(|&len| len == c), "{op}: {channels:?} numbers for {c} channels");
        if c == 1 { Shape { n: 1, c, l: n * l } } else { Shape { n, c, l } }
    }

    fn total(self) -> usize {
        self.n * self.c * self.l
    }

    /// Whether a few neighbors in memory belong to different channels.
    fn columns(self) -> bool {
        (1..=SHORT).contains(&self.l) && self.c > 1
    }

    /// The same numbers as columns, if runs are short: then each channel is as many columns as its runs have numbers.
    pub(super) fn flat(self) -> Self {
        if self.columns() { Shape { c: self.c * self.l, l: 1, ..self } } else { self }
    }

    /// For each channel, two numbers found by `segment(channel, start, end)` for pieces of its values (if its values lie
    /// in runs) or by `rows(first, last, partial)` for pieces of the batch (if they lie in columns).
    ///
    /// The pieces depend on the shape alone; `merge(channel, count, partial)` takes them in order, with
    /// the number of values in each.
    pub(super) fn pieces(
        self,
        segment: impl Fn(usize, usize, usize) -> [f64; 2] + Sync + Send,
        rows: impl Fn(usize, usize, &mut [[f64; 2]]) + Sync + Send,
        mut merge: impl FnMut(usize, usize, [f64; 2]),
    ) {
        let Shape { n, c, l } = self;
        let serial = self.total() < PARALLEL;
        if self.columns() {
            let pieces = n.div_ceil(ROWS);
            let mut partial = Buffer::<f64>::unspecified(2 * pieces * c);
            let group = if serial { pieces } else { (PIECE / (ROWS * c * l)).max(1) };
            parallel::for_each_chunk(&mut partial, (2 * group * c).max(1), |i, partial| {
                for (j, partial) in partial.chunks_mut(2 * c).enumerate() {
                    let first = (i * group + j) * ROWS;
                    rows(first, n.min(first + ROWS), partial.as_chunks_mut().0);
                }
            });
            for (i, &p) in partial.as_chunks().0.iter().enumerate() {
                merge(i % c, (n.min((i / c + 1) * ROWS) - (i / c) * ROWS) * l, p);
            }
        } else {
            let pieces = (n * l).div_ceil(PIECE);
            let mut partial = Buffer::<f64>::unspecified(2 * pieces * c);
            let group = if serial { pieces * c } else { (PIECE / (n * l)).max(1) };
            parallel::for_each_chunk(&mut partial, (2 * group).max(1), |i, partial| {
                for (j, partial) in partial.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                    let (channel, start) = ((i * group + j) / pieces, (i * group + j) % pieces * PIECE);
                    *partial = segment(channel, start, (n * l).min(start + PIECE));
                }
            });
            for (i, &p) in partial.as_chunks().0.iter().enumerate() {
                merge(i / pieces, (n * l).min((i % pieces + 1) * PIECE) - i % pieces * PIECE, p);
            }
        }
    }
}

/// The values of one channel, block by block: where they lie if the runs are long, else gathered.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) shape: Shape,
    pub(super) channel: usize,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl Walk {
    /// The next values, at most a block; none at the end.
    #[inline(always)]
    pub(super) fn next<'a, T: Real>(&mut self, data: &'a [T], block: &'a mut [T; BLOCK]) -> &'a [T] {
        if self.shape.l >= BLOCK {
            return self.run(data, BLOCK);
        }
        let mut len = 0;
        while len < BLOCK && self.at < self.end {
            let run = self.run(data, BLOCK - len);
            block[len..len + run.len()].copy_from_slice(run);
            len += run.len();
        }
        &block[..len]
    }

    /// The next values up to the end of their run.
    #[inline(always)]
    fn run<'a, T>(&mut self, data: &'a [T], most: usize) -> &'a [T] {
        let Shape { c, l, .. } = self.shape;
        let (sample, position) = (self.at / l, self.at % l);
        let len = most.min(l - position).min(self.end - self.at);
        self.at += len;
        &data[(sample * c + self.channel) * l + position..][..len]
    }
}

/// A group of neighboring columns of a row, filled up with zeros.
#[inline(always)]
pub(super) fn load<T: Real>(row: &[T], start: usize) -> [T; LANES] {
    match row[start..].first_chunk() {
        Some(chunk) => *chunk,
        None => lanes::padded(&row[start..], T::ZERO),
    }
}

/// The numbers of each channel in `y = (x - center) * scale + shift`, or in the gradient of it.
pub(super) struct Channels<T: Real> {
    numbers: Buffer<T>,
    c: usize,
}

impl<T: Real> Channels<T> {
    pub(super) fn new<const K: usize>(c: usize, numbers: impl Fn(usize) -> [T; K]) -> Self {
        let mut all = Buffer::unspecified(K * c);
        for i in 0..c {
            numbers(i).into_iter().enumerate().for_each(|(k, x)| all[k * c + i] = x);
        }
        Channels { numbers: all, c }
    }

    /// The `k`th number of every channel.
    #[inline(always)]
    pub(super) fn get(&self, k: usize) -> &[T] {
        &self.numbers[k * self.c..(k + 1) * self.c]
    }
}

/// Cuts the output into whole runs (or rows, where channels are columns) and calls `work(start, piece)`.
pub(super) fn spread<T: Real>(shape: Shape, out: &mut [T], work: impl Fn(usize, &mut [T]) + Sync + Send) {
    if out.is_empty() {
        return;
    }
    let unit = match shape {
        Shape { c: 1, .. } => 1,
        Shape { l: 1, c, .. } => c,
        Shape { l, .. } => l,
    };
    let piece = if out.len() < PARALLEL { out.len() } else { (PIECE / unit).max(1) * unit };
    parallel::for_each_chunk(out, piece, |i, out| work(i * piece, out));
}
