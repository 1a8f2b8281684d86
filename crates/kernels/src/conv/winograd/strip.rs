//! Strips: some rows of an image with the channels innermost, as the transforms want them.
//!
//! Element `(row, column, lane)` of a strip is pixel `(top + row, left + column)` of channel `lane`, for [`LANES`] channels; 0
//! outside of the image, and in lanes without a channel.

use super::transform::{LANES, Lanes};
use crate::Real;
use crate::conv::shared::Shared;

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
    #[inline(always)]
    pub(super) fn read<T: Real>(&self, planes: &[T], channels: usize, strip: &mut [Lanes<T>]) {
        let [height, width] = self.image;
        let columns = width.min(self.size[1] - self.padding);
        for (row, out) in strip[..self.pixels()].chunks_exact_mut(self.size[1]).enumerate() {
            let Some(row) = self.row(row) else {
                out.fill([T::ZERO; LANES]);
                continue;
            };
            let (left, out) = out.split_at_mut(self.padding);
            let (middle, right) = out.split_at_mut(columns);
            left.fill([T::ZERO; LANES]);
            right.fill([T::ZERO; LANES]);
            if channels < LANES {
                middle.fill([T::ZERO; LANES]);
            }
            transpose_in(&planes[row * width..], height * width, channels, middle);
        }
    }

    /// Writes the strip, plus a number for each channel, to the planes that start at `at`; what lies outside of the image
    /// is dropped. The strip has no padding.
    ///
    /// # Safety
    /// Nobody else uses these rows of these planes.
    #[inline(always)]
    pub(super) unsafe fn write<T: Real>(
        &self,
        strip: &[Lanes<T>],
        bias: Option<&[T]>,
        channels: usize,
        out: &Shared<'_, T>,
        at: usize,
    ) {
        let [height, width] = self.image;
        let columns = width.min(self.size[1]);
        for (row, strip) in strip[..self.pixels()].chunks_exact(self.size[1]).enumerate() {
            let Some(row) = self.row(row) else { continue };
            for lane in 0..channels {
                // SAFETY: the caller's.
                let out = unsafe { out.part(at + (lane * height + row) * width, columns) };
                let bias = bias.map_or(T::ZERO, |b| b[lane]);
                out.iter_mut().zip(strip).for_each(|(out, x)| *out = x[lane] + bias);
            }
        }
    }
}

/// `out[column][lane] = planes[lane * pitch + column]`.
#[inline(always)]
fn transpose_in<T: Real>(planes: &[T], pitch: usize, channels: usize, out: &mut [Lanes<T>]) {
    let columns = out.len();
    for lane in 0..channels {
        let plane = &planes[lane * pitch..lane * pitch + columns];
        for (out, &x) in out.iter_mut().zip(plane) {
            out[lane] = x;
        }
    }
}
