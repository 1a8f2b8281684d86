//! Windows that leave out pixels: where stride and dilation have a common divisor `k`, only every `k`-th pixel is ever met.
//!
//! ```text
//! x[i s + u d - p] = x'[i s/k + u d/k]        with x'[t] = x[t k - p], 0 outside of the image
//! ```
//!
//! Those pixels, picked once, are the image of a convolution with smaller steps and no padding, for which any path may be the best:
//! a window of one element becomes a plain product whatever its stride, one of 3x3 with stride and dilation 2 is one for
//! Winograd's. The gradient goes back to where the pixels were, among zeros.

use std::ops::Range;

use super::Conv2d;
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel, strided};

/// Numbers of a piece of parallel work.
const PIECE: usize = 1 << 14;

/// The convolution of the pixels that are met.
pub(super) struct Thinned {
    pub(super) geometry: Conv2d,
    whole: Conv2d,
    /// Whether some of those pixels lie outside of the image.
    meets_padding: bool,
    /// Distance between neighbors among those pixels.
    step: [usize; 2],
}

impl Thinned {
    /// `None` where all pixels are met.
    pub(super) fn of(geometry: &Conv2d) -> Option<Self> {
        let Conv2d { kernel, stride, dilation, .. } = *geometry;
        // There is no distance between the elements of a window that has only one.
        let step = [0, 1].map(|d| divisor(stride[d], if kernel[d] == 1 { 0 } else { dilation[d] }));
        if step == [1, 1] {
            return None;
        }
        let (stride, dilation) = ([0, 1].map(|d| stride[d] / step[d]), [0, 1].map(|d| (dilation[d] / step[d]).max(1)));
        let output = geometry.output();
        let input = [0, 1].map(|d| (output[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1);
        let inner = Conv2d { input, stride, padding: [0, 0], dilation, ..*geometry };
        let mut thinned = Thinned { geometry: inner, whole: *geometry, meets_padding: true, step };
        thinned.meets_padding = (0..2).any(|d| thinned.inside(d).0 != (0..input[d]));
        Some(thinned)
    }

    /// Which of the pixels along dimension `d` lie in the image, and where there the first of them does.
    fn inside(&self, d: usize) -> (Range<usize>, usize) {
        let (padding, step) = (self.whole.padding[d], self.step[d]);
        let end = (padding + self.whole.input[d]).div_ceil(step).min(self.geometry.input[d]);
        let first = padding.div_ceil(step).min(end);
        (first..end, (first * step).saturating_sub(padding).min(self.whole.input[d]))
    }

    /// The pixels of `x`.
    pub(super) fn pick<T: Real>(&self, x: &[T]) -> Buffer<T> {
        let (plane, size) = (self.geometry.input_plane(), self.whole.input_plane());
        let mut picked = Buffer::unspecified(self.geometry.input_len());
        let together = (PIECE / plane).max(1);
        parallel::for_each_chunk(&mut picked, together * plane, |piece, picked| {
            simd::dispatch(Pick(self, &x[piece * together * size..], picked));
        });
        picked
    }

    /// Puts the numbers of `picked` to where [`pick`](Thinned::pick) takes them from, zeros elsewhere.
    pub(super) fn put_back<T: Real>(&self, picked: &[T], dx: &mut [T]) {
        let (plane, size) = (self.geometry.input_plane(), self.whole.input_plane());
        let together = (PIECE / size).max(1);
        parallel::for_each_chunk(dx, together * size, |piece, dx| {
            simd::dispatch(PutBack(self, &picked[piece * together * plane..], dx));
        });
    }
}

/// From planes, pixels.
struct Pick<'a, T>(&'a Thinned, &'a [T], &'a mut [T]);
impl<T: Real> Kernel for Pick<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Pick(thinned, x, picked) = self;
        let Thinned { geometry, whole, meets_padding, step } = thinned;
        let ((rows, top), (columns, left)) = (thinned.inside(0), thinned.inside(1));
        let planes = picked.chunks_exact_mut(geometry.input_plane());
        for (picked, x) in planes.zip(x.chunks_exact(whole.input_plane())) {
            if *meets_padding {
                picked.fill(T::ZERO);
            }
            let lines = x[top * whole.input[1]..].chunks(step[0] * whole.input[1]);
            for (row, line) in rows.clone().zip(lines) {
                let pixels = &mut picked[row * geometry.input[1]..][columns.clone()];
                strided::gather(step[1], &line[left..], pixels, |to, x| *to = x);
            }
        }
    }
}

/// From pixels, planes.
struct PutBack<'a, T>(&'a Thinned, &'a [T], &'a mut [T]);
impl<T: Real> Kernel for PutBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let PutBack(thinned, picked, dx) = self;
        let Thinned { geometry, whole, step, .. } = thinned;
        let ((rows, top), (columns, left)) = (thinned.inside(0), thinned.inside(1));
        let planes = dx.chunks_exact_mut(whole.input_plane());
        for (dx, picked) in planes.zip(picked.chunks_exact(geometry.input_plane())) {
            let (before, lines) = dx.split_at_mut(top * whole.input[1]);
            before.fill(T::ZERO);
            let mut rows = rows.clone();
            for line in lines.chunks_mut(step[0] * whole.input[1]) {
                let (first, rest) = line.split_at_mut(whole.input[1]);
                let row = rows.next();
                let pixels = row.map_or(&[][..], |row| &picked[row * geometry.input[1]..][columns.clone()]);
                first[..left].fill(T::ZERO);
                strided::spread(step[1], pixels, &mut first[left..], T::ZERO);
                rest.fill(T::ZERO);
            }
        }
    }
}

/// The greatest common divisor.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}
