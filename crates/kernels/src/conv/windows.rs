//! The windows of some samples as a factor of a product, made while it is packed: no matrix of patches is ever written.
//!
//! Planes are laid out one after the other (see `planes`), so that window element `(c, u, v)` of window `(n, i, j)` stands at
//! `bases[(c, u, v)] + n * sample + i * pitch + j`: elements of neighboring windows are neighbors.

use std::ops::Range;

use super::planes::{Fill, Layout, SLACK};
use crate::gemm::registers::dispatch;
use crate::gemm::{Apart, Element, Lane, MAX_LANES, Source, transpose_square};
use crate::{Buffer, Real, parallel};

/// Numbers worth a piece of parallel work.
const PIECE: usize = 1 << 16;

/// Lays out `count` planes, of which `plane(i)` is number `i`.
pub(super) fn lay<'a, T: Element>(
    layout: &Layout,
    count: usize,
    plane: impl Fn(usize) -> &'a [T] + Sync + Send,
) -> Buffer<T> {
    let mut laid = Buffer::unspecified(count * layout.len());
    let together = (PIECE / layout.len()).max(1);
    parallel::for_each_chunk(&mut laid, together * layout.len(), |piece, out| {
        for (i, out) in out.chunks_exact_mut(layout.len()).enumerate() {
            // Plane by plane, zeros are written over in the cache.
            out.fill(T::ZERO);
            dispatch(Fill { layout, plane: plane(piece * together + i), out });
        }
    });
    laid
}

/// The windows of planes that are laid out.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a, T> {
    laid: &'a [T],
    bases: &'a [usize],
    /// Samples, and rows and columns of windows of each.
    shape: [usize; 3],
    sample: usize,
    pitch: usize,
}

impl<'a, T: Real> Windows<'a, T> {
    /// # Panics
    /// If a window does not lie in the planes, with [`SLACK`] behind it.
    pub(super) fn new(laid: &'a [T], bases: &'a [usize], shape: [usize; 3], sample: usize, pitch: usize) -> Self {
        let [samples, rows, columns] = shape;
        let last = bases.iter().max().copied().unwrap_or(0) + (samples - 1) * sample + (rows - 1) * pitch + columns - 1;
        assert!(
            bases.is_empty() || last + SLACK <= laid.len() && SLACK > MAX_LANES,
            "a window lies outside of the planes"
        );
        Windows { laid, bases, shape, sample, pitch }
    }

    /// How many windows there are.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// How far window `at` is from the first, and how many windows of its row come before window `end`.
    #[inline(always)]
    fn row(&self, at: usize, end: usize) -> (usize, usize) {
        let [_, rows, columns] = self.shape;
        let (row, column) = (at / columns, at % columns);
        (row / rows * self.sample + row % rows * self.pitch + column, (columns - column).min(end - at))
    }
}

/// The factor whose lanes are the windows: sums run over their elements.
#[derive(Clone, Copy)]
pub(super) struct ByWindow<'a, T>(pub(super) Windows<'a, T>);

impl<T: Real> Source<T> for ByWindow<'_, T> {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        let windows = &self.0;
        assert!(panel.len() >= ks.len() * width && lanes.len() <= width, "the panel is too small");
        assert!(lanes.end <= windows.count(), "there are fewer windows");
        let bases = &windows.bases[ks];
        let mut at = lanes.start;
        while at < lanes.end {
            let (shift, count) = windows.row(at, lanes.end);
            let place = at - lanes.start;
            for i in (0..count).step_by(L::LANES) {
                let room = width - place - i;
                // SAFETY: `Windows::new` says that whole registers can be read behind every window; the panel has rows of
                // `width`, of which the store takes no more than `room`. What it writes behind the row of windows is
                // overwritten by the next one, or does not matter. We run inside `Lane::enter`.
                unsafe {
                    let mut to = panel.as_mut_ptr().add(place + i);
                    let from = windows.laid.as_ptr().add(shift + i);
                    if room >= L::LANES {
                        for &base in bases {
                            L::load(from.add(base)).store(to);
                            to = to.wrapping_add(width);
                        }
                    } else {
                        for &base in bases {
                            L::load(from.add(base)).store_first(to, room);
                            to = to.wrapping_add(width);
                        }
                    }
                }
            }
            at += count;
        }
    }

    #[inline(always)]
    fn apart<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>) -> Option<Apart<T>> {
        let windows = &self.0;
        let columns = windows.shape[2];
        // Registers meet one end of a row at most.
        if columns < L::LANES || lanes.len() > 2 * L::LANES || windows.bases.is_empty() {
            return None;
        }
        let moves = windows.bases[ks].as_ptr();
        assert!(lanes.end <= windows.count(), "there are fewer windows");
        let mut apart = Apart { runs: [[windows.laid.as_ptr(); 2]; 2], count: [L::LANES; 2], moves };
        for j in 0..2 {
            let start = lanes.start + j * L::LANES;
            if start >= lanes.end {
                break;
            }
            let end = lanes.end.min(start + L::LANES);
            let (shift, count) = windows.row(start, end);
            // Rows of windows do not overlap, so the second run, from where its first lane would stand, is in the planes.
            let next = if start + count < end { windows.row(start + count, end).0 - count } else { shift };
            apart.runs[j] = [shift, next].map(|shift| windows.laid[shift..].as_ptr());
            apart.count[j] = count;
        }
        Some(apart)
    }
}

/// The factor whose lanes are the elements of windows: sums run over the windows.
#[derive(Clone, Copy)]
pub(super) struct ByElement<'a, T>(pub(super) Windows<'a, T>);

impl<T: Real> Source<T> for ByElement<'_, T> {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        let windows = &self.0;
        assert!(panel.len() >= ks.len() * width && lanes.len() <= width, "the panel is too small");
        assert!(width.is_multiple_of(L::LANES) && ks.end <= windows.count(), "there are fewer windows");
        let bases = &windows.bases[lanes];
        let mut at = ks.start;
        while at < ks.end {
            let (shift, count) = windows.row(at, ks.end);
            for (group, bases) in bases.chunks(L::LANES).enumerate() {
                for i in (0..count).step_by(L::LANES) {
                    // SAFETY: `Windows::new` says that whole registers can be read behind every window; the panel has
                    // `width` numbers, whole registers, for each of `ks`. We run inside `Lane::enter`.
                    unsafe {
                        let from = windows.laid.as_ptr().add(shift + i);
                        let mut square = [L::splat(T::ZERO); MAX_LANES];
                        for (row, &base) in square.iter_mut().zip(bases) {
                            *row = L::load(from.add(base));
                        }
                        transpose_square(&mut square);
                        let to = panel.as_mut_ptr().add((at - ks.start + i) * width + group * L::LANES);
                        for (k, row) in square.iter().enumerate().take(L::LANES) {
                            if i + k < count {
                                row.store(to.add(k * width));
                            }
                        }
                    }
                }
            }
            at += count;
        }
    }
}
