//! Variances and Euclidean norms over the trailing dimensions of a view.
//!
//! ```text
//! variance   out_i = sum_j (x_ij - mean_i)^2 / (n - correction)
//! norm       out_i = sqrt(sum_j x_ij^2)
//! ```
//!
//! The variance takes two passes over each block, while the cache has it, and joins blocks by Chan's formula. The norm adds
//! squares in `f64`: squares of `f32` neither overflow nor underflow there. Where squares of `f64` do, the numbers are
//! scaled by a power of two and added once more. Pieces depend on the shape alone and are joined in their order.

use crate::lanes::{LANES, Moments, fold};
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, View, parallel};
use std::ops::Add;

concrete! {
    <T> trait MomentKernels;
    /// `out[i]` is the variance of `src[i, j]` over `j`: the sum of squared deviations from the mean, divided by their number
    /// less `correction` (or 0, if that is negative). `i` runs over the first `kept` dimensions, `j` over the others.
    ///
    /// # Panics
    /// If `out` has another length than the product of the kept dimensions.
    pub fn variance(src: View<'_, T>, kept: usize, correction: f64, out: &mut [T]) = variance_impl;
    /// Like [`variance`], the square root of the sum of squares.
    ///
    /// # Panics
    /// As [`variance`].
    pub fn norm(src: View<'_, T>, kept: usize, out: &mut [T]) = norm_impl;
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;

/// `pieces(x, length, out)` gives what comes of each `length` numbers of `x`: of each piece of each row, joined by `join` from the
/// first to the last. Rows of no elements give the default.
fn fold_rows<T: Real, P: Copy + Default + Send>(
    src: View<'_, T>,
    kept: usize,
    fold: impl Fn(&[T], usize, &mut [P]) + Sync,
    join: impl Fn(&mut P, P),
) -> Vec<P> {
    let rows: usize = src.shape()[..kept].iter().product();
    let length: usize = src.shape()[kept..].iter().product();
    if rows == 0 || length == 0 {
        return vec![P::default(); rows];
    }
    let copy = src.as_slice().is_none().then(|| {
        let mut copy = Buffer::unspecified(src.len());
        crate::view::copy(src, &mut copy);
        copy
    });
    let data = copy.as_deref().or(src.as_slice()).expect("copied if it was no slice");
    let pieces = length.div_ceil(PIECE);
    let mut partial = vec![P::default(); rows * pieces];
    parallel::for_each_chunk(&mut partial, (PIECE / length).max(1), |chunk, partial| {
        let first = chunk * (PIECE / length).max(1);
        if pieces == 1 {
            return fold(&data[first * length..][..partial.len() * length], length, partial);
        }
        for (i, partial) in partial.iter_mut().enumerate() {
            let (row, at) = ((first + i) / pieces, (first + i) % pieces * PIECE);
            let x = &data[row * length + at..][..PIECE.min(length - at)];
            fold(x, x.len(), std::slice::from_mut(partial));
        }
    });
    if pieces == 1 {
        return partial;
    }
    let joined = partial.chunks(pieces).map(|partial| {
        let mut total = partial[0];
        partial[1..].iter().for_each(|&next| join(&mut total, next));
        total
    });
    joined.collect()
}

struct MomentsOf<'a, T>(&'a [T], usize, &'a mut [Moments]);
impl<T: Real> Kernel for MomentsOf<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let MomentsOf(x, length, out) = self;
        for (out, x) in out.iter_mut().zip(x.chunks_exact(length)) {
            *out = Moments::of(x);
        }
    }
}

fn variance_impl<T: Real>(src: View<'_, T>, kept: usize, correction: f64, out: &mut [T]) {
    let moments = fold_rows(src, kept, |x, length, out| simd::dispatch(MomentsOf(x, length, out)), Moments::merge);
    assert_eq!(moments.len(), out.len(), "variance: the output does not match the kept dimensions");
    for (out, moments) in out.iter_mut().zip(moments) {
        let divisor = moments.count - correction;
        *out = T::from_f64(moments.squares / if divisor > 0.0 { divisor } else { 0.0 });
    }
}

/// The sums of `(scale x)^2` over each `length` numbers.
struct Squares<'a, T> {
    x: &'a [T],
    length: usize,
    scale: f64,
    out: &'a mut [f64],
}
impl<T: Real> Kernel for Squares<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        const HALF: usize = LANES / 2;
        let Squares { x, length, scale, out } = self;
        for (out, x) in out.iter_mut().zip(x.chunks_exact(length)) {
            let mut lanes = [0.0; LANES];
            let (chunks, rest) = x.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    let x = chunk[i].to_f64() * scale;
                    lanes[i] += x * x;
                }
            }
            // What is left of a short row counts: one after the other, its sums would wait for each other.
            let (halves, rest) = rest.as_chunks::<HALF>();
            for half in halves {
                for i in 0..HALF {
                    let x = half[i].to_f64() * scale;
                    lanes[i] += x * x;
                }
            }
            let mut last = 0.0;
            for x in rest {
                let x = x.to_f64() * scale;
                last += x * x;
            }
            *out = if length < HALF { last } else { fold(lanes, Add::add) + last };
        }
    }
}

