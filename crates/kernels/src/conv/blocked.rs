//! Convolution of any geometry as a matrix product over blocks of patches (implicit GEMM).
//!
//! ```text
//! Y[o, column]       = W[o, (c,u,v)]   P[(c,u,v), column]
//! dP[(c,u,v), column] = W^T[(c,u,v), o] G[o, column]            then dP is added to dx
//! dW[o, (c,u,v)]     = G[o, column]    P^T[column, (c,u,v)]
//! ```
//!
//! (Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.) The
//! patch matrix `P` exists a block at a time. Columns run over all samples, so that small images make wide products.

use std::ops::Range;

use super::patches;
use super::{Conv2d, shared::Shared};
use crate::gemm::{Element, Epilogue, Mat, gemm};
use crate::{Accum, Buffer, Real, parallel};

/// Bytes that a block of patches may take: half of a second-level cache.
const BLOCK_BYTES: usize = 1 << 19;
/// Fewer columns than this make a product slow.
const MIN_COLUMNS: usize = 64;
/// Samples with at least so many windows are not put together into one product.
const ALONE: usize = 128;

/// How the columns of the patch matrix are cut into blocks: parts of a sample, or some whole samples.
#[derive(Clone, Copy)]
struct Cut {
    /// Windows of a sample.
    plane: usize,
    /// Columns of a block.
    width: usize,
    /// Blocks of a sample, if they are parts of one.
    parts: usize,
    /// All columns.
    total: usize,
}

impl Cut {
    /// Blocks that fit the cache with `rows` rows of patches.
    fn new<T: Real>(geometry: &Conv2d, rows: usize) -> Self {
        let [height, width] = geometry.output();
        let plane = height * width;
        let fits = (BLOCK_BYTES / T::BYTES / rows.max(1)).max(MIN_COLUMNS) / 16 * 16;
        let (width, parts) = if plane >= ALONE {
            let parts = if plane <= fits * 2 { 1 } else { plane.div_ceil(fits) };
            (plane.div_ceil(parts), parts)
        } else {
            ((fits / plane).clamp(1, geometry.batch) * plane, 1)
        };
        Cut { plane, width, parts, total: geometry.batch * plane }
    }

    fn count(&self) -> usize {
        if self.width < self.plane { self.total / self.plane * self.parts } else { self.total.div_ceil(self.width) }
    }

    fn columns(&self, block: usize) -> Range<usize> {
        if self.width < self.plane {
            let (sample, part) = (block / self.parts, block % self.parts);
            let start = part * self.width;
            sample * self.plane + start..sample * self.plane + self.plane.min(start + self.width)
        } else {
            block * self.width..self.total.min((block + 1) * self.width)
        }
    }
}

/// Calls `visit(place, sample, position, len)` for the part of each sample that a range of columns meets.
fn samples(columns: Range<usize>, plane: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let mut at = columns.start;
    while at < columns.end {
        let (sample, position) = (at / plane, at % plane);
        let len = (plane - position).min(columns.end - at);
        visit(at - columns.start, sample, position, len);
        at += len;
    }
}

/// [`forward`](super::forward). Pieces: blocks of columns of a group.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let inner = group_in * geometry.taps();
    let cut = Cut::new::<T>(geometry, inner);
    let plane = cut.plane;
    let y = Shared::new(y);
    parallel::for_each(cut.count() * geometry.groups, |piece| {
        let (group, columns) = (piece / cut.count(), cut.columns(piece % cut.count()));
        let len = columns.len();
        let mut patch = Buffer::unspecified(inner * len);
        patches::fill(geometry, x, group * group_in..(group + 1) * group_in, columns.clone(), &mut patch);
        let patch = Mat::row_major(&patch, inner, len);
        let weights = Mat::row_major(&w[group * group_out * inner..], group_out, inner);
        let outputs = group * group_out..(group + 1) * group_out;
        let epilogue = Epilogue { row_bias: bias.map(|b| &b[outputs]), ..Epilogue::plain(Accum::Replace) };
        let channel = |sample: usize| sample * geometry.out_channels + group * group_out;
        if len == plane {
            // SAFETY: each piece has its own sample and channels.
            let y = unsafe { y.part(channel(columns.start / plane) * plane, group_out * plane) };
            return gemm(weights, patch, y, epilogue);
        }
        let mut product = Buffer::unspecified(group_out * len);
        gemm(weights, patch, &mut product, epilogue);
        for (o, row) in product.chunks_exact(len).enumerate() {
            samples(columns.clone(), plane, |place, sample, position, len| {
                // SAFETY: each piece has its own columns and channels.
                let y = unsafe { y.part((channel(sample) + o) * plane + position, len) };
                y.copy_from_slice(&row[place..place + len]);
            });
        }
    });
}

