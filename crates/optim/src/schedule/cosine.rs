//! [`CosineAnnealingLr`]: the rate falls along half a wave, and rises again if training goes on. As
//! `torch.optim.lr_scheduler.CosineAnnealingLR`:
//!
//! ```text
//! lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi t / t_max)) / 2
//! ```
//!
//! Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::{finite, positive};
use std::f64::consts::PI;

/// Lets the rate fall to `eta_min`, which it reaches after `t_max` epochs.
#[derive(Clone, Debug)]
pub struct CosineAnnealingLr {
    t_max: u64,
    eta_min: f64,
}

impl CosineAnnealingLr {
    /// Over `t_max` epochs (at least 1), to 0.
    pub fn new(t_max: usize) -> Self {
        CosineAnnealingLr { t_max: t_max as u64, eta_min: 0.0 }
    }

    /// The smallest rate. Default 0.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> Self {
        CosineAnnealingLr { eta_min, ..self }
    }
}

impl Curve for CosineAnnealingLr {
    const KIND: &'static str = "CosineAnnealingLr";

    fn check(&self) -> Result<(), OptimError> {
        positive("t_max", self.t_max as f64)?;
        finite("eta_min", self.eta_min)
    }

    fn rate(&self, epoch: u64, now: f64, base: f64) -> f64 {
        let (t_max, wave) = (self.t_max as f64, |epoch: u64| 1.0 + (PI * epoch as f64 / self.t_max as f64).cos());
        if epoch == 0 {
            now
        } else if epoch > self.t_max && (epoch - 1 - self.t_max).is_multiple_of(2 * self.t_max) {
            // From the lowest point, where no factor leads up.
            now + (base - self.eta_min) * (1.0 - (PI / t_max).cos()) / 2.0
        } else {
            wave(epoch) / wave(epoch - 1) * (now - self.eta_min) + self.eta_min
        }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.count("t_max", &mut self.t_max);
        fields.number("eta_min", &mut self.eta_min);
    }
}
