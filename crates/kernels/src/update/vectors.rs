//! Arithmetic over all parameters, or all gradients, of a model at once: what clipping, penalties, averages of weights and
//! L-BFGS are made of. Sums are taken in `f64` and in a fixed order.

use super::lion::sign;
use super::{PARALLEL, PIECE, spread};
use crate::lanes::{self, LANES};
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel};
use std::ops::Add;

/// A vector that is changed, beside one of the same length that says how.
pub type Pair<'a, T> = (&'a mut [T], &'a [T]);

concrete! {
    <T> trait VectorKernels;
    /// The sum of the squares of all numbers (squares of `f32` cannot overflow in `f64`): the square of the norm that
    /// gradient clipping asks for.
    pub fn sum_of_squares(slices: &[&[T]]) -> f64 = sum_of_squares_impl;
    /// The sum of the products `a[i] b[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot(a: &[T], b: &[T]) -> f64 = dot_impl;
    /// Multiplies all numbers by `factor`.
    pub fn scale(slices: &mut [&mut [T]], factor: T) = scale_impl;
    /// Limits all numbers to `[-limit, limit]`. NaN stays NaN.
    pub fn clamp(slices: &mut [&mut [T]], limit: T) = clamp_impl;
    /// `a += factor b`.
    ///
    /// # Panics
    /// If the lengths of a pair differ.
    pub fn add_scaled(pairs: &mut [Pair<'_, T>], factor: T) = add_scaled_impl;
    /// `a += weight (b - a)`, such that the result is `b` where `weight` is 1.
    ///
    /// # Panics
    /// If the lengths of a pair differ.
    pub fn lerp(pairs: &mut [Pair<'_, T>], weight: T) = lerp_impl;
    /// `a += l1 sign(b) + l2 b`: the gradient of `l1 sum |b| + l2 / 2 sum b^2`.
    ///
    /// # Panics
    /// If the lengths of a pair differ.
    pub fn penalize(pairs: &mut [Pair<'_, T>], l1: T, l2: T) = penalize_impl;
}

fn sum_of_squares_impl<T: Real>(slices: &[&[T]]) -> f64 {
    let total: usize = slices.iter().map(|s| s.len()).sum();
    add_up(total, slices.iter().flat_map(|s| s.chunks(PIECE)).map(|piece| Products(piece, piece)))
}

fn dot_impl<T: Real>(a: &[T], b: &[T]) -> f64 {
    assert!(a.len() == b.len(), "dot: {} numbers beside {}", a.len(), b.len());
    add_up(a.len(), a.chunks(PIECE).zip(b.chunks(PIECE)).map(|(a, b)| Products(a, b)))
}

/// The sum over the pieces, whose sums may come from several threads.
fn add_up<'a, T: Real>(total: usize, pieces: impl Iterator<Item = Products<'a, T>>) -> f64 {
    if total < PARALLEL {
        return pieces.map(simd::dispatch).sum();
    }
    let pieces: Vec<_> = pieces.collect();
    let mut sums = Buffer::<f64>::unspecified(pieces.len());
    parallel::for_each_chunk(&mut sums, 1, |i, sum| sum[0] = simd::dispatch(pieces[i]));
    sums.iter().sum()
}

#[derive(Clone, Copy)]
struct Products<'a, T>(&'a [T], &'a [T]);
impl<T: Real> Kernel for Products<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0.0; LANES];
        let ((a, a_rest), (b, b_rest)) = (self.0.as_chunks::<LANES>(), self.1.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a.to_f64() * b.to_f64();
            }
        }
        for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
            *sum += a.to_f64() * b.to_f64();
        }
        lanes::fold(sums, Add::add)
    }
}

/// Calls `work` for the pieces of all slices, in parallel where they are many.
fn each<T: Real>(slices: &mut [&mut [T]], work: &(dyn Fn(&mut [T]) + Sync + Send)) {
    let total = slices.iter().map(|s| s.len()).sum();
    spread(total, &mut slices.iter_mut().flat_map(|s| s.chunks_mut(PIECE)), &|piece| work(piece));
}

/// Calls `work` for the pieces of all pairs, in parallel where they are many.
fn each_pair<T: Real>(pairs: &mut [Pair<'_, T>], work: &(dyn Fn(&mut [T], &[T]) + Sync + Send)) {
    let total = pairs.iter().map(|(a, _)| a.len()).sum();
    let mut pieces = pairs.iter_mut().flat_map(|(a, b)| {
        assert!(a.len() == b.len(), "a vector of {} numbers beside one of {}", a.len(), b.len());
        a.chunks_mut(PIECE).zip(b.chunks(PIECE))
    });
    spread(total, &mut pieces, &|(a, b)| work(a, b));
}

/// A loop over a slice, or over two, as a kernel.
macro_rules! kernel {
    ($name:ident, [$($number:ident),*], |$a:ident| $result:expr) => {
        struct $name<'a, T> { a: &'a mut [T], $($number: T),* }
        impl<T: Real> Kernel for $name<'_, T> {
            type Output = ();
            #[inline(always)]
            fn run(self) {
                let $name { a, $($number),* } = self;
                for x in a {
                    let $a = *x;
                    *x = $result;
                }
            }
        }
    };
    ($name:ident, [$($number:ident),*], |$a:ident, $b:ident| $result:expr) => {
        struct $name<'a, T> { a: &'a mut [T], b: &'a [T], $($number: T),* }
        impl<T: Real> Kernel for $name<'_, T> {
            type Output = ();
            #[inline(always)]
            fn run(self) {
                let $name { a, b, $($number),* } = self;
                for (x, &$b) in a.iter_mut().zip(b) {
                    let $a = *x;
                    *x = $result;
                }
            }
        }
    };
}

