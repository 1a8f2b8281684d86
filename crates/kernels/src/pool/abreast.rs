//! Windows of several planes side by side: as many planes as a register holds numbers, pixel by pixel.
//!
//! Each element of a window is one register for all planes of a group, however short rows are, however far windows are from
//! each other, and of whatever sizes; where they begin and end is asked once a group. The way into registers and back is a
//! transposition.

use std::ops::Range;

use super::Pool2d;
use crate::conv::strip::{from_lanes, to_lanes};
use crate::gemm::registers::LaneKernel;
use crate::gemm::{Lane, MAX_LANES};
use crate::{Buffer, Real};

/// Pixels of a plane of which a group, of four bytes each, stays in a cache of a MiB.
const LARGEST: usize = 1 << 14;

/// So many planes are worth a register, for maxima and for means: less than it holds, since one by one they are slow, maxima more so.
pub(super) const MAXIMA: usize = MAX_LANES / 4;
pub(super) const MEANS: usize = MAX_LANES / 2;

/// The windows along one dimension.
pub(super) struct Axis {
    /// What each window covers of the image.
    spans: Vec<Range<usize>>,
    /// From where places in each window count, modulo 2^64, since it may begin in the padding.
    firsts: Vec<usize>,
    /// Distance between neighboring elements of a window.
    step: usize,
    /// What each window contributes to the divisor of its mean.
    counts: Vec<usize>,
}

impl Axis {
    /// Windows of neighbors whose places count from the start of the plane.
    pub(super) fn of_spans(spans: impl Iterator<Item = Range<usize>>) -> Self {
        let spans: Vec<_> = spans.collect();
        let counts = spans.iter().map(|span| span.len()).collect();
        Axis { firsts: vec![0; spans.len()], spans, step: 1, counts }
    }

    /// The windows of `geometry` along dimension `d`.
    fn moving(geometry: &Pool2d, d: usize) -> Self {
        let (padding, step, windows) = (geometry.padding[d], geometry.dilation[d], geometry.output()[d]);
        let start = |i: usize| i * geometry.stride[d];
        let span = |i: usize| {
            let skipped = padding.saturating_sub(start(i)).div_ceil(step);
            let end = (start(i) + (geometry.kernel[d] - 1) * step + 1).saturating_sub(padding).min(geometry.input[d]);
            let first = start(i) + skipped * step - padding;
            first.min(end)..end
        };
        Axis {
            spans: (0..windows).map(span).collect(),
            firsts: (0..windows).map(|i| start(i).wrapping_sub(padding)).collect(),
            step,
            counts: (0..windows).map(|i| geometry.count(d, i)).collect(),
        }
    }
}

/// The windows of a plane.
pub(super) struct Windows {
    axes: [Axis; 2],
    /// Pixels of a row.
    width: usize,
    /// What means divide by instead of the size of their window.
    divisor: Option<usize>,
    /// Sizes of both planes.
    size: usize,
    out: usize,
}

impl Windows {
    pub(super) fn new(axes: [Axis; 2], input: [usize; 2], divisor: Option<usize>) -> Self {
        let out = axes[0].spans.len() * axes[1].spans.len();
        Windows { axes, width: input[1], divisor, size: input[0] * input[1], out }
    }

    pub(super) fn moving(geometry: &Pool2d) -> Self {
        let axes = [0, 1].map(|d| Axis::moving(geometry, d));
        Windows::new(axes, geometry.input, geometry.divisor)
    }

    /// Whether each of them covers something of the image.
    pub(super) fn all_cover(&self) -> bool {
        self.axes.iter().all(|axis| axis.spans.iter().all(|span| !span.is_empty()))
    }

    /// Whether there are enough planes for a register, and they are small enough.
    pub(super) fn fit(least: usize, planes: usize, input: [usize; 2]) -> bool {
        planes >= least && input[0] * input[1] <= LARGEST
    }

