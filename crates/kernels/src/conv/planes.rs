//! Planes laid out so that every window element is a plain shift of them, and the two loops that use it.
//!
//! A padded plane is split by the stride `s` into `s x s` phases, phase `(a, b)` holding elements `(r s + a, c s + b)`. All
//! phases have rows of the same `pitch`. Then element `(u, v)` of the window `(i, j)` stands at
//! `shift(u, v) + i * pitch + j`: the windows of a whole plane are one run of numbers, and so are their elements. At the ends
//! of rows the run meets `pitch - width` windows that do not exist, which cost less than breaking it would.

use std::ops::Range;

use super::Conv2d;
use crate::gemm::registers::LaneKernel;
use crate::gemm::{Lane, MAX_LANES};
use crate::{Real, strided};

/// Numbers after a run that may be read or written: [`Shifted`] goes by blocks.
pub(super) const SLACK: usize = 64;

/// The layout of a plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Size of the plane itself.
    pub(super) size: [usize; 2],
    /// Zeros above and left of it; negative where rows and columns are left out.
    pub(super) padding: [isize; 2],
    /// Distance between neighboring windows.
    pub(super) stride: [usize; 2],
    /// Rows of a phase.
    pub(super) rows: usize,
    /// Columns of a phase.
    pub(super) pitch: usize,
}

impl Layout {
    /// How many numbers it takes, slack included.
    pub(super) fn len(&self) -> usize {
        self.stride[0] * self.stride[1] * self.rows * self.pitch + SLACK
    }

    /// Where the run of the elements at `at` (row and column, from the padding on) of all windows starts.
    pub(super) fn shift(&self, at: [usize; 2]) -> usize {
        let [phase, place] = [|at, stride| at % stride, |at, stride| at / stride]
            .map(|part: fn(usize, usize) -> usize| [part(at[0], self.stride[0]), part(at[1], self.stride[1])]);
        ((phase[0] * self.stride[1] + phase[1]) * self.rows + place[0]) * self.pitch + place[1]
    }

    /// The rows (or columns) of a phase that lie in the plane, and where the first of them stands there.
    pub(super) fn inside(&self, d: usize, phase: usize, count: usize) -> (Range<usize>, usize) {
        let shift = phase as isize - self.padding[d];
        let first = ((-shift).max(0) as usize).div_ceil(self.stride[d]).min(count);
        let end = ((self.size[d] as isize - shift).max(0) as usize).div_ceil(self.stride[d]).clamp(first, count);
        (first..end, ((first * self.stride[d]) as isize + shift).max(0) as usize)
    }

    /// Calls `take` for each row of each phase with where its first number stands in the plane, where it stands here, and how many
    /// there are: neighbors here, `stride[1]` apart in the plane.
    #[inline(always)]
    pub(super) fn for_each_run(&self, mut take: impl FnMut(usize, usize, usize)) {
        let [down, across] = self.stride;
        for phase in 0..down * across {
            let (rows, top) = self.inside(0, phase / across, self.rows);
            let (columns, left) = self.inside(1, phase % across, self.pitch);
            if columns.is_empty() {
                continue;
            }
            for (i, row) in rows.enumerate() {
                let to = (phase * self.rows + row) * self.pitch + columns.start;
                take((top + i * down) * self.size[1] + left, to, columns.len());
            }
        }
    }
}

/// The layout of input planes.
pub(super) fn input_layout(geometry: &Conv2d) -> Layout {
    let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let reach = |d: usize| (kernel[d] - 1) * dilation[d] / stride[d];
    let padding = padding.map(|p| p as isize);
    Layout { size: input, padding, stride, rows: oh + reach(0), pitch: ow + reach(1) }
}

/// The layout of input planes, and the shift of each window element.
pub(super) fn inputs(geometry: &Conv2d) -> (Layout, Vec<usize>) {
    let Conv2d { kernel, dilation, .. } = *geometry;
    let layout = input_layout(geometry);
    let shifts = (0..geometry.taps())
        .map(|tap| layout.shift([tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]]))
        .collect();
    (layout, shifts)
}

/// Where window elements `shifts` of `channels` planes start, `distance` numbers from plane to plane.
pub(super) fn bases(channels: usize, distance: usize, shifts: &[usize]) -> Vec<usize> {
    (0..channels).flat_map(|c| shifts.iter().map(move |shift| c * distance + shift)).collect()
}

