//! Convolution of any geometry as a matrix product whose patches are made while they are packed (implicit GEMM).
//!
//! ```text
//! Y[o, window]         = W[o, (c,u,v)]    P[(c,u,v), window]
//! dX[c, place]         = W'[c, (o,u,v)]   P'[(o,u,v), place]         P' = windows of g, for each phase of the stride
//! dW[o, (c,u,v)]       = G[o, window]     P^T[window, (c,u,v)]
//! ```
//!
//! (Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.) The gradient
//! of the input is a convolution of `g`: elements of `dx` whose place has the same remainder by the stride (a phase) are
//! reached by the same window elements. So every sum is one row of a product, and nothing is added up in memory.
//!
//! Where planes are small, some samples are put together to make wide products. Where many elements of windows lie in the padding, areas of
//! the image are products of their own, without them (see `areas`). What is one product, and where it goes, is in `parts`.

use std::ops::Range;

use super::areas::{Area, Reach, Work};
use super::joined::join;
use super::parts::{Images, Part, Steps, Weights, picked};
use super::planes::{Turned, bases, input_layout, inputs};
use super::ways::{Task, Way};
use super::windows::{ByElement, Windows, lay};
use super::{Conv2d, batched, patches, shared::Shared, shares::Shares, standing};
use crate::gemm::registers::lanes;
use crate::gemm::{Element, Epilogue, Mat, MatsMut, Size, gemm_packed};
use crate::{Accum, Buffer, parallel, simd};

/// Windows of a product, at least, where samples are put together.
const WIDE: usize = 192;
/// Columns of the gradient of the weights that are computed together.
const STRIP: usize = 512;

/// How many samples are put together, and how many blocks of them there are, of nearly the same size.
pub(super) fn blocks(batch: usize, plane: usize) -> (usize, usize) {
    let count = (batch * plane / WIDE).clamp(1, batch);
    let together = batch.div_ceil(count);
    (together, batch.div_ceil(together))
}

/// The samples of a block.
pub(super) fn samples(geometry: &Conv2d, together: usize, block: usize) -> Range<usize> {
    block * together..geometry.batch.min((block + 1) * together)
}

/// How many samples are put together, and how many blocks of them there are.
fn cut<T: Element>(batch: usize, plane: usize, way: Way) -> (usize, usize) {
    match way {
        Way::Batched => (lanes::<T>(), batch.div_ceil(lanes::<T>())),
        _ => blocks(batch, plane),
    }
}

/// The windows of the forward pass, and the numbers of a sample's planes.
pub(super) fn forward_task(geometry: &Conv2d) -> (Task, usize) {
    let Conv2d { batch, input, stride, padding, groups, .. } = *geometry;
    let ([oh, ow], group_in) = (geometry.output(), geometry.group_in());
    // A stride splits rows; planes without padding need no copy to be read where they stand.
    let copies = batch * group_in * input[0] * (stride[1] - usize::from(padding != [0, 0]));
    let (windows, terms) = ([batch, oh, ow], group_in * geometry.taps());
    (Task { groups, windows, copies, outputs: geometry.group_out(), terms }, group_in * input_layout(geometry).len())
}

