//! The gradient of the weights for few channels or outputs: windows are read where they stand.
//!
//! ```text
//! dW[o, (c,u,v)] = sum over samples of sum over windows of G[o, window] P[(c,u,v), window]
//! ```
//!
//! Some outputs meet some elements of windows at a time, their sums over the windows stay in registers, and lanes are added up at
//! the very end. No window is turned, which for few outputs or elements takes longer than the multiplications. Lanes are samples
//! ([`samples`]), whatever the windows, or neighboring windows ([`rows`]), whatever the samples.

pub(super) mod rows;
pub(super) mod samples;

use std::ops::Range;

use super::{Conv2d, add_shares};
use crate::gemm::registers::{LaneKernel, dispatch, lanes};
use crate::gemm::{Element, Lane, MAX_LANES, transpose_square};
use crate::{Buffer, Real, parallel};

/// Pieces of work, at least, if there are as many blocks of samples.
const PIECES: usize = 8;
/// Numbers that the L2 cache holds, about.
const CACHED: usize = 1 << 18;

/// The gradient of the weights: `add` adds the sums over some of the `blocks` of samples to those of a group, a register for each output
/// and element. Pieces: a group over a fixed share of the blocks, added up in order.
fn weight_grad<T: Element>(
    geometry: &Conv2d,
    blocks: usize,
    dw: &mut [T],
    add: impl Fn(usize, Range<usize>, &mut [T]) + Sync + Send,
) {
    let groups = geometry.groups;
    let shares = PIECES.div_ceil(groups).min(blocks);
    let weights = geometry.weight_len() / groups;
    let mut partial = Buffer::unspecified(shares * dw.len());
    parallel::for_each_chunk(&mut partial, weights, |piece, out| {
        let (share, group) = (piece / groups, piece % groups);
        let mut sums = Buffer::zeroed(weights * lanes::<T>());
        add(group, blocks * share / shares..blocks * (share + 1) / shares, &mut sums);
        dispatch(Total { sums: &sums, out });
    });
    add_shares(&partial, dw);
}

/// How to go through the windows of a plane, a register of lanes at a time.
trait Walk<T>: Copy {
    /// How many numbers it reads of a plane of `g`, and of the laid planes behind the start of an element.
    fn reach<L: Lane<Num = T>>(&self) -> [usize; 2];
    /// The sums over all windows, for planes of `g` and elements that start where `x` says.
    ///
    /// # Safety
    /// `L` is entered, and [`reach`](Walk::reach) numbers can be read.
    unsafe fn sum<L: Lane<Num = T>, const OUTPUTS: usize, const ELEMENTS: usize>(
        &self,
        g: [*const T; OUTPUTS],
        x: [*const T; ELEMENTS],
    ) -> [[L; ELEMENTS]; OUTPUTS];
}

/// Adds sums over windows to `sums[output, element]`, a register for each.
struct Correlate<'a, T, W> {
    /// Planes that are laid out.
    x: &'a [T],
    /// Where each element of the first window stands.
    bases: &'a [usize],
    g: &'a [T],
    /// Numbers from plane to plane of `g`.
    distance: usize,
    windows: W,
    sums: &'a mut [T],
}

impl<T: Real, W: Walk<T>> LaneKernel<T> for Correlate<'_, T, W> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let outputs = self.sums.len() / (self.bases.len() * L::LANES);
        let [plane, reach] = self.windows.reach::<L>();
        let last = self.bases.iter().max().map_or(0, |base| base + reach);
        let planes = (outputs - 1) * self.distance + plane;
        assert!(last <= self.x.len() && planes <= self.g.len(), "a window lies outside of the planes");
        // SAFETY: the caller entered `L`; the planes have all windows, as was asserted.
        unsafe {
            // As many sums as fit the registers beside what they are made of.
            if L::ROWS > 8 { self.blocks::<L, 4, 5>(outputs) } else { self.blocks::<L, 3, 3>(outputs) }
        }
    }
}

impl<T: Real, W: Walk<T>> Correlate<'_, T, W> {
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
            let block = unsafe { self.windows.sum::<L, OUTPUTS, ELEMENTS>(g, x) };
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

/// Adds up the lanes of registers.
struct Total<'a, T> {
    sums: &'a [T],
    /// A number for each register.
    out: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Total<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        for (out, sums) in self.out.chunks_mut(L::LANES).zip(self.sums.chunks(L::LANES * L::LANES)) {
            // SAFETY: the caller entered `L`; chunks are whole registers, and `out` has as many numbers as are stored.
            unsafe {
                let mut square = [L::splat(T::ZERO); MAX_LANES];
                for (row, sums) in square.iter_mut().zip(sums.chunks_exact(L::LANES)) {
                    *row = L::load(sums.as_ptr());
                }
                transpose_square(&mut square);
                let total = square.iter().take(L::LANES).fold(L::splat(T::ZERO), |total, row| total.add(*row));
                total.store_first(out.as_mut_ptr(), out.len());
            }
        }
    }
}
