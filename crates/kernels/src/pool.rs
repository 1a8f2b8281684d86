//! Max and average pooling over planes `[height, width]`, with PyTorch's rules.
//!
//! ```text
//! max:  y[i,j] = max over u,v of x[i s + u d - p, j s + v d - p]
//! mean: y[i,j] = (sum over u,v of x[i s + u - p, j s + v - p]) / count
//! ```
//!
//! with stride `s`, padding `p`, dilation `d` (max only). A maximum ignores the padding, takes the first of equal
//! elements, and is NaN where the window holds a NaN. A mean counts the padding as zeros, or leaves it out.
//!
//! What a maximum leaves behind is where it stood in its window: `places` moves numbers to there and back. Windows that divide a plane as
//! evenly as they can are in `adaptive`, means in `mean`. Where there are enough planes, all of them go side by side: `abreast`; maxima
//! of windows with long rows are looked for in these: `long`.
//!
//! The kernels here go along rows of windows, one window element `(u, v)` at a time: that is a plain loop over `j`, which
//! vectorizes, and still meets the elements of each window in order.

use std::ops::Range;

use crate::buffer::Pooled;
use crate::conv::strip::to_lanes;
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::simd::{self, Kernel};
use crate::size::{LARGEST, count};
use crate::{Buffer, Real, parallel, strided};

mod abreast;
mod adaptive;
mod long;
mod mean;
mod places;
#[cfg(test)]
mod tests;

use abreast::Windows;
pub use adaptive::{Adaptive2d, AdaptiveKernels, adaptive_avg_backward, adaptive_avg_forward, adaptive_max_forward};
use places::Shorten;
pub use places::{PlaceKernels, Places, gather, scatter};

/// The place of a maximum over a window that holds padding only.
const NOWHERE: u32 = u32::MAX;

/// Fewer windows in a row are not worth a loop over registers.
const SHORT: usize = 8;
/// Elements of a piece of parallel work.
const PIECE: usize = 1 << 15;

/// How many planes a piece of parallel work has, if one has so many numbers in and out: whole registers of them side by side.
fn together(numbers: usize, abreast: bool) -> usize {
    let planes = (PIECE / numbers.max(1)).max(1);
    if abreast { planes.next_multiple_of(MAX_LANES) } else { planes }
}

/// The geometry of a pooling. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2d {
    /// Number of planes: images times channels.
    pub planes: usize,
    /// Size of an input plane.
    pub input: [usize; 2],
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighboring windows.
    pub stride: [usize; 2],
    /// Padding on either side.
    pub padding: [usize; 2],
    /// Distance between neighboring elements of a window; means know only 1.
    pub dilation: [usize; 2],
    /// Round the number of windows up instead of down (a window still has to start inside the image or its left padding).
    pub ceil_mode: bool,
    /// Whether a mean divides by the size of the window within the padded image, or within the image only.
    pub count_include_pad: bool,
    /// What a mean divides by instead.
    pub divisor: Option<usize>,
}

impl Pool2d {
    /// Size of an output plane; `None` where the window does not fit into the padded plane.
    ///
    /// # Panics
    /// If a kernel size, stride or dilation is 0, or a size is so large that places could wrap around: above 2^31.
    pub fn checked_output(&self) -> Option<[usize; 2]> {
        let positive = |pair: [usize; 2]| pair[0] > 0 && pair[1] > 0;
        assert!(
            positive(self.kernel) && positive(self.stride) && positive(self.dilation),
            "pooling with a 0: {self:?}"
        );
        let sizes = [self.input, self.kernel, self.stride, self.padding, self.dilation];
        assert!(
            sizes.as_flattened().iter().all(|&size| size <= LARGEST),
            "pooling with a size that is too large: {self:?}"
        );
        let size = |d: usize| {
            let (room, stride) = (self.input[d] + 2 * self.padding[d], self.stride[d]);
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            let Some(rest) = room.checked_sub(reach) else {
                // Rounded up, a window that lacks less than a stride stands at the front.
                return (self.ceil_mode && reach - room < stride && self.input[d] + self.padding[d] > 0).then_some(1);
            };
            let down = rest / stride + 1;
            let up = rest.div_ceil(stride) + 1;
            let starts_inside = (up - 1) * stride < self.input[d] + self.padding[d];
            Some(if self.ceil_mode && starts_inside { up } else { down })
        };
        Some([size(0)?, size(1)?])
    }

