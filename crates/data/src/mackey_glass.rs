//! The Mackey-Glass series: chaos from a delay, a standard test of forecasters.
//!
//! ```text
//! dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x(t)
//! ```
//!
//! Source: M. C. Mackey, L. Glass, "Oscillation and chaos in physiological control systems", Science 197 (1977). The delay of
//! 17 and the sampling once a unit of time are the usual choice for forecasting.

use crate::Series;
use chainrule_tensor::Rng;

const DELAY: usize = 17;
/// Steps of the integration in a unit of time.
const STEPS: usize = 10;
/// Units of time before the first value, so that the start is forgotten.
const WARM_UP: usize = 500;

/// `len` values of the Mackey-Glass series, one for each unit of time. The seed sets where it starts: constant, at a value
/// between 1.1 and 1.3.
///
/// The integration is the fourth-order Runge-Kutta method with a step of 0.1. Between two steps the delayed value is the mean of
/// its neighbors.
///
/// # Panics
/// If `len` is 0.
#[track_caller]
pub fn mackey_glass(len: usize, seed: u64) -> Series {
    assert!(len > 0, "mackey_glass: a series has at least one value");
    let start = 1.2 + 0.1 * (2.0 * Rng::seed_from_u64(seed).uniform() - 1.0);
    let values = integrate(start, WARM_UP + len, STEPS).split_off(WARM_UP);
    Series::of_one("mackey-glass", values).expect("finite numbers")
}

/// The values at the times 1, 2, .. from a constant past on, with so many steps in a unit of time.
fn integrate(start: f64, units: usize, steps: usize) -> Vec<f64> {
    let slope = |x: f64, delayed: f64| 0.2 * delayed / (1.0 + delayed.powi(10)) - 0.1 * x;
    let (delay, h) = (DELAY * steps, 1.0 / steps as f64);
    let mut x = vec![start; delay + 1];
    for _ in 0..units * steps {
        let [before, after, now] = [x[x.len() - 1 - delay], x[x.len() - delay], x[x.len() - 1]];
        let between = (before + after) / 2.0;
        let k1 = slope(now, before);
        let k2 = slope(now + h / 2.0 * k1, between);
        let k3 = slope(now + h / 2.0 * k2, between);
        let k4 = slope(now + h * k3, after);
        x.push(now + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4));
    }
    x.into_iter().skip(delay).step_by(steps).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_on_the_attractor() {
        let series = mackey_glass(1000, 1);
        let x = series.target();
        let mean = x.sum() / 1000.0;
        // For a delay of 17 the series moves between about 0.2 and 1.4, around 0.9.
        assert!(x.iter().all(|x| (0.2..1.4).contains(x)) && (0.85..0.97).contains(&mean), "{mean}");
        assert!(x.iter().zip(x.iter().skip(1)).any(|(a, b)| (a - b).abs() > 0.05));
    }

    #[test]
    fn a_seed_fixes_the_series() {
        assert_eq!(mackey_glass(50, 3), mackey_glass(50, 3));
        assert_ne!(mackey_glass(50, 3), mackey_glass(50, 4));
    }

    #[test]
    fn half_the_step_gives_the_same_values() {
        let [coarse, fine] = [STEPS, 2 * STEPS].map(|steps| integrate(1.2, 100, steps));
        assert_eq!(coarse.len(), 100);
        let error = coarse.iter().zip(&fine).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-4, "{error:e}");
    }

    #[test]
    fn the_first_unit_has_a_closed_form() {
        // While the past is constant, x' = c - x / 10.
        let start: f64 = 1.2;
        let c = 0.2 * start / (1.0 + start.powi(10));
        let exact = 10.0 * c + (start - 10.0 * c) * (-0.1f64).exp();
        assert!((integrate(start, 1, STEPS)[0] - exact).abs() < 1e-9);
    }
}
