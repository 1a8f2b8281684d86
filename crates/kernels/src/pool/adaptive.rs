//! Adaptive pooling: windows that divide a plane into a given number of parts, as evenly as they can.
//!
//! ```text
//! window i of O along a dimension of size S: from floor(i S / O) to ceil((i + 1) S / O)
//! max:  y[i,j] = max of x over the window       mean: y[i,j] = (sum of x over the window) / its size
//! ```
//!
//! Windows overlap by at most one element where `S` is a multiple of `O` or larger; with `O > S` elements serve several
//! windows. Where all windows are of one size and as far from each other, they are those of an ordinary pooling. A maximum is
//! the first of equal elements, and NaN where its window holds a NaN.

use std::ops::Range;

use super::abreast::{self, Axis, Windows};
use super::{Places, Pool2d, long, mean, together};
use crate::gemm::Element;
use crate::gemm::registers::dispatch;
use crate::lanes;
use crate::simd::{self, Kernel};
use crate::size::{LARGEST, count};
use crate::{Buffer, Real, parallel};

/// The geometry of an adaptive pooling. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive2d {
    /// Number of planes: images times channels.
    pub planes: usize,
    /// Size of an input plane.
    pub input: [usize; 2],
    /// Size of an output plane.
    pub output: [usize; 2],
}

impl Adaptive2d {
    /// The elements of window `i` along dimension `d`.
    #[inline(always)]
    fn window(&self, d: usize, i: usize) -> Range<usize> {
        let (size, windows) = (self.input[d], self.output[d]);
        i * size / windows..((i + 1) * size).div_ceil(windows)
    }

    /// The sizes of both planes.
    fn sizes(&self, x: usize, y: usize) -> [usize; 2] {
        let Adaptive2d { planes, input, output } = *self;
        let sizes = [input, output];
        assert!(
            sizes.as_flattened().iter().all(|&size| size <= LARGEST),
            "pooling with a size that is too large: {self:?}"
        );
        let [size, out] = sizes.map(|[height, width]| height * width);
        assert_eq!(x, count(&[planes, size]), "pooling: the input has another length than {self:?}");
        assert_eq!(y, count(&[planes, out]), "pooling: the output has another length than {self:?}");
        assert!(x > 0 || y == 0, "pooling: {self:?} makes something of nothing");
        [size, out]
    }

    /// The windows, where those of several planes are better taken side by side.
    fn abreast(&self, least: usize) -> Option<Windows> {
        let axes = || [0, 1].map(|d| Axis::of_spans((0..self.output[d]).map(|i| self.window(d, i))));
        Windows::fit(least, self.planes, self.input).then(|| Windows::new(axes(), self.input, None))
    }

    /// The pooling whose windows these are, if all of them are of one size and as far from each other.
    fn even(&self) -> Option<Pool2d> {
        let Adaptive2d { planes, input, output } = *self;
        if output.contains(&0) || input[0] < output[0] || input[1] < output[1] {
            return None;
        }
        let stride = [0, 1].map(|d| input[d] / output[d]);
        let kernel = [0, 1].map(|d| input[d] - (output[d] - 1) * stride[d]);
        let even = |d: usize| {
            let window = |i: usize| i * stride[d]..i * stride[d] + kernel[d];
            (0..output[d]).all(|i| self.window(d, i) == window(i))
        };
        let (padding, dilation, ceil_mode) = ([0, 0], [1, 1], false);
        let pool = Pool2d {
            planes,
            input,
            kernel,
            stride,
            padding,
            dilation,
            ceil_mode,
            count_include_pad: false,
            divisor: None,
        };
        (even(0) && even(1)).then_some(pool)
    }

    /// Calls `visit(output element, rows, columns)` for each window.
    #[inline(always)]
    pub(super) fn each_window(&self, mut visit: impl FnMut(usize, Range<usize>, Range<usize>)) {
        let [height, width] = self.output;
        for i in 0..height {
            for j in 0..width {
                visit(i * width + j, self.window(0, i), self.window(1, j));
            }
        }
    }
}

