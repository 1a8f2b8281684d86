//! Maxima of windows with long rows in a few planes, too few to fill a register: one holds neighbors of a row, and each of its lanes the
//! largest number that it has met, and where.

use std::ops::Range;

use super::Adaptive2d;
use crate::Real;
use crate::lanes::{self, LANES};
use crate::simd::Kernel;

/// Whether this is the way for these windows.
pub(super) fn serves(geometry: &Adaptive2d) -> bool {
    let Adaptive2d { planes, input, output } = *geometry;
    // The only window of a plane is one row.
    let row = if output == [1, 1] { input[0].saturating_mul(input[1]) } else { input[1] / output[1].max(1) };
    planes < LANES && row >= LANES
}

/// The maxima of the windows of some planes, and where they stand.
pub(super) struct Max<'a, T>(pub &'a Adaptive2d, pub &'a [T], pub &'a mut [T], pub &'a mut [u32]);
impl<T: Real> Kernel for Max<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Max(geometry, x, y, places) = self;
        let ([height, width], out) = (geometry.input, geometry.output[0] * geometry.output[1]);
        let planes = y.chunks_exact_mut(out).zip(places.chunks_exact_mut(out));
        for (x, (y, places)) in x.chunks_exact(height * width).zip(planes) {
            geometry.each_window(|at, rows, columns| {
                let place = place(x, width, rows, columns);
                (y[at], places[at]) = (x[place], place as u32);
            });
        }
    }
}

/// Where the largest number of a window stands: of equals the first, of NaN the last.
#[inline(always)]
fn place<T: Real>(x: &[T], width: usize, rows: Range<usize>, columns: Range<usize>) -> usize {
    // Whole rows follow each other.
    let (rows, columns) =
        if columns.len() == width { (0..1, rows.start * width..rows.end * width) } else { (rows, columns) };
    let first = rows.start * width + columns.start;
    let (mut best, mut starts) = ([-T::INFINITY; LANES], [first as u32; LANES]);
    for row in rows {
        let start = row * width + columns.start;
        let row = &x[start..][..columns.len()];
        let (chunks, rest) = row.as_chunks::<LANES>();
        for (i, chunk) in chunks.iter().enumerate() {
            raise(&mut best, &mut starts, chunk, start + i * LANES);
        }
        if !rest.is_empty() {
            // What is left, once more with some of what came before it.
            let last = row.last_chunk().expect("rows are long");
            raise(&mut best, &mut starts, last, start + row.len() - LANES);
        }
    }
    let (best, starts) = (lanes::settle(best), lanes::settle(starts));
    let largest = lanes::fold_extremes(best, |a, b| if a > b { a } else { b });
    if largest == -T::INFINITY {
        return first;
    }
    let places = (0..LANES).map(|i| starts[i] as usize + i);
    let place = if largest.is_nan() {
        places.filter(|place| x[*place].is_nan()).max()
    } else {
        places.filter(|place| x[*place] == largest).min()
    };
    place.expect("a lane has it")
}

/// Raises each lane to a number of `x`, which stands at `start`, that is larger, or NaN.
#[inline(always)]
fn raise<T: Real>(best: &mut [T; LANES], starts: &mut [u32; LANES], x: &[T; LANES], start: usize) {
    for i in 0..LANES {
        let better = (x[i] > best[i]) | x[i].is_nan();
        best[i] = if better { x[i] } else { best[i] };
        starts[i] = if better { start as u32 } else { starts[i] };
    }
}