    /// [`checked_output`](Pool2d::checked_output), or `[0, 0]` where the window does not fit.
    ///
    /// # Panics
    /// As `checked_output`.
    pub fn output(&self) -> [usize; 2] {
        self.checked_output().unwrap_or([0, 0])
    }

    /// How many numbers the input holds.
    pub fn input_len(&self) -> usize {
        count(&[self.planes, self.input[0], self.input[1]])
    }

    /// How many numbers the output holds.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        count(&[self.planes, height, width])
    }

    fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn output_plane(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    fn check_lengths(&self, x: usize, y: usize) {
        assert_eq!(x, self.input_len(), "pooling: the input has another length than {self:?}");
        assert_eq!(y, self.output_len(), "pooling: the output has another length than {self:?}");
        assert!(self.input_plane() < NOWHERE as usize, "pooling: a plane of {:?} is too large", self.input);
    }

    /// How many planes a piece of parallel work has.
    fn planes_together(&self, abreast: bool) -> usize {
        together(self.input_plane() + self.output_plane(), abreast)
    }

    /// The windows, where those of several planes are better taken side by side.
    fn windows_abreast(&self, least: usize) -> Option<Windows> {
        Windows::fit(least, self.planes, self.input).then(|| Windows::moving(self))
    }

    /// Whether no window meets the padding.
    fn all_inside(&self) -> bool {
        let reach = |d: usize| (self.output()[d] - 1) * self.stride[d] + self.dilation[d] * (self.kernel[d] - 1);
        self.padding == [0, 0] && reach(0) < self.input[0] && reach(1) < self.input[1]
    }

    /// Whether the only window is the plane.
    fn takes_whole_planes(&self) -> bool {
        self.kernel == self.input && self.all_inside()
    }

    /// The windows along dimension `d` whose element `tap` lies in the image.
    #[inline(always)]
    fn windows(&self, d: usize, tap: usize, windows: usize) -> Range<usize> {
        let shift = tap * self.dilation[d];
        let first = self.padding[d].saturating_sub(shift).div_ceil(self.stride[d]).min(windows);
        let end = (self.input[d] + self.padding[d]).saturating_sub(shift).div_ceil(self.stride[d]).min(windows);
        first..end.max(first)
    }

    /// Calls `visit(window element, row of windows, columns of windows, place of the first element)` for every output row
    /// and window element, in the order of the elements of a window. Places count from the start of the plane.
    #[inline(always)]
    pub(crate) fn each_row(&self, mut visit: impl FnMut(usize, usize, Range<usize>, usize)) {
        let [height, width] = self.output();
        for i in 0..height {
            for u in 0..self.kernel[0] {
                let row = i * self.stride[0] + u * self.dilation[0];
                if row < self.padding[0] || row >= self.padding[0] + self.input[0] {
                    continue;
                }
                for v in 0..self.kernel[1] {
                    let columns = self.windows(1, v, width);
                    if !columns.is_empty() {
                        let column = columns.start * self.stride[1] + v * self.dilation[1] - self.padding[1];
                        visit(u * self.kernel[1] + v, i, columns, (row - self.padding[0]) * self.input[1] + column);
                    }
                }
            }
        }
    }

    /// The rows (or columns) of the image that window `index` along dimension `d` covers, without dilation.
    #[inline(always)]
    fn covered(&self, d: usize, index: usize) -> Range<usize> {
        let start = index * self.stride[d];
        let end = (start + self.kernel[d]).min(self.input[d] + self.padding[d]).saturating_sub(self.padding[d]);
        start.saturating_sub(self.padding[d]).min(end)..end
    }

    /// By what the window `index` along dimension `d` contributes to the divisor of a mean.
    #[inline(always)]
    fn count(&self, d: usize, index: usize) -> usize {
        let start = index * self.stride[d];
        let end = (start + self.kernel[d]).min(self.input[d] + 2 * self.padding[d]);
        if self.count_include_pad {
            end - start
        } else {
            end.min(self.input[d] + self.padding[d]).saturating_sub(start.max(self.padding[d]))
        }
    }
}

