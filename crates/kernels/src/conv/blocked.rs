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
//! Where planes are small, some samples are put together to make wide products.

use std::ops::Range;

use super::planes::{Rows, Turned, inputs};
use super::standing::{self, Standing};
use super::windows::{ByElement, ByWindow, Windows, lay};
use super::{Conv2d, shared::Shared, shares::Shares};
use crate::gemm::registers::dispatch;
use crate::gemm::{Element, Epilogue, Mat, MatsMut, Size, gemm_packed};
use crate::{Accum, Buffer, parallel, simd};

/// Windows of a product, at least, where samples are put together.
const WIDE: usize = 192;
/// Columns of the gradient of the weights that are computed together.
const STRIP: usize = 512;

/// How many samples are put together, and how many blocks of them there are, of nearly the same size.
fn blocks(geometry: &Conv2d, plane: usize) -> (usize, usize) {
    let count = (geometry.batch * plane / WIDE).clamp(1, geometry.batch);
    let together = geometry.batch.div_ceil(count);
    (together, geometry.batch.div_ceil(together))
}

/// The samples of a block.
fn samples(geometry: &Conv2d, together: usize, block: usize) -> Range<usize> {
    block * together..geometry.batch.min((block + 1) * together)
}

/// Where window elements `shifts` of `channels` planes start, `distance` numbers from plane to plane.
fn bases(channels: usize, distance: usize, shifts: &[usize]) -> Vec<usize> {
    (0..channels).flat_map(|c| shifts.iter().map(move |shift| c * distance + shift)).collect()
}

/// [`forward`](super::forward). Pieces: blocks of samples of a group.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], finish: super::Epilogue<'_, T>, y: &mut [T]) {
    let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let (plane, inner) = (oh * ow, group_in * geometry.taps());
    let (together, count) = blocks(geometry, plane);
    let is_padded = geometry.padding != [0, 0];
    // A stride splits rows; planes without padding need no copy to be read where they stand.
    let copies = geometry.batch * group_in * geometry.input[0] * (geometry.stride[1] - usize::from(is_padded));
    let task = standing::Task { windows: [geometry.batch, oh, ow], copies, outputs: group_out, terms: inner };
    let stands = task.stands();
    let (layout, shifts) = if stands { standing::inputs(geometry) } else { inputs(geometry) };
    let in_place = stands && !is_padded;
    let distance = if in_place { size } else { layout.len() };
    let sample_distance = distance * if in_place { geometry.in_channels } else { group_in };
    let bases = bases(group_in, distance, &shifts);
    let pace = [sample_distance, geometry.stride[0] * layout.pitch, geometry.stride[1]];
    let starts = if stands { standing::starts([together, oh, ow], pace) } else { Vec::new() };
    let turned = if stands { standing::turned(w, group_out, inner) } else { Buffer::unspecified(0) };
    let y = Shared::new(y);
    parallel::for_each(count * geometry.groups, |piece| {
        let (group, samples) = (piece / count, samples(geometry, together, piece % count));
        let first = samples.start * geometry.in_channels + group * group_in;
        let laid = if in_place {
            Buffer::unspecified(0)
        } else {
            lay(&layout, samples.len() * group_in, |i| {
                let at = first + i / group_in * geometry.in_channels + i % group_in;
                &x[at * size..(at + 1) * size]
            })
        };
        let weights = Mat::row_major(&w[group * group_out * inner..], group_out, inner);
        let outputs = group * group_out..(group + 1) * group_out;
        let product = |out: &mut [T]| {
            let epilogue = finish.of_rows(outputs.clone());
            if stands {
                let planes = if in_place { &x[first * size..] } else { &laid[..] };
                let windows = Standing::new(planes, &starts[..samples.len() * plane], &bases);
                let weights = &turned[turned.len() / geometry.groups * group..];
                return standing::product(windows, (weights, group_out), out, epilogue);
            }
            let windows = Windows::new(&laid, &bases, [samples.len(), oh, ow], sample_distance, layout.pitch);
            let size = Size { m: group_out, n: samples.len() * plane, k: inner };
            let mut out = MatsMut::row_major(out, size.m, size.n);
            gemm_packed(simd::level(), size, |_| (weights, ByWindow(windows)), &mut out, epilogue);
        };
        // SAFETY: each piece has its own samples and channels, and takes one part at a time.
        let y = |sample: usize| unsafe {
            y.part((sample * geometry.out_channels + outputs.start) * plane, group_out * plane)
        };
        if samples.len() == 1 {
            return product(y(samples.start));
        }
        let mut out = Buffer::unspecified(group_out * samples.len() * plane);
        product(&mut out);
        for (i, sample) in samples.clone().enumerate() {
            let (pitch, size) = (samples.len() * plane, [group_out, plane]);
            dispatch(Rows { from: &out[i * plane..], pitch, to: y(sample), to_pitch: plane, step: 1, size });
        }
    });
}

