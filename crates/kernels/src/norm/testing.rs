//! What the tests of all normalizations share.

use crate::Real;
use rand::{RngExt, rngs::SmallRng};

/// Numbers in -1..1, and further up by `shift`.
pub(super) fn values<T: Real>(n: usize, shift: f64, rng: &mut SmallRng) -> Vec<T> {
    (0..n).map(|_| T::from_f64(rng.random::<f64>() * 2.0 - 1.0 + shift)).collect()
}

#[track_caller]
pub(super) fn close<T: Real>(a: &[T], b: &[f64], tolerance: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a.to_f64() - b).abs() <= tolerance * (1.0 + b.abs()), "{what} at {i}: {a} is not {b}");
    }
}
