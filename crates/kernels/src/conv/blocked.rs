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
//! the image are products of their own, without them (see `areas`).

use std::ops::Range;

use super::areas::{Area, Reach, Work};
use super::planes::{Rows, Turned, inputs};
use super::standing::{self, Standing};
use super::windows::{ByElement, ByWindow, Windows, lay};
use super::{Conv2d, shared::Shared, shares::Shares};
use crate::gemm::registers::dispatch;
use crate::gemm::{Element, Epilogue, Mat, MatsMut, Size, gemm_packed};
use crate::{Accum, Buffer, Real, parallel, simd};

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
fn samples(geometry: &Conv2d, together: usize, block: usize) -> Range<usize> {
    block * together..geometry.batch.min((block + 1) * together)
}

/// Where window elements `shifts` of `channels` planes start, `distance` numbers from plane to plane.
fn bases(channels: usize, distance: usize, shifts: &[usize]) -> Vec<usize> {
    (0..channels).flat_map(|c| shifts.iter().map(move |shift| c * distance + shift)).collect()
}

/// The weights of a part, and of all groups: `[group, output, term]`, or what [`standing::turned`] made of them.
enum Weights<'a, T: Real> {
    Given(&'a [T]),
    Made(Buffer<T>),
}

impl<T: Real> Weights<'_, T> {
    fn numbers(&self) -> &[T] {
        match self {
            Weights::Given(numbers) => numbers,
            Weights::Made(numbers) => numbers,
        }
    }
}

/// Outputs that are one product: those of an area, at the same distance from each other.
struct Part<'a, T: Real> {
    /// The first row and column, and how far the next ones are.
    place: [usize; 2],
    step: [usize; 2],
    /// Rows and columns.
    size: [usize; 2],
    /// Where the elements of the first window stand in the planes of a sample.
    bases: Vec<usize>,
    /// Where the windows of a block start, if they are read where they stand.
    starts: Option<Vec<usize>>,
    weights: Weights<'a, T>,
}

/// Of each window of the weights, the `chosen` ones of its `taps`: `[row, column, chosen]`, from the windows that `window` names by row
/// and column.
fn picked<T: Real>(
    w: &[T],
    taps: usize,
    chosen: &[usize],
    [rows, columns]: [usize; 2],
    window: impl Fn(usize, usize) -> usize + Sync + Send,
) -> Buffer<T> {
    let row = columns * chosen.len();
    let mut weights = Buffer::unspecified(rows * row);
    parallel::for_each_chunk(&mut weights, row.max(1) * 16, |piece, weights| {
        for (at, weights) in weights.chunks_exact_mut(row).enumerate() {
            for (column, weights) in weights.chunks_exact_mut(chosen.len()).enumerate() {
                let w = &w[window(piece * 16 + at, column) * taps..][..taps];
                weights.iter_mut().zip(chosen).for_each(|(to, &tap)| *to = w[tap]);
            }
        }
    });
    weights
}

/// Planes of a group, of some samples.
struct Planes<'a, T> {
    numbers: &'a [T],
    /// Numbers from sample to sample, and from row to row.
    sample: usize,
    pitch: usize,
}

/// The images that parts are put into.
struct Images {
    size: [usize; 2],
    /// Of a group, and groups.
    channels: usize,
    groups: usize,
}

impl Images {
    /// Whether a part is all of an image.
    fn is<T: Real>(&self, part: &Part<'_, T>) -> bool {
        part.step == [1, 1] && part.size == self.size
    }