/// The rows (or columns) of `dx` along one dimension: row `a` belongs to phase `(a + p) % s` and is number
/// `q = (a + p) / s` of it, which window elements `u` with `u d % s` equal to the phase reach from row `q - u d / s` of `g`.
#[derive(Clone, Copy)]
pub(super) struct Turned {
    /// The first `q` that any phase needs, and how many there are.
    first: usize,
    pub(super) count: usize,
    /// The largest `u d / s`.
    reach: usize,
}

impl Turned {
    fn new(geometry: &Conv2d, d: usize) -> Self {
        let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
        let first = padding[d].saturating_sub(stride[d] - 1).div_ceil(stride[d]);
        let last = (input[d] - 1 + padding[d]) / stride[d];
        Turned { first, count: last + 1 - first, reach: (kernel[d] - 1) * dilation[d] / stride[d] }
    }

    /// Both dimensions, and the layout of the planes of `g` that they go along.
    pub(super) fn both(geometry: &Conv2d) -> (Layout, [Self; 2]) {
        let turned = [Turned::new(geometry, 0), Turned::new(geometry, 1)];
        let padding = turned.map(|t| t.reach as isize - t.first as isize);
        let [rows, pitch] = turned.map(|t| t.count + t.reach);
        (Layout { size: geometry.output(), padding, stride: [1, 1], rows, pitch }, turned)
    }

    /// The window elements that reach a phase, with their shifts in that layout.
    pub(super) fn shifts(geometry: &Conv2d, phase: usize) -> Vec<(usize, usize)> {
        let Conv2d { kernel, stride, dilation, .. } = *geometry;
        let (layout, [down, across]) = Self::both(geometry);
        let place = |tap: usize| [tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]];
        (0..geometry.taps())
            .map(|tap| (tap, place(tap)))
            .filter(|(_, [u, v])| [u % stride[0], v % stride[1]] == [phase / stride[1], phase % stride[1]])
            .map(|(tap, [u, v])| (tap, layout.shift([down.reach - u / stride[0], across.reach - v / stride[1]])))
            .collect()
    }

    /// Which row of `g` a window element at distance `at` (`u d / s`) meets from the first row of a phase, `skip` rows on.
    pub(super) fn place(&self, skip: usize, at: usize) -> isize {
        (self.first + skip) as isize - at as isize
    }

    /// The first number of a phase that is a row of `dx`, which row that is, and how many there are from there on.
    pub(super) fn inside(&self, geometry: &Conv2d, d: usize, phase: usize) -> (usize, usize, usize) {
        let (stride, padding) = (geometry.stride[d], geometry.padding[d]);
        let skip = padding.saturating_sub(self.first * stride + phase).div_ceil(stride);
        let row = (self.first + skip) * stride + phase - padding;
        let rows = geometry.input[d].saturating_sub(row).div_ceil(stride);
        (skip, row, rows.min(self.count.saturating_sub(skip)))
    }
}

/// Lays a plane out in `out`, whose zeros stand already where the padding is.
pub(super) struct Fill<'a, T> {
    pub(super) layout: &'a Layout,
    pub(super) plane: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Fill<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Fill { layout, plane, out } = self;
        let step = layout.stride[1];
        layout.for_each_run(|from, to, count| {
            let (from, to) = (&plane[from..][..(count - 1) * step + 1], &mut out[to..][..count]);
            match step {
                // SAFETY: the caller entered `L`; the slices have the same length.
                1 => unsafe { copy::<L>(from, to) },
                _ => strided::gather(step, from, to, |to, from| *to = from),
            }
        });
    }
}

/// Copies short rows.
///
/// # Safety
/// `L` is entered, and the slices have the same length.
#[inline(always)]
unsafe fn copy<L: Lane>(from: &[L::Num], to: &mut [L::Num]) {
    for at in (0..to.len()).step_by(L::LANES) {
        let rest = to.len() - at;
        // SAFETY: the caller's.
        unsafe {
            let (from, to) = (from.as_ptr().add(at), to.as_mut_ptr().add(at));
            if rest >= L::LANES { L::load(from).store(to) } else { L::load_first(from, rest).store_first(to, rest) }
        }
    }
}

/// Rows of a run: row `i` of `from` starts at `i * pitch`, row `i` of `to` at `i * to_pitch`, its numbers `step` apart.
pub(super) struct Rows<'a, T> {
    pub(super) from: &'a [T],
    pub(super) pitch: usize,
    pub(super) to: &'a mut [T],
    pub(super) to_pitch: usize,
    pub(super) step: usize,
    /// Rows and columns to copy.
    pub(super) size: [usize; 2],
}

