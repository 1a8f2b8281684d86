//! Patches: the windows of an image as a matrix, a block of columns at a time.
//!
//! Row `(c, u, v)`, column `(n, i, j)` of the patch matrix holds `x[n, c, i s + u d - p, j s + v d - p]`. It repeats each
//! input element up to `kernel height * kernel width` times, so only a block that fits the second-level cache exists at
//! any time. [`fill`] reads a block from the image; [`scatter`] is its transpose: it adds a block to the image.
//!
//! Columns count windows over the whole batch: `(n * output height + i) * output width + j`.

use std::ops::Range;

use super::Conv2d;
use crate::Real;

/// A piece of one row of the patch matrix that lies in one output row: `len` windows, whose elements stand in the image
/// from `at` on, `step` apart; `before` windows of the piece and all after `before + len` meet the padding instead.
struct Strip {
    before: usize,
    len: usize,
    at: usize,
}

/// Calls `visit(place in the row, windows, strip)` for each output row that the columns meet, at window element `(u, v)`
/// of a channel (counted over the whole image).
#[inline(always)]
fn strips(
    geometry: &Conv2d,
    columns: &Range<usize>,
    channel: usize,
    [u, v]: [usize; 2],
    mut visit: impl FnMut(usize, usize, Strip),
) {
    let Conv2d { input: [height, width], stride, padding, dilation, .. } = *geometry;
    let [oh, ow] = geometry.output();
    // Windows j with 0 <= j stride + shift - padding < width.
    let shift = v * dilation[1];
    let first = padding[1].saturating_sub(shift).div_ceil(stride[1]);
    let end = (width + padding[1]).saturating_sub(shift).div_ceil(stride[1]);
    let mut column = columns.start;
    while column < columns.end {
        let (line, j) = (column / ow, column % ow);
        let windows = (ow - j).min(columns.end - column);
        let (n, i) = (line / oh, line % oh);
        let row = i * stride[0] + u * dilation[0];
        let inside = row >= padding[0] && row < padding[0] + height;
        let (start, stop) = (first.clamp(j, j + windows), end.clamp(j, j + windows));
        let strip = if inside && start < stop {
            let plane = n * geometry.in_channels + channel;
            let at = (plane * height + row - padding[0]) * width + start * stride[1] + shift - padding[1];
            Strip { before: start - j, len: stop - start, at }
        } else {
            Strip { before: windows, len: 0, at: 0 }
        };
        visit(column - columns.start, windows, strip);
        column += windows;
    }
}

/// Writes the patches of some channels and columns: `out[((c, u, v), column)]`.
///
/// # Panics
/// If `out` is shorter than `channels * kernel * columns`.
pub(super) fn fill<T: Real>(geometry: &Conv2d, x: &[T], channels: Range<usize>, columns: Range<usize>, out: &mut [T]) {
    let step = geometry.stride[1];
    let mut rows = out.chunks_exact_mut(columns.len());
    for channel in channels {
        for tap in 0..geometry.taps() {
            let out = rows.next().expect("a row for each channel and window element");
            let tap = [tap / geometry.kernel[1], tap % geometry.kernel[1]];
            strips(geometry, &columns, channel, tap, |place, windows, Strip { before, len, at }| {
                let out = &mut out[place..place + windows];
                let (left, out) = out.split_at_mut(before);
                let (middle, right) = out.split_at_mut(len);
                left.fill(T::ZERO);
                right.fill(T::ZERO);
                if step == 1 {
                    middle.copy_from_slice(&x[at..at + len]);
                } else if step == 2 && len > 0 {
                    let x = &x[at..at + 2 * len - 1];
                    middle.iter_mut().enumerate().for_each(|(j, out)| *out = x[2 * j]);
                } else if len > 0 {
                    middle.iter_mut().zip(x[at..].iter().step_by(step)).for_each(|(out, &x)| *out = x);
                }
            });
        }
    }
}

/// Adds the gradients of some patches to the image: the transpose of [`fill`].
///
/// `dx` is one sample's planes of `channels`, and the columns lie in that sample.
pub(super) fn scatter<T: Real>(
    geometry: &Conv2d,
    patches: &[T],
    pitch: usize,
    channels: Range<usize>,
    columns: Range<usize>,
    dx: &mut [T],
) {
    let step = geometry.stride[1];
    let [oh, ow] = geometry.output();
    let sample = columns.start / (oh * ow);
    let origin = (sample * geometry.in_channels + channels.start) * geometry.input_plane();
    let mut rows = patches.chunks(pitch);
    for channel in channels {
        for tap in 0..geometry.taps() {
            let row = rows.next().expect("a row for each channel and window element");
            let tap = [tap / geometry.kernel[1], tap % geometry.kernel[1]];
            strips(geometry, &columns, channel, tap, |place, _, Strip { before, len, at }| {
                if len == 0 {
                    return;
                }
                let row = &row[place + before..place + before + len];
                let dx = &mut dx[at - origin..];
                if step == 1 {
                    dx[..len].iter_mut().zip(row).for_each(|(dx, &g)| *dx += g);
                } else {
                    dx.iter_mut().step_by(step).zip(row).for_each(|(dx, &g)| *dx += g);
                }
            });
        }
    }
}