    /// The parts of some samples' images; `image` gives a sample's channels of the group.
    fn fill<'a, T: Element>(
        &self,
        parts: &[Part<'_, T>],
        planes: &Planes<'_, T>,
        group: usize,
        samples: Range<usize>,
        epilogue: Epilogue<'_, T>,
        image: impl Fn(usize) -> &'a mut [T],
    ) {
        let (channels, size) = (self.channels, self.size[0] * self.size[1]);
        // What no window reaches.
        if parts.iter().map(|part| part.size[0] * part.size[1]).sum::<usize>() < size {
            samples.clone().for_each(|sample| image(sample).fill(T::ZERO));
        }
        for part in parts {
            let [rows, columns] = part.size;
            let (wide, all) = (rows * columns, samples.len() * rows * columns);
            let weights = part.weights.numbers();
            let weights = &weights[weights.len() / self.groups * group..];
            let product = |out: &mut [T]| {
                if let Some(starts) = &part.starts {
                    let windows = Standing::new(planes.numbers, &starts[..all], &part.bases);
                    return standing::product(windows, (weights, channels), out, epilogue);
                }
                let shape = [samples.len(), rows, columns];
                let windows = ByWindow(Windows::new(planes.numbers, &part.bases, shape, planes.sample, planes.pitch));
                let size = Size { m: channels, n: all, k: part.bases.len() };
                let weights = Mat::row_major(weights, size.m, size.k);
                let mut out = MatsMut::row_major(out, size.m, size.n);
                gemm_packed(simd::level(), size, |_| (weights, windows), &mut out, epilogue);
            };
            if self.is(part) && samples.len() == 1 {
                product(image(samples.start));
                continue;
            }
            let mut room = Buffer::unspecified(channels * all);
            product(&mut room);
            for (at, sample) in samples.clone().enumerate() {
                let (from, image) = (&room[at * wide..], image(sample));
                if self.is(part) {
                    let size = [channels, wide];
                    dispatch(Rows { from, pitch: all, to: image, to_pitch: wide, step: 1, size });
                    continue;
                }
                for (c, to) in image.chunks_exact_mut(size).enumerate() {
                    let from = &from[c * all..][..wide];
                    let to = &mut to[part.place[0] * self.size[1] + part.place[1]..];
                    let to_pitch = part.step[0] * self.size[1];
                    dispatch(Rows { from, pitch: columns, to, to_pitch, step: part.step[1], size: part.size });
                }
            }
        }
    }
}

/// [`forward`](super::forward). Pieces: blocks of samples of a group.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], finish: super::Epilogue<'_, T>, y: &mut [T]) {
    let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let (plane, inner) = (oh * ow, group_in * taps);
    let (together, count) = blocks(geometry.batch, plane);
    let is_padded = geometry.padding != [0, 0];
    // A stride splits rows; planes without padding need no copy to be read where they stand.
    let copies = geometry.batch * group_in * geometry.input[0] * (geometry.stride[1] - usize::from(is_padded));
    let task = standing::Task { windows: [geometry.batch, oh, ow], copies, outputs: group_out, terms: inner };
    let stands = task.stands();
    let (layout, shifts) = if stands { standing::inputs(geometry) } else { inputs(geometry) };
    let in_place = stands && !is_padded;
    let distance = if in_place { size } else { layout.len() };
    let sample_distance = distance * if in_place { geometry.in_channels } else { group_in };
    let pace = if stands { [geometry.stride[0] * layout.pitch, geometry.stride[1]] } else { [layout.pitch, 1] };
    let reach = [0, 1].map(|d| Reach::forward(geometry, d));
    let work = Work { batch: geometry.batch, together, channels: group_in, outputs: group_out, packs: !stands };
    let part = |area: Area| {
        let chosen: Vec<_> = (0..taps)
            .filter(|tap| area.reaches(&reach, [tap / geometry.kernel[1], tap % geometry.kernel[1]]))
            .collect();
        let start = area.rows.start * pace[0] + area.columns.start * pace[1];
        let shifts: Vec<_> = chosen.iter().map(|&tap| start + shifts[tap]).collect();
        let mut weights = Weights::Given(w);
        if chosen.len() < taps {
            let some = picked(w, taps, &chosen, [geometry.out_channels, group_in], |o, c| o * group_in + c);
            weights = Weights::Made(some);
        }
        let part_size = [area.rows.len(), area.columns.len()];
        let starts = (stands && !chosen.is_empty()).then(|| {
            weights = Weights::Made(standing::turned(weights.numbers(), group_out, group_in * chosen.len()));
            standing::starts([together, part_size[0], part_size[1]], [sample_distance, pace[0], pace[1]])
        });
        let bases = bases(group_in, distance, &shifts);
        Part { place: [area.rows.start, area.columns.start], step: [1, 1], size: part_size, bases, starts, weights }
    };
    let parts: Vec<_> = work.cut(&reach).0.into_iter().map(part).collect();
    let images = Images { size: [oh, ow], channels: group_out, groups: geometry.groups };
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
        let numbers = if in_place { &x[first * size..] } else { &laid[..] };
        let planes = Planes { numbers, sample: sample_distance, pitch: layout.pitch };
        let outputs = group * group_out..(group + 1) * group_out;
        // SAFETY: each piece has its own samples and channels, and takes one part at a time.
        let image = |sample: usize| unsafe {
            y.part((sample * geometry.out_channels + outputs.start) * plane, group_out * plane)
        };
        images.fill(&parts, &planes, group, samples, finish.of_rows(outputs.clone()), image);
    });
}

