//! Strips: some rows of an image with the channels innermost, as the transforms want them.
//!
//! Element `(row, column, lane)` of a strip is pixel `(top + row, left + column)` of channel `lane`, for [`LANES`] channels; 0
//! outside of the image, and in lanes without a channel.

use super::transform::{LANES, Lanes};
use crate::Real;
use crate::conv::shared::Shared;
use crate::gemm::{Lane, MAX_LANES, transpose_square};

/// Where a strip lies in an image.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    /// Height and width of the image.
    pub(super) image: [usize; 2],
    /// Rows and columns of the strip.
    pub(super) size: [usize; 2],
    /// The first row, in an image with `padding` zeros around it.
    pub(super) top: usize,
    /// The padding; columns start in it.
    pub(super) padding: usize,
}

impl Strip {
    /// How many pixels the strip has.
    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The image row of each strip row, `None` in the padding.
    #[inline(always)]
    fn row(&self, row: usize) -> Option<usize> {
        (self.top + row).checked_sub(self.padding).filter(|&r| r < self.image[0])
    }

    /// Reads the strip from `planes`, whose planes are the channels.
    ///
    /// # Panics
    /// If there are too few planes, or `strip` is shorter than [`pixels`](Strip::pixels).
    ///
    /// # Safety
    /// `L` is entered.
    #[inline(always)]
    pub(super) unsafe fn read<L: Lane>(&self, planes: &[L::Num], channels: usize, strip: &mut [Lanes<L::Num>]) {
        let zero = [L::Num::ZERO; LANES];
        let [height, width] = self.image;
        let columns = width.min(self.size[1] - self.padding);
        assert!(channels > 0 && planes.len() >= channels * height * width, "a strip needs {channels} planes");
        for (row, out) in strip[..self.pixels()].chunks_exact_mut(self.size[1]).enumerate() {
            let Some(row) = self.row(row) else {
                out.fill(zero);
                continue;
            };
            out[..self.padding].fill(zero);
            out[self.padding + columns..].fill(zero);
            let to = out[self.padding..][..columns].as_flattened_mut().as_mut_ptr();
            // SAFETY: the planes are there, `row` and `columns` lie inside of them, and `to` has room for the columns.
            unsafe { to_lanes::<L>(planes[row * width..].as_ptr(), height * width, channels, columns, to) };
        }
    }

    /// Writes the strip, plus a number for each channel, to the planes that start at `at`; what lies outside of the image
    /// is dropped. The strip has no padding.
    ///
    /// # Panics
    /// If the planes lie outside of the output, or `strip` is shorter than [`pixels`](Strip::pixels) and a register.
    ///
    /// # Safety
    /// Nobody else uses these rows of these planes; `L` is entered.
    #[inline(always)]
    pub(super) unsafe fn write<L: Lane>(
        &self,
        strip: &[Lanes<L::Num>],
        bias: &Lanes<L::Num>,
        channels: usize,
        out: &Shared<'_, L::Num>,
        at: usize,
    ) {
        let [height, width] = self.image;
        let columns = width.min(self.size[1]);
        assert!(strip.len() >= self.pixels() + MAX_LANES, "a strip ends with room for a register");
        for row in 0..self.size[0] {
            let Some(to) = self.row(row) else { continue };
            let from = strip[row * self.size[1]..].as_flattened().as_ptr();
            // SAFETY: `place` checks that the first and last number lie inside the output; the rest is the caller's.
            unsafe {
                let planes = out.place(at + to * width, (channels - 1) * height * width + columns);
                from_lanes::<L>(from, bias.as_ptr(), channels, columns, planes, height * width);
            }
        }
    }
}

/// `to[column * LANES + lane] = planes[lane * pitch + column]`. Lanes behind the last repeat it.
///
/// # Safety
/// Both can be used at all of these positions, for `columns` and all [`LANES`]; `L` is entered.
#[inline(always)]
pub(super) unsafe fn to_lanes<L: Lane>(
    planes: *const L::Num,
    pitch: usize,
    lanes: usize,
    columns: usize,
    to: *mut L::Num,
) {
    for first in (0..LANES).step_by(L::LANES) {
        for column in (0..columns).step_by(L::LANES) {
            let count = (columns - column).min(L::LANES);
            // SAFETY: the caller's.
            unsafe {
                let mut square = [L::splat(L::Num::ZERO); MAX_LANES];
                for (lane, row) in square.iter_mut().enumerate().take(L::LANES) {
                    let from = planes.add((first + lane).min(lanes - 1) * pitch + column);
                    *row = if count == L::LANES { L::load(from) } else { L::load_first(from, count) };
                }
                transpose_square(&mut square);
                for (i, row) in square.iter().enumerate().take(L::LANES) {
                    if i < count {
                        row.store(to.add((column + i) * LANES + first));
                    }
                }
            }
        }
    }
}

/// `planes[lane * pitch + column] = from[column * LANES + lane] + bias[lane]`, the way back.
///
/// # Safety
/// As for [`to_lanes`], `from` with as many columns more as fill a register, and `bias` with [`LANES`] numbers.
#[inline(always)]
pub(super) unsafe fn from_lanes<L: Lane>(
    from: *const L::Num,
    bias: *const L::Num,
    lanes: usize,
    columns: usize,
    planes: *mut L::Num,
    pitch: usize,
) {
    for first in (0..lanes).step_by(L::LANES) {
        for column in (0..columns).step_by(L::LANES) {
            let count = (columns - column).min(L::LANES);
            // SAFETY: the caller's.
            unsafe {
                let bias = L::load(bias.add(first));
                let mut square = [L::splat(L::Num::ZERO); MAX_LANES];
                for (i, row) in square.iter_mut().enumerate().take(L::LANES) {
                    *row = L::load(from.add((column + i) * LANES + first)).add(bias);
                }
                transpose_square(&mut square);
                for (lane, row) in square.iter().enumerate().take(L::LANES.min(lanes - first)) {
                    let to = planes.add((first + lane) * pitch + column);
                    if count == L::LANES { row.store(to) } else { row.store_first(to, count) }
                }
            }
        }
    }
}
