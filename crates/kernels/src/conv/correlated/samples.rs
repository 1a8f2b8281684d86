//! Samples side by side: a register holds one pixel of as many samples.
//!
//! Both factors are laid out as in `batched`; rows of windows may be as short as they are.

use super::{CACHED, Correlate, Walk};
use crate::Real;
use crate::conv::planes::{Layout, bases, input_layout, inputs};
use crate::conv::{Conv2d, batched, beside};
use crate::gemm::registers::{dispatch, lanes};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::simd::{self, Level};

/// Whether this path computes the gradient of the weights in less time than others. What each does for a group is counted in
/// multiplications.
pub(in crate::conv) fn applies<T: Element>(geometry: &Conv2d) -> bool {
    if simd::level() == Level::Portable || beside::applies(geometry) {
        return false;
    }
    let ([oh, ow], outputs) = (geometry.output(), geometry.group_out());
    let (terms, windows) = (geometry.group_in() * geometry.taps(), oh * ow);
    let samples = geometry.batch.next_multiple_of(lanes::<T>());
    let plane = input_layout(geometry).len();
    let numbers = geometry.group_in() * plane + outputs * windows;
    // Sums are read and written once for the windows of a block.
    let pairs = outputs.next_multiple_of(4) * terms.next_multiple_of(5);
    let here = (pairs * (windows + windows / 4 + 10) + 6 * numbers) * samples;
    // Rows of windows are turned in squares.
    let squares = terms * oh * ow.div_ceil(MAX_LANES);
    let blocked = (outputs * terms * windows + 140 * squares) * geometry.batch;
    let pieces = geometry.groups * samples / lanes::<T>();
    // Planes that meet are read there once for each pair.
    let stays = (4 * windows + 2 * plane) * lanes::<T>() <= CACHED;
    pieces > 1 && stays && here < blocked
}

/// [`weight_grad`](crate::conv::weight_grad) where this path [`applies`].
pub(in crate::conv) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let Conv2d { batch, in_channels, out_channels, .. } = *geometry;
    let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
    let (group_in, group_out, plane) = (geometry.group_in(), geometry.group_out(), oh * ow);
    let (layout, shifts) = inputs(geometry);
    let gradients = Layout { size: [oh, ow], padding: [0, 0], stride: [1, 1], rows: oh, pitch: ow };
    let lanes = lanes::<T>();
    let shifts: Vec<_> = shifts.iter().map(|shift| shift * lanes).collect();
    let bases = bases(group_in, batched::distance(&layout) * lanes, &shifts);
    let windows = Together { pitch: layout.pitch, size: [oh, ow] };
    super::weight_grad(geometry, batch.div_ceil(lanes), dw, |group, blocks, sums| {
        for block in blocks {
            let (first, count) = (block * lanes, lanes.min(batch - block * lanes));
            let x = &x[(first * in_channels + group * group_in) * size..];
            let g = &g[(first * out_channels + group * group_out) * plane..];
            let x = batched::lay(&layout, group_in, x, in_channels * size, count);
            let g = batched::lay(&gradients, group_out, g, out_channels * plane, count);
            let distance = batched::distance(&gradients) * lanes;
            dispatch(Correlate { x: &x, bases: &bases, g: &g, distance, windows, sums });
        }
    });
}

/// The windows of some samples, a register for each.
#[derive(Clone, Copy)]
struct Together {
    /// Places from row to row of windows in `x`; in `g` rows follow each other.
    pitch: usize,
    /// Rows and columns of windows.
    size: [usize; 2],
}

impl<T: Real> Walk<T> for Together {
    fn reach<L: Lane<Num = T>>(&self) -> [usize; 2] {
        let [rows, columns] = self.size;
        [rows * columns * L::LANES, ((rows - 1) * self.pitch + columns) * L::LANES]
    }

    #[inline(always)]
    unsafe fn sum<L: Lane<Num = T>, const OUTPUTS: usize, const ELEMENTS: usize>(
        &self,
        g: [*const T; OUTPUTS],
        x: [*const T; ELEMENTS],
    ) -> [[L; ELEMENTS]; OUTPUTS] {
        let [rows, columns] = self.size;
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [[L::splat(T::ZERO); ELEMENTS]; OUTPUTS];
            for i in 0..rows {
                for j in 0..columns {
                    let (from, to) = ((i * self.pitch + j) * L::LANES, (i * columns + j) * L::LANES);
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
}
