//! Parts: outputs of a convolution that are one product, and the images that they make up together.
//!
//! A part is all of an image, or an area of it (see `areas`), or of what the same elements of windows reach where there is a stride. Its
//! product has the channels of a group as its rows, the windows of some samples as its columns.

use std::ops::Range;

use super::planes::{Layout, Rows};
use super::standing::{self, Standing};
use super::ways::Way;
use super::windows::{ByWindow, Windows};
use super::{batched, shared::Shared};
use crate::gemm::registers::{dispatch, lanes};
use crate::gemm::{Element, Epilogue, Mat, MatsMut, Size, gemm_packed};
use crate::{Buffer, Real, parallel, simd};

/// The weights of a part, and of all groups: `[group, output, term]`, or what [`standing::turned`] made of them.
pub(super) enum Weights<'a, T: Real> {
    Given(&'a [T]),
    Made(Buffer<T>),
}

impl<T: Real> Weights<'_, T> {
    pub(super) fn numbers(&self) -> &[T] {
        match self {
            Weights::Given(numbers) => numbers,
            Weights::Made(numbers) => numbers,
        }
    }
}

/// Outputs that are one product: those of an area, at the same distance from each other.
pub(super) struct Part<'a, T: Real> {
    /// The first row and column, and how far the next ones are.
    pub(super) place: [usize; 2],
    pub(super) step: [usize; 2],
    /// Rows and columns.
    pub(super) size: [usize; 2],
    /// Where the elements of the first window stand in the planes of a sample.
    pub(super) bases: Vec<usize>,
    /// Where the windows of a block start, if they are read where they stand.
    pub(super) starts: Option<Vec<usize>>,
    pub(super) weights: Weights<'a, T>,
}

impl<T: Element> Part<'_, T> {
    /// `out[c, window]` for `all` windows, with those of samples that are side by side counted apart.
    fn product(
        &self,
        (weights, channels): (&[T], usize),
        (planes, steps): (&[T], Steps),
        all: usize,
        out: &mut [T],
        epilogue: Epilogue<'_, T>,
    ) {
        if let Some(starts) = &self.starts {
            let windows = Standing::new(planes, &starts[..all], &self.bases);
            return standing::product(windows, (weights, channels), out, epilogue);
        }
        let [rows, columns] = [self.size[0], self.size[1] * steps.beside];
        let shape = [all / (rows * columns), rows, columns];
        let windows = ByWindow(Windows::new(planes, &self.bases, shape, steps.sample, steps.pitch));
        let size = Size { m: channels, n: all, k: self.bases.len() };
        let weights = Mat::row_major(weights, size.m, size.k);
        let mut out = MatsMut::row_major(out, size.m, size.n);
        gemm_packed(simd::level(), size, |_| (weights, windows), &mut out, epilogue);
    }
}

/// Of each window of the weights, the `chosen` ones of its `taps`: `[row, column, chosen]`, from the windows that `window` names by row
/// and column.
pub(super) fn picked<T: Real>(
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

/// Where the places of planes stand, counted in numbers.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Samples side by side at each place.
    pub(super) beside: usize,
    /// From sample to sample, or to those that are not side by side; from plane to plane, and from row to row.
    pub(super) sample: usize,
    pub(super) plane: usize,
    pub(super) pitch: usize,
}

impl Steps {
    /// Of planes that are laid out, `channels` of each sample.
    pub(super) fn new<T: Element>(layout: &Layout, channels: usize, way: Way) -> Self {
        let (beside, plane) = match way {
            Way::Batched => (lanes::<T>(), batched::distance(layout)),
            _ => (1, layout.len()),
        };
        Steps { beside, sample: channels * plane * beside, plane: plane * beside, pitch: layout.pitch * beside }
    }
}

/// The images that parts are put into.
pub(super) struct Images<'a, T> {
    pub(super) size: [usize; 2],
    /// Of a group, and groups.
    pub(super) channels: usize,
    pub(super) groups: usize,
    pub(super) numbers: Shared<'a, T>,
}

