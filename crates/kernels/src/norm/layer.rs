//! Layer normalization: each row of `x [rows, cols]` by itself.
//!
//! ```text
//! forward     u = sum x / cols    v = sum (x - u)^2 / cols    r = 1 / sqrt(v + eps)
//!             h = (x - u) r       y = h w + b
//! backward    dx = r (g w - mean(g w) - h mean(g w h))        (as in batch normalization, along rows)
//!             dw = sum over rows of g h        db = sum over rows of g
//! ```
//!
//! Source: J. Ba, J. Kiros, G. Hinton, "Layer normalization" (2016).

use super::{PIECE, are_few, inverse_root, piece};
use crate::lanes::{self, Moments};
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel};
use std::ops::Range;

/// The most rows whose weight gradients are added up in their own type.
const ROWS: usize = 128;

concrete! {
    <T> trait LayerNormKernels;
    /// `y = (x - mean) * inv_std * weight + bias` for each row of `cols` numbers; also its mean and
    /// `1 / sqrt(variance + eps)`, which [`layer_norm_backward`] wants. Without a weight it is 1, without a bias 0.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn layer_norm(
        x: &[T], cols: usize, eps: f64, weight: Option<&[T]>, bias: Option<&[T]>,
        y: &mut [T], mean: &mut [T], inv_std: &mut [T],
    ) = layer_norm_impl;
    /// The gradients of [`layer_norm`]. `dweight` and `dbias` are overwritten; both or neither are wanted.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn layer_norm_backward(
        x: &[T], g: &[T], cols: usize, mean: &[T], inv_std: &[T], weight: Option<&[T]>,
        dx: &mut [T], affine: Option<(&mut [T], &mut [T])>,
    ) = layer_norm_backward_impl;
}

/// Checks the lengths and returns the number of rows.
pub(super) fn check(op: &str, cols: usize, full: &[usize], rows: &[usize], columns: &[usize]) -> usize {
    let n = rows[0];
    assert!(full.iter().all(|&len| len == n * cols), "{op}: {full:?} elements are not {n} rows of {cols}");
    assert!(rows.iter().all(|&len| len == n), "{op}: {rows:?} numbers for {n} rows");
    assert!(columns.iter().all(|&len| len == cols), "{op}: {columns:?} numbers for {cols} columns");
    n
}

fn layer_norm_impl<T: Real>(
    x: &[T],
    cols: usize,
    eps: f64,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    mean: &mut [T],
    inv_std: &mut [T],
) {
    let columns = [weight.map_or(cols, <[T]>::len), bias.map_or(cols, <[T]>::len)];
    let rows = check("layer_norm", cols, &[x.len(), y.len()], &[mean.len(), inv_std.len()], &columns);
    if rows * cols == 0 {
        return;
    }
    let piece = piece(rows, cols);
    let mut stats = Buffer::<T>::unspecified(2 * rows);
    parallel::for_each_chunk2((y, &mut stats), (piece * cols, piece * 2), |i, y, stats| {
        let x = &x[i * piece * cols..][..y.len()];
        simd::dispatch(Forward { x, cols, eps, weight, bias, y, stats: stats.as_chunks_mut().0 });
    });
    for ((&[m, r], mean), inv_std) in stats.as_chunks().0.iter().zip(mean).zip(inv_std) {
        (*mean, *inv_std) = (m, r);
    }
}

struct Forward<'a, T> {
    x: &'a [T],
    cols: usize,
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
        let Forward { x, cols, eps, weight, bias, y, stats } = self;
        let group = lanes::together(cols);
        let groups = x.chunks(group * cols).zip(y.chunks_mut(group * cols));
        for ((x, y), stats) in groups.zip(stats.chunks_mut(group)) {
            let mut roots = [0.0; lanes::TOGETHER];
            for ((x, stats), root) in x.chunks_exact(cols).zip(&mut *stats).zip(&mut roots) {
                let moments = Moments::of(x);
                (stats[0], *root) = (T::from_f64(moments.mean), moments.variance() + eps);
            }
            lanes::map_first(&mut roots, stats.len(), inverse_root);
            let rows = x.chunks_exact(cols).zip(y.chunks_exact_mut(cols));
            for ((x, y), ([mean, inv_std], root)) in rows.zip(stats.iter_mut().zip(roots)) {
                *inv_std = T::from_f64(root);
                scaled(x, *mean, *inv_std, weight, bias, y);
            }
        }
    }
}

