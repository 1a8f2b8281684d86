//! The transforms of the weights and of their gradient, for a register of outer channels at a time.

use std::ops::Range;

use super::images::{load, store};
use super::transform::{self, SIDE};
use super::{ELEMENTS, padded};
use crate::conv::shared::Shared;
use crate::conv::strip::{from_lanes, to_lanes};
use crate::gemm::Lane;
use crate::gemm::registers::LaneKernel;
use crate::simd::prefetch;
use crate::{Buffer, Real};

/// Inner channels whose weights are transposed together, where they follow each other.
const TOGETHER: usize = 16;

/// How many inner channels ahead weights are asked for where inner channels stand apart (the gradient of the input): those of a few
/// outer ones are too short a run for a CPU to foresee the next.
const AHEAD: usize = 3;
/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Weights in memory, as a pass sees them.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a, T> {
    pub(super) w: &'a [T],
    /// Distance of the weights of neighboring outer and inner channels.
    pub(super) steps: [usize; 2],
    /// Rows and columns of the weights.
    pub(super) kernel: usize,
    /// Turn them around.
    pub(super) turned: bool,
}

/// Transforms weights: `u[e][c, o]` for some inner and outer channels, which `u` starts with.
pub(super) struct Weights<'a, T> {
    pub(super) filters: Filters<'a, T>,
    pub(super) inner: Range<usize>,
    pub(super) outer: Range<usize>,
    /// Where the first of these inner channels stands in `u`.
    pub(super) at: usize,
    pub(super) u: &'a Shared<'a, T>,
    /// Distance between elements.
    pub(super) pitch: usize,
}

impl<T: Real> LaneKernel<T> for Weights<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        // SAFETY: the caller's.
        unsafe { for_kernel!(self.filters.kernel, K => self.transform::<L, K>()) }
    }
}

impl<T: Real> Weights<'_, T> {
    /// # Safety
    /// `L` is entered.
    #[inline(always)]
    unsafe fn transform<L: Lane<Num = T>, const K: usize>(self) {
        let Weights { filters: Filters { w, steps, turned, .. }, inner, outer, at, u, pitch } = self;
        // `window` is how many elements a window has.
        let (width, window) = (padded(outer.len()), K * K);
        assert!((at + inner.len()) * width <= pitch, "the inner channels lie outside of their element");
        let together = if steps[1] == window { TOGETHER } else { 1 };
        let mut taps = Buffer::unspecified(TOGETHER * window * L::LANES);
        for first in inner.clone().step_by(together) {
            let channels = together.min(inner.end - first);
            for group in (0..outer.len()).step_by(L::LANES) {
                let count = L::LANES.min(outer.len() - group);
                let w = &w[(outer.start + group) * steps[0] + first * steps[1]..];
                assert!(w.len() >= (count - 1) * steps[0] + channels * window, "the weights are too short");
                if together == 1 {
                    for number in (0..count * window).step_by(LINE / T::BYTES) {
                        prefetch(w.as_ptr().wrapping_add(AHEAD * steps[1] + number));
                    }
                }
                // SAFETY: the weights of each of `count` outer channels are there, and `taps` has room for them.
                unsafe { to_lanes::<L>(w.as_ptr(), steps[0], count, channels * window, taps.as_mut_ptr()) };
                for c in 0..channels {
                    let to = (at + first - inner.start + c) * width + group;
                    let u = u.place(to, (ELEMENTS - 1) * pitch + L::LANES);
                    // SAFETY: the caller entered `L`; `place` checks that all elements lie inside, and each piece of work
                    // has its own inner channels, or a `u` of its own.
                    unsafe {
                        let mut tile = [[L::splat(T::ZERO); K]; K];
                        for (i, tap) in tile.as_flattened_mut().iter_mut().enumerate() {
                            let i = c * window + if turned { window - 1 - i } else { i };
                            *tap = L::load(taps[i * L::LANES..].as_ptr());
                        }
                        let tile = transform::weight_tile(tile);
                        for (i, row) in tile.iter().enumerate() {
                            store(*row, u.add(i * SIDE * pitch), pitch);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms `du[e][c, o]` back and writes it to the weights of some inner and outer channels.
pub(super) struct WeightGrads<'a, T> {
    /// Rows and columns of the weights.
    pub(super) kernel: usize,
    /// Inner channels of the weights.
    pub(super) all_inner: usize,
    pub(super) inner: Range<usize>,
    pub(super) outer: Range<usize>,
    pub(super) du: &'a [T],
    /// Distance between elements.
    pub(super) pitch: usize,
    pub(super) dw: &'a Shared<'a, T>,
    /// Where the weights start.
    pub(super) at: usize,
}

impl<T: Real> LaneKernel<T> for WeightGrads<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        // SAFETY: the caller's.
        unsafe { for_kernel!(self.kernel, K => self.transform::<L, K>()) }
    }
}

impl<T: Real> WeightGrads<'_, T> {
    /// # Safety
    /// `L` is entered.
    #[inline(always)]
    unsafe fn transform<L: Lane<Num = T>, const K: usize>(self) {
        let WeightGrads { all_inner, inner, outer, du, pitch, dw, at, .. } = self;
        // `window` is how many elements a window has.
        let (width, window) = (padded(outer.len()), K * K);
        assert!(du.len() >= (ELEMENTS - 1) * pitch + inner.len() * width, "the gradients are too short");
        let mut taps = Buffer::unspecified(TOGETHER * window * L::LANES);
        for group in (0..outer.len()).step_by(L::LANES) {
            let count = L::LANES.min(outer.len() - group);
            for first in inner.clone().step_by(TOGETHER) {
                let channels = TOGETHER.min(inner.end - first);
                for c in 0..channels {
                    let from = (first - inner.start + c) * width + group;
                    // SAFETY: the caller entered `L`; all elements lie inside, as was asserted.
                    unsafe {
                        let du = du.as_ptr().add(from);
                        let mut tile = [[L::splat(T::ZERO); SIDE]; SIDE];
                        for (i, row) in tile.iter_mut().enumerate() {
                            *row = load(du.add(i * SIDE * pitch), pitch);
                        }
                        let tile = transform::weight_grad_tile::<L, K>(tile);
                        for (i, &row) in tile.iter().enumerate() {
                            store(row, taps[(c * window + i * K) * L::LANES..].as_mut_ptr(), L::LANES);
                        }
                    }
                }
                let pitch = all_inner * window;
                let start = at + ((outer.start + group) * all_inner + first) * window;
                // SAFETY: `place` checks that all of it lies inside; each piece of work has its own share of `dw` or its
                // own channels.
                unsafe {
                    let dw = dw.place(start, (count - 1) * pitch + channels * window);
                    from_lanes::<L>(taps.as_ptr(), count, channels * window, dw, pitch);
                }
            }
        }
    }
}