/// The square roots of sums.
struct Roots<'a, T>(&'a [f64], &'a mut [T]);
impl<T: Real> Kernel for Roots<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (out, s) in self.1.iter_mut().zip(self.0) {
            *out = T::from_f64(s.sqrt());
        }
    }
}

fn norm_impl<T: Real>(src: View<'_, T>, kept: usize, out: &mut [T]) {
    let squares = |scale: f64| {
        fold_rows(src, kept, |x, length, out| simd::dispatch(Squares { x, length, scale, out }), |a, b| *a += b)
    };
    let plain = squares(1.0);
    assert_eq!(plain.len(), out.len(), "norm: the output does not match the kept dimensions");
    let too_small = |s: f64| T::BYTES == 8 && s < 1e-280;
    let too_large = |s: f64| T::BYTES == 8 && s == f64::INFINITY;
    simd::dispatch(Roots(&plain, out));
    for (scale, wrong) in [(2f64.powi(600), &too_small as &dyn Fn(f64) -> bool), (2f64.powi(-600), &too_large)] {
        if plain.iter().any(|&s| wrong(s)) {
            let scaled = squares(scale);
            for ((out, _), scaled) in out.iter_mut().zip(&plain).zip(scaled).filter(|((_, s), _)| wrong(**s)) {
                *out = T::from_f64(scaled.sqrt() / scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close<T: Real>(a: T, b: f64, tolerance: f64) {
        assert!((a.to_f64() - b).abs() <= tolerance * b.abs(), "{a} is not {b}");
    }

    #[test]
    fn all_layouts_agree_with_the_definition() {
        let data: Vec<f64> = (0..90 * 700).map(|i| ((i * 7919) % 1013) as f64 / 500.0 - 0.3).collect();
        let cases: [(&[usize], &[usize], usize); 5] = [
            (&[90, 700], &[700, 1], 1),
            (&[700, 90], &[1, 700], 1),
            (&[63_000], &[1], 0),
            (&[3, 5, 70], &[0, 6300, 2], 2),
            (&[700, 1], &[1, 1], 1),
        ];
        for (shape, strides, kept) in cases {
            let view = View::new(&data, shape, strides);
            let mut elements = vec![0.0; view.len()];
            view.read(0, &mut elements);
            let length: usize = shape[kept..].iter().product();
            let mut out = vec![f64::NAN; view.len() / length];
            variance(view, kept, 0.0, &mut out);
            for (&out, row) in out.iter().zip(elements.chunks(length)) {
                let mean = row.iter().sum::<f64>() / length as f64;
                close(out, row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / length as f64, 1e-12);
            }
            norm(view, kept, &mut out);
            for (&out, row) in out.iter().zip(elements.chunks(length)) {
                close(out, row.iter().map(|x| x * x).sum::<f64>().sqrt(), 1e-14);
            }
        }
    }

    #[test]
    fn ten_million_values_keep_their_accuracy() {
        // 1000 and the numbers 0 to 6, whose variance is 4, but for the last incomplete round.
        let n = 10_000_000;
        let data: Vec<f32> = (0..n).map(|i| 1000.0 + (i % 7) as f32).collect();
        let mean = data.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let squares: f64 = data.iter().map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean)).sum();
        let length = data.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        let mut out = [0.0f32];
        variance(View::new(&data, &[n], &[1]), 0, 1.0, &mut out);
        close(out[0], squares / (n - 1) as f64, 1e-6);
        norm(View::new(&data, &[n], &[1]), 0, &mut out);
        close(out[0], length, 1e-6);
    }

    #[test]
    fn norms_of_extreme_numbers() {
        let norm_of = |x: &[f64]| {
            let mut out = [0.0];
            norm(View::new(x, &[x.len()], &[1]), 0, &mut out);
            out[0]
        };
        close(norm_of(&[3e200, 4e200]), 5e200, 1e-15);
        close(norm_of(&[3e-200, 4e-200, 0.0]), 5e-200, 1e-15);
        close(norm_of(&[3e-320, 4e-320]), 5e-320, 1e-3);
        assert_eq!((norm_of(&[0.0, 0.0]), norm_of(&[]), norm_of(&[f64::INFINITY, 1.0])), (0.0, 0.0, f64::INFINITY));
        assert!(norm_of(&[f64::NAN, f64::INFINITY]).is_nan());
        let mut out = [0.0f32];
        norm(View::new(&[3e30f32, 4e30], &[2], &[1]), 0, &mut out);
        close(out[0], 5e30, 1e-6);
    }
}