/// A phase of the gradient of the input.
struct Phase<T: crate::Real> {
    /// Its first row and column in the image.
    place: [usize; 2],
    /// Its rows and columns.
    size: [usize; 2],
    bases: Vec<usize>,
    /// Where the windows of a block start, if they are read where they stand.
    starts: Option<Vec<usize>>,
    /// `[group, c, (o, u, v)]`, or what [`standing::turned`] made of it.
    weights: Buffer<T>,
}

/// The phases that windows reach, for blocks of so many samples.
fn phases<T: Element>(geometry: &Conv2d, w: &[T], together: usize) -> Vec<Phase<T>> {
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let (layout, turned) = Turned::both(geometry);
    let phase = |phase: usize| {
        let [(i, row, rows), (j, column, columns)] = [(0, phase / geometry.stride[1]), (1, phase % geometry.stride[1])]
            .map(|(d, p)| turned[d].inside(geometry, d, p));
        let (chosen, shifts): (Vec<_>, Vec<_>) =
            Turned::shifts(geometry, phase).into_iter().map(|(tap, shift)| (tap, shift + layout.shift([i, j]))).unzip();
        let inner = group_out * chosen.len();
        let mut weights = Buffer::unspecified(geometry.in_channels * inner);
        parallel::for_each_chunk(&mut weights, inner.max(1) * 16, |piece, weights| {
            for (at, weights) in weights.chunks_exact_mut(inner).enumerate() {
                let (group, c) = ((piece * 16 + at) / group_in, (piece * 16 + at) % group_in);
                for (o, weights) in weights.chunks_exact_mut(chosen.len()).enumerate() {
                    let w = &w[((group * group_out + o) * group_in + c) * taps..][..taps];
                    weights.iter_mut().zip(&chosen).for_each(|(to, &tap)| *to = w[tap]);
                }
            }
        });
        let bases = bases(group_out, layout.len(), &shifts);
        let windows = [geometry.batch, rows, columns];
        let task = standing::Task { windows, copies: 0, outputs: group_in, terms: inner };
        let starts = task.stands().then(|| {
            weights = standing::turned(&weights, group_in, inner);
            standing::starts([together, rows, columns], [group_out * layout.len(), layout.pitch, 1])
        });
        Phase { place: [row, column], size: [rows, columns], bases, starts, weights }
    };
    let reached = |phase: &Phase<T>| !phase.bases.is_empty() && !phase.size.contains(&0);
    (0..geometry.stride[0] * geometry.stride[1]).map(phase).filter(reached).collect()
}