/// [`forward`](super::forward). Pieces: blocks of samples of a group.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], finish: super::Epilogue<'_, T>, y: &mut [T]) {
    let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let (task, numbers) = forward_task(geometry);
    let way = task.way::<T>(numbers);
    let (together, count) = cut::<T>(geometry.batch, oh * ow, way);
    let stands = way == Way::Standing;
    let (layout, shifts) = if stands { standing::inputs(geometry) } else { inputs(geometry) };
    let mut steps = Steps::new::<T>(&layout, group_in, way);
    let in_place = stands && geometry.padding == [0, 0];
    if in_place {
        steps = Steps { plane: size, sample: geometry.in_channels * size, ..steps };
    }
    let pace = if stands { geometry.stride } else { [1, 1] };
    let pace = [pace[0] * steps.pitch, pace[1] * steps.beside];
    let reach = [0, 1].map(|d| Reach::forward(geometry, d));
    let work = Work { batch: geometry.batch, together, channels: group_in, outputs: group_out, way };
    let part = |area: Area| {
        let chosen: Vec<_> = (0..taps)
            .filter(|tap| area.reaches(&reach, [tap / geometry.kernel[1], tap % geometry.kernel[1]]))
            .collect();
        let start = area.rows.start * pace[0] + area.columns.start * pace[1];
        let shifts: Vec<_> = chosen.iter().map(|&tap| start + shifts[tap] * steps.beside).collect();
        let mut weights = Weights::Given(w);
        if chosen.len() < taps {
            let some = picked(w, taps, &chosen, [geometry.out_channels, group_in], |o, c| o * group_in + c);
            weights = Weights::Made(some);
        }
        let part_size = [area.rows.len(), area.columns.len()];
        let starts = (stands && !chosen.is_empty()).then(|| {
            weights = Weights::Made(standing::turned(weights.numbers(), group_out, group_in * chosen.len()));
            standing::starts([together, part_size[0], part_size[1]], [steps.sample, pace[0], pace[1]])
        });
        let bases = bases(group_in, steps.plane, &shifts);
        Part { place: [area.rows.start, area.columns.start], step: [1, 1], size: part_size, bases, starts, weights }
    };
    let parts: Vec<_> = work.cut(&reach).0.into_iter().map(part).collect();
    let images = Images { size: [oh, ow], channels: group_out, groups: geometry.groups, numbers: Shared::new(y) };
    parallel::for_each(count * geometry.groups, |piece| {
        let (group, samples) = (piece / count, samples(geometry, together, piece % count));
        let first = samples.start * geometry.in_channels + group * group_in;
        let laid = if in_place {
            Buffer::unspecified(0)
        } else if way == Way::Batched {
            batched::lay(&layout, group_in, &x[first * size..], geometry.in_channels * size, samples.len())
        } else {
            lay(&layout, samples.len() * group_in, |i| {
                let at = first + i / group_in * geometry.in_channels + i % group_in;
                &x[at * size..(at + 1) * size]
            })
        };
        let numbers = if in_place { &x[first * size..] } else { &laid[..] };
        let finish = finish.of_rows(group * group_out..(group + 1) * group_out);
        // SAFETY: each piece has its own samples and channels.
        unsafe { images.fill(&parts, (numbers, steps), group, samples, finish) };
    });
}

/// The parts of the gradient of the input that windows reach: areas of the phases of the stride.
fn phases<T: Element>(
    geometry: &Conv2d,
    w: &[T],
    together: usize,
    (way, steps): (Way, Steps),
) -> Vec<Part<'static, T>> {
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let Conv2d { stride, kernel, dilation, groups, .. } = *geometry;
    let (layout, turned) = Turned::both(geometry);
    let mut parts = Vec::new();
    for phase in 0..stride[0] * stride[1] {
        let along = [phase / stride[1], phase % stride[1]];
        let [(i, row, rows), (j, column, columns)] = [0, 1].map(|d| turned[d].inside(geometry, d, along[d]));
        if rows * columns == 0 {
            continue;
        }
        let shifts = Turned::shifts(geometry, phase);
        let reach = [0, 1].map(|d| {
            let place = |u: usize| {
                (u * dilation[d] % stride[d] == along[d])
                    .then(|| turned[d].place([i, j][d], u * dilation[d] / stride[d]))
            };
            Reach::new([rows, columns][d], 1, (0..kernel[d]).map(place), geometry.output()[d])
        });
        // Windows of a row and windows that are read where they stand take the same planes.
        let windows = [geometry.batch, rows, columns];
        let task = Task { groups, windows, copies: 0, outputs: group_in, terms: group_out * shifts.len() };
        let way = if way == Way::Batched { way } else { task.one_by_one() };
        let work = Work { batch: geometry.batch, together, channels: group_out, outputs: group_in, way };
        for area in work.cut(&reach).0 {
            let here = |&(tap, _): &(usize, usize)| area.reaches(&reach, [tap / kernel[1], tap % kernel[1]]);
            let start = layout.shift([i + area.rows.start, j + area.columns.start]);
            let place = |&(tap, shift): &(usize, usize)| (tap, (shift + start) * steps.beside);
            let (chosen, shifts): (Vec<_>, Vec<_>) = shifts.iter().filter(|at| here(at)).map(place).unzip();
            if chosen.is_empty() {
                continue;
            }
            let inner = group_out * chosen.len();
            let mut weights = picked(w, taps, &chosen, [geometry.in_channels, group_out], |c, o| {
                (c / group_in * group_out + o) * group_in + c % group_in
            });
            let size = [area.rows.len(), area.columns.len()];
            let starts = (way == Way::Standing).then(|| {
                weights = standing::turned(&weights, group_in, inner);
                standing::starts([together, size[0], size[1]], [steps.sample, steps.pitch, 1])
            });
            parts.push(Part {
                place: [row + area.rows.start * stride[0], column + area.columns.start * stride[1]],
                step: stride,
                size,
                bases: bases(group_out, steps.plane, &shifts),
                starts,
                weights: Weights::Made(weights),
            });
        }
    }
    parts
}

