//! Batch normalization of `x [n, c, l]`: samples, channels, positions (`l = height * width`, or 1).
//!
//! For each channel, over its `m = n l` values:
//!
//! ```text
//! forward    u = sum x / m     v = sum (x - u)^2 / m     r = 1 / sqrt(v + eps)
//!            y = (x - u) r w + b
//! ```
//!
//! Backward, `u` and `r` depend on every `x`. With `h = (x - u) r`, so that `sum h = 0` and `sum h^2 = m` (but for eps),
//! `dL/dh = g w` and
//!
//! ```text
//!            dr/dx = -r^2 h / m        du/dx = 1/m
//!            dx = r (g w - mean(g w) - h mean(g w h))
//!               = w r (g - sum(g)/m - h sum(g h)/m)
//!            db = sum g                dw = sum g h
//! ```
//!
//! so two sums for each channel are all that the backward pass needs.
//!
//! Source: S. Ioffe, C. Szegedy, "Batch normalization" (2015).

use super::channels::{Channels, Shape, Walk, load, spread};
use super::short::{ShortMoments, ShortSums};
use crate::Real;
use crate::lanes::{self, BLOCK, LANES, Moments};
use crate::simd::{self, Kernel};

concrete! {
    <T> trait BatchNormKernels;
    /// Mean and biased variance of each channel of `x [n, c, l]`; NaN if there are no values.
    ///
    /// # Panics
    /// If a length does not follow from `n`, `c` and `l`.
    pub fn batch_stats(x: &[T], n: usize, c: usize, l: usize, mean: &mut [T], var: &mut [T]) = batch_stats_impl;
    /// `y = (x - mean) * inv_std * weight + bias`, channel by channel. Without a weight it is 1, without a bias 0.
    ///
    /// # Panics
    /// If a length does not follow from `n`, `c` and `l`.
    pub fn batch_norm(
        x: &[T], n: usize, c: usize, l: usize, mean: &[T], inv_std: &[T],
        weight: Option<&[T]>, bias: Option<&[T]>, y: &mut [T],
    ) = batch_norm_impl;
    /// The gradients of [`batch_norm`] where `mean` and `inv_std` are those of `x` itself (training).
    ///
    /// # Panics
    /// If a length does not follow from `n`, `c` and `l`.
    pub fn batch_norm_backward(
        x: &[T], g: &[T], n: usize, c: usize, l: usize, mean: &[T], inv_std: &[T],
        weight: Option<&[T]>, dx: &mut [T], dweight: &mut [T], dbias: &mut [T],
    ) = batch_norm_backward_impl;
}

/// Moments of one channel's values.
struct SegmentMoments<'a, T>(&'a [T], Walk);
impl<T: Real> Kernel for SegmentMoments<'_, T> {
    type Output = [f64; 2];
    #[inline(always)]
    fn run(self) -> [f64; 2] {
        let SegmentMoments(x, mut walk) = self;
        let mut block = [T::ZERO; BLOCK];
        let mut all = Moments::default();
        while walk.at < walk.end {
            all.merge(Moments::of(walk.next(x, &mut block)));
        }
        [all.mean, all.squares]
    }
}

/// Moments of every column of some rows.
struct ColumnMoments<'a, T>(&'a [T], usize, &'a mut [[f64; 2]]);
impl<T: Real> Kernel for ColumnMoments<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ColumnMoments(x, c, out) = self;
        let count = (x.len() / c) as f64;
        for (start, out) in (0..c).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let mut shift = [T::ZERO; LANES];
            for row in x.chunks_exact(c) {
                let x = load(row, start);
                for i in 0..LANES {
                    shift[i] += x[i];
                }
            }
            for shift in &mut shift {
                *shift /= T::from_f64(count);
            }
            // As in `Moments::of`: the deviations' own sum corrects the mean.
            let (mut sums, mut squares) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            for row in x.chunks_exact(c) {
                let x = load(row, start);
                for i in 0..LANES {
                    let d = x[i] - shift[i];
                    sums[i] += d;
                    squares[i] += d * d;
                }
            }
            let (shift, sums, squares) = (lanes::settle(shift), lanes::settle(sums), lanes::settle(squares));
            for (i, out) in out.iter_mut().enumerate() {
                let (shift, sum) = (shift[i].to_f64(), sums[i].to_f64());
                *out = [shift + sum / count, squares[i].to_f64() - sum * sum / count];
            }
        }
    }
}

