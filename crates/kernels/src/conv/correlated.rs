//! The gradient of the weights with the samples side by side: a register holds one pixel of as many samples.
//!
//! ```text
//! dW[o, (c,u,v)] = sum over samples of sum over windows of G[o, window] P[(c,u,v), window]
//! ```
//!
//! Both factors are laid out as in `batched`. Some outputs meet some elements of windows at a time, their sums over the windows
//! stay in registers, a lane for each sample, and lanes are added up at the very end. No window is turned, which for few outputs would
//! take longer than the multiplications, and rows of windows may be as short as they are.

use super::beside;
use super::planes::{Layout, input_layout, inputs};
use super::{Conv2d, add_shares, batched};
use crate::gemm::registers::{LaneKernel, dispatch, lanes};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::simd::{self, Level};
use crate::{Buffer, Number, Real, parallel};

/// Pieces of work, at least, if there are as many blocks of samples.
const PIECES: usize = 8;
/// Numbers that the L2 cache holds, about.
const CACHED: usize = 1 << 18;

/// Whether this path computes the gradient of the weights in less time than others. What each does for a group is counted in
/// multiplications.
pub(super) fn applies<T: Element>(geometry: &Conv2d) -> bool {
    if simd::level() == Level::Portable || beside::applies(geometry) {
        return false;
    }
    let ([oh, ow], outputs) = (geometry.output(), geometry.group_out());
    let (terms, windows) = (geometry.group_in() * geometry.taps(), oh * ow);
    let samples = geometry.batch.next_multiple_of(lanes::<T>());
    let plane = input_layout(geometry).len();
    let numbers = geometry.group_in() * plane + outputs * windows;
    // Sums are read and written once for the windows of a block.
    let pairs = outputs.next_multiple_of(4) * terms.next_multiple_of(6);
    let here = (pairs * (windows + windows / 4 + 10) + 6 * numbers) * samples;
    // Rows of windows are turned in squares.
    let squares = terms * oh * ow.div_ceil(MAX_LANES);
    let blocked = (outputs * terms * windows + 140 * squares) * geometry.batch;
    let pieces = geometry.groups * samples / lanes::<T>();
    // Planes that meet are read there once for each pair.
    let stays = (4 * windows + 2 * plane) * lanes::<T>() <= CACHED;
    pieces > 1 && stays && here < blocked
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: a group over a fixed share of the blocks of samples, added
/// up in order.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let Conv2d { batch, in_channels, out_channels, groups, .. } = *geometry;
    let ([oh, ow], size, taps) = (geometry.output(), geometry.input_plane(), geometry.taps());
    let (group_in, group_out, plane) = (geometry.group_in(), geometry.group_out(), oh * ow);
    let (layout, shifts) = inputs(geometry);
    let gradients = Layout { size: [oh, ow], padding: [0, 0], stride: [1, 1], rows: oh, pitch: ow };
    let lanes = lanes::<T>();
    let bases = (0..group_in).flat_map(|c| shifts.iter().map(move |shift| (c, shift)));
    let bases: Vec<_> = bases.map(|(c, shift)| (c * batched::distance(&layout) + shift) * lanes).collect();
    let blocks = batch.div_ceil(lanes);
    let shares = PIECES.div_ceil(groups).min(blocks);
    let weights = group_out * group_in * taps;
    let mut partial = Buffer::unspecified(shares * dw.len());
    parallel::for_each_chunk(&mut partial, weights, |piece, out| {
        let (share, group) = (piece / groups, piece % groups);
        let mut sums = Buffer::zeroed(weights * lanes);
        for block in blocks * share / shares..blocks * (share + 1) / shares {
            let (first, count) = (block * lanes, lanes.min(batch - block * lanes));
            let x = &x[(first * in_channels + group * group_in) * size..];
            let g = &g[(first * out_channels + group * group_out) * plane..];
            let x = batched::lay(&layout, group_in, x, in_channels * size, count);
            let g = batched::lay(&gradients, group_out, g, out_channels * plane, count);
            let distance = batched::distance(&gradients) * lanes;
            dispatch(Correlate {
                x: &x,
                pitch: layout.pitch,
                bases: &bases,
                g: &g,
                distance,
                size: [oh, ow],
                sums: &mut sums,
            });
        }
        for (out, sums) in out.iter_mut().zip(sums.chunks_exact(lanes)) {
            *out = sums.iter().fold(T::ZERO, |sum, &x| sum + x);
        }
    });
    add_shares(&partial, dw);
}

