//! Root-mean-square normalization: each row of `x [rows, cols]` is divided by its length, and nothing is subtracted.
//!
//! ```text
//! forward     r = 1 / sqrt(sum x^2 / cols + eps)      y = x r w
//! backward    dx = r (g w - x r^2 mean(g w x))        dw = sum over rows of g x r
//! ```
//!
//! Source: B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.

use super::layer::{check, for_each_piece, product};
use super::{inverse_root, piece};
use crate::lanes;
use crate::simd::{self, Kernel};
use crate::{Real, parallel};
use std::ops::Range;

concrete! {
    <T> trait RmsNormKernels;
    /// `y = x * inv_rms * weight` for each row of `cols` numbers; also its `inv_rms = 1 / sqrt(mean x^2 + eps)`, which
    /// [`rms_norm_backward`] wants. Without a weight it is 1.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn rms_norm(x: &[T], cols: usize, eps: f64, weight: Option<&[T]>, y: &mut [T], inv_rms: &mut [T])
        = rms_norm_impl;
    /// The gradients of [`rms_norm`]. `dweight` is overwritten.
    ///
    /// # Panics
    /// If the lengths disagree.
    pub fn rms_norm_backward(
        x: &[T], g: &[T], cols: usize, inv_rms: &[T], weight: Option<&[T]>, dx: &mut [T], dweight: Option<&mut [T]>,
    ) = rms_norm_backward_impl;
}

fn rms_norm_impl<T: Real>(x: &[T], cols: usize, eps: f64, weight: Option<&[T]>, y: &mut [T], inv_rms: &mut [T]) {
    let rows = check("rms_norm", cols, &[x.len(), y.len()], &[inv_rms.len()], &[weight.map_or(cols, <[T]>::len)]);
    if rows * cols == 0 {
        return;
    }
    let piece = piece(rows, cols);
    parallel::for_each_chunk2((y, inv_rms), (piece * cols, piece), |i, y, inv_rms| {
        let x = &x[i * piece * cols..][..y.len()];
        simd::dispatch(Forward { x, cols, eps, weight, y, inv_rms });
    });
}

struct Forward<'a, T> {
    x: &'a [T],
    cols: usize,
    eps: f64,
    weight: Option<&'a [T]>,
    y: &'a mut [T],
    inv_rms: &'a mut [T],
}
impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Forward { x, cols, eps, weight, y, inv_rms } = self;
        let (group, share) = (lanes::together(cols), 1.0 / cols as f64);
        let groups = x.chunks(group * cols).zip(y.chunks_mut(group * cols));
        for ((x, y), inv_rms) in groups.zip(inv_rms.chunks_mut(group)) {
            let mut roots = [0.0; lanes::TOGETHER];
            for (x, root) in x.chunks_exact(cols).zip(&mut roots) {
                *root = lanes::sum_and_dot(x, x, T::ZERO).1 * share + eps;
            }
            lanes::map_first(&mut roots, inv_rms.len(), inverse_root);
            let rows = x.chunks_exact(cols).zip(y.chunks_exact_mut(cols));
            for ((x, y), (inv_rms, root)) in rows.zip(inv_rms.iter_mut().zip(roots)) {
                let r = T::from_f64(root);
                *inv_rms = r;
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = x * r;
                }
                for (y, &w) in y.iter_mut().zip(weight.unwrap_or(&[])) {
                    *y *= w;
                }
            }
        }
    }
}

fn rms_norm_backward_impl<T: Real>(
    x: &[T],
    g: &[T],
    cols: usize,
    inv_rms: &[T],
    weight: Option<&[T]>,
    dx: &mut [T],
    dweight: Option<&mut [T]>,
) {
    let wanted = dweight.is_some();
    let columns = [weight.map_or(cols, <[T]>::len), dweight.as_ref().map_or(cols, |w| w.len())];
    check("rms_norm_backward", cols, &[x.len(), g.len(), dx.len()], &[inv_rms.len()], &columns);
    if cols == 0 {
        return;
    }
    let work = |rows: Range<usize>, dx: &mut [T], sums: &mut [T]| {
        let at = rows.start * cols..rows.end * cols;
        let (x, g, inv_rms) = (&x[at.clone()], &g[at], &inv_rms[rows]);
        simd::dispatch(Backward { x, g, cols, inv_rms, weight, dx, dweight: wanted.then_some(sums) });
    };
    for_each_piece(dx, cols, dweight.map(|dweight| [dweight]), work);
}