fn batch_stats_impl<T: Real>(x: &[T], n: usize, c: usize, l: usize, mean: &mut [T], var: &mut [T]) {
    let shape = Shape::new("batch_stats", n, c, l, &[x.len()], &[mean.len(), var.len()]);
    let mut all = vec![Moments::default(); c];
    shape.pieces(
        |channel, at, end| simd::dispatch(SegmentMoments(x, Walk { shape, channel, at, end })),
        |first, last, partial| match l {
            1 => simd::dispatch(ColumnMoments(&x[first * c..last * c], c, partial)),
            _ => simd::dispatch(ShortMoments(&x[first * c * l..last * c * l], shape, partial)),
        },
        |channel, count, [mean, squares]| all[channel].merge(Moments { count: count as f64, mean, squares }),
    );
    for ((all, mean), var) in all.iter().zip(mean).zip(var) {
        (*mean, *var) =
            if all.count == 0.0 { (T::NAN, T::NAN) } else { (T::from_f64(all.mean), T::from_f64(all.variance())) };
    }
}

fn batch_norm_impl<T: Real>(
    x: &[T],
    n: usize,
    c: usize,
    l: usize,
    mean: &[T],
    inv_std: &[T],
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
) {
    let lengths = [mean.len(), inv_std.len(), weight.map_or(c, <[T]>::len), bias.map_or(c, <[T]>::len)];
    let shape = Shape::new("batch_norm", n, c, l, &[x.len(), y.len()], &lengths).flat();
    let channels = Channels::new(shape.c, |i| {
        let i = i / (shape.c / c);
        [mean[i], inv_std[i] * weight.map_or(T::ONE, |w| w[i]), bias.map_or(T::ZERO, |b| b[i])]
    });
    spread(shape, y, |start, y| {
        let x = &x[start..start + y.len()];
        simd::dispatch(Normalize { x, shape, start, channels: &channels, y });
    });
}

struct Normalize<'a, T: Real> {
    x: &'a [T],
    shape: Shape,
    /// Where `x` and `y` begin in the whole.
    start: usize,
    channels: &'a Channels<T>,
    y: &'a mut [T],
}
impl<T: Real> Kernel for Normalize<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Normalize { x, shape: Shape { c, l, .. }, start, channels, y } = self;
        let (center, scale, shift) = (channels.get(0), channels.get(1), channels.get(2));
        if l == 1 {
            for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
                normalize_row(x, center, scale, shift, y);
            }
        } else {
            for (run, (x, y)) in (start / l..).zip(x.chunks(l).zip(y.chunks_mut(l))) {
                let i = run % c;
                normalize_run(x, center[i], scale[i], shift[i], y);
            }
        }
    }
}

#[inline(always)]
fn normalize_row<T: Real>(x: &[T], center: &[T], scale: &[T], shift: &[T], y: &mut [T]) {
    for ((((y, &x), &center), &scale), &shift) in y.iter_mut().zip(x).zip(center).zip(scale).zip(shift) {
        *y = (x - center) * scale + shift;
    }
}

#[inline(always)]
fn normalize_run<T: Real>(x: &[T], center: T, scale: T, shift: T, y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (x - center) * scale + shift;
    }
}

/// The sums of `g` and of `g (x - mean)` over one channel's values.
struct SegmentSums<'a, T>(&'a [T], &'a [T], T, Walk);
impl<T: Real> Kernel for SegmentSums<'_, T> {
    type Output = [f64; 2];
    #[inline(always)]
    fn run(self) -> [f64; 2] {
        let SegmentSums(x, g, mean, mut walk) = self;
        let (mut x_block, mut g_block) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        let mut total = [0.0; 2];
        while walk.at < walk.end {
            let x = { walk }.next(x, &mut x_block);
            let g = walk.next(g, &mut g_block);
            let (sum, dot) = lanes::sum_and_dot(g, x, mean);
            total[0] += sum;
            total[1] += dot;
        }
        total
    }
}

