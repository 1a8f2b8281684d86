//! Group normalization of `x [n, c, l]`: in each sample the channels fall into groups, and each group is normalized by itself.
//!
//! ```text
//! forward     u, v mean and variance of a group's k = c/groups * l values     r = 1 / sqrt(v + eps)
//!             h = (x - u) r       y = h w + b, with the w and b of each channel
//! backward    dx = r (g w - mean(g w) - h mean(g w h))        (as in layer normalization, along groups)
//!             dw = sum over samples and positions of g h      db = sum over samples and positions of g
//! ```
//!
//! The sums of `g` and `g h` over each channel of each sample give everything: weighted with `w` the means over the group,
//! added over the samples `dw` and `db`. One group is layer normalization with other weights; as many groups as channels is
//! instance normalization.
//!
//! Source: Y. Wu, K. He, "Group normalization" (2018).

use super::{ROW, piece};
use crate::lanes::{self, Moments};
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel};

concrete! {
    <T> trait GroupNormKernels;
    /// `y = (x - mean) * inv_std * weight + bias`, with the mean and `inv_std = 1 / sqrt(variance + eps)` of each group of
    /// each sample, which [`group_norm_backward`] wants. Without a weight it is 1, without a bias 0. The samples have `c`
    /// channels of `l` values; `mean` and `inv_std` have one number for each of `groups` groups of each sample.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn group_norm(
        x: &[T], c: usize, l: usize, groups: usize, eps: f64, weight: Option<&[T]>, bias: Option<&[T]>,
        y: &mut [T], mean: &mut [T], inv_std: &mut [T],
    ) = group_norm_impl;
    /// The gradients of [`group_norm`].
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn group_norm_backward(
        x: &[T], g: &[T], c: usize, l: usize, groups: usize, mean: &[T], inv_std: &[T], weight: Option<&[T]>,
        dx: &mut [T], dweight: &mut [T], dbias: &mut [T],
    ) = group_norm_backward_impl;
}

/// Rows are the groups of all samples.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    groups: usize,
    /// Channels of a group.
    channels: usize,
    l: usize,
}

impl Shape {
    fn new(c: usize, l: usize, groups: usize, full: &[usize], rows: &[usize], channels: &[usize]) -> Self {
        assert!(groups > 0 && c.is_multiple_of(groups), "group_norm: {groups} groups do not divide {c} channels");
        let shape = Shape { rows: rows[0], groups, channels: c / groups, l };
        assert!(
            rows.iter().all(|&len| len == shape.rows) && shape.rows.is_multiple_of(groups),
            "group_norm: {rows:?} numbers for {groups} groups"
        );
        let total = shape.rows * shape.cols();
        assert!(full.iter().all(|&len| len == total), "group_norm: {full:?} elements are not {total}");
        assert!(channels.iter().all(|&len| len == c), "group_norm: {channels:?} numbers for {c} channels");
        shape
    }

    /// Values of a group.
    fn cols(self) -> usize {
        self.channels * self.l
    }

    /// The first channel of a row.
    #[inline(always)]
    fn channel(self, row: usize) -> usize {
        row % self.groups * self.channels
    }

    /// Rows in a piece of parallel work.
    fn piece(self) -> usize {
        // A channel is a row of its own.
        piece(self.rows, self.cols() + self.channels * ROW)
    }
}

/// The number of a channel.
#[inline(always)]
fn get<T: Real>(numbers: Option<&[T]>, channel: usize, default: T) -> T {
    numbers.map_or(default, |numbers| numbers[channel])
}