#[inline(always)]
fn scaled<T: Real>(x: &[T], mean: T, inv_std: T, weight: Option<&[T]>, bias: Option<&[T]>, y: &mut [T]) {
    if let (Some(weight), Some(bias)) = (weight, bias) {
        for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = (x - mean) * inv_std * w + b;
        }
        return;
    }
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (x - mean) * inv_std;
    }
    for (y, &w) in y.iter_mut().zip(weight.unwrap_or(&[])) {
        *y *= w;
    }
    for (y, &b) in y.iter_mut().zip(bias.unwrap_or(&[])) {
        *y += b;
    }
}

fn layer_norm_backward_impl<T: Real>(
    x: &[T],
    g: &[T],
    cols: usize,
    mean: &[T],
    inv_std: &[T],
    weight: Option<&[T]>,
    dx: &mut [T],
    affine: Option<(&mut [T], &mut [T])>,
) {
    let wanted = affine.is_some();
    let columns = affine.as_ref().map_or([cols; 2], |(w, b)| [w.len(), b.len()]);
    let columns = [weight.map_or(cols, <[T]>::len), columns[0], columns[1]];
    let full = [x.len(), g.len(), dx.len()];
    check("layer_norm_backward", cols, &full, &[mean.len(), inv_std.len()], &columns);
    if cols == 0 {
        return;
    }
    let work = |rows: Range<usize>, dx: &mut [T], sums: &mut [T]| {
        let at = rows.start * cols..rows.end * cols;
        let (x, g, mean, inv_std) = (&x[at.clone()], &g[at], &mean[rows.clone()], &inv_std[rows]);
        let affine = wanted.then(|| sums.split_at_mut(cols));
        simd::dispatch(Backward { x, g, cols, mean, inv_std, weight, dx, affine });
    };
    for_each_piece(dx, cols, affine.map(|(dweight, dbias)| [dweight, dbias]), work);
}

/// Calls `work(rows, dx, sums)` for pieces of the rows of `dx`. Each piece has room for sums of its own over its rows, of `cols` numbers
/// each, which begin at 0; those of all pieces are then added in order.
pub(super) fn for_each_piece<T: Real, const N: usize>(
    dx: &mut [T],
    cols: usize,
    sums: Option<[&mut [T]; N]>,
    work: impl Fn(Range<usize>, &mut [T], &mut [T]) + Sync + Send,
) {
    let (rows, piece) = (dx.len() / cols, (PIECE / cols).clamp(1, ROWS));
    let pieces = rows.div_ceil(piece);
    let size = if sums.is_some() { N * cols } else { 1 };
    let mut partial = Buffer::<T>::zeroed(pieces * size);
    let work = |i: usize, dx: &mut [T], partial: &mut [T]| {
        work(i * piece..i * piece + dx.len() / cols, dx, partial);
    };
    if are_few(rows, cols) {
        for (i, (dx, partial)) in dx.chunks_mut(piece * cols).zip(partial.chunks_mut(size)).enumerate() {
            work(i, dx, partial);
        }
    } else {
        parallel::for_each_chunk2((dx, &mut partial), (piece * cols, size), work);
    }
    for (i, sums) in sums.into_iter().flatten().enumerate() {
        for (at, sum) in (i * cols..).zip(sums) {
            *sum = T::from_f64((0..pieces).fold(0.0, |sum, p| sum + partial[p * size + at].to_f64()));
        }
    }
}

struct Backward<'a, T> {
    x: &'a [T],
    g: &'a [T],
    cols: usize,
    mean: &'a [T],
    inv_std: &'a [T],
    weight: Option<&'a [T]>,
    dx: &'a mut [T],
    affine: Option<(&'a mut [T], &'a mut [T])>,
}
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let m = self.cols as f64;
        let rows = self.x.chunks_exact(self.cols).zip(self.g.chunks_exact(self.cols));
        let stats = self.mean.iter().zip(self.inv_std);
        for (((x, g), dx), (&mean, &r)) in rows.zip(self.dx.chunks_exact_mut(self.cols)).zip(stats) {
            match self.weight {
                Some(w) => product(g, w, dx),
                None => dx.copy_from_slice(g),
            }
            let (sum, dot) = lanes::sum_and_dot(dx, x, mean);
            let (offset, slope) = (T::from_f64(sum / m), T::from_f64(dot / m * r.to_f64() * r.to_f64()));
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = (*dx - offset - (x - mean) * slope) * r;
            }
            if let Some((dweight, dbias)) = &mut self.affine {
                add_row(x, g, mean, r, dweight, dbias);
            }
        }
    }
}