/// The sums of `g` and of `g (x - mean)` over every column of some rows.
struct ColumnSums<'a, T>(&'a [T], &'a [T], &'a [T], &'a mut [[f64; 2]]);
impl<T: Real> Kernel for ColumnSums<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ColumnSums(x, g, mean, out) = self;
        let c = mean.len();
        for (start, out) in (0..c).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let mean = load(mean, start);
            let (mut sums, mut dots) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            for (x, g) in x.chunks_exact(c).zip(g.chunks_exact(c)) {
                let (x, g) = (load(x, start), load(g, start));
                for i in 0..LANES {
                    sums[i] += g[i];
                    dots[i] += g[i] * (x[i] - mean[i]);
                }
            }
            let (sums, dots) = (lanes::settle(sums), lanes::settle(dots));
            for (i, out) in out.iter_mut().enumerate() {
                *out = [sums[i].to_f64(), dots[i].to_f64()];
            }
        }
    }
}

fn batch_norm_backward_impl<T: Real>(
    x: &[T],
    g: &[T],
    n: usize,
    c: usize,
    l: usize,
    mean: &[T],
    inv_std: &[T],
    weight: Option<&[T]>,
    dx: &mut [T],
    dweight: &mut [T],
    dbias: &mut [T],
) {
    let lengths = [mean.len(), inv_std.len(), weight.map_or(c, <[T]>::len), dweight.len(), dbias.len()];
    let shape = Shape::new("batch_norm_backward", n, c, l, &[x.len(), g.len(), dx.len()], &lengths);
    let mut sums = vec![[0.0; 2]; c];
    shape.pieces(
        |channel, at, end| simd::dispatch(SegmentSums(x, g, mean[channel], Walk { shape, channel, at, end })),
        |first, last, partial| {
            let rows = first * c * l..last * c * l;
            let (x, g) = (&x[rows.clone()], &g[rows]);
            match l {
                1 => simd::dispatch(ColumnSums(x, g, mean, partial)),
                _ => simd::dispatch(ShortSums(x, g, mean, shape, partial)),
            }
        },
        |channel, _, [sum, dot]| {
            sums[channel][0] += sum;
            sums[channel][1] += dot;
        },
    );
    for ((&[sum, dot], &r), (dw, db)) in sums.iter().zip(inv_std).zip(dweight.iter_mut().zip(dbias)) {
        *dw = T::from_f64(dot * r.to_f64());
        *db = T::from_f64(sum);
    }
    let m = (n * l) as f64;
    // dx = (g - sum(g)/m - (x - u) r^2 sum(g (x - u))/m) w r
    let shape = shape.flat();
    let channels = Channels::new(shape.c, |i| {
        let i = i / (shape.c / c);
        let [sum, dot] = sums[i];
        let r = inv_std[i].to_f64();
        let slope = T::from_f64(r * r * dot / m);
        [mean[i], slope, T::from_f64(sum / m), inv_std[i] * weight.map_or(T::ONE, |w| w[i])]
    });
    spread(shape, dx, |start, dx| {
        let at = start..start + dx.len();
        simd::dispatch(Backward { x: &x[at.clone()], g: &g[at], shape, start, channels: &channels, dx });
    });
}

struct Backward<'a, T: Real> {
    x: &'a [T],
    g: &'a [T],
    shape: Shape,
    /// Where `x`, `g` and `dx` begin in the whole.
    start: usize,
    channels: &'a Channels<T>,
    dx: &'a mut [T],
}
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Backward { x, g, shape: Shape { c, l, .. }, start, channels, dx } = self;
        let numbers = [channels.get(0), channels.get(1), channels.get(2), channels.get(3)];
        if l == 1 {
            for ((x, g), dx) in x.chunks_exact(c).zip(g.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
                backward_row(x, g, numbers, dx);
            }
        } else {
            for (run, ((x, g), dx)) in (start / l..).zip(x.chunks(l).zip(g.chunks(l)).zip(dx.chunks_mut(l))) {
                backward_run(x, g, numbers.map(|numbers| numbers[run % c]), dx);
            }
        }
    }
}

