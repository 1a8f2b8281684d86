//! [`LinearLr`]: the rate goes on a straight line from one factor to another: a warm-up. As
//! `torch.optim.lr_scheduler.LinearLR`:
//!
//! ```text
//! lr_t = lr_0 (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters)
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::{hold, unit};

/// Scales the rate by factors on a line from `start_factor` to `end_factor`, which it reaches after `total_iters` epochs.
#[derive(Clone, Debug)]
pub struct LinearLr {
    start_factor: f64,
    end_factor: f64,
    total_iters: u64,
}

impl LinearLr {
    /// Over this many epochs, from a third of the rate to the rate.
    pub fn new(total_iters: usize) -> Self {
        LinearLr { start_factor: 1.0 / 3.0, end_factor: 1.0, total_iters: total_iters as u64 }
    }

    /// The factor in the beginning, above 0 and at most 1. Default 1/3.
    #[must_use]
    pub fn start_factor(self, start_factor: f64) -> Self {
        LinearLr { start_factor, ..self }
    }

    /// The factor in the end, in `[0, 1]`. Default 1.
    #[must_use]
    pub fn end_factor(self, end_factor: f64) -> Self {
        LinearLr { end_factor, ..self }
    }
}

impl Curve for LinearLr {
    const KIND: &'static str = "LinearLr";

    fn check(&self) -> Result<(), OptimError> {
        let start = self.start_factor;
        hold(start > 0.0 && start <= 1.0, "start_factor", start, "must be above 0 and at most 1")?;
        unit("end_factor", self.end_factor)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        if epoch == 0 {
            return now * self.start_factor;
        }
        if epoch > self.total_iters {
            return now;
        }
        let (slope, start) = (self.end_factor - self.start_factor, self.total_iters as f64 * self.start_factor);
        now * (1.0 + slope / (start + (epoch - 1) as f64 * slope))
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.number("start_factor", &mut self.start_factor);
        fields.number("end_factor", &mut self.end_factor);
        fields.count("total_iters", &mut self.total_iters);
    }
}