concrete! {
    <T> trait PoolKernels;
    /// The maximum `y` of each window, minus infinity if it holds padding only; gives where they stand.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says.
    pub fn max_forward(geometry: &Pool2d, x: &[T], y: &mut [T]) -> Places = max_forward_impl;
    /// The mean `y` of each window.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or the geometry has a dilation.
    pub fn avg_forward(geometry: &Pool2d, x: &[T], y: &mut [T]) = mean::forward;
    /// The gradient of the input of [`avg_forward`]. Overwrites `dx`.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or the geometry has a dilation.
    pub fn avg_backward(geometry: &Pool2d, g: &[T], dx: &mut [T]) = mean::backward;
}

/// The maxima of the windows of some planes where all windows lie in the image, whatever their rows' length: the elements
/// `(u, v)` of all windows of a plane are put side by side first.
struct MaxInside<'a, T>(&'a Pool2d, &'a [T], &'a mut [T], &'a mut [u32], &'a mut [T]);
impl<T: Real> Kernel for MaxInside<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let MaxInside(geometry, x, y, argmax, values) = self;
        let ([height, width], step) = (geometry.output(), geometry.stride[1]);
        let (size, out) = (geometry.input_plane(), height * width);
        for ((x, y), argmax) in x.chunks_exact(size).zip(y.chunks_exact_mut(out)).zip(argmax.chunks_exact_mut(out)) {
            for tap in 0..geometry.kernel[0] * geometry.kernel[1] {
                let shift = geometry.shift(tap / geometry.kernel[1], tap % geometry.kernel[1]);
                for (i, values) in values.chunks_exact_mut(width).enumerate() {
                    let row = &x[i * geometry.stride[0] * geometry.input[1] + shift..];
                    let row = &row[..(width - 1) * step + 1];
                    if width < SHORT / 2 {
                        values.iter_mut().enumerate().for_each(|(j, value)| *value = row[j * step]);
                    } else {
                        strided::gather(step, row, values, |value, x| *value = x);
                    }
                }
                if tap == 0 {
                    y.copy_from_slice(values);
                    argmax.fill(0);
                    continue;
                }
                for ((best, place), &value) in y.iter_mut().zip(&mut *argmax).zip(&*values) {
                    let better = (value > *best) | value.is_nan();
                    *best = if better { value } else { *best };
                    *place = if better { shift as u32 } else { *place };
                }
            }
        }
    }
}

/// The maxima of whole planes, as many side by side as a register holds.
struct MaxOfPlanes<'a, T>(&'a [T], &'a mut [T], &'a mut [u32]);
impl<T: Real> LaneKernel<T> for MaxOfPlanes<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let MaxOfPlanes(x, y, argmax) = self;
        let size = x.len() / y.len();
        let mut flat = Buffer::unspecified(size * L::LANES);
        let groups = y.chunks_mut(L::LANES).zip(argmax.chunks_mut(L::LANES));
        for ((y, argmax), x) in groups.zip(x.chunks(size * L::LANES)) {
            assert_eq!(x.len(), y.len() * size, "max pooling: planes of the same size");
            // SAFETY: the caller entered `L`; there are as many planes as maxima, and `flat` has a register for each place.
            unsafe { to_lanes::<L>(x.as_ptr(), size, y.len(), size, flat.as_mut_ptr()) };
            let (mut best, mut places) = ([T::ZERO; MAX_LANES], [0; MAX_LANES]);
            best[..L::LANES].copy_from_slice(&flat[..L::LANES]);
            for (place, values) in flat.chunks_exact(L::LANES).enumerate() {
                for lane in 0..L::LANES {
                    let better = (values[lane] > best[lane]) | values[lane].is_nan();
                    best[lane] = if better { values[lane] } else { best[lane] };
                    places[lane] = if better { place as u32 } else { places[lane] };
                }
            }
            y.copy_from_slice(&best[..y.len()]);
            argmax.copy_from_slice(&places[..argmax.len()]);
        }
    }
}