/// [`input_grad`](super::input_grad). Pieces: blocks of samples of a group.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { stride, input, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let (plane, size) = (oh * ow, geometry.input_plane());
    let (layout, _) = Turned::both(geometry);
    let (together, count) = blocks(geometry, size / (stride[0] * stride[1]));
    let phases = phases(geometry, w, together);
    let dx = Shared::new(dx);
    parallel::for_each(count * geometry.groups, |piece| {
        let (group, samples) = (piece / count, samples(geometry, together, piece % count));
        let laid = lay(&layout, samples.len() * group_out, |i| {
            let at = (samples.start + i / group_out) * geometry.out_channels + group * group_out + i % group_out;
            &g[at * plane..(at + 1) * plane]
        });
        // SAFETY: each piece has its own samples and channels, and takes one part at a time.
        let image = |sample: usize| unsafe {
            dx.part((sample * geometry.in_channels + group * group_in) * size, group_in * size)
        };
        if phases.len() < stride[0] * stride[1] {
            samples.clone().for_each(|sample| image(sample).fill(T::ZERO));
        }
        for phase in &phases {
            let inner = phase.bases.len();
            let weights = &phase.weights[phase.weights.len() / geometry.groups * group..];
            let [rows, columns] = phase.size;
            let (wide, all) = (rows * columns, samples.len() * rows * columns);
            let product = |out: &mut [T]| {
                if let Some(starts) = &phase.starts {
                    let windows = Standing::new(&laid, &starts[..all], &phase.bases);
                    let epilogue = Epilogue::plain(Accum::Replace);
                    return standing::product(windows, (weights, group_in), out, epilogue);
                }
                let (shape, sample) = ([samples.len(), rows, columns], group_out * layout.len());
                let windows = ByWindow(Windows::new(&laid, &phase.bases, shape, sample, layout.pitch));
                let weights = Mat::row_major(weights, group_in, inner);
                let mut out = MatsMut::row_major(out, group_in, all);
                let size = Size { m: group_in, n: all, k: inner };
                let epilogue = Epilogue::plain(Accum::Replace);
                gemm_packed(simd::level(), size, |_| (weights, windows), &mut out, epilogue);
            };
            if stride == [1, 1] && samples.len() == 1 {
                product(image(samples.start));
                continue;
            }
            let mut room = Buffer::unspecified(group_in * all);
            product(&mut room);
            for (at, sample) in samples.clone().enumerate() {
                for (c, to) in image(sample).chunks_exact_mut(size).enumerate() {
                    let from = &room[c * all + at * wide..][..wide];
                    let to = &mut to[phase.place[0] * input[1] + phase.place[1]..];
                    let (to_pitch, step) = (stride[0] * input[1], stride[1]);
                    dispatch(Rows { from, pitch: columns, to, to_pitch, step, size: phase.size });
                }
            }
        }
    });
}

/// [`weight_grad`](super::weight_grad). Pieces: some channels over a fixed share of the blocks of samples, added up in order at
/// the end.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], size, taps) = (geometry.output(), geometry.input_plane(), geometry.taps());
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let plane = oh * ow;
    let (layout, shifts) = inputs(geometry);
    let strip = (STRIP / taps).clamp(1, group_in);
    let bases = bases(strip, layout.len(), &shifts);
    let (together, count) = blocks(geometry, plane);
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
            let laid = lay(&layout, samples.len() * channels.len(), |i| {
                let sample = (samples.start + i / channels.len()) * geometry.in_channels;
                let at = sample + group * group_in + channels.start + i % channels.len();
                &x[at * size..(at + 1) * size]
            });
            let shape = [samples.len(), oh, ow];
            let windows = Windows::new(&laid, bases, shape, channels.len() * layout.len(), layout.pitch);
            let start = |sample: usize| (sample * geometry.out_channels + group * group_out) * plane;
            let mut room;
            let gradients = if samples.len() == 1 {
                Mat::row_major(&g[start(samples.start)..], group_out, plane)
            } else {
                let columns = samples.len() * plane;
                room = Buffer::unspecified(group_out * columns);
                for (i, sample) in samples.clone().enumerate() {
                    let (from, to) = (&g[start(sample)..], &mut room[i * plane..]);
                    let size = [group_out, plane];
                    dispatch(Rows { from, pitch: plane, to, to_pitch: columns, step: 1, size });
                }
                Mat::row_major(&room, group_out, columns)
            };
            let accum = if block == piece.blocks.start { Accum::Replace } else { Accum::Add };
            let size = Size { m: group_out, n: bases.len(), k: windows.count() };
            let mut sum = MatsMut::row_major(&mut sum, size.m, size.n);
            let factors = |_| (gradients, ByElement(windows));
            gemm_packed(simd::level(), size, factors, &mut sum, Epilogue::plain(accum));
        }
        for (o, row) in sum.chunks_exact(bases.len()).enumerate() {
            let at = shares.place(&piece, o);
            // SAFETY: each piece has its own share, outputs and channels.
            unsafe { out.part(at, row.len()) }.copy_from_slice(row);
        }
    });
    super::add_shares(&partial, dw);
}
