//! Finding the season of a series: the strongest period of what its trend leaves.
//!
//! ```text
//! r_t  = x_t minus the straight line through all x_t (see `Trend`)
//! P(f) = (2 / n) |sum over t of r_t exp(-2 pi i f t)|^2 / sum of r_t^2
//! ```
//!
//! `P(f)` is about the share of the variance that a sine wave of frequency `f` explains (the periodogram: A. Schuster, "On the
//! investigation of hidden periodicities", 1898).

use crate::Trend;
use std::f64::consts::TAU;

/// A wave that explains less is taken for noise.
const LEAST_SHARE: f64 = 0.2;

/// The number of steps in a season, which need not be whole, if there is a season: a period of at least 3 steps that comes at
/// least twice and whose wave explains at least a fifth of the variance around the trend.
pub fn season(values: &[f64]) -> Option<f64> {
    let n = values.len();
    let rest = Trend::of(values).rest(values);
    let total: f64 = rest.iter().map(|r| r * r).sum();
    // Below the rounding errors there is no wave.
    let scale: f64 = values.iter().map(|x| x * x).sum();
    if n < 8 || total <= 1e-20 * scale {
        return None;
    }
    let share = |cycles: f64| {
        let step = TAU * cycles / n as f64;
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (t, r) in rest.iter().enumerate() {
            let (s, c) = (step * t as f64).sin_cos();
            (sine, cosine) = (sine + r * s, cosine + r * c);
        }
        2.0 / n as f64 * (sine * sine + cosine * cosine) / total
    };
    let best = |cycles: &mut dyn Iterator<Item = f64>| cycles.map(|k| (share(k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, near) = best(&mut (2..=n / 3).map(|k| k as f64))?;
    // The wave need not fit in the series a whole number of times.
    let (share, cycles) = best(&mut (-10..=10).map(|i| (near + f64::from(i) / 20.0).max(2.0)))?;
    (share >= LEAST_SHARE).then(|| n as f64 / cycles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;

    /// A wave on a trend, in noise.
    fn wave(n: usize, period: f64, noise: f64) -> Vec<f64> {
        let mut rng = Rng::seed_from_u64(3);
        (0..n).map(|t| 0.3 * t as f64 + (TAU * t as f64 / period + 1.0).sin() + noise * rng.normal()).collect()
    }

    #[test]
    fn finds_waves_in_noise() {
        for (n, period, noise) in [(120, 12.0, 0.3), (3285, 365.25, 1.0), (500, 7.0, 0.8), (48, 24.0, 0.1)] {
            let found = season(&wave(n, period, noise)).expect("a season");
            assert!((found / period - 1.0).abs() < 0.03, "{found} for {period}");
        }
    }

    #[test]
    fn finds_nothing_in_noise_and_lines() {
        let mut rng = Rng::seed_from_u64(1);
        for n in [0, 1, 7, 100, 1000] {
            assert_eq!(season(&(0..n).map(|_| rng.normal()).collect::<Vec<_>>()), None, "{n}");
        }
        assert_eq!(season(&(0..100).map(|t| 3.0 * f64::from(t) + 1.0).collect::<Vec<_>>()), None);
        assert_eq!(season(&[5.0; 50]), None);
    }
}