impl<T: Real> LaneKernel<T> for Rows<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Rows { from, pitch, to, to_pitch, step, size: [rows, columns] } = self;
        if columns == 0 {
            return;
        }
        for i in 0..rows {
            let from = &from[i * pitch..][..columns];
            let to = &mut to[i * to_pitch..][..(columns - 1) * step + 1];
            match step {
                // SAFETY: the caller entered `L`; the slices have the same length.
                1 => unsafe { copy::<L>(from, to) },
                _ => strided::scatter(step, from, to, |to, from| *to = from),
            }
        }
    }
}

/// `out[p] = first + sum over t of w[t] src[shifts[t] + p]`, or the same added to `out`.
pub(super) struct Shifted<'a, T> {
    pub(super) src: &'a [T],
    /// Shifts and their weights.
    pub(super) terms: &'a [(usize, T)],
    pub(super) first: T,
    pub(super) add: bool,
    /// Negative sums become 0.
    pub(super) relu: bool,
    /// With [`SLACK`] numbers more than are wanted.
    pub(super) out: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Shifted<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        const REGS: usize = 4;
        let Shifted { src, terms, first, add, relu, out } = self;
        let len = out.len() - SLACK;
        let reach = terms.iter().map(|term| term.0).max().unwrap_or(0) + len;
        assert!(reach + SLACK <= src.len() || terms.is_empty(), "the shifts reach beyond the plane");
        for at in (0..len).step_by(REGS * L::LANES) {
            // SAFETY: the caller entered `L`. A block starts before `len` and is no longer than the slack.
            unsafe {
                let out = out.as_mut_ptr().add(at);
                let mut sums = [L::splat(first); REGS];
                if add {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = L::load(out.add(i * L::LANES));
                    }
                }
                for &(shift, w) in terms {
                    let (from, w) = (src.as_ptr().add(shift + at), L::splat(w));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.add_product(w, L::load(from.add(i * L::LANES)));
                    }
                }
                for (i, sum) in sums.iter().enumerate() {
                    let sum = if relu { sum.relu() } else { *sum };
                    sum.store(out.add(i * L::LANES));
                }
            }
        }
    }
}

/// Sums that [`Dots`] keeps side by side.
pub(super) const DOTS: usize = 5;

/// Adds `g[p] src[shifts[t] + p]`, for all `p`, to lane `p % LANES` of the [`MAX_LANES`] sums of `t`.
pub(super) struct Dots<'a, T> {
    pub(super) src: &'a [T],
    pub(super) g: &'a [T],
    pub(super) shifts: &'a [usize],
    pub(super) sums: &'a mut [[T; MAX_LANES]],
}

impl<T: Real> LaneKernel<T> for Dots<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Dots { src, g, shifts, sums } = self;
        let reach = shifts.iter().max().map_or(0, |shift| shift + g.len());
        assert!(reach <= src.len(), "the shifts reach beyond the plane");
        for (shifts, sums) in shifts.chunks(DOTS).zip(sums.chunks_mut(DOTS)) {
            // Missing ones repeat the first.
            let mut from = [src.as_ptr(); DOTS];
            for (t, from) in from.iter_mut().enumerate() {
                *from = src[*shifts.get(t).unwrap_or(&shifts[0])..].as_ptr();
            }
            // SAFETY: the caller entered `L`; all numbers lie inside, as was asserted.
            unsafe {
                let mut totals = [L::splat(T::ZERO); DOTS];
                let whole = g.len() / L::LANES * L::LANES;
                for p in (0..whole).step_by(L::LANES) {
                    let g = L::load(g.as_ptr().add(p));
                    for (total, from) in totals.iter_mut().zip(from) {
                        *total = total.add_product(g, L::load(from.add(p)));
                    }
                }
                let rest = g.len() - whole;
                let g = L::load_first(g.as_ptr().add(whole), rest);
                for (total, from) in totals.iter_mut().zip(from) {
                    *total = total.add_product(g, L::load_first(from.add(whole), rest));
                }
                for (sum, total) in sums.iter_mut().zip(totals) {
                    L::load(sum.as_ptr()).add(total).store(sum.as_mut_ptr());
                }
            }
        }
    }
}
