//! Packing: a factor's numbers in the order in which tiles read them.
//!
//! Both factors are seen as `lanes x k`: the lanes of `a` are its rows, those of `b` its columns. A *panel* holds a few
//! lanes side by side, for one `p` after another:
//!
//! ```text
//! panel[p * width + lane] = factor(first_p + p, first_lane + lane)
//! ```
//!
//! so that transposed and strided matrices cost no more than others, and convolution can produce the patches of an
//! image as panels without ever writing them out as a matrix.

use std::ops::Range;

use super::Mat;
use super::apart::{Apart, RowsApart};
use super::lane::Lane;
use crate::Real;

/// The longest register.
pub(crate) const MAX_LANES: usize = 16;

/// A factor of a product, as a source of panels.
///
/// Implementors outside this module only need [`pack`](Source::pack).
pub(crate) trait Source<T: Real>: Sync {
    /// Writes the numbers of `ks` and `lanes` to a panel: number `(p, lane)` to
    /// `panel[(p - ks.start) * width + (lane - lanes.start)]`.
    ///
    /// `width` is a multiple of `L::LANES` and at least `lanes.len()`, the panel holds `ks.len() * width` numbers. What
    /// is written between `lanes.len()` and `width` does not matter. Mark it `#[inline(always)]`: it is compiled for each
    /// lane, inside [`Lane::enter`], and may use the lane's methods.
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]);

    /// Where tiles find the numbers of `ks` and `lanes`, at most two registers of them, if they need no panel although rows
    /// stand anywhere. The answer is the same for all of a factor.
    #[inline(always)]
    fn apart<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>) -> Option<Apart<T>> {
        let _ = (ks, lanes);
        None
    }

    /// Where tiles find the numbers of `ks` and `lanes` of a factor `a`, if they need no panel although rows stand anywhere. The
    /// answer is the same for all of a factor.
    #[inline(always)]
    fn rows_apart(&self, ks: Range<usize>, lanes: Range<usize>) -> Option<RowsApart<T>> {
        let _ = (ks, lanes);
        None
    }

    /// The factor as a `lanes x k` matrix, if its numbers stand in memory. Tiles may then read it in place.
    fn in_place(&self) -> Option<Mat<'_, T>> {
        None
    }
}

/// A matrix whose rows are the lanes: `a` itself, or the transpose of `b`.
impl<T: Real> Source<T> for Mat<'_, T> {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        assert!(ks.end <= self.cols && lanes.end <= self.rows, "the panel lies outside the matrix");
        assert!(panel.len() >= ks.len() * width && width >= lanes.len() && width.is_multiple_of(L::LANES));
        if ks.is_empty() || lanes.is_empty() {
            return;
        }
        let from = self.data[lanes.start * self.row_stride + ks.start * self.col_stride..].as_ptr();
        let (k, count) = (ks.len(), lanes.len());
        // SAFETY: the asserts above say that all of the `count x k` numbers lie inside the matrix, hence its data, and
        // the panel holds `k` rows of `width`; we run inside `Lane::enter`.
        unsafe {
            if self.row_stride == 1 {
                copy_rows::<L>(from, self.col_stride, k, count, width, panel.as_mut_ptr());
            } else if self.col_stride == 1 {
                transpose::<L>(from, self.row_stride, k, count, width, panel.as_mut_ptr());
            } else {
                for p in 0..k {
                    for lane in 0..count {
                        panel[p * width + lane] = *from.add(lane * self.row_stride + p * self.col_stride);
                    }
                }
            }
        }
    }

    fn in_place(&self) -> Option<Mat<'_, T>> {
        Some(*self)
    }
}

/// Packs lanes that stand next to each other: `to[p * width + lane] = from[p * stride + lane]`.
///
/// # Safety
/// `from` can be read and `to` written at all of these positions, `to` in rows of `width`, a multiple of `L::LANES`.
#[inline(always)]
unsafe fn copy_rows<L: Lane>(
    from: *const L::Num,
    stride: usize,
    k: usize,
    count: usize,
    width: usize,
    to: *mut L::Num,
) {
    // SAFETY: the caller's; the last register reads only what exists.
    unsafe {
        if count == 2 * L::LANES {
            // The panels of whole columns: nearly all of them.
            for p in 0..k {
                let (from, to) = (from.add(p * stride), to.add(p * width));
                let (x, y) = (L::load(from), L::load(from.add(L::LANES)));
                x.store(to);
                y.store(to.add(L::LANES));
            }
            return;
        }
        for p in 0..k {
            let (from, to) = (from.add(p * stride), to.add(p * width));
            for lane in (0..count).step_by(L::LANES) {
                let rest = (count - lane).min(L::LANES);
                L::load_first(from.add(lane), rest).store(to.add(lane));
            }
        }
    }
}

/// Up to so many lanes, or terms, at the end are packed number by number: a square of registers takes longer.
const SLIVER: usize = 3;

/// Packs lanes whose own numbers stand next to each other: `to[p * width + lane] = from[lane * stride + p]`.
///
/// # Safety
/// As for [`copy_rows`].
#[inline(always)]
unsafe fn transpose<L: Lane>(
    from: *const L::Num,
    stride: usize,
    k: usize,
    count: usize,
    width: usize,
    to: *mut L::Num,
) {
    let sliver = |lanes: Range<usize>, terms: Range<usize>| {
        for lane in lanes {
            for p in terms.clone() {
                // SAFETY: the caller's.
                unsafe { *to.add(p * width + lane) = *from.add(lane * stride + p) }
            }
        }
    };
    for first in (0..count).step_by(L::LANES) {
        if count - first <= SLIVER {
            sliver(first..count, 0..k);
            return;
        }
        // Lanes behind the last repeat it: something must be read.
        let last = (count - first).min(L::LANES) - 1;
        for p in (0..k).step_by(L::LANES) {
            let terms = (k - p).min(L::LANES);
            if terms <= SLIVER {
                sliver(first..first + last + 1, p..k);
                break;
            }
            // SAFETY: the caller's; `last` and `terms` keep the reads inside, `terms` and `width` the writes.
            unsafe {
                let mut square = [L::splat(L::Num::default()); MAX_LANES];
                for (lane, row) in square.iter_mut().enumerate().take(L::LANES) {
                    let from = from.add((first + lane.min(last)) * stride + p);
                    *row = if terms == L::LANES { L::load(from) } else { L::load_first(from, terms) };
                }
                transpose_square(&mut square);
                for (i, row) in square.iter().enumerate().take(L::LANES) {
                    if i < terms {
                        row.store(to.add((p + i) * width + first));
                    }
                }
            }
        }
    }
}

/// Transposes the first `LANES` registers: each round of a perfect shuffle, row `i` zipped with row `i + LANES / 2`, rotates the
/// bits of an element's position (row, lane) by one; after `log2 LANES` rounds rows and lanes have changed places.
///
/// # Safety
/// The CPU has the registers.
#[inline(always)]
pub(crate) unsafe fn transpose_square<L: Lane>(square: &mut [L; MAX_LANES]) {
    for _ in 0..L::LANES.trailing_zeros() {
        let old = *square;
        for i in 0..L::LANES / 2 {
            // SAFETY: the caller's.
            (square[2 * i], square[2 * i + 1]) = unsafe { L::zip(old[i], old[i + L::LANES / 2]) };
        }
    }
}