/// The parts of the gradient of the input that windows reach: areas of the phases of the stride.
fn phases<T: Element>(geometry: &Conv2d, w: &[T], together: usize) -> Vec<Part<'static, T>> {
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let Conv2d { stride, kernel, dilation, .. } = *geometry;
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
        let stands = standing::Task {
            windows: [geometry.batch, rows, columns],
            copies: 0,
            outputs: group_in,
            terms: group_out * shifts.len(),
        }
        .stands();
        let work = Work { batch: geometry.batch, together, channels: group_out, outputs: group_in, packs: !stands };
        for area in work.cut(&reach).0 {
            let here = |&(tap, _): &(usize, usize)| area.reaches(&reach, [tap / kernel[1], tap % kernel[1]]);
            let start = layout.shift([i + area.rows.start, j + area.columns.start]);
            let (chosen, shifts): (Vec<_>, Vec<_>) =
                shifts.iter().filter(|at| here(at)).map(|&(tap, shift)| (tap, shift + start)).unzip();
            if chosen.is_empty() {
                continue;
            }
            let inner = group_out * chosen.len();
            let mut weights = picked(w, taps, &chosen, [geometry.in_channels, group_out], |c, o| {
                (c / group_in * group_out + o) * group_in + c % group_in
            });
            let size = [area.rows.len(), area.columns.len()];
            let starts = stands.then(|| {
                weights = standing::turned(&weights, group_in, inner);
                standing::starts([together, size[0], size[1]], [group_out * layout.len(), layout.pitch, 1])
            });
            parts.push(Part {
                place: [row + area.rows.start * stride[0], column + area.columns.start * stride[1]],
                step: stride,
                size,
                bases: bases(group_out, layout.len(), &shifts),
                starts,
                weights: Weights::Made(weights),
            });
        }
    }
    parts
}

/// [`input_grad`](super::input_grad). Pieces: blocks of samples of a group.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { stride, input, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let (group_in, group_out) = (geometry.group_in(), geometry.group_out());
    let (plane, size) = (oh * ow, geometry.input_plane());
    let (layout, _) = Turned::both(geometry);
    let (together, count) = blocks(geometry.batch, size / (stride[0] * stride[1]));
    let parts = phases(geometry, w, together);
    let images = Images { size: input, channels: group_in, groups: geometry.groups };
    let dx = Shared::new(dx);
    parallel::for_each(count * geometry.groups, |piece| {
        let (group, samples) = (piece / count, samples(geometry, together, piece % count));
        let laid = lay(&layout, samples.len() * group_out, |i| {
            let at = (samples.start + i / group_out) * geometry.out_channels + group * group_out + i % group_out;
            &g[at * plane..(at + 1) * plane]
        });
        let planes = Planes { numbers: &laid, sample: group_out * layout.len(), pitch: layout.pitch };
        // SAFETY: each piece has its own samples and channels, and takes one part at a time.
        let image = |sample: usize| unsafe {
            dx.part((sample * geometry.in_channels + group * group_in) * size, group_in * size)
        };
        images.fill(&parts, &planes, group, samples, Epilogue::plain(Accum::Replace), image);
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