concrete! {
    <T> trait AdaptiveKernels;
    /// The maximum `y` of each window; gives where they stand.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or there is an output without an input.
    pub fn adaptive_max_forward(geometry: &Adaptive2d, x: &[T], y: &mut [T]) -> Places = max_forward_impl;
    /// The mean `y` of each window.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or there is an output without an input.
    pub fn adaptive_avg_forward(geometry: &Adaptive2d, x: &[T], y: &mut [T]) = avg_forward_impl;
    /// The gradient of the input of [`adaptive_avg_forward`]. Overwrites `dx`.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or there is an output without an input.
    pub fn adaptive_avg_backward(geometry: &Adaptive2d, g: &[T], dx: &mut [T]) = avg_backward_impl;
}

fn max_forward_impl<T: Element>(geometry: &Adaptive2d, x: &[T], y: &mut [T]) -> Places {
    let long = long::serves(geometry);
    if let Some(even) = geometry.even().filter(|_| !long) {
        return super::max_forward_impl(&even, x, y);
    }
    let [size, out] = geometry.sizes(x.len(), y.len());
    assert!(size < u32::MAX as usize, "pooling: a plane of {:?} is too large", geometry.input);
    let mut places = Buffer::unspecified(y.len());
    if y.is_empty() {
        return Places::in_planes(places);
    }
    let abreast = if long { None } else { geometry.abreast(abreast::MAXIMA) };
    let together = together(size + out, abreast.is_some());
    parallel::for_each_chunk2((y, &mut places), (together * out, together * out), |piece, y, argmax| {
        let x = &x[piece * together * size..][..y.len() / out * size];
        if long {
            return simd::dispatch(long::Max(geometry, x, y, argmax));
        }
        if let Some(windows) = &abreast {
            return dispatch(abreast::Max(windows, x, y, argmax));
        }
        let planes = y.chunks_exact_mut(out).zip(argmax.chunks_exact_mut(out));
        for ((y, argmax), x) in planes.zip(x.chunks_exact(size)) {
            geometry.each_window(|at, rows, columns| {
                let first = rows.start * geometry.input[1] + columns.start;
                let (mut best, mut place) = (x[first], first);
                for row in rows {
                    for (at, &value) in (row * geometry.input[1]..)
                        .zip(&x[row * geometry.input[1]..])
                        .take(columns.end)
                        .skip(columns.start)
                    {
                        if value > best || value.is_nan() {
                            (best, place) = (value, at);
                        }
                    }
                }
                (y[at], argmax[at]) = (best, place as u32);
            });
        }
    });
    Places::in_planes(places)
}

/// The means of the windows of some planes.
struct Mean<'a, T>(&'a Adaptive2d, &'a [T], &'a mut [T]);
impl<T: Real> Kernel for Mean<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Mean(geometry, x, y) = self;
        let ([height, width], out) = (geometry.input, geometry.output[0] * geometry.output[1]);
        for (x, y) in x.chunks_exact(height * width).zip(y.chunks_exact_mut(out)) {
            geometry.each_window(|at, rows, columns| {
                let count = rows.len() * columns.len();
                // Whole rows lie side by side.
                let sum = if columns.len() == width {
                    lanes::sum(&x[rows.start * width..rows.end * width])
                } else {
                    rows.map(|row| lanes::sum(&x[row * width..][columns.clone()])).sum()
                };
                y[at] = T::from_f64(sum / count as f64);
            });
        }
    }
}

fn avg_forward_impl<T: Element>(geometry: &Adaptive2d, x: &[T], y: &mut [T]) {
    if let Some(even) = geometry.even() {
        return mean::forward(&even, x, y);
    }
    let [size, out] = geometry.sizes(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    let abreast = geometry.abreast(abreast::MEANS);
    let together = together(size + out, abreast.is_some());
    parallel::for_each_chunk(y, together * out, |piece, y| {
        let x = &x[piece * together * size..][..y.len() / out * size];
        match &abreast {
            Some(windows) => dispatch(abreast::Mean(windows, x, y)),
            None => simd::dispatch(Mean(geometry, x, y)),
        }
    });
}

/// The gradients of the inputs of the means of some planes.
struct MeanBackward<'a, T>(&'a Adaptive2d, &'a [T], &'a mut [T]);
impl<T: Real> Kernel for MeanBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let MeanBackward(geometry, g, dx) = self;
        let ([height, width], out) = (geometry.input, geometry.output[0] * geometry.output[1]);
        for (g, dx) in g.chunks_exact(out).zip(dx.chunks_exact_mut(height * width)) {
            dx.fill(T::ZERO);
            geometry.each_window(|at, rows, columns| {
                let share = g[at] / T::from_usize(rows.len() * columns.len());
                for row in rows {
                    dx[row * width..][columns.clone()].iter_mut().for_each(|dx| *dx += share);
                }
            });
        }
    }
}