/// The maxima of the windows of some planes.
struct Max<'a, T>(&'a Pool2d, &'a [T], &'a mut [T], &'a mut [u32]);
impl<T: Real> Kernel for Max<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Max(geometry, x, y, argmax) = self;
        let (width, step) = (geometry.output()[1], geometry.stride[1]);
        let (size, out) = (geometry.input_plane(), geometry.output_plane());
        for ((x, y), argmax) in x.chunks_exact(size).zip(y.chunks_exact_mut(out)).zip(argmax.chunks_exact_mut(out)) {
            y.fill(-T::INFINITY);
            argmax.fill(NOWHERE);
            geometry.each_row(|tap, i, columns, at| {
                let shift = geometry.shift(tap / geometry.kernel[1], tap % geometry.kernel[1]) as u32;
                let range = i * width + columns.start..i * width + columns.end;
                let (y, argmax) = (&mut y[range.clone()], &mut argmax[range]);
                match step {
                    1 => max_row::<T, 1>(&x[at..], shift, 1, y, argmax),
                    2 => max_row::<T, 2>(&x[at..], shift, 2, y, argmax),
                    _ => max_row::<T, 0>(&x[at..], shift, step, y, argmax),
                }
            });
        }
    }
}

/// Raises maxima by one element of each of their windows. `STEP` is the stride, or 0 if only `step` knows it.
#[inline(always)]
fn max_row<T: Real, const STEP: usize>(x: &[T], shift: u32, step: usize, y: &mut [T], argmax: &mut [u32]) {
    let step = if STEP == 0 { step } else { STEP };
    let x = &x[..(y.len() - 1) * step + 1];
    for (j, (best, place)) in y.iter_mut().zip(argmax).enumerate() {
        let value = x[j * step];
        // The first element counts even if it is minus infinity; NaN beats all and is beaten by NaN only.
        let better = (value > *best) | value.is_nan() | (*place == NOWHERE);
        *best = if better { value } else { *best };
        *place = if better { shift } else { *place };
    }
}

fn max_forward_impl<T: Element>(geometry: &Pool2d, x: &[T], y: &mut [T]) -> Places {
    geometry.check_lengths(x.len(), y.len());
    if geometry.is_near() {
        Places::near(geometry, maxima(geometry, x, y, |places, near| simd::dispatch(Shorten(places, near))))
    } else {
        Places::in_windows(geometry, maxima(geometry, x, y, |places, kept| kept.copy_from_slice(places)))
    }
}

/// The maxima, and what `keep` makes of their places in some planes.
fn maxima<T: Element, P: Pooled>(
    geometry: &Pool2d,
    x: &[T],
    y: &mut [T],
    keep: impl Fn(&[u32], &mut [P]) + Sync + Send,
) -> Buffer<P> {
    let mut kept = Buffer::unspecified(y.len());
    if y.is_empty() {
        return kept;
    }
    // A loop over a long row of small windows costs less than the way into registers and back.
    let inside = geometry.all_inside();
    let long = inside && geometry.kernel[0] * geometry.kernel[1] <= 4 && geometry.output()[1] > SHORT;
    let whole = geometry.takes_whole_planes();
    let planes = Adaptive2d { planes: geometry.planes, input: geometry.input, output: [1, 1] };
    let whole_long = whole && long::serves(&planes);
    let abreast =
        if long || whole { None } else { geometry.windows_abreast(abreast::MAXIMA).filter(Windows::all_cover) };
    let together = geometry.planes_together(whole && !whole_long || abreast.is_some());
    let (size, out) = (together * geometry.input_plane(), together * geometry.output_plane());
    let plane = geometry.output_plane();
    parallel::for_each_chunk2((y, &mut kept), (out, out), |piece, y, kept| {
        let x = &x[piece * size..x.len().min((piece + 1) * size)];
        let mut places = Buffer::unspecified(y.len());
        if x.is_empty() {
            y.fill(-T::INFINITY);
            places.fill(NOWHERE);
        } else if whole_long {
            simd::dispatch(long::Max(&planes, x, y, &mut places));
        } else if whole {
            dispatch(MaxOfPlanes(x, y, &mut places));
        } else if let Some(windows) = &abreast {
            dispatch(abreast::Max(windows, x, y, &mut places));
        } else if inside {
            simd::dispatch(MaxInside(geometry, x, y, &mut places, &mut Buffer::unspecified(plane)));
        } else {
            simd::dispatch(Max(geometry, x, y, &mut places));
        }
        keep(&places, kept);
    });
    kept
}