    /// What the mean of window `(i, j)` is divided by (1 where it covers padding only).
    #[inline(always)]
    fn divisor<T: Real>(&self, i: usize, j: usize) -> T {
        T::from_usize(self.divisor.unwrap_or((self.axes[0].counts[i] * self.axes[1].counts[j]).max(1)))
    }
}

/// The maxima of the windows of some planes, each of which covers something, and where they stand.
pub(super) struct Max<'a, T>(pub &'a Windows, pub &'a [T], pub &'a mut [T], pub &'a mut [u32]);
impl<T: Real> LaneKernel<T> for Max<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Max(windows, x, y, places) = self;
        let Windows { axes: [rows, columns], width, size, out, .. } = windows;
        let (lanes, size, out) = (L::LANES, *size, *out);
        let mut flat = Buffer::unspecified(size * lanes);
        let [mut best, mut place, mut turned] = [(); 3].map(|()| Buffer::<T>::unspecified(out * lanes));
        let groups = y.chunks_mut(out * lanes).zip(places.chunks_mut(out * lanes));
        for ((y, places), x) in groups.zip(x.chunks(size * lanes)) {
            let planes = y.len() / out;
            assert_eq!((x.len(), y.len()), (planes * size, planes * out), "max pooling: whole planes");
            // SAFETY: the caller entered `L`; there are as many planes, and `flat` has a register for each pixel.
            unsafe { to_lanes::<L>(x.as_ptr(), size, planes, size, flat.as_mut_ptr()) };
            let mut results = best.chunks_exact_mut(lanes).zip(place.chunks_exact_mut(lanes));
            for (rows_of, first_row) in rows.spans.iter().zip(&rows.firsts) {
                for ((columns_of, first), (y, place)) in columns.spans.iter().zip(&columns.firsts).zip(&mut results) {
                    let first = first_row.wrapping_mul(*width).wrapping_add(*first);
                    let start = rows_of.start * width + columns_of.start;
                    let mut best = [T::ZERO; MAX_LANES];
                    let mut at = [T::from_usize(start.wrapping_sub(first)); MAX_LANES];
                    best[..lanes].copy_from_slice(&flat[start * lanes..][..lanes]);
                    let mut row = rows_of.start;
                    while row < rows_of.end {
                        let mut column = columns_of.start;
                        while column < columns_of.end {
                            let pixel = row * width + column;
                            // A place is a number like the others: planes are too small for one that is not exact.
                            let now = T::from_usize(pixel.wrapping_sub(first));
                            let values = &flat[pixel * lanes..][..lanes];
                            for lane in 0..lanes {
                                let better = (values[lane] > best[lane]) | values[lane].is_nan();
                                best[lane] = if better { values[lane] } else { best[lane] };
                                at[lane] = if better { now } else { at[lane] };
                            }
                            column += columns.step;
                        }
                        row += rows.step;
                    }
                    y.copy_from_slice(&best[..lanes]);
                    place.copy_from_slice(&at[..lanes]);
                }
            }
            let turned = &mut turned[..places.len()];
            // SAFETY: as above, with a register for each window.
            unsafe {
                from_lanes::<L>(best.as_ptr(), planes, out, y.as_mut_ptr(), out);
                from_lanes::<L>(place.as_ptr(), planes, out, turned.as_mut_ptr(), out);
            }
            places.iter_mut().zip(&*turned).for_each(|(place, at)| *place = at.to_f64() as u32);
        }
    }
}