fn group_norm_impl<T: Real>(
    x: &[T],
    c: usize,
    l: usize,
    groups: usize,
    eps: f64,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    mean: &mut [T],
    inv_std: &mut [T],
) {
    let affine = [weight.map_or(c, <[T]>::len), bias.map_or(c, <[T]>::len)];
    let shape = Shape::new(c, l, groups, &[x.len(), y.len()], &[mean.len(), inv_std.len()], &affine);
    let (cols, piece) = (shape.cols(), shape.piece());
    if y.is_empty() {
        return;
    }
    let mut stats = Buffer::<T>::unspecified(2 * shape.rows);
    parallel::for_each_chunk2((y, &mut stats), (piece * cols, piece * 2), |i, y, stats| {
        let x = &x[i * piece * cols..][..y.len()];
        simd::dispatch(Forward { x, shape, first: i * piece, eps, weight, bias, y, stats: stats.as_chunks_mut().0 });
    });
    for ((&[m, r], mean), inv_std) in stats.as_chunks().0.iter().zip(mean).zip(inv_std) {
        (*mean, *inv_std) = (m, r);
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    shape: Shape,
    /// The row that `x` and `y` begin with.
    first: usize,
    eps: f64,
    weight: Option<&'a [T]>,
    bias: Option<&'a [T]>,
    y: &'a mut [T],
    stats: &'a mut [[T; 2]],
}
impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Forward { x, shape, first, eps, weight, bias, y, stats } = self;
        let (cols, l) = (shape.cols(), shape.l);
        let rows = x.chunks_exact(cols).zip(y.chunks_exact_mut(cols));
        for (row, ((x, y), stats)) in (first..).zip(rows.zip(stats)) {
            let moments = Moments::of(x);
            let mean = T::from_f64(moments.mean);
            let r = T::from_f64(1.0 / (moments.variance() + eps).sqrt());
            *stats = [mean, r];
            let channels = shape.channel(row)..;
            if l == 1 {
                for (channel, (y, &x)) in channels.zip(y.iter_mut().zip(x)) {
                    *y = (x - mean) * r * get(weight, channel, T::ONE) + get(bias, channel, T::ZERO);
                }
                continue;
            }
            for (channel, (y, x)) in channels.zip(y.chunks_exact_mut(l).zip(x.chunks_exact(l))) {
                let (scale, shift) = (r * get(weight, channel, T::ONE), get(bias, channel, T::ZERO));
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * scale + shift;
                }
            }
        }
    }
}

