//! Random order, the same on every platform.
//!
//! * A number below `n`: Lemire's multiply-and-reject. For `x` uniform on 64 bits, `floor(x n / 2^64)` is uniform once
//!   the `2^64 mod n` products with the smallest low halves are drawn again. No bias, hardly ever a division.
//! * A permutation: the Fisher-Yates shuffle, from the last element down.
//!
//! Both take whole 64-bit words from the generator whatever the width of `usize`, so that a seed means the same order
//! everywhere.
//!
//! Source: D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019); R. Durstenfeld, "Algorithm
//! 235: Random permutation", CACM 7 (1964).

use rand::Rng;

/// A uniform integer in `0..n`.
///
/// # Panics
/// If `n` is 0.
pub(crate) fn below(n: u64, rng: &mut (impl Rng + ?Sized)) -> u64 {
    assert!(n > 0, "below: there is no integer below 0");
    let mut product = u128::from(rng.next_u64()) * u128::from(n);
    // The threshold is smaller than n: most draws pass without computing it.
    if (product as u64) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u64) < threshold {
            product = u128::from(rng.next_u64()) * u128::from(n);
        }
    }
    (product >> 64) as u64
}

/// Puts the items in a uniformly random order.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut (impl Rng + ?Sized)) {
    for last in (1..items.len()).rev() {
        let chosen = below(last as u64 + 1, rng) as usize;
        items.swap(last, chosen);
    }
}

/// The numbers `0..n` in a uniformly random order.
pub(crate) fn permutation(n: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{SeedableRng, TryRng};
    use std::convert::Infallible;

    /// Replays given words.
    struct Script(std::vec::IntoIter<u64>);

    impl TryRng for Script {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            panic!("only whole words are portable")
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0.next().expect("more words drawn than scripted"))
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
            panic!("only whole words are portable")
        }
    }

    #[test]
    fn rejects_exactly_the_biased_words() {
        // 2^64 mod 3 = 1, so of all words only 0 (low half 0) is drawn again.
        let mut rng = Script(vec![0, u64::MAX].into_iter());
        assert_eq!(below(3, &mut rng), 2);
        let mut rng = Script(vec![1].into_iter());
        assert_eq!(below(3, &mut rng), 0);
        // A power of two divides 2^64: nothing is drawn again.
        let mut rng = Script(vec![0].into_iter());
        assert_eq!(below(8, &mut rng), 0);
    }

    #[test]
    fn every_permutation_is_as_likely() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut counts = [0_u32; 27];
        for _ in 0..60_000 {
            let p = permutation(3, &mut rng);
            counts[p[0] * 9 + p[1] * 3 + p[2]] += 1;
        }
        let seen: Vec<u32> = counts.into_iter().filter(|&c| c > 0).collect();
        assert_eq!(seen.len(), 6);
        // Standard deviation about 91 around 10,000.
        assert!(seen.iter().all(|&c| c.abs_diff(10_000) < 460), "{seen:?}");
    }

    /// Worked out apart, from the definitions of SplitMix64 and xoshiro256++.
    #[test]
    fn a_seed_fixes_the_order_for_good() {
        let order = permutation(10, &mut Xoshiro256PlusPlus::seed_from_u64(1));
        assert_eq!(order, [4, 7, 9, 3, 2, 1, 5, 0, 6, 8]);
    }

    #[test]
    fn nothing_and_one_draw_nothing() {
        let mut rng = Script(vec![].into_iter());
        assert!(permutation(0, &mut rng).is_empty());
        assert_eq!(permutation(1, &mut rng), [0]);
    }
}
