//! Means of windows, one direction after the other: the rows of a row of windows are summed first, then the columns of each.

use std::ops::Range;

use super::{Pool2d, SHORT, abreast};
use crate::conv::strip::to_lanes;
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::simd::{self, Kernel};
use crate::strided::{gather, scatter};
use crate::{Buffer, Real, lanes, parallel};

/// Elements of a plane whose sum is too short for several registers.
const SMALL: usize = 256;
/// More windows in a row spread their gradients faster along it than with those of other planes.
const LONG: usize = 24;

/// What all rows of windows have in common.
struct Columns<T> {
    /// The columns of the image that each window covers.
    spans: Vec<Range<usize>>,
    /// What each window contributes to the divisor of its mean.
    counts: Vec<T>,
}

impl<T: Real> Columns<T> {
    fn new(geometry: &Pool2d) -> Self {
        let width = geometry.output()[1];
        Columns {
            spans: (0..width).map(|j| geometry.covered(1, j)).collect(),
            counts: (0..width).map(|j| T::from_usize(geometry.count(1, j))).collect(),
        }
    }

    /// Divides sums of the windows of row `i` by the sizes of their windows (a window of padding only keeps its 0).
    #[inline(always)]
    fn divide(&self, geometry: &Pool2d, i: usize, row: &mut [T]) {
        if let Some(divisor) = geometry.divisor {
            return row.iter_mut().for_each(|y| *y /= T::from_usize(divisor));
        }
        let rows = T::from_usize(geometry.count(0, i));
        row.iter_mut().zip(&self.counts).for_each(|(y, &count)| *y /= (rows * count).maximum(T::ONE));
    }
}

/// Calls `visit(windows, place of the first one's element)` for each column of a window that lies in the image.
#[inline(always)]
fn each_column(geometry: &Pool2d, width: usize, mut visit: impl FnMut(Range<usize>, usize)) {
    for v in 0..geometry.kernel[1] {
        let windows = geometry.windows(1, v, width);
        if !windows.is_empty() {
            let place = windows.start * geometry.stride[1] + v - geometry.padding[1];
            visit(windows, place);
        }
    }
}

/// The means of the windows of some planes; the last slice is room for a row of the image.
struct Mean<'a, T>(&'a Pool2d, &'a Columns<T>, &'a [T], &'a mut [T], &'a mut [T]);
impl<T: Real> Kernel for Mean<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Mean(geometry, columns, x, y, sums) = self;
        let ([height, width], step) = (geometry.output(), geometry.stride[1]);
        let (size, out) = (geometry.input_plane(), height * width);
        for (x, y) in x.chunks_exact(size).zip(y.chunks_exact_mut(out)) {
            for (i, y) in y.chunks_exact_mut(width).enumerate() {
                let rows = geometry.covered(0, i);
                let mut lines = x[rows.start * sums.len()..rows.end * sums.len()].chunks_exact(sums.len());
                let Some(first) = lines.next() else {
                    y.fill(T::ZERO);
                    continue;
                };
                sums.copy_from_slice(first);
                lines.for_each(|line| sums.iter_mut().zip(line).for_each(|(sum, &x)| *sum += x));
                if width < SHORT {
                    for (y, span) in y.iter_mut().zip(&columns.spans) {
                        *y = sums[span.clone()].iter().fold(T::ZERO, |sum, &x| sum + x);
                    }
                } else {
                    y.fill(T::ZERO);
                    each_column(geometry, width, |windows, at| {
                        gather(step, &sums[at..], &mut y[windows], |y, x| *y += x)
                    });
                }
                columns.divide(geometry, i, y);
            }
        }
    }
}

/// The gradients of the inputs of the means of some planes; the last slices are room for a row of windows and one of the image.
struct MeanBackward<'a, T>(&'a Pool2d, &'a Columns<T>, &'a [T], &'a mut [T], [&'a mut [T]; 2]);
impl<T: Real> Kernel for MeanBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let MeanBackward(geometry, columns, g, dx, [scaled, line]) = self;
        let ([height, width], step) = (geometry.output(), geometry.stride[1]);
        let (size, out) = (geometry.input_plane(), height * width);
        if let Some(divisor) = whole::<T>(geometry) {
            return dx.chunks_exact_mut(size).zip(g).for_each(|(dx, &g)| dx.fill(g / divisor));
        }
        for (dx, g) in dx.chunks_exact_mut(size).zip(g.chunks_exact(out)) {
            dx.fill(T::ZERO);
            for (i, g) in g.chunks_exact(width).enumerate() {
                scaled.copy_from_slice(g);
                columns.divide(geometry, i, scaled);
                line.fill(T::ZERO);
                if width < SHORT {
                    for (&g, span) in scaled.iter().zip(&columns.spans) {
                        line[span.clone()].iter_mut().for_each(|dx| *dx += g);
                    }
                } else {
                    each_column(geometry, width, |windows, at| {
                        scatter(step, &scaled[windows], &mut line[at..], |dx, g| *dx += g);
                    });
                }
                let rows = geometry.covered(0, i);
                for dx in dx[rows.start * line.len()..rows.end * line.len()].chunks_exact_mut(line.len()) {
                    dx.iter_mut().zip(&*line).for_each(|(dx, &g)| *dx += g);
                }
            }
        }
    }
}