fn group_norm_backward_impl<T: Real>(
    x: &[T],
    g: &[T],
    c: usize,
    l: usize,
    groups: usize,
    mean: &[T],
    inv_std: &[T],
    weight: Option<&[T]>,
    dx: &mut [T],
    dweight: &mut [T],
    dbias: &mut [T],
) {
    let affine = [weight.map_or(c, <[T]>::len), dweight.len(), dbias.len()];
    let full = [x.len(), g.len(), dx.len()];
    let shape = Shape::new(c, l, groups, &full, &[mean.len(), inv_std.len()], &affine);
    let (cols, piece) = (shape.cols(), shape.piece());
    dweight.fill(T::ZERO);
    dbias.fill(T::ZERO);
    if dx.is_empty() {
        return;
    }
    // The sums of g and g h for each channel of each sample.
    let mut sums = Buffer::<f64>::unspecified(2 * shape.rows * shape.channels);
    parallel::for_each_chunk2((dx, &mut sums), (piece * cols, piece * 2 * shape.channels), |i, dx, sums| {
        let (first, at) = (i * piece, i * piece * cols..i * piece * cols + dx.len());
        let (x, g) = (&x[at.clone()], &g[at]);
        simd::dispatch(Backward { x, g, shape, first, mean, inv_std, weight, dx, sums: sums.as_chunks_mut().0 });
    });
    let samples = sums.as_chunks::<2>().0;
    for (channel, (dweight, dbias)) in dweight.iter_mut().zip(dbias).enumerate() {
        let (mut sum, mut dot) = (0.0, 0.0);
        for sample in samples.chunks_exact(c) {
            sum += sample[channel][0];
            dot += sample[channel][1];
        }
        (*dweight, *dbias) = (T::from_f64(dot), T::from_f64(sum));
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    g: &'a [T],
    shape: Shape,
    /// The row that `x`, `g` and `dx` begin with.
    first: usize,
    mean: &'a [T],
    inv_std: &'a [T],
    weight: Option<&'a [T]>,
    dx: &'a mut [T],
    sums: &'a mut [[f64; 2]],
}
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Backward { x, g, shape, first, mean, inv_std, weight, dx, sums } = self;
        let (cols, l) = (shape.cols(), shape.l);
        let rows = x.chunks_exact(cols).zip(g.chunks_exact(cols)).zip(dx.chunks_exact_mut(cols));
        for (row, (((x, g), dx), sums)) in (first..).zip(rows.zip(sums.chunks_exact_mut(shape.channels))) {
            let (mean, r, channel) = (mean[row], inv_std[row], shape.channel(row));
            let (mut total, mut projection) = (0.0, 0.0);
            for (channel, (sums, (x, g))) in
                (channel..).zip(sums.iter_mut().zip(x.chunks_exact(l).zip(g.chunks_exact(l))))
            {
                let (sum, dot) = match (x, g) {
                    (&[x], &[g]) => (g.to_f64(), (g * (x - mean)).to_f64()),
                    _ => lanes::sum_and_dot(g, x, mean),
                };
                let dot = dot * r.to_f64();
                *sums = [sum, dot];
                let w = get(weight, channel, T::ONE).to_f64();
                total += w * sum;
                projection += w * dot;
            }
            // dx = (g w - total/k - (x - u) r projection/k) r
            let offset = T::from_f64(total / cols as f64);
            let slope = T::from_f64(r.to_f64() * projection / cols as f64);
            let runs = dx.chunks_exact_mut(l).zip(x.chunks_exact(l).zip(g.chunks_exact(l)));
            for (channel, (dx, (x, g))) in (channel..).zip(runs) {
                let w = get(weight, channel, T::ONE);
                for (dx, (&x, &g)) in dx.iter_mut().zip(x.iter().zip(g)) {
                    *dx = (g * w - offset - (x - mean) * slope) * r;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::testing::{close, values};
    use crate::norm::{layer_norm, layer_norm_backward};
    use rand::{SeedableRng, rngs::SmallRng};

    /// Layer normalization of each group without weights, then the weights of the channels: the definition.
    #[test]
    fn agrees_with_layer_normalization_of_groups() {
        let mut rng = SmallRng::seed_from_u64(5);
        for (n, c, l, groups) in
            [(2, 6, 5, 3), (3, 4, 1, 2), (1, 4, 600, 1), (2, 3, 7, 3), (40, 8, 300, 4), (0, 2, 3, 2), (1, 1, 1, 1)]
        {
            let what = format!("{n}x{c}x{l} in {groups}");
            let (x, g) = (values(n * c * l, 0.5, &mut rng), values(n * c * l, 0.5, &mut rng));
            let (w, b) = (values(c, 0.5, &mut rng), values(c, 0.5, &mut rng));
            let (rows, cols) = (n * groups, c / groups * l);
            let channel = |i: usize| i / l % c;
            for affine in [false, true] {
                let (weight, bias) = (affine.then_some(&w[..]), affine.then_some(&b[..]));
                let (mut y, mut mean, mut r) = (vec![f64::NAN; x.len()], vec![f64::NAN; rows], vec![f64::NAN; rows]);
                group_norm(&x, c, l, groups, 1e-3, weight, bias, &mut y, &mut mean, &mut r);
                let (mut h, mut means, mut rs) = (vec![0.0; x.len()], vec![0.0; rows], vec![0.0; rows]);
                layer_norm(&x, cols, 1e-3, None, None, &mut h, &mut means, &mut rs);
                let scale = |i: usize| if affine { w[channel(i)] } else { 1.0 };
                let want: Vec<f64> =
                    (0..x.len()).map(|i| h[i] * scale(i) + if affine { b[channel(i)] } else { 0.0 }).collect();
                close(&y, &want, 1e-11, &what);
                let (mut dx, mut dw, mut db) = (vec![f64::NAN; x.len()], vec![f64::NAN; c], vec![f64::NAN; c]);
                group_norm_backward(&x, &g, c, l, groups, &mean, &r, weight, &mut dx, &mut dw, &mut db);
                let weighted: Vec<f64> = (0..x.len()).map(|i| g[i] * scale(i)).collect();
                let (mut want, mut want_w, mut want_b) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
                layer_norm_backward(&x, &weighted, cols, &means, &rs, None, &mut want, None);
                for i in 0..x.len() {
                    want_w[channel(i)] += g[i] * h[i];
                    want_b[channel(i)] += g[i];
                }
                close(&dx, &want, 1e-11, &format!("dx of {what}"));
                close(&dw, &want_w, 1e-11, &format!("dweight of {what}"));
                close(&db, &want_b, 1e-11, &format!("dbias of {what}"));
            }
        }
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (n, c, l, groups) = (6, 24, 900, 4);
        let mut rng = SmallRng::seed_from_u64(11);
        let (x, g): (Vec<f32>, Vec<f32>) = (values(n * c * l, 0.5, &mut rng), values(n * c * l, 0.5, &mut rng));
        let results = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| {
                let (mut y, mut mean, mut r) = (vec![0.0; x.len()], vec![0.0; n * groups], vec![0.0; n * groups]);
                group_norm(&x, c, l, groups, 1e-5, None, None, &mut y, &mut mean, &mut r);
                let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
                group_norm_backward(&x, &g, c, l, groups, &mean, &r, None, &mut dx, &mut dw, &mut db);
                [y, mean, r, dx, dw, db]
            })
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
