//! [`Trend`]: the straight line through a series.
//!
//! ```text
//! x_t = mean + slope (t - middle) + r_t        middle = (n - 1) / 2
//! slope = sum over t of (x_t - mean) (t - middle) / sum over t of (t - middle)^2        (least squares of r_t)
//! ```

/// The straight line that comes nearest to a series, and how near that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    mean: f64,
    middle: f64,
    slope: f64,
    share: f64,
}

impl Trend {
    /// The trend of these values; a flat one where there are fewer than two.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let (mean, middle) = (values.iter().sum::<f64>() / n, (n - 1.0) / 2.0);
        let (mut xt, mut xx, mut tt) = (0.0, 0.0, 0.0);
        for (t, x) in values.iter().enumerate() {
            let (x, t) = (x - mean, t as f64 - middle);
            (xt, xx, tt) = (xt + x * t, xx + x * x, tt + t * t);
        }
        let slope = if tt > 0.0 { xt / tt } else { 0.0 };
        let share = if xx * tt > 0.0 { xt * xt / (xx * tt) } else { 0.0 };
        Trend { mean, middle, slope, share }
    }

    /// The share of the variance that the line explains: the squared correlation with time. 0 where nothing varies.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// What the line leaves of the values that it was found in.
    pub(crate) fn rest(&self, values: &[f64]) -> Vec<f64> {
        values.iter().enumerate().map(|(t, x)| x - self.mean - self.slope * (t as f64 - self.middle)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trends_and_waves_are_not() {
        let share = |values: &[f64]| Trend::of(values).share();
        let line: Vec<f64> = (0..50).map(|t| 3.0 - f64::from(t)).collect();
        let wave: Vec<f64> = (0..200).map(|t| f64::from(t).sin()).collect();
        assert!((share(&line) - 1.0).abs() < 1e-12 && share(&wave) < 0.01);
        assert_eq!((share(&[2.0; 9]), share(&[1.0]), share(&[])), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_line_leaves_nothing_and_a_corner_its_distance() {
        let line: Vec<f64> = (0..50).map(|t| 3.0 - f64::from(t)).collect();
        assert!(Trend::of(&line).rest(&line).iter().all(|r| r.abs() < 1e-12));
        let corner = [0.0, 3.0, 0.0];
        assert_eq!(Trend::of(&corner).rest(&corner), [-1.0, 2.0, -1.0]);
    }
}
