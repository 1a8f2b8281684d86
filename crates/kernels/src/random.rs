//! Random numbers from a counter: element `i` depends on the seed and `i` alone, so that any thread can draw any part.
//!
//! Each element is the finalizer of SplitMix64 applied to `seed + (i + 1) * golden`, whose stream passes BigCrush.
//!
//! Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

use crate::simd::{self, Kernel};
use crate::{Real, parallel};

concrete! {
    <T> trait RandomKernels;
    /// Each element is 0 with probability `p`, else `1 / (1 - p)`. All are 0 where `p` is 1.
    pub fn dropout_mask(seed: u64, p: f64, out: &mut [T]) = dropout_mask_impl;
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 14;

/// The `i`-th random number of a seed.
#[inline(always)]
fn draw(seed: u64, i: u64) -> u64 {
    let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a seed and a probability make of each element: 0, or what the kept ones are scaled by.
#[derive(Clone, Copy, Debug)]
pub struct Dropout<T> {
    seed: u64,
    threshold: u64,
    kept: T,
}

impl<T: Real> Dropout<T> {
    /// Drops with probability `p`.
    pub fn new(seed: u64, p: f64) -> Self {
        let threshold = (p * (1u64 << 32) as f64).round() as u64;
        let kept = if p < 1.0 { T::from_f64(1.0 / (1.0 - p)) } else { T::ZERO };
        Dropout { seed, threshold, kept }
    }

    /// The factor of element `i`.
    #[inline(always)]
    pub(crate) fn factor(&self, i: u64) -> T {
        // The upper half of the bits decides.
        if draw(self.seed, i) >> 32 < self.threshold { T::ZERO } else { self.kept }
    }
}

struct Mask<'a, T> {
    dropout: Dropout<T>,
    start: u64,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Mask<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, x) in self.out.iter_mut().enumerate() {
            *x = self.dropout.factor(self.start + i as u64);
        }
    }
}

fn dropout_mask_impl<T: Real>(seed: u64, p: f64, out: &mut [T]) {
    let dropout = Dropout::new(seed, p);
    parallel::for_each_chunk(out, PIECE, |i, out| {
        simd::dispatch(Mask { dropout, start: (i * PIECE) as u64, out });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_their_probability_and_no_seams() {
        let mut out = vec![0.0f32; 100_000];
        dropout_mask(7, 0.3, &mut out);
        let dropped = out.iter().filter(|&&x| x == 0.0).count();
        assert!((29_500..30_500).contains(&dropped), "{dropped}");
        let mut start = vec![0.0f32; 20_000];
        dropout_mask(7, 0.3, &mut start);
        assert_eq!(out[..20_000], start);
        dropout_mask(8, 0.3, &mut start);
        assert_ne!(out[..20_000], start);
    }

    #[test]
    fn extremes() {
        let mut out = vec![5.0f64; 1000];
        dropout_mask(1, 0.0, &mut out);
        assert!(out.iter().all(|&x| x == 1.0));
        dropout_mask(1, 1.0, &mut out);
        assert!(out.iter().all(|&x| x == 0.0));
    }
}