/// The means of the windows of some planes.
pub(super) struct Mean<'a, T>(pub &'a Windows, pub &'a [T], pub &'a mut [T]);
impl<T: Real> LaneKernel<T> for Mean<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Mean(windows, x, y) = self;
        let Windows { axes: [rows, columns], width, size, out, .. } = windows;
        let (lanes, line, size, out) = (L::LANES, width * L::LANES, *size, *out);
        let mut flat = Buffer::unspecified(size * lanes);
        let [mut sums, mut means] = [Buffer::unspecified(line), Buffer::unspecified(out * lanes)];
        for (y, x) in y.chunks_mut(out * lanes).zip(x.chunks(size * lanes)) {
            let planes = y.len() / out;
            assert_eq!((x.len(), y.len()), (planes * size, planes * out), "average pooling: whole planes");
            // SAFETY: the caller entered `L`; there are as many planes, and `flat` has a register for each pixel.
            unsafe { to_lanes::<L>(x.as_ptr(), size, planes, size, flat.as_mut_ptr()) };
            for (i, (span, means)) in
                rows.spans.iter().zip(means.chunks_exact_mut(columns.spans.len() * lanes)).enumerate()
            {
                let mut covered = flat[span.start * line..span.end * line].chunks_exact(line);
                match covered.next() {
                    Some(first) => sums.copy_from_slice(first),
                    None => sums.fill(T::ZERO),
                }
                covered.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x));
                for (j, (span, mean)) in columns.spans.iter().zip(means.chunks_exact_mut(lanes)).enumerate() {
                    let summands = sums[span.start * lanes..span.end * lanes].chunks_exact(lanes);
                    // SAFETY: the caller entered `L`, and these are chunks of a register.
                    unsafe {
                        let sum = summands.fold(L::splat(T::ZERO), |sum, x| sum.add(L::load(x.as_ptr())));
                        sum.store(mean.as_mut_ptr());
                    }
                    let divisor = windows.divisor(i, j);
                    mean.iter_mut().for_each(|mean: &mut T| *mean /= divisor);
                }
            }
            // SAFETY: as above, with a register for each window.
            unsafe { from_lanes::<L>(means.as_ptr(), planes, out, y.as_mut_ptr(), out) };
        }
    }
}

/// The gradients of the inputs of the means of some planes.
pub(super) struct MeanBackward<'a, T>(pub &'a Windows, pub &'a [T], pub &'a mut [T]);
impl<T: Real> LaneKernel<T> for MeanBackward<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let MeanBackward(windows, g, dx) = self;
        let Windows { axes: [rows, columns], width, size, out, .. } = windows;
        let (lanes, line, size, out) = (L::LANES, width * L::LANES, *size, *out);
        let mut flat = Buffer::unspecified(size * lanes);
        let [mut sums, mut shares] = [Buffer::unspecified(line), Buffer::unspecified(out * lanes)];
        for (dx, g) in dx.chunks_mut(size * lanes).zip(g.chunks(out * lanes)) {
            let planes = dx.len() / size;
            assert_eq!((dx.len(), g.len()), (planes * size, planes * out), "average pooling: whole planes");
            // SAFETY: the caller entered `L`; there are as many planes, and `shares` has a register for each window.
            unsafe { to_lanes::<L>(g.as_ptr(), out, planes, out, shares.as_mut_ptr()) };
            flat.fill(T::ZERO);
            for (i, (span, shares)) in
                rows.spans.iter().zip(shares.chunks_exact_mut(columns.spans.len() * lanes)).enumerate()
            {
                sums.fill(T::ZERO);
                for (j, (span, share)) in columns.spans.iter().zip(shares.chunks_exact_mut(lanes)).enumerate() {
                    let divisor = windows.divisor(i, j);
                    share.iter_mut().for_each(|share: &mut T| *share /= divisor);
                    for sum in sums[span.start * lanes..span.end * lanes].chunks_exact_mut(lanes) {
                        sum.iter_mut().zip(&*share).for_each(|(sum, &share)| *sum += share);
                    }
                }
                for row in flat[span.start * line..span.end * line].chunks_exact_mut(line) {
                    row.iter_mut().zip(&*sums).for_each(|(dx, &sum)| *dx += sum);
                }
            }
            // SAFETY: as above, with a register for each pixel.
            unsafe { from_lanes::<L>(flat.as_ptr(), planes, size, dx.as_mut_ptr(), size) };
        }
    }
}
