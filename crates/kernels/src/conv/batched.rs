//! Planes with the samples side by side: a register holds one pixel of as many samples.
//!
//! ```text
//! laid[c, place, sample] = x[sample, c, place]        then all windows of a row are one run of numbers, as in `windows`,
//! Y[o, (window, sample)] = W[o, (c,u,v)] P[(c,u,v), (window, sample)]         of as many times its length
//! ```
//!
//! No register meets the end of a row, and none has to be put together from numbers that stand apart, however short rows are and
//! whatever the stride. What it costs is turning planes on their way in and out (see `strip`), and that the last samples of a batch
//! may leave lanes empty.

use std::ops::Range;

use super::planes::Layout;
use super::shared::Shared;
use super::strip::{from_lanes, to_lanes};
use crate::gemm::registers::{LaneKernel, dispatch, lanes};
use crate::gemm::{Element, Lane};
use crate::{Buffer, Real, parallel};

/// Numbers worth a piece of parallel work.
const PIECE: usize = 1 << 14;

/// How far planes are from each other, in places: an odd number, so that the same place of many planes does not push itself out of
/// the caches.
pub(super) fn distance(layout: &Layout) -> usize {
    layout.len() | 1
}

/// Lays out the planes of some channels, of up to as many samples as a register has lanes: `planes` starts with the first channel of the
/// first sample, and samples are `apart`. Lanes behind the last sample are zero.
pub(super) fn lay<T: Element>(
    layout: &Layout,
    channels: usize,
    planes: &[T],
    apart: usize,
    samples: usize,
) -> Buffer<T> {
    let (size, len) = (layout.size[0] * layout.size[1], distance(layout) * lanes::<T>());
    let mut laid = Buffer::unspecified(channels * len);
    let together = (PIECE / len).max(1);
    parallel::for_each_chunk(&mut laid, together * len, |piece, out| {
        let planes = &planes[piece * together * size..];
        dispatch(Together { layout, planes, apart, samples, len, out });
    });
    laid
}

/// Lays out some channels.
struct Together<'a, T> {
    layout: &'a Layout,
    planes: &'a [T],
    apart: usize,
    samples: usize,
    /// Numbers of a channel in `out`.
    len: usize,
    out: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Together<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Together { layout, planes, apart, samples, len, out } = self;
        let [height, width] = layout.size;
        let mut flat = Buffer::unspecified(height * width * L::LANES);
        for (c, out) in out.chunks_exact_mut(len).enumerate() {
            let planes = &planes[c * height * width..];
            // Zeros are written over in the cache.
            out.fill(T::ZERO);
            assert!(samples > 0 && planes.len() >= (samples - 1) * apart + height * width, "there are fewer planes");
            // SAFETY: the caller entered `L`; the planes are there, as was asserted, and `flat` has a register for each number.
            unsafe { to_lanes::<L>(planes.as_ptr(), apart, samples, height * width, flat.as_mut_ptr()) };
            layout.for_each_run(|from, to, count| {
                let from = flat[from * L::LANES..].chunks_exact(L::LANES).step_by(layout.stride[1]);
                let to = out[to * L::LANES..].chunks_exact_mut(L::LANES).take(count);
                // SAFETY: the caller entered `L`, and both are whole registers.
                to.zip(from).for_each(|(to, from)| unsafe {
                    L::load(from.as_ptr()).then(L::splat(T::ZERO), samples).store(to.as_mut_ptr());
                });
            });
        }
    }
}

/// Sums with the samples side by side: planes of `size`, whose places belong to every `step`-th row and column of an image from `place` on.
pub(super) struct Sums<T: Real> {
    pub(super) numbers: Buffer<T>,
    pub(super) size: [usize; 2],
    pub(super) place: [usize; 2],
    pub(super) step: [usize; 2],
}

impl<T: Element> Sums<T> {
    /// Room for some channels.
    pub(super) fn new(channels: usize, [size, place, step]: [[usize; 2]; 3]) -> Self {
        Sums { numbers: Buffer::unspecified(channels * size[0] * size[1] * lanes::<T>()), size, place, step }
    }
}

/// Some samples of images: the channels of the first start at `start`, those of the next `apart` numbers on.
pub(super) struct Samples<'a, T> {
    pub(super) numbers: &'a Shared<'a, T>,
    pub(super) start: usize,
    pub(super) apart: usize,
    pub(super) count: usize,
    pub(super) channels: usize,
    pub(super) size: [usize; 2],
}

impl<T: Element> Samples<'_, T> {
    /// Puts sums to where they belong, zeros where there are none.
    ///
    /// # Safety
    /// Nobody else uses these channels meanwhile.
    pub(super) unsafe fn put_back(&self, sums: &[Sums<T>]) {
        assert!(self.count > 0 && self.count <= lanes::<T>(), "a register has fewer lanes");
        let plane = self.size[0] * self.size[1];
        let together = (PIECE / (plane * lanes::<T>())).max(1);
        parallel::for_each(self.channels.div_ceil(together), |piece| {
            let channels = piece * together..self.channels.min((piece + 1) * together);
            let len = (self.count - 1) * self.apart + channels.len() * plane;
            let to = self.numbers.place(self.start + channels.start * plane, len);
            dispatch(Apart { samples: self, sums, channels, to });
        });
    }
}

/// Puts some channels back.
struct Apart<'a, T: Real> {
    samples: &'a Samples<'a, T>,
    sums: &'a [Sums<T>],
    channels: Range<usize>,
    to: *mut T,
}

impl<T: Real> LaneKernel<T> for Apart<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Apart { samples: &Samples { apart, count, size, .. }, sums, channels, to } = self;
        let plane = size[0] * size[1];
        let is_whole = sums.len() == 1 && sums[0].size == size;
        // Places without sums stay zero.
        let mut image = Buffer::zeroed(if is_whole { 0 } else { plane * L::LANES });
        for (i, c) in channels.enumerate() {
            let from = if is_whole {
                &sums[0].numbers[c * plane * L::LANES..][..plane * L::LANES]
            } else {
                // SAFETY: the caller entered `L`.
                sums.iter().for_each(|sums| unsafe { spread::<L>(sums, c, size, &mut image) });
                &image[..]
            };
            // SAFETY: the caller entered `L`; `from` has a register for each place, and `put_back` has checked that the planes are there;
            // its caller promised that they are ours.
            unsafe { from_lanes::<L>(from.as_ptr(), count, plane, to.add(i * plane), apart) };
        }
    }
}

/// Copies a channel's sums to their places of an image that has the samples side by side.
///
/// # Safety
/// `L` is entered.
#[inline(always)]
unsafe fn spread<L: Lane>(sums: &Sums<L::Num>, channel: usize, image: [usize; 2], to: &mut [L::Num]) {
    let ([rows, columns], len) = (sums.size, sums.size[0] * sums.size[1] * L::LANES);
    let from = &sums.numbers[channel * len..][..len];
    for (i, from) in from.chunks_exact(columns * L::LANES).take(rows).enumerate() {
        let row = sums.place[0] + i * sums.step[0];
        let to = &mut to[(row * image[1] + sums.place[1]) * L::LANES..];
        let to = to.chunks_exact_mut(L::LANES).step_by(sums.step[1]);
        // SAFETY: the caller's; both are whole registers.
        to.zip(from.chunks_exact(L::LANES)).for_each(|(to, from)| unsafe {
            L::load(from.as_ptr()).store(to.as_mut_ptr());
        });
    }
}
