//! [`PolynomialLr`]: the rate falls to 0 as a power of the epochs that are left. As `torch.optim.lr_scheduler.PolynomialLR`:
//!
//! ```text
//! lr_t = lr_0 (1 - min(t, total_iters) / total_iters)^power
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::finite;

/// Lets the rate fall to 0, which it reaches after `total_iters` epochs.
#[derive(Clone, Debug)]
pub struct PolynomialLr {
    total_iters: u64,
    power: f64,
}

impl PolynomialLr {
    /// Over this many epochs, on a straight line.
    pub fn new(total_iters: usize) -> Self {
        PolynomialLr { total_iters: total_iters as u64, power: 1.0 }
    }

    /// The power. Default 1.
    #[must_use]
    pub fn power(self, power: f64) -> Self {
        PolynomialLr { power, ..self }
    }
}

impl Curve for PolynomialLr {
    const KIND: &'static str = "PolynomialLr";

    fn check(&self) -> Result<(), OptimError> {
        finite("power", self.power)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        if epoch == 0 || epoch > self.total_iters {
            return now;
        }
        let left = |epoch: u64| 1.0 - epoch as f64 / self.total_iters as f64;
        now * (left(epoch) / left(epoch - 1)).powf(self.power)
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.count("total_iters", &mut self.total_iters);
        fields.number("power", &mut self.power);
    }
}
