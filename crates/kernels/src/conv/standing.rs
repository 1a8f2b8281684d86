//! Windows that are read where they stand, with the outputs side by side: a register holds as many outputs of one window.
//!
//! ```text
//! Y^T[window, o] = P[window, (c,u,v)] W^T[(c,u,v), o]        P = numbers of the planes, one at a time
//! ```
//!
//! A tile takes the windows one by one and spreads each number over a register, so it does not matter how far they are from each other:
//! planes are not split by the stride, no window is packed, and short rows leave nothing empty. What it costs is turning the
//! weights while they are packed and the output while it is stored: little, where there are many windows and long sums (`ways` weighs that).

use std::ops::Range;

use super::planes::Layout;
use super::{Conv2d, abreast, shared::Shared};
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Epilogue, Lane, MAX_LANES, Mat, MatsMut, RowsApart, Size, Source, gemm_turned};
use crate::simd;
use crate::{Buffer, Real, parallel};

/// Terms of the weights that are turned at once.
const TURNED: usize = 128;

/// Windows as the rows of a factor whose sums run over their elements: element `p` of window `i` stands at `starts[i] + moves[p]`.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a, T> {
    planes: &'a [T],
    starts: &'a [usize],
    moves: &'a [usize],
}

impl<'a, T> Standing<'a, T> {
    /// # Panics
    /// If a window does not lie in the planes.
    pub(super) fn new(planes: &'a [T], starts: &'a [usize], moves: &'a [usize]) -> Self {
        let last = |places: &[usize]| places.iter().max().copied().unwrap_or(0);
        assert!(last(starts) + last(moves) < planes.len(), "a window lies outside of the planes");
        Standing { planes, starts, moves }
    }
}

impl<T: Real> Source<T> for Standing<'_, T> {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        for (row, &by) in panel.chunks_exact_mut(width).zip(&self.moves[ks]) {
            row.iter_mut().zip(&self.starts[lanes.clone()]).for_each(|(to, &start)| *to = self.planes[start + by]);
        }
    }

    #[inline(always)]
    fn rows_apart(&self, ks: Range<usize>, lanes: Range<usize>) -> Option<RowsApart<T>> {
        let (starts, moves) = (self.starts[lanes].as_ptr(), self.moves[ks].as_ptr());
        Some(RowsApart { base: self.planes.as_ptr(), starts, moves })
    }
}

/// The layout of input planes that no stride splits, and the shift of each window element. Without padding that is how they stand.
pub(super) fn inputs(geometry: &Conv2d) -> (Layout, Vec<usize>) {
    let (layout, shifts) = abreast::inputs(geometry);
    if geometry.padding != [0, 0] {
        return (layout, shifts);
    }
    let layout = Layout { rows: geometry.input[0], pitch: geometry.input[1], ..layout };
    let Conv2d { kernel, dilation, .. } = *geometry;
    let shift = |tap: usize| layout.shift([tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]]);
    (layout, (0..geometry.taps()).map(shift).collect())
}

/// Where the windows of some samples start: `shape` is samples, rows and columns, `pace` the numbers from one to the next.
pub(super) fn starts(shape: [usize; 3], pace: [usize; 3]) -> Vec<usize> {
    let [samples, rows, columns] = shape;
    let row = |at: usize| at / rows * pace[0] + at % rows * pace[1];
    (0..samples * rows).flat_map(|at| (0..columns).map(move |j| row(at) + j * pace[2])).collect()
}

/// The `outputs x terms` weights of each group, turned: `[group, term, output]`, outputs filled up to whole registers.
pub(super) fn turned<T: Element>(weights: &[T], outputs: usize, terms: usize) -> Buffer<T> {
    let width = outputs.next_multiple_of(MAX_LANES);
    let parts = terms.div_ceil(TURNED);
    let mut turned = Buffer::unspecified(weights.len() / outputs * width);
    let out = Shared::new(&mut turned);
    parallel::for_each(weights.len() / (outputs * terms) * parts, |piece| {
        let (group, part) = (piece / parts, piece % parts);
        let ks = part * TURNED..terms.min((part + 1) * TURNED);
        let weights = Mat::row_major(&weights[group * outputs * terms..], outputs, terms);
        // SAFETY: each piece has its own group and terms.
        let out = unsafe { out.part((group * terms + ks.start) * width, ks.len() * width) };
        dispatch(Turn { weights, ks, width, out });
    });
    turned
}

/// Turns some terms of the weights.
struct Turn<'a, T> {
    weights: Mat<'a, T>,
    ks: Range<usize>,
    width: usize,
    out: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Turn<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        self.weights.pack::<L>(self.ks, 0..self.weights.size().0, self.width, self.out);
    }
}

/// `out[o, window] = epilogue(weights[o, ..] . window)`, with the [`turned`] weights of the group.
pub(super) fn product<T: Element>(
    windows: Standing<'_, T>,
    (weights, outputs): (&[T], usize),
    out: &mut [T],
    epilogue: Epilogue<'_, T>,
) {
    let size = Size { m: windows.starts.len(), n: outputs, k: windows.moves.len() };
    let weights = Mat::new(weights, size.n, size.k, 1, outputs.next_multiple_of(MAX_LANES));
    let mut out = MatsMut::row_major(out, size.n, size.m);
    gemm_turned(simd::level(), size, |_| (windows, weights), &mut out, epilogue);
}