#[inline(always)]
fn backward_row<T: Real>(x: &[T], g: &[T], [center, slope, offset, scale]: [&[T]; 4], dx: &mut [T]) {
    let numbers = center.iter().zip(slope).zip(offset).zip(scale);
    for (((dx, &x), &g), (((&center, &slope), &offset), &scale)) in dx.iter_mut().zip(x).zip(g).zip(numbers) {
        *dx = (g - offset - (x - center) * slope) * scale;
    }
}

#[inline(always)]
fn backward_run<T: Real>(x: &[T], g: &[T], [center, slope, offset, scale]: [T; 4], dx: &mut [T]) {
    for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
        *dx = (g - offset - (x - center) * slope) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::testing::{close, values};
    use rand::{SeedableRng, rngs::SmallRng};

    /// Shapes with runs shorter and longer than a block, columns with and without tails, one channel, many pieces.
    const SHAPES: [(usize, usize, usize); 15] = [
        (4, 3, 5),
        (2, 3, 600),
        (7, 2, 513),
        (300, 5, 1),
        (9, 48, 1),
        (700, 130, 1),
        (1, 1, 1),
        (50, 1, 7),
        (40_000, 1, 3),
        (3, 4, 40_000),
        (64, 20, 64),
        (1, 6, 2),
        (4, 37, 4),
        (300, 18, 9),
        (1, 320, 16),
    ];

    /// All of batch norm from its definition. The gradient of `x` comes from the chain rule through mean and variance.
    fn check<T: Real>(tolerance: f64) {
        let mut rng = SmallRng::seed_from_u64(3);
        for (n, c, l) in SHAPES {
            let what = format!("{n}x{c}x{l}");
            let m = (n * l) as f64;
            let x: Vec<T> = values(n * c * l, 3.0, &mut rng);
            let g: Vec<T> = values(n * c * l, 0.1, &mut rng);
            let (w, b): (Vec<T>, Vec<T>) = (values(c, 1.0, &mut rng), values(c, 0.0, &mut rng));
            let (mut mean, mut var) = (vec![T::NAN; c], vec![T::NAN; c]);
            batch_stats(&x, n, c, l, &mut mean, &mut var);
            let sum = |channel: usize, f: &dyn Fn(usize) -> f64| -> f64 {
                (0..n * l).map(|i| f((i / l * c + channel) * l + i % l)).sum()
            };
            let means: Vec<f64> = (0..c).map(|i| sum(i, &|at| x[at].to_f64()) / m).collect();
            let vars: Vec<f64> = (0..c).map(|i| sum(i, &|at| (x[at].to_f64() - means[i]).powi(2)) / m).collect();
            close(&mean, &means, tolerance, &format!("mean of {what}"));
            close(&var, &vars, tolerance, &format!("variance of {what}"));

            let rs: Vec<f64> = vars.iter().map(|v| 1.0 / (v + 1e-2).sqrt()).collect();
            let r: Vec<T> = rs.iter().map(|&r| T::from_f64(r)).collect();
            let h = |at: usize| (x[at].to_f64() - means[at / l % c]) * rs[at / l % c];
            for affine in [false, true] {
                let (weight, bias) = (affine.then_some(&w[..]), affine.then_some(&b[..]));
                let (wf, bf): (Vec<f64>, Vec<f64>) = if affine {
                    (w.iter().map(|w| w.to_f64()).collect(), b.iter().map(|b| b.to_f64()).collect())
                } else {
                    (vec![1.0; c], vec![0.0; c])
                };
                let mut y = vec![T::NAN; x.len()];
                batch_norm(&x, n, c, l, &mean, &r, weight, bias, &mut y);
                let want: Vec<f64> = (0..x.len()).map(|at| h(at) * wf[at / l % c] + bf[at / l % c]).collect();
                close(&y, &want, tolerance * 10.0, &what);

                let (mut dx, mut dw, mut db) = (vec![T::NAN; x.len()], vec![T::NAN; c], vec![T::NAN; c]);
                batch_norm_backward(&x, &g, n, c, l, &mean, &r, weight, &mut dx, &mut dw, &mut db);
                let (mut want_x, mut want_w, mut want_b) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
                for i in 0..c {
                    want_b[i] = sum(i, &|at| g[at].to_f64());
                    want_w[i] = sum(i, &|at| g[at].to_f64() * h(at));
                    // dL/dr and dL/du, then through r = (v + eps)^(-1/2), v = mean (x - u)^2 and u = mean x.
                    let dr = sum(i, &|at| g[at].to_f64() * wf[i] * (x[at].to_f64() - means[i]));
                    let dv = -0.5 * rs[i].powi(3) * dr;
                    let du = sum(i, &|at| -g[at].to_f64() * wf[i] * rs[i]);
                    for j in 0..n * l {
                        let at = (j / l * c + i) * l + j % l;
                        want_x[at] =
                            g[at].to_f64() * wf[i] * rs[i] + dv * 2.0 * (x[at].to_f64() - means[i]) / m + du / m;
                    }
                }
                close(&dx, &want_x, tolerance * 10.0, &format!("dx of {what}"));
                close(&dw, &want_w, tolerance * 10.0, &format!("dweight of {what}"));
                close(&db, &want_b, tolerance * 10.0, &format!("dbias of {what}"));
            }
        }
    }

    #[test]
    fn all_shapes_agree_with_the_definitions() {
        check::<f64>(1e-12);
        check::<f32>(3e-6);
    }

    #[test]
    fn ten_million_values_far_from_zero_keep_their_accuracy() {
        for (n, c, l) in [(1, 1, 10_000_000), (10_000_000 / 16, 16, 1), (100_000, 2, 50)] {
            let x: Vec<f32> = (0..n * c * l).map(|i| 100.0 + ((i * 7919) % 1013) as f32 / 1000.0).collect();
            let (mut mean, mut var) = (vec![0.0f32; c], vec![0.0f32; c]);
            batch_stats(&x, n, c, l, &mut mean, &mut var);
            let channel: Vec<f64> = x.chunks(l).step_by(c).flatten().map(|&x| f64::from(x)).collect();
            let u = channel.iter().sum::<f64>() / channel.len() as f64;
            let v = channel.iter().map(|x| (x - u) * (x - u)).sum::<f64>() / channel.len() as f64;
            assert!((f64::from(mean[0]) / u - 1.0).abs() < 1e-6, "mean {} is not {u}", mean[0]);
            assert!((f64::from(var[0]) / v - 1.0).abs() < 1e-6, "variance {} is not {v}", var[0]);
        }
    }

    #[test]
    fn nothing_is_not_a_number_and_constants_do_not_vary() {
        let (mut mean, mut var) = ([0.0f32; 2], [0.0f32; 2]);
        batch_stats(&[], 0, 2, 3, &mut mean, &mut var);
        assert!(mean.iter().chain(&var).all(|x| x.is_nan()));
        batch_stats(&vec![0.1; 60_000], 10_000, 2, 3, &mut mean, &mut var);
        assert_eq!(mean, [0.1; 2]);
        assert!(var.iter().all(|&v| v < 1e-15));
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        for (n, c, l) in [(64, 24, 100), (3000, 70, 1), (5, 1, 50_000)] {
            let mut rng = SmallRng::seed_from_u64(11);
            let (x, g): (Vec<f32>, Vec<f32>) = (values(n * c * l, 3.0, &mut rng), values(n * c * l, 0.1, &mut rng));
            let results = [1, 2, 3].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
                pool.install(|| {
                    let (mut mean, mut var) = (vec![0.0; c], vec![0.0; c]);
                    batch_stats(&x, n, c, l, &mut mean, &mut var);
                    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
                    batch_norm_backward(&x, &g, n, c, l, &mean, &var, None, &mut dx, &mut dw, &mut db);
                    [mean, var, dx, dw, db]
                })
            });
            assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{n}x{c}x{l}");
        }
    }
}
