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

use super::patches;
use super::{Conv2d, shared::Shared};
use crate::gemm::{Element, Epilogue, Mat, gemm};
use crate::{Accum, Buffer, Real, parallel};

/// Bytes that a block of patches may take: half of a second-level cache.
const BLOCK_BYTES: usize = 1 << 19;
/// Fewer columns than this make a product slow.
const MIN_COLUMNS: usize = 64;

/// How many columns a block of patches with `rows` rows has.
fn block_columns<T: Real>(rows: usize) -> usize {
    (BLOCK_BYTES / T::BYTES / rows).max(MIN_COLUMNS) / 16 * 16
}

/// Calls `visit(place, sample, position, len)` for the part of each sample that a range of columns meets.
fn samples(columns: std::ops::Range<usize>, plane: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
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
    let [oh, ow] = geometry.output();
    let plane = oh * ow;
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let inner = group_in * geometry.taps();
    let total = geometry.batch * plane;
    let width = block_columns::<T>(inner.max(1)).min(total);
    let blocks = total.div_ceil(width);
    let y = Shared::new(y);
    parallel::for_each(blocks * geometry.groups, |piece| {
        let (group, block) = (piece / blocks, piece % blocks);
        let columns = block * width..total.min((block + 1) * width);
        let len = columns.len();
        let mut patch = Buffer::unspecified(inner * len);
        patches::fill(geometry, x, group * group_in..(group + 1) * group_in, columns.clone(), &mut patch);
        let weights = Mat::row_major(&w[group * group_out * inner..], group_out, inner);
        let mut product = Buffer::unspecified(group_out * len);
        let outputs = group * group_out..(group + 1) * group_out;
        let epilogue = Epilogue { row_bias: bias.map(|b| &b[outputs]), ..Epilogue::plain(Accum::Replace) };
        gemm(weights, Mat::row_major(&patch, inner, len), &mut product, epilogue);
        for (o, row) in product.chunks_exact(len).enumerate() {
            samples(columns.clone(), plane, |place, sample, position, len| {
                let channel = sample * geometry.out_channels + group * group_out + o;
                // SAFETY: each piece has its own columns and channels.
                let y = unsafe { y.part(channel * plane + position, len) };
                y.copy_from_slice(&row[place..place + len]);
            });
        }
    });
}

/// Reads the gradients of a group's outputs in a range of columns as a matrix, row for row.
fn collect<T: Element>(geometry: &Conv2d, g: &[T], group: usize, columns: std::ops::Range<usize>) -> Buffer<T> {
    let [oh, ow] = geometry.output();
    let group_out = geometry.group_out();
    let mut out = Buffer::unspecified(group_out * columns.len());
    for (o, row) in out.chunks_exact_mut(columns.len()).enumerate() {
        samples(columns.clone(), oh * ow, |place, sample, position, len| {
            let at = (sample * geometry.out_channels + group * group_out + o) * oh * ow + position;
            row[place..place + len].copy_from_slice(&g[at..at + len]);
        });
    }
    out
}

/// Cuts a group's input channels so that a strip of patches has about `rows` rows. Gives the strip and the number of strips.
fn channel_strips(geometry: &Conv2d, rows: usize) -> (usize, usize) {
    let strip = (rows / geometry.taps()).clamp(1, geometry.group_in());
    (strip, geometry.group_in().div_ceil(strip))
}

/// [`input_grad`](super::input_grad). Pieces: some channels of a few samples, since neighboring windows of a sample add to the same elements.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let [oh, ow] = geometry.output();
    let plane = oh * ow;
    let (taps, group_in, group_out) = (geometry.taps(), geometry.group_in(), geometry.group_out());
    let (strip, strips) = channel_strips(geometry, 512);
    let width = block_columns::<T>(strip * taps);
    let together = (width / plane).clamp(1, geometry.batch);
    let packs = geometry.batch.div_ceil(together);
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
        let first = pack * together;
        let end = geometry.batch.min(first + together);
        (first..end).for_each(|sample| image(sample).fill(T::ZERO));
        let weights =
            Mat::new(&w[group * group_out * group_in * taps + from * taps..], group_out, rows, group_in * taps, 1);
        let mut patch = Buffer::unspecified(rows * width.min((end - first) * plane));
        for start in (first * plane..end * plane).step_by(width) {
            let columns = start..(end * plane).min(start + width);
            let len = columns.len();
            let gradients = collect(geometry, g, group, columns.clone());
            let patch = &mut patch[..rows * len];
            gemm(weights.t(), Mat::row_major(&gradients, group_out, len), patch, Epilogue::plain(Accum::Replace));
            samples(columns, plane, |place, sample, position, count| {
                let columns = sample * plane + position..sample * plane + position + count;
                patches::scatter(geometry, &patch[place..], len, channels.clone(), columns, image(sample));
            });
        }
    });
}

/// [`weight_grad`](super::weight_grad). Pieces: some channels over a fixed share of the columns, added up in order at the end.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let [oh, ow] = geometry.output();
    let total = geometry.batch * oh * ow;
    let (taps, group_in, group_out) = (geometry.taps(), geometry.group_in(), geometry.group_out());
    let (strip, strips) = channel_strips(geometry, 256);
    let width = block_columns::<T>(strip * taps).min(total);
    let blocks = total.div_ceil(width);
    // Enough shares for a few threads, each of one block at least.
    let shares = 8usize.div_ceil(strips * geometry.groups).min(blocks);
    let per_share = blocks.div_ceil(shares) * width;
    let mut partial = Buffer::unspecified(shares * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares * geometry.groups * strips, |piece| {
        let (share, group, part) = (piece / strips / geometry.groups, piece / strips % geometry.groups, piece % strips);
        let (from, to) = (part * strip, group_in.min((part + 1) * strip));
        let channels = group * group_in + from..group * group_in + to;
        let rows = (to - from) * taps;
        let mut sum = Buffer::zeroed(group_out * rows);
        let mut patch = Buffer::unspecified(rows * width);
        let end = total.min((share + 1) * per_share);
        for start in (share * per_share..end).step_by(width) {
            let columns = start..end.min(start + width);
            let len = columns.len();
            let patch = &mut patch[..rows * len];
            patches::fill(geometry, x, channels.clone(), columns.clone(), patch);
            let gradients = collect(geometry, g, group, columns);
            let patch = Mat::row_major(patch, rows, len).t();
            gemm(Mat::row_major(&gradients, group_out, len), patch, &mut sum, Epilogue::plain(Accum::Add));
        }
        for (o, row) in sum.chunks_exact(rows).enumerate() {
            let at = ((share * geometry.out_channels + group * group_out + o) * group_in + from) * taps;
            // SAFETY: each piece has its own share, outputs and channels.
            unsafe { out.part(at, rows) }.copy_from_slice(row);
        }
    });
    super::add_shares(&partial, dw);
}
