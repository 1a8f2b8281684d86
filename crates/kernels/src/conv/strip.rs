//! Strips: rows of an image with the channels innermost, as the transforms want them.
//!
//! Images have a plane for each channel; a register holds neighboring channels of one pixel. The way between is a
//! transposition of squares of numbers in registers.

use crate::Number;
use crate::gemm::{Lane, MAX_LANES, transpose_square};

/// The starts of squares that cover `0..len`, the last of which overlaps the one before.
#[inline(always)]
fn squares<L: Lane>(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(L::LANES).map(move |start| start.min(len.saturating_sub(L::LANES)))
}

/// `to[column * LANES + lane] = planes[lane * pitch + column]` for a register of lanes. Lanes behind the last repeat it.
///
/// # Safety
/// Both can be used at all of these positions; `L` is entered.
#[inline(always)]
pub(crate) unsafe fn to_lanes<L: Lane>(
    planes: *const L::Num,
    pitch: usize,
    lanes: usize,
    columns: usize,
    to: *mut L::Num,
) {
    for column in squares::<L>(columns) {
        let count = columns.min(L::LANES);
        // SAFETY: the caller's.
        unsafe {
            let mut square = [L::splat(L::Num::ZERO); MAX_LANES];
            for (lane, row) in square.iter_mut().enumerate().take(L::LANES) {
                let from = planes.add(lane.min(lanes - 1) * pitch + column);
                *row = if count == L::LANES { L::load(from) } else { L::load_first(from, count) };
            }
            transpose_square(&mut square);
            for (i, row) in square.iter().enumerate().take(L::LANES) {
                if i < count {
                    row.store(to.add((column + i) * L::LANES));
                }
            }
        }
    }
}

/// `planes[lane * pitch + column] = from[column * LANES + lane]`, the way back, for the first `lanes` of a register.
///
/// # Safety
/// As for [`to_lanes`].
#[inline(always)]
pub(crate) unsafe fn from_lanes<L: Lane>(
    from: *const L::Num,
    lanes: usize,
    columns: usize,
    planes: *mut L::Num,
    pitch: usize,
) {
    for column in squares::<L>(columns) {
        let count = columns.min(L::LANES);
        // SAFETY: the caller's.
        unsafe {
            let mut square = [L::splat(L::Num::ZERO); MAX_LANES];
            for (i, row) in square.iter_mut().enumerate().take(L::LANES) {
                if i < count {
                    *row = L::load(from.add((column + i) * L::LANES));
                }
            }
            transpose_square(&mut square);
            for (lane, row) in square.iter().enumerate().take(L::LANES) {
                if lane < lanes {
                    let to = planes.add(lane * pitch + column);
                    if count == L::LANES { row.store(to) } else { row.store_first(to, count) }
                }
            }
        }
    }
}