kernel!(Scale, [factor], |a| a * factor);
kernel!(Clamp, [limit], |a| a.maximum(-limit).minimum(limit));
kernel!(AddScaled, [factor], |a, b| a + factor * b);
kernel!(Near, [weight], |a, b| a + weight * (b - a));
kernel!(Far, [rest], |a, b| b - rest * (b - a));
kernel!(Penalize, [l1, l2], |a, b| a + (l1 * sign(b) + l2 * b));

fn scale_impl<T: Real>(slices: &mut [&mut [T]], factor: T) {
    each(slices, &|a| simd::dispatch(Scale { a, factor }));
}

fn clamp_impl<T: Real>(slices: &mut [&mut [T]], limit: T) {
    each(slices, &|a| simd::dispatch(Clamp { a, limit }));
}

fn add_scaled_impl<T: Real>(pairs: &mut [Pair<'_, T>], factor: T) {
    each_pair(pairs, &|a, b| simd::dispatch(AddScaled { a, b, factor }));
}

fn lerp_impl<T: Real>(pairs: &mut [Pair<'_, T>], weight: T) {
    // From the nearer end, as PyTorch does: both ends are met exactly.
    if weight.to_f64() < 0.5 {
        each_pair(pairs, &|a, b| simd::dispatch(Near { a, b, weight }));
    } else {
        let rest = T::ONE - weight;
        each_pair(pairs, &|a, b| simd::dispatch(Far { a, b, rest }));
    }
}

fn penalize_impl<T: Real>(pairs: &mut [Pair<'_, T>], l1: T, l2: T) {
    each_pair(pairs, &|a, b| simd::dispatch(Penalize { a, b, l1, l2 }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_neither_overflow_nor_lose_digits() {
        let ones = vec![0.1f32; 1_000_003];
        let exact = f64::from(0.1f32) * f64::from(0.1f32) * 1_000_003.0;
        assert!((sum_of_squares(&[&ones]) / exact - 1.0).abs() < 1e-12);
        assert!((dot(&ones, &ones) / exact - 1.0).abs() < 1e-12);
        let sum = sum_of_squares(&[&ones, &[1e30f32], &[], &[3.0, 4.0]]);
        assert!((sum / f64::from(1e30f32).powi(2) - 1.0).abs() < 1e-12);
        assert_eq!(sum_of_squares(&[&[3.0f64][..], &[4.0]]), 25.0);
        assert_eq!(dot(&[3.0f32, -4.0, 2.0], &[1.0, 0.5, 4.0]), 9.0);
    }

    /// What a call makes of vectors of a small and a large size.
    fn check(change: impl Fn(&mut [Pair<'_, f64>]), definition: impl Fn(f64, f64) -> f64) {
        for size in [5, 70_001] {
            let make = |factor: f64| (0..size).map(|i| factor * ((i * 37 % 101) as f64 - 50.0)).collect::<Vec<f64>>();
            let ((mut a, b), (mut c, d)) = ((make(1.0), make(-0.5)), (make(0.25), make(2.0)));
            let want: Vec<f64> = [(&a, &b), (&c, &d)]
                .into_iter()
                .flat_map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| definition(a, b)))
                .collect();
            change(&mut [(&mut a[..], &b[..]), (&mut c[..], &d[..])]);
            assert!(a.iter().chain(&c).zip(want).all(|(a, want)| (a - want).abs() < 1e-12));
        }
    }

    #[test]
    fn changes_reach_everything() {
        check(|pairs| add_scaled(pairs, 0.5), |a, b| a + 0.5 * b);
        check(|pairs| lerp(pairs, 0.25), |a, b| 0.75 * a + 0.25 * b);
        check(|pairs| lerp(pairs, 0.75), |a, b| 0.25 * a + 0.75 * b);
        check(|pairs| lerp(pairs, 1.0), |_, b| b);
        check(|pairs| penalize(pairs, 0.5, 2.0), |a, b| a + 2.0 * b + if b == 0.0 { 0.0 } else { 0.5 * b.signum() });
        let whole = |pairs: &mut [Pair<'_, f64>], change: &dyn Fn(&mut [&mut [f64]])| {
            let mut slices: Vec<&mut [f64]> = pairs.iter_mut().map(|(a, _)| &mut **a).collect();
            change(&mut slices);
        };
        check(|pairs| whole(pairs, &|slices| scale(slices, 3.0)), |a, _| 3.0 * a);
        check(|pairs| whole(pairs, &|slices| clamp(slices, 7.0)), |a, _| a.clamp(-7.0, 7.0));
    }

    #[test]
    #[should_panic(expected = "a vector of 1 numbers beside one of 2")]
    fn pairs_fit() {
        add_scaled(&mut [(&mut [1.0f32][..], &[1.0, 2.0][..])], 1.0);
    }
}