/// The means of whole planes: small ones as many side by side as a register holds.
struct MeanOfPlanes<'a, T>(&'a [T], &'a mut [T], T);
impl<T: Real> LaneKernel<T> for MeanOfPlanes<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let MeanOfPlanes(x, y, divisor) = self;
        let size = x.len() / y.len();
        if size > SMALL {
            x.chunks_exact(size).zip(&mut *y).for_each(|(x, y)| *y = T::from_f64(lanes::sum(x)));
        } else {
            let mut flat = Buffer::unspecified(size * L::LANES);
            let mut sums = [T::ZERO; MAX_LANES];
            for (x, y) in x.chunks(size * L::LANES).zip(y.chunks_mut(L::LANES)) {
                assert_eq!(x.len(), y.len() * size, "average pooling: planes of the same size");
                // SAFETY: the caller entered `L`; there are as many planes as means, and `flat` has a register for each place.
                unsafe {
                    to_lanes::<L>(x.as_ptr(), size, y.len(), size, flat.as_mut_ptr());
                    let places = flat.chunks_exact(L::LANES);
                    let sum = places.fold(L::splat(T::ZERO), |sum, x| sum.add(L::load(x.as_ptr())));
                    sum.store(sums.as_mut_ptr());
                }
                y.copy_from_slice(&sums[..y.len()]);
            }
        }
        y.iter_mut().for_each(|y| *y /= divisor);
    }
}

/// What the means of whole planes are divided by, if the windows are whole planes.
fn whole<T: Real>(geometry: &Pool2d) -> Option<T> {
    geometry.takes_whole_planes().then(|| T::from_usize(geometry.divisor.unwrap_or(geometry.input_plane())))
}

pub(super) fn forward<T: Element>(geometry: &Pool2d, x: &[T], y: &mut [T]) {
    geometry.check_lengths(x.len(), y.len());
    assert_eq!(geometry.dilation, [1, 1], "average pooling has no dilation");
    if y.is_empty() || x.is_empty() {
        y.fill(T::ZERO);
        return;
    }
    let whole = whole(geometry);
    let abreast = if whole.is_some() { None } else { geometry.windows_abreast(abreast::MEANS) };
    let (together, columns) = (geometry.planes_together(whole.is_some() || abreast.is_some()), Columns::new(geometry));
    let (size, out) = (together * geometry.input_plane(), together * geometry.output_plane());
    parallel::for_each_chunk(y, out, |piece, y| {
        if let Some(divisor) = whole {
            let x = &x[piece * size..][..y.len() * geometry.input_plane()];
            return dispatch(MeanOfPlanes(x, y, divisor));
        }
        if let Some(windows) = &abreast {
            let x = &x[piece * size..][..y.len() / geometry.output_plane() * geometry.input_plane()];
            return dispatch(abreast::Mean(windows, x, y));
        }
        let mut sums = Buffer::unspecified(geometry.input[1]);
        simd::dispatch(Mean(geometry, &columns, &x[piece * size..], y, &mut sums));
    });
}

pub(super) fn backward<T: Element>(geometry: &Pool2d, g: &[T], dx: &mut [T]) {
    geometry.check_lengths(dx.len(), g.len());
    assert_eq!(geometry.dilation, [1, 1], "average pooling has no dilation");
    if g.is_empty() || dx.is_empty() {
        dx.fill(T::ZERO);
        return;
    }
    // Spreading goes along long rows as fast as it can.
    let rows = whole::<T>(geometry).is_some() || geometry.output()[1] > LONG;
    let abreast = if rows { None } else { geometry.windows_abreast(abreast::MEANS) };
    let (together, columns) = (geometry.planes_together(abreast.is_some()), Columns::new(geometry));
    let (size, out) = (together * geometry.input_plane(), together * geometry.output_plane());
    parallel::for_each_chunk(dx, size, |piece, dx| {
        if let Some(windows) = &abreast {
            let g = &g[piece * out..][..dx.len() / geometry.input_plane() * geometry.output_plane()];
            return dispatch(abreast::MeanBackward(windows, g, dx));
        }
        let mut scaled = Buffer::unspecified(geometry.output()[1]);
        let mut line = Buffer::unspecified(geometry.input[1]);
        simd::dispatch(MeanBackward(geometry, &columns, &g[piece * out..], dx, [&mut scaled, &mut line]));
    });
}