/// The gradients of a group's outputs in a block of columns, as a matrix: in place, or copied to `room` where the block spans samples.
fn gradients<'a, T: Real>(
    geometry: &Conv2d,
    g: &'a [T],
    group: usize,
    columns: Range<usize>,
    room: &'a mut Buffer<T>,
) -> Mat<'a, T> {
    let [oh, ow] = geometry.output();
    let plane = oh * ow;
    let group_out = geometry.group_out();
    let start = |sample: usize| (sample * geometry.out_channels + group * group_out) * plane;
    let sample = columns.start / plane;
    if columns.end <= (sample + 1) * plane {
        return Mat::new(&g[start(sample) + columns.start % plane..], group_out, columns.len(), plane, 1);
    }
    *room = Buffer::unspecified(group_out * columns.len());
    for (o, row) in room.chunks_exact_mut(columns.len()).enumerate() {
        samples(columns.clone(), plane, |place, sample, position, len| {
            let at = start(sample) + o * plane + position;
            row[place..place + len].copy_from_slice(&g[at..at + len]);
        });
    }
    Mat::row_major(room, group_out, columns.len())
}

/// Cuts a group's input channels so that a strip of patches has about `rows` rows. Gives the strip and the number of strips.
fn channel_strips(geometry: &Conv2d, rows: usize) -> (usize, usize) {
    let strip = (rows / geometry.taps()).clamp(1, geometry.group_in());
    (strip, geometry.group_in().div_ceil(strip))
}

/// [`input_grad`](super::input_grad). Pieces: some channels of whole samples, since neighboring windows of a sample add to
/// the same elements.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let (taps, group_in, group_out) = (geometry.taps(), geometry.group_in(), geometry.group_out());
    let (strip, strips) = channel_strips(geometry, 512);
    let cut = Cut::new::<T>(geometry, strip * taps);
    let plane = cut.plane;
    let packs = cut.count() / cut.parts;
    let dx = Shared::new(dx);
    parallel::for_each(packs * geometry.groups * strips, |piece| {
        let (pack, group, part) = (piece / strips / geometry.groups, piece / strips % geometry.groups, piece % strips);
        let (from, to) = (part * strip, group_in.min((part + 1) * strip));
        let channels = group * group_in + from..group * group_in + to;
        let rows = (to - from) * taps;
        let size = channels.len() * geometry.input_plane();
        let image = |sample: usize| {
            let at = (sample * geometry.in_channels + channels.start) * geometry.input_plane();
            // SAFETY: each piece has its own samples and channels, and takes one part at a time.
            unsafe { dx.part(at, size) }
        };
        let pack = pack * cut.parts..(pack + 1) * cut.parts;
        let (first, last) = (cut.columns(pack.start).start, cut.columns(pack.end - 1).end);
        (first / plane..last / plane).for_each(|sample| image(sample).fill(T::ZERO));
        let weights = &w[(group * group_out * group_in + from) * taps..];
        let weights = Mat::new(weights, group_out, rows, group_in * taps, 1).t();
        let mut patch = Buffer::unspecified(rows * cut.width);
        let mut room = Buffer::unspecified(0);
        for columns in pack.map(|block| cut.columns(block)) {
            let len = columns.len();
            let gradients = gradients(geometry, g, group, columns.clone(), &mut room);
            let patch = &mut patch[..rows * len];
            gemm(weights, gradients, patch, Epilogue::plain(Accum::Replace));
            samples(columns, plane, |place, sample, position, count| {
                let columns = sample * plane + position..sample * plane + position + count;
                patches::scatter(geometry, &patch[place..], len, channels.clone(), columns, image(sample));
            });
        }
    });
}

/// [`weight_grad`](super::weight_grad). Pieces: some channels over a fixed share of the columns, added up in order at the end.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let (taps, group_in, group_out) = (geometry.taps(), geometry.group_in(), geometry.group_out());
    let (strip, strips) = channel_strips(geometry, 256);
    let cut = Cut::new::<T>(geometry, strip * taps);
    let blocks = cut.count();
    // Enough shares for a few threads, each of one block at least.
    let shares = 8usize.div_ceil(strips * geometry.groups).min(blocks);
    let mut partial = Buffer::unspecified(shares * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares * geometry.groups * strips, |piece| {
        let (share, group, part) = (piece / strips / geometry.groups, piece / strips % geometry.groups, piece % strips);
        let (from, to) = (part * strip, group_in.min((part + 1) * strip));
        let channels = group * group_in + from..group * group_in + to;
        let rows = (to - from) * taps;
        let mut sum = Buffer::zeroed(group_out * rows);
        let mut patch = Buffer::unspecified(rows * cut.width);
        let mut room = Buffer::unspecified(0);
        for columns in (blocks * share / shares..blocks * (share + 1) / shares).map(|block| cut.columns(block)) {
            let len = columns.len();
            let patch = &mut patch[..rows * len];
            patches::fill(geometry, x, channels.clone(), columns.clone(), patch);
            let gradients = gradients(geometry, g, group, columns, &mut room);
            gemm(gradients, Mat::row_major(patch, rows, len).t(), &mut sum, Epilogue::plain(Accum::Add));
        }
        for (o, row) in sum.chunks_exact(rows).enumerate() {
            let at = ((share * geometry.out_channels + group * group_out + o) * group_in + from) * taps;
            // SAFETY: each piece has its own share, outputs and channels.
            unsafe { out.part(at, rows) }.copy_from_slice(row);
        }
    });
    super::add_shares(&partial, dw);
}
