//! Neighboring windows side by side: a register holds numbers of windows that follow each other.
//!
//! `G` is read where it stands, windows from planes that are laid out: a run of numbers, or the ends of two rows.

use super::{CACHED, Correlate, Walk};
use crate::Real;
use crate::conv::Conv2d;
use crate::conv::beside;
use crate::conv::planes::{bases, input_layout, inputs};
use crate::conv::windows::lay;
use crate::gemm::registers::{dispatch, lanes};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::simd::{self, Level};

/// Whether this path computes the gradient of the weights in less time than a product of turned windows. What each does for a sample of
/// a group is counted in multiplications, as fitted to 126 convolutions.
pub(in crate::conv) fn applies<T: Element>(geometry: &Conv2d) -> bool {
    let ([oh, ow], outputs, lanes) = (geometry.output(), geometry.group_out(), lanes::<T>());
    if simd::level() == Level::Portable || beside::applies(geometry) || ow < lanes {
        return false;
    }
    let (terms, windows) = (geometry.group_in() * geometry.taps(), oh * ow);
    // Elements of windows with a stride stand in planes of their own, not in each other's cache lines.
    let place = if geometry.stride == [1, 1] { 16 } else { 19 };
    let pairs = outputs.next_multiple_of(4) * terms.next_multiple_of(5);
    let numbers = geometry.group_in() * input_layout(geometry).len();
    let here = pairs * (windows.next_multiple_of(lanes) + 8 * lanes) * place / 16 + 3 * numbers;
    // Products have whole registers of terms.
    let squares = terms * oh * ow.div_ceil(MAX_LANES);
    let turned = outputs * terms.next_multiple_of(MAX_LANES) * windows + 140 * squares;
    geometry.batch * geometry.groups > 1 && outputs * terms * lanes <= CACHED && here < turned
}

/// [`weight_grad`](crate::conv::weight_grad) where this path [`applies`].
pub(in crate::conv) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let Conv2d { batch, in_channels, out_channels, .. } = *geometry;
    let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
    let (group_in, group_out, plane, lanes) = (geometry.group_in(), geometry.group_out(), oh * ow, lanes::<T>());
    let (layout, shifts) = inputs(geometry);
    let bases = bases(group_in, layout.len(), &shifts);
    let runs = (0..plane).step_by(lanes).map(|at| Run::new(at, lanes.min(plane - at), ow, layout.pitch));
    let runs: Vec<_> = runs.collect();
    super::weight_grad(geometry, batch, dw, |group, samples, sums| {
        for sample in samples {
            let x = &x[(sample * in_channels + group * group_in) * size..];
            let g = &g[(sample * out_channels + group * group_out) * plane..];
            let x = lay(&layout, group_in, |c| &x[c * size..][..size]);
            dispatch(Correlate {
                x: &x,
                bases: &bases,
                g,
                distance: plane,
                windows: Rows { runs: &runs, plane },
                sums,
            });
        }
    });
}

/// Where a register of windows stands: the first `count` of them in a row, others in the next.
#[derive(Clone, Copy)]
struct Run {
    /// For the row, where the first lane stands, from the first window on; for the next, where it would stand.
    starts: [usize; 2],
    count: usize,
}

impl Run {
    /// So many windows from number `at` on, in rows of `columns`, `pitch` places apart.
    fn new(at: usize, windows: usize, columns: usize, pitch: usize) -> Self {
        let (row, column) = (at / columns, at % columns);
        let (start, count) = (row * pitch + column, columns - column);
        if count >= windows {
            Run { starts: [start; 2], count: windows }
        } else {
            Run { starts: [start, (row + 1) * pitch - count], count }
        }
    }

    /// A register of `windows` for each element.
    ///
    /// # Safety
    /// `L` is entered, and whole registers can be read behind the starts.
    #[inline(always)]
    unsafe fn load<L: Lane, const ELEMENTS: usize>(
        &self,
        windows: usize,
        x: [*const L::Num; ELEMENTS],
    ) -> [L; ELEMENTS] {
        let [start, next] = self.starts;
        // SAFETY: the caller's.
        unsafe {
            let mut row = x.map(|x| L::load(x.add(start)));
            // Most registers of long rows need no second one.
            if self.count < windows {
                for (row, x) in row.iter_mut().zip(x) {
                    *row = row.then(L::load(x.add(next)), self.count);
                }
            }
            row
        }
    }
}

/// The windows of a plane.
#[derive(Clone, Copy)]
struct Rows<'a> {
    runs: &'a [Run],
    /// How many windows there are.
    plane: usize,
}

impl<T: Real> Walk<T> for Rows<'_> {
    fn reach<L: Lane<Num = T>>(&self) -> [usize; 2] {
        assert!(self.runs.len() == self.plane.div_ceil(L::LANES), "windows are missing");
        [self.plane, self.runs.iter().flat_map(|run| run.starts).max().unwrap_or(0) + L::LANES]
    }

    #[inline(always)]
    unsafe fn sum<L: Lane<Num = T>, const OUTPUTS: usize, const ELEMENTS: usize>(
        &self,
        g: [*const T; OUTPUTS],
        x: [*const T; ELEMENTS],
    ) -> [[L; ELEMENTS]; OUTPUTS] {
        let rest = self.plane % L::LANES;
        let (whole, last) = self.runs.split_at(self.plane / L::LANES);
        // SAFETY: the caller's; the last register has `rest` windows, whose other lanes are zero in both factors.
        unsafe {
            let mut sums = [[L::splat(T::ZERO); ELEMENTS]; OUTPUTS];
            for (i, run) in whole.iter().enumerate() {
                let x = run.load(L::LANES, x);
                for (sums, g) in sums.iter_mut().zip(g) {
                    let g = L::load(g.add(i * L::LANES));
                    sums.iter_mut().zip(x).for_each(|(sum, x)| *sum = sum.add_product(g, x));
                }
            }
            for run in last {
                let x = run.load(rest, x).map(|x: L| x.then(L::splat(T::ZERO), rest));
                for (sums, g) in sums.iter_mut().zip(g) {
                    let g = L::load_first(g.add(whole.len() * L::LANES), rest);
                    sums.iter_mut().zip(x).for_each(|(sum, x)| *sum = sum.add_product(g, x));
                }
            }
            sums
        }
    }
}