/// All phases together, as if each had as many elements of windows, and the numbers of a sample's planes.
pub(super) fn input_grad_task(geometry: &Conv2d) -> (Task, usize) {
    let Conv2d { batch, input, stride, groups, .. } = *geometry;
    let windows = [batch, input[0] * stride[1], input[1].div_ceil(stride[1])];
    let terms = (geometry.group_out() * geometry.taps()).div_ceil(stride[0] * stride[1]);
    let (layout, _) = Turned::both(geometry);
    (Task { groups, windows, copies: 0, outputs: geometry.group_in(), terms }, geometry.group_out() * layout.len())
}

/// [`input_grad`](super::input_grad). Pieces: blocks of samples of a group.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { stride, input, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let (plane, size) = (oh * ow, geometry.input_plane());
    let (layout, _) = Turned::both(geometry);
    let (task, numbers) = input_grad_task(geometry);
    let way = task.way::<T>(numbers);
    let (together, count) = cut::<T>(geometry.batch, size / (stride[0] * stride[1]), way);
    let steps = Steps::new::<T>(&layout, group_out, way);
    let parts = phases(geometry, w, together, (way, steps));
    let images = Images { size: input, channels: group_in, groups: geometry.groups, numbers: Shared::new(dx) };
    parallel::for_each(count * geometry.groups, |piece| {
        let (group, samples) = (piece / count, samples(geometry, together, piece % count));
        let first = samples.start * geometry.out_channels + group * group_out;
        let laid = if way == Way::Batched {
            batched::lay(&layout, group_out, &g[first * plane..], geometry.out_channels * plane, samples.len())
        } else {
            lay(&layout, samples.len() * group_out, |i| {
                let at = first + i / group_out * geometry.out_channels + i % group_out;
                &g[at * plane..(at + 1) * plane]
            })
        };
        // SAFETY: each piece has its own samples and channels.
        unsafe { images.fill(&parts, (&laid, steps), group, samples, Epilogue::plain(Accum::Replace)) };
    });
}

/// [`weight_grad`](super::weight_grad). Pieces: some channels over a fixed share of the blocks of samples, added up in order at
/// the end.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], size, taps) = (geometry.output(), geometry.input_plane(), geometry.taps());
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let (plane, written_out) = (oh * ow, patches::applies(geometry));
    let (layout, shifts) = inputs(geometry);
    let strip = (STRIP / taps).clamp(1, group_in);
    let bases = bases(strip, layout.len(), &shifts);
    let (together, count) = blocks(geometry.batch, plane);
    let shares = Shares::new(geometry, strip, count);
    let mut partial = Buffer::unspecified(shares.count * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares.pieces(), |i| {
        let piece = shares.piece(i);
        let (group, channels) = (piece.group, piece.channels.clone());
        let bases = &bases[..channels.len() * taps];
        let mut sum = Buffer::unspecified(group_out * bases.len());
        for block in piece.blocks.clone() {
            let samples = samples(geometry, together, block);
            let start = |sample: usize| (sample * geometry.out_channels + group * group_out) * plane;
            let mut room;
            let gradients = if samples.len() == 1 {
                Mat::row_major(&g[start(samples.start)..], group_out, plane)
            } else {
                let columns = samples.len() * plane;
                room = Buffer::unspecified(group_out * columns);
                let (distance, size) = (geometry.out_channels * plane, [samples.len(), group_out, plane]);
                join(&g[start(samples.start)..], distance, size, &mut room);
                Mat::row_major(&room, group_out, columns)
            };
            let accum = if block == piece.blocks.start { Accum::Replace } else { Accum::Add };
            let shape = [samples.len(), oh, ow];
            let matrix = Size { m: group_out, n: bases.len(), k: shape.iter().product() };
            let mut sum = MatsMut::row_major(&mut sum, matrix.m, matrix.n);
            let first = group * group_in + channels.start;
            if written_out {
                let windows = patches::written(geometry, samples, first..first + channels.len(), x);
                let windows = Mat::row_major(&windows, matrix.k, matrix.n).t();
                gemm_packed(simd::level(), matrix, |_| (gradients, windows), &mut sum, Epilogue::plain(accum));
                continue;
            }
            let laid = lay(&layout, samples.len() * channels.len(), |i| {
                let at = (samples.start + i / channels.len()) * geometry.in_channels + first + i % channels.len();
                &x[at * size..(at + 1) * size]
            });
            let windows = Windows::new(&laid, bases, shape, channels.len() * layout.len(), layout.pitch);
            let factors = |_| (gradients, ByElement(windows));
            gemm_packed(simd::level(), matrix, factors, &mut sum, Epilogue::plain(accum));
        }
        for (o, row) in sum.chunks_exact(bases.len()).enumerate() {
            let at = shares.place(&piece, o);
            // SAFETY: each piece has its own share, outputs and channels.
            unsafe { out.part(at, row.len()) }.copy_from_slice(row);
        }
    });
    super::add_shares(&partial, dw);
}