impl<T: Element> Images<'_, T> {
    /// Where a sample's channels of a group start, and how many numbers they are.
    fn place(&self, sample: usize, group: usize) -> (usize, usize) {
        let len = self.channels * self.size[0] * self.size[1];
        ((sample * self.groups + group) * len, len)
    }

    /// Whether a part is all of an image.
    fn is(&self, part: &Part<'_, T>) -> bool {
        part.step == [1, 1] && part.size == self.size
    }

    /// Whether the parts leave places that no window reaches.
    fn has_gaps(&self, parts: &[Part<'_, T>]) -> bool {
        parts.iter().map(|part| part.size[0] * part.size[1]).sum::<usize>() < self.size[0] * self.size[1]
    }

    /// Computes the parts of some samples' images from the planes of a group.
    ///
    /// # Safety
    /// Nobody else uses these images' channels of the group meanwhile.
    pub(super) unsafe fn fill(
        &self,
        parts: &[Part<'_, T>],
        (planes, steps): (&[T], Steps),
        group: usize,
        samples: Range<usize>,
        epilogue: Epilogue<'_, T>,
    ) {
        let product = |part: &Part<'_, T>, all: usize, out: &mut [T]| {
            let weights = part.weights.numbers();
            let weights = &weights[weights.len() / self.groups * group..];
            part.product((weights, self.channels), (planes, steps), all, out, epilogue);
        };
        // SAFETY: the caller's.
        unsafe {
            match steps.beside {
                1 => self.fill_in_turn(parts, group, samples, product),
                _ => self.fill_at_once(parts, group, samples, steps.beside, product),
            }
        }
    }

    /// Sample by sample.
    ///
    /// # Safety
    /// As for `fill`.
    unsafe fn fill_in_turn(
        &self,
        parts: &[Part<'_, T>],
        group: usize,
        samples: Range<usize>,
        product: impl Fn(&Part<'_, T>, usize, &mut [T]),
    ) {
        let (channels, size) = (self.channels, self.size[0] * self.size[1]);
        // SAFETY: the caller's; one image is used at a time.
        let image = |sample: usize| unsafe {
            let (at, len) = self.place(sample, group);
            self.numbers.part(at, len)
        };
        if self.has_gaps(parts) {
            samples.clone().for_each(|sample| image(sample).fill(T::ZERO));
        }
        for part in parts {
            let wide = part.size[0] * part.size[1];
            let all = samples.len() * wide;
            if self.is(part) && samples.len() == 1 {
                product(part, all, image(samples.start));
                continue;
            }
            let mut room = Buffer::unspecified(channels * all);
            product(part, all, &mut room);
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
                    let (pitch, step) = (part.size[1], part.step[1]);
                    dispatch(Rows { from, pitch, to, to_pitch, step, size: part.size });
                }
            }
        }
    }

    /// All samples side by side, `beside` lanes for them.
    ///
    /// # Safety
    /// As for `fill`.
    unsafe fn fill_at_once(
        &self,
        parts: &[Part<'_, T>],
        group: usize,
        samples: Range<usize>,
        beside: usize,
        product: impl Fn(&Part<'_, T>, usize, &mut [T]) + Sync + Send,
    ) {
        let room = |part: &Part<'_, T>| batched::Sums::new(self.channels, [part.size, part.place, part.step]);
        let mut sums: Vec<_> = parts.iter().map(room).collect();
        parallel::for_each_chunk(&mut sums, 1, |i, sums| {
            let part = &parts[i];
            product(part, part.size[0] * part.size[1] * beside, &mut sums[0].numbers);
        });
        let (start, len) = self.place(samples.start, group);
        let (apart, count) = (self.groups * len, samples.len());
        let Images { size, channels, ref numbers, .. } = *self;
        // SAFETY: the caller's.
        unsafe { batched::Samples { numbers, start, apart, count, channels, size }.put_back(&sums) };
    }
}
