//! Windows that do not overlap, written out as the rows of a matrix: it holds no more numbers than the padded image.
//!
//! ```text
//! P[(n,i,j), (c,u,v)] = x[n, c, i s + u - p, j s + v - p]        dW[o, (c,u,v)] = G[o, (n,i,j)] P
//! ```
//!
//! A row of a window is a run of neighbors, so writing it out takes a copy for each; after that the product reads both factors where
//! they stand. Other ways split planes by the stride, number by number, and turn what they have got.

use std::ops::Range;

use super::Conv2d;
use crate::{Buffer, Real};

/// Runs of fewer numbers take longer to copy than windows to turn.
const RUN: usize = 4;

/// Whether the windows of this convolution are written out.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    let Conv2d { kernel, stride, dilation, .. } = *geometry;
    dilation == [1, 1] && kernel[1] >= RUN && (0..2).all(|d| stride[d] >= kernel[d])
}

/// The windows of some samples, and of some channels counted from the first of all, one after the other.
pub(super) fn written<T: Real>(geometry: &Conv2d, samples: Range<usize>, channels: Range<usize>, x: &[T]) -> Buffer<T> {
    let ([oh, ow], len) = (geometry.output(), channels.len() * geometry.taps());
    let mut all = Buffer::unspecified(samples.len() * oh * ow * len);
    for (at, rows) in all.chunks_exact_mut((ow * len).max(1)).enumerate() {
        let (sample, i) = (samples.start + at / oh, at % oh);
        for (c, channel) in channels.clone().enumerate() {
            let plane = &x[(sample * geometry.in_channels + channel) * geometry.input_plane()..];
            for u in 0..geometry.kernel[0] {
                let to = &mut rows[(c * geometry.kernel[0] + u) * geometry.kernel[1]..];
                let row = (i * geometry.stride[0] + u).checked_sub(geometry.padding[0]);
                let row = row.filter(|&row| row < geometry.input[0]).map(|row| &plane[row * geometry.input[1]..]);
                match geometry.kernel[1] {
                    4 => runs::<T, 4>(geometry, row, ow, len, to),
                    8 => runs::<T, 8>(geometry, row, ow, len, to),
                    16 => runs::<T, 16>(geometry, row, ow, len, to),
                    _ => runs::<T, 0>(geometry, row, ow, len, to),
                }
            }
        }
    }
    all
}

/// Copies one row of each of `count` neighboring windows, `len` numbers apart in `to`: from a row of the image, or from the padding above and
/// below. `WIDTH` is the length of a run, or 0 if only the geometry knows it.
fn runs<T: Real, const WIDTH: usize>(geometry: &Conv2d, row: Option<&[T]>, count: usize, len: usize, to: &mut [T]) {
    let width = if WIDTH == 0 { geometry.kernel[1] } else { WIDTH };
    let (size, padding) = (geometry.input[1], geometry.padding[1]);
    for (j, to) in (0..count).zip(to.chunks_mut(len)) {
        let (to, start) = (&mut to[..width], j * geometry.stride[1]);
        let Some(row) = row else {
            to.fill(T::ZERO);
            continue;
        };
        if start >= padding && start - padding + width <= size {
            to.copy_from_slice(&row[start - padding..][..width]);
            continue;
        }
        for (v, to) in to.iter_mut().enumerate() {
            let at = (start + v).checked_sub(padding).filter(|&at| at < size);
            *to = at.map_or(T::ZERO, |at| row[at]);
        }
    }
}