/// Adds sums over windows to `sums[output, element]`, a register for each.
struct Correlate<'a, T> {
    x: &'a [T],
    /// Places from row to row of windows.
    pitch: usize,
    /// Where each element of the first window stands.
    bases: &'a [usize],
    g: &'a [T],
    /// Numbers from plane to plane of `g`.
    distance: usize,
    /// Rows and columns of windows.
    size: [usize; 2],
    sums: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Correlate<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let outputs = self.sums.len() / (self.bases.len() * L::LANES);
        let [rows, columns] = self.size;
        let last = self.bases.iter().max().map_or(0, |base| base + ((rows - 1) * self.pitch + columns) * L::LANES);
        let planes = (outputs - 1) * self.distance + rows * columns * L::LANES;
        assert!(last <= self.x.len() && planes <= self.g.len(), "a window lies outside of the planes");
        // SAFETY: the caller entered `L`; the planes have all windows, as was asserted.
        unsafe {
            // As many sums as fit the registers beside what they are made of.
            if L::ROWS > 8 { self.blocks::<L, 4, 6>(outputs) } else { self.blocks::<L, 3, 3>(outputs) }
        }
    }
}

impl<T: Real> Correlate<'_, T> {
    /// # Safety
    /// `L` is entered, and the planes have all windows.
    #[inline(always)]
    unsafe fn blocks<L: Lane<Num = T>, const OUTPUTS: usize, const ELEMENTS: usize>(self, outputs: usize) {
        let elements = self.bases.len();
        let (down, across) = (outputs.div_ceil(OUTPUTS), elements.div_ceil(ELEMENTS));
        // The factor with more numbers is gone through once.
        let by_output = self.g.len() > self.x.len();
        for block in 0..down * across {
            let (o, first) = if by_output { (block / across, block % across) } else { (block % down, block / down) };
            let (o, first) = (o * OUTPUTS, first * ELEMENTS);
            // What is missing repeats the last one.
            let x: [_; ELEMENTS] =
                std::array::from_fn(|e| self.x.as_ptr().wrapping_add(self.bases[(first + e).min(elements - 1)]));
            let g: [_; OUTPUTS] =
                std::array::from_fn(|i| self.g.as_ptr().wrapping_add((o + i).min(outputs - 1) * self.distance));
            // SAFETY: the caller's.
            let block = unsafe { sum::<L, OUTPUTS, ELEMENTS>(g, x, self.pitch, self.size) };
            for (i, row) in block.iter().enumerate().take(outputs - o) {
                let sums = &mut self.sums[((o + i) * elements + first) * L::LANES..];
                for (sums, x) in sums.chunks_exact_mut(L::LANES).zip(row).take(elements - first) {
                    // SAFETY: the caller entered `L`; the sums are a whole register.
                    unsafe { L::load(sums.as_ptr()).add(*x).store(sums.as_mut_ptr()) };
                }
            }
        }
    }
}

/// The sums over all windows, rows of which are `pitch` places apart in `x`, and follow each other in `g`.
///
/// # Safety
/// `L` is entered, and all planes have a register for each window.
#[inline(always)]
unsafe fn sum<L: Lane, const OUTPUTS: usize, const ELEMENTS: usize>(
    g: [*const L::Num; OUTPUTS],
    x: [*const L::Num; ELEMENTS],
    pitch: usize,
    [rows, columns]: [usize; 2],
) -> [[L; ELEMENTS]; OUTPUTS] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[L::splat(L::Num::ZERO); ELEMENTS]; OUTPUTS];
        for i in 0..rows {
            for j in 0..columns {
                let (from, to) = ((i * pitch + j) * L::LANES, (i * columns + j) * L::LANES);
                let g = g.map(|g| L::load(g.add(to)));
                for (e, x) in x.iter().enumerate() {
                    let x = L::load(x.add(from));
                    for (sums, g) in sums.iter_mut().zip(g) {
                        sums[e] = sums[e].add_product(g, x);
                    }
                }
            }
        }
        sums
    }
}