struct Backward<'a, T> {
    x: &'a [T],
    g: &'a [T],
    cols: usize,
    inv_rms: &'a [T],
    weight: Option<&'a [T]>,
    dx: &'a mut [T],
    dweight: Option<&'a mut [T]>,
}
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let m = self.cols as f64;
        let rows = self.x.chunks_exact(self.cols).zip(self.g.chunks_exact(self.cols));
        for (((x, g), dx), &r) in rows.zip(self.dx.chunks_exact_mut(self.cols)).zip(self.inv_rms) {
            match self.weight {
                Some(w) => product(g, w, dx),
                None => dx.copy_from_slice(g),
            }
            let (_, dot) = lanes::sum_and_dot(dx, x, T::ZERO);
            let slope = T::from_f64(dot / m * r.to_f64() * r.to_f64());
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = (*dx - x * slope) * r;
            }
            if let Some(dweight) = &mut self.dweight {
                for ((dw, &x), &g) in dweight.iter_mut().zip(x).zip(g) {
                    *dw += g * (x * r);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::testing::{close, values};
    use rand::{SeedableRng, rngs::SmallRng};

    /// The definitions, in `f64`.
    fn check_all<T: Real>(tolerance: f64) {
        let mut rng = SmallRng::seed_from_u64(5);
        for (rows, cols) in [(1, 1), (3, 7), (5, 16), (2, 1300), (700, 100), (3000, 5), (0, 3), (2, 0)] {
            let (n, eps) = (rows * cols, 1e-2);
            let (x, g, w) =
                (values::<T>(n, 0.2, &mut rng), values::<T>(n, 0.2, &mut rng), values::<T>(cols, 0.2, &mut rng));
            for weighted in [false, true] {
                let what = format!("{rows}x{cols}, weighted {weighted}");
                let (mut y, mut r) = (vec![T::NAN; n], vec![T::NAN; rows]);
                let weight = weighted.then_some(&w[..]);
                rms_norm(&x, cols, eps, weight, &mut y, &mut r);
                let (mut dx, mut dw) = (vec![T::NAN; n], vec![T::NAN; cols]);
                rms_norm_backward(&x, &g, cols, &r, weight, &mut dx, Some(&mut dw));
                let (mut want_y, mut want_x, mut want_w) = (vec![0.0; n], vec![0.0; n], vec![0.0; cols]);
                for row in 0..if cols == 0 { 0 } else { rows } {
                    let span = row * cols..(row + 1) * cols;
                    let at = |v: &[T], i: usize| v[i].to_f64();
                    let scale = |i: usize| if weighted { at(&w, i % cols) } else { 1.0 };
                    let squares = span.clone().map(|i| at(&x, i).powi(2)).sum::<f64>();
                    let r = 1.0 / (squares / cols as f64 + eps).sqrt();
                    let dot = span.clone().map(|i| at(&g, i) * scale(i) * at(&x, i)).sum::<f64>();
                    for i in span {
                        want_y[i] = at(&x, i) * r * scale(i);
                        want_x[i] = r * at(&g, i) * scale(i) - at(&x, i) * r.powi(3) * dot / cols as f64;
                        want_w[i % cols] += at(&g, i) * at(&x, i) * r;
                    }
                }
                close(&y, &want_y, tolerance, &what);
                close(&dx, &want_x, tolerance, &format!("dx of {what}"));
                close(&dw, &want_w, tolerance * 3.0, &format!("dweight of {what}"));
            }
        }
    }

    #[test]
    fn all_shapes_agree_with_the_definitions() {
        check_all::<f64>(1e-12);
        check_all::<f32>(1e-5);
    }
}
