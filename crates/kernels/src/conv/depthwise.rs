//! Depthwise convolution: every input channel is a group of its own, so there is no matrix to multiply.
//!
//! ```text
//! y[n,o,i,:]  += w[o,u,v] x[n,c, i s + u d - p, : s + v d - p]       c = o / (out channels per in channel)
//! dx          += w g, the other way round
//! dw[o,u,v]    = sum over n,i of g[n,o,i,:] . x[n,c, i s + u d - p, : s + v d - p]
//! ```
//!
//! Each is a loop along a row of windows, for one window element at a time: a row stays in the first-level cache
//! while all elements pass over it.

use super::Conv2d;
use super::shared::Shared;
use crate::pool::Pool2d;
use crate::simd::{self, Kernel};
use crate::{Real, parallel};

/// Sums that run side by side in a dot product: two of the widest registers of `f32`.
const SUMS: usize = 32;

/// Whether this path computes the geometry.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    geometry.groups > 1 && geometry.groups == geometry.in_channels
}

/// The windows of the planes, which are those of a pooling.
fn windows(geometry: &Conv2d) -> Pool2d {
    let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
    Pool2d {
        planes: 1,
        input,
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode: false,
        count_include_pad: true,
        divisor: None,
    }
}

/// `y += w * x` over one plane.
struct Forward<'a, T>(&'a Pool2d, &'a [T], &'a [T], &'a mut [T]);
impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Forward(windows, x, w, y) = self;
        let (width, step) = (windows.output()[1], windows.stride[1]);
        windows.each_row(|tap, i, columns, at| {
            let w = w[tap];
            let y = &mut y[i * width + columns.start..i * width + columns.end];
            let x = &x[at..at + (y.len() - 1) * step + 1];
            match step {
                1 => y.iter_mut().zip(x).for_each(|(y, &x)| *y += w * x),
                2 => y.iter_mut().enumerate().for_each(|(j, y)| *y += w * x[j * 2]),
                _ => y.iter_mut().enumerate().for_each(|(j, y)| *y += w * x[j * step]),
            }
        });
    }
}

/// `dx += w * g` over one plane.
struct InputGrad<'a, T>(&'a Pool2d, &'a [T], &'a [T], &'a mut [T]);
impl<T: Real> Kernel for InputGrad<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let InputGrad(windows, g, w, dx) = self;
        let (width, step) = (windows.output()[1], windows.stride[1]);
        windows.each_row(|tap, i, columns, at| {
            let w = w[tap];
            let g = &g[i * width + columns.start..i * width + columns.end];
            let dx = &mut dx[at..at + (g.len() - 1) * step + 1];
            match step {
                1 => dx.iter_mut().zip(g).for_each(|(dx, &g)| *dx += w * g),
                2 => g.iter().enumerate().for_each(|(j, &g)| dx[j * 2] += w * g),
                _ => g.iter().enumerate().for_each(|(j, &g)| dx[j * step] += w * g),
            }
        });
    }
}

/// `dw += g . x` over one plane.
struct WeightGrad<'a, T>(&'a Pool2d, &'a [T], &'a [T], &'a mut [[T; SUMS]]);
impl<T: Real> Kernel for WeightGrad<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let WeightGrad(windows, x, g, sums) = self;
        let (width, step) = (windows.output()[1], windows.stride[1]);
        windows.each_row(|tap, i, columns, at| {
            let g = &g[i * width + columns.start..i * width + columns.end];
            let x = &x[at..at + (g.len() - 1) * step + 1];
            let sums = &mut sums[tap];
            for (block, g) in g.chunks(SUMS).enumerate() {
                let x = &x[block * SUMS * step..];
                match (step, <&[T; SUMS]>::try_from(g)) {
                    (1, Ok(g)) => (0..SUMS).for_each(|j| sums[j] += g[j] * x[..SUMS][j]),
                    (1, Err(_)) => sums.iter_mut().zip(g).zip(x).for_each(|((sum, &g), &x)| *sum += g * x),
                    _ => sums.iter_mut().zip(g).enumerate().for_each(|(j, (sum, &g))| *sum += g * x[j * step]),
                }
            }
        });
    }
}

/// [`forward`](super::forward) where this path [`applies`].
pub(super) fn forward<T: Real>(geometry: &Conv2d, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let windows = windows(geometry);
    let [height, width] = windows.output();
    let (size, taps, each) = (geometry.input_plane(), geometry.taps(), geometry.group_out());
    let together = planes_together(geometry);
    parallel::for_each_chunk(y, together * height * width, |piece, y| {
        for (at, y) in y.chunks_exact_mut(height * width).enumerate() {
            let plane = piece * together + at;
            let o = plane % geometry.out_channels;
            y.fill(bias.map_or(T::ZERO, |bias| bias[o]));
            let x = &x[plane / each * size..][..size];
            simd::dispatch(Forward(&windows, x, &w[o * taps..(o + 1) * taps], y));
        }
    });
}

/// How many planes a piece of parallel work has.
fn planes_together(geometry: &Conv2d) -> usize {
    let [height, width] = geometry.output();
    ((1 << 18) / (height * width * geometry.taps())).max(1)
}

/// [`input_grad`](super::input_grad) where this path [`applies`].
pub(super) fn input_grad<T: Real>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let windows = windows(geometry);
    let [height, width] = windows.output();
    let (size, taps, each) = (geometry.input_plane(), geometry.taps(), geometry.group_out());
    let together = planes_together(geometry);
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        for (at, dx) in dx.chunks_exact_mut(size).enumerate() {
            dx.fill(T::ZERO);
            let plane = piece * together + at;
            let (sample, channel) = (plane / geometry.in_channels, plane % geometry.in_channels);
            for o in channel * each..(channel + 1) * each {
                let g = &g[(sample * geometry.out_channels + o) * height * width..][..height * width];
                simd::dispatch(InputGrad(&windows, g, &w[o * taps..(o + 1) * taps], dx));
            }
        }
    });
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: output channels, each over all samples in order.
pub(super) fn weight_grad<T: Real>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let windows = windows(geometry);
    let [height, width] = windows.output();
    let (size, taps, each) = (geometry.input_plane(), geometry.taps(), geometry.group_out());
    let dw = Shared::new(dw);
    parallel::for_each(geometry.out_channels, |o| {
        let mut sums = crate::Buffer::zeroed(taps * SUMS);
        let (sums, _) = sums.as_chunks_mut::<SUMS>();
        for sample in 0..geometry.batch {
            let x = &x[(sample * geometry.in_channels + o / each) * size..][..size];
            let g = &g[(sample * geometry.out_channels + o) * height * width..][..height * width];
            simd::dispatch(WeightGrad(&windows, x, g, sums));
        }
        // SAFETY: each piece has its own output channel.
        let dw = unsafe { dw.part(o * taps, taps) };
        for (dw, sums) in dw.iter_mut().zip(sums.iter()) {
            *dw = sums.iter().fold(T::ZERO, |total, &sum| total + sum);
        }
    });
}