#[inline(always)]
pub(super) fn product<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = a * b;
    }
}

#[inline(always)]
fn add_row<T: Real>(x: &[T], g: &[T], mean: T, r: T, dweight: &mut [T], dbias: &mut [T]) {
    for (((dw, db), &x), &g) in dweight.iter_mut().zip(dbias).zip(x).zip(g) {
        *dw += g * ((x - mean) * r);
        *db += g;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::testing::{close, values};
    use rand::{SeedableRng, rngs::SmallRng};

    fn check_all<T: Real>(tolerance: f64) {
        let mut rng = SmallRng::seed_from_u64(5);
        for (rows, cols) in [(1, 1), (3, 7), (5, 16), (2, 1300), (700, 100), (3000, 5), (4, 40_000), (0, 3)] {
            let what = format!("{rows}x{cols}");
            let (n, m, eps) = (rows * cols, cols as f64, 1e-2);
            let (x, g): (Vec<T>, Vec<T>) = (values(n, 3.0, &mut rng), values(n, 0.1, &mut rng));
            let (w, b): (Vec<T>, Vec<T>) = (values(cols, 1.0, &mut rng), values(cols, 0.0, &mut rng));
            let at = |v: &[T], i: usize| v[i].to_f64();
            for affine in [false, true] {
                let (mut y, mut mean, mut r) = (vec![T::NAN; n], vec![T::NAN; rows], vec![T::NAN; rows]);
                let (weight, bias) = (affine.then_some(&w[..]), affine.then_some(&b[..]));
                layer_norm(&x, cols, eps, weight, bias, &mut y, &mut mean, &mut r);
                let (mut dx, mut dw, mut db) = (vec![T::NAN; n], vec![T::NAN; cols], vec![T::NAN; cols]);
                let wanted = affine.then_some((&mut dw[..], &mut db[..]));
                layer_norm_backward(&x, &g, cols, &mean, &r, weight, &mut dx, wanted);

                let (mut want_y, mut want_x) = (vec![0.0; n], vec![0.0; n]);
                let (mut want_w, mut want_b) = (vec![0.0; cols], vec![0.0; cols]);
                for row in 0..rows {
                    let span = row * cols..(row + 1) * cols;
                    let u = span.clone().map(|i| at(&x, i)).sum::<f64>() / m;
                    let v = span.clone().map(|i| (at(&x, i) - u).powi(2)).sum::<f64>() / m;
                    let rr = 1.0 / (v + eps).sqrt();
                    let weighted = |i: usize| at(&g, i) * if affine { at(&w, i % cols) } else { 1.0 };
                    let dr: f64 = span.clone().map(|i| weighted(i) * (at(&x, i) - u)).sum();
                    let du: f64 = span.clone().map(|i| -weighted(i) * rr).sum();
                    for i in span {
                        let h = (at(&x, i) - u) * rr;
                        want_y[i] = if affine { h * at(&w, i % cols) + at(&b, i % cols) } else { h };
                        want_x[i] = weighted(i) * rr - rr.powi(3) * dr * (at(&x, i) - u) / m + du / m;
                        want_w[i % cols] += at(&g, i) * h;
                        want_b[i % cols] += at(&g, i);
                    }
                }
                close(&y, &want_y, tolerance, &what);
                close(&dx, &want_x, tolerance, &format!("dx of {what}"));
                if affine {
                    close(&dw, &want_w, tolerance * 3.0, &format!("dweight of {what}"));
                    close(&db, &want_b, tolerance * 3.0, &format!("dbias of {what}"));
                }
            }
        }
    }

    #[test]
    fn all_shapes_agree_with_the_definitions() {
        check_all::<f64>(1e-12);
        check_all::<f32>(1e-5);
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (rows, cols) = (1500, 70);
        let mut rng = SmallRng::seed_from_u64(11);
        let (x, g): (Vec<f32>, Vec<f32>) = (values(rows * cols, 3.0, &mut rng), values(rows * cols, 0.1, &mut rng));
        let results = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| {
                let (mut y, mut mean, mut r) = (vec![0.0; rows * cols], vec![0.0; rows], vec![0.0; rows]);
                layer_norm(&x, cols, 1e-5, None, None, &mut y, &mut mean, &mut r);
                let (mut dx, mut dw, mut db) = (vec![0.0; rows * cols], vec![0.0; cols], vec![0.0; cols]);
                layer_norm_backward(&x, &g, cols, &mean, &r, None, &mut dx, Some((&mut dw, &mut db)));
                [y, dx, dw, db]
            })
        });
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