fn avg_backward_impl<T: Element>(geometry: &Adaptive2d, g: &[T], dx: &mut [T]) {
    if let Some(even) = geometry.even() {
        return mean::backward(&even, g, dx);
    }
    let [size, out] = geometry.sizes(dx.len(), g.len());
    if g.is_empty() {
        dx.fill(T::ZERO);
        return;
    }
    let abreast = geometry.abreast(abreast::MEANS);
    let together = together(size + out, abreast.is_some());
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        let g = &g[piece * together * out..][..dx.len() / size * out];
        match &abreast {
            Some(windows) => dispatch(abreast::MeanBackward(windows, g, dx)),
            None => simd::dispatch(MeanBackward(geometry, g, dx)),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{gather, scatter};
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn windows_divide_the_plane() {
        let windows = |size: usize, out: usize| {
            let geometry = Adaptive2d { planes: 1, input: [size; 2], output: [out; 2] };
            (0..out).map(|i| geometry.window(0, i)).collect::<Vec<_>>()
        };
        assert_eq!(windows(6, 3), [0..2, 2..4, 4..6]);
        assert_eq!(windows(5, 3), [0..2, 1..4, 3..5]);
        assert_eq!(windows(2, 4), [0..1, 0..1, 1..2, 1..2]);
    }

    /// From the definition, over random geometries.
    #[test]
    fn all_agree_with_the_definition() {
        let mut rng = SmallRng::seed_from_u64(4);
        for _ in 0..300 {
            let mut pair = |least: usize, most: usize| [rng.random_range(least..=most), rng.random_range(least..=most)];
            let (mut input, output) = (pair(1, 20), pair(0, 9));
            // Rows that are long, too.
            input[1] *= rng.random_range(1..=2) * rng.random_range(1..=5);
            let geometry = Adaptive2d { planes: rng.random_range(0..40), input, output };
            let (size, out) = (input[0] * input[1], output[0] * output[1]);
            let x: Vec<f64> = (0..geometry.planes * size).map(|_| rng.random_range(-9..9) as f64).collect();
            let g: Vec<f64> = (0..geometry.planes * out).map(|_| rng.random_range(-1.0..1.0)).collect();
            let (mut mean, mut max) = (vec![f64::NAN; g.len()], vec![f64::NAN; g.len()]);
            let (mut dmean, mut dmax, mut gathered) = (vec![f64::NAN; x.len()], vec![f64::NAN; x.len()], g.clone());
            adaptive_avg_forward(&geometry, &x, &mut mean);
            adaptive_avg_backward(&geometry, &g, &mut dmean);
            let places = adaptive_max_forward(&geometry, &x, &mut max);
            scatter(geometry.planes, &g, &places, &mut dmax);
            gather(geometry.planes, &x, &places, &mut gathered);
            let argmax = places.indices(geometry.planes);
            let (mut want_dmean, mut want_dmax) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            for plane in 0..geometry.planes {
                geometry.each_window(|at, rows, columns| {
                    let places: Vec<usize> =
                        rows.flat_map(|i| columns.clone().map(move |j| plane * size + i * input[1] + j)).collect();
                    let (at, count) = (plane * out + at, places.len() as f64);
                    let want = places.iter().map(|&p| x[p]).sum::<f64>() / count;
                    assert!((mean[at] - want).abs() < 1e-12, "{geometry:?}");
                    places.iter().for_each(|&p| want_dmean[p] += g[at] / count);
                    let best = places.iter().fold(places[0], |best, &p| if x[p] > x[best] { p } else { best });
                    assert_eq!((max[at], argmax[at]), (x[best], best - plane * size), "{geometry:?}");
                    want_dmax[best] += g[at];
                });
            }
            assert!(dmean.iter().zip(&want_dmean).all(|(a, b)| (a - b).abs() < 1e-12), "{geometry:?}");
            assert_eq!((dmax, gathered), (want_dmax, max), "{geometry:?}");
        }
    }

    #[test]
    fn a_nan_wins() {
        let geometry = Adaptive2d { planes: 1, input: [1, 3], output: [1, 1] };
        let mut y = [0.0f32];
        let places = adaptive_max_forward(&geometry, &[9.0, f32::NAN, 1.0], &mut y);
        assert!(y[0].is_nan() && places.indices(1) == [1]);
    }
}
