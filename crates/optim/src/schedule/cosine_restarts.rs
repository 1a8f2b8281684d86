//! [`CosineAnnealingWarmRestarts`]: the rate falls along half a wave, jumps up, and falls again, more slowly each time. As
//! `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`, with `s` epochs since the last restart and `n` until the next:
//!
//! ```text
//! lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi s / n)) / 2,    n = t_0, t_0 t_mult, t_0 t_mult^2, ..
//! ```
//!
//! Source: I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::{finite, positive};
use std::f64::consts::PI;

/// Lets the rate fall to `eta_min` again and again.
#[derive(Clone, Debug)]
pub struct CosineAnnealingWarmRestarts {
    t_0: u64,
    t_mult: u64,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// Restarts every `t_0` epochs (at least 1), to fall to 0.
    pub fn new(t_0: usize) -> Self {
        CosineAnnealingWarmRestarts { t_0: t_0 as u64, t_mult: 1, eta_min: 0.0 }
    }

    /// How many times longer each wave is than the one before; at least 1. Default 1.
    #[must_use]
    pub fn t_mult(self, t_mult: usize) -> Self {
        CosineAnnealingWarmRestarts { t_mult: t_mult as u64, ..self }
    }

    /// The smallest rate. Default 0.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> Self {
        CosineAnnealingWarmRestarts { eta_min, ..self }
    }

    /// How many epochs there have been since the last restart, and how long this wave is.
    fn place(&self, epoch: u64) -> (u64, u64) {
        if self.t_mult == 1 {
            return (epoch % self.t_0, self.t_0);
        }
        let (mut since, mut length) = (epoch, self.t_0);
        while since >= length {
            since -= length;
            length = length.saturating_mul(self.t_mult);
        }
        (since, length)
    }
}

impl Curve for CosineAnnealingWarmRestarts {
    const KIND: &'static str = "CosineAnnealingWarmRestarts";

    fn check(&self) -> Result<(), OptimError> {
        positive("t_0", self.t_0 as f64)?;
        positive("t_mult", self.t_mult as f64)?;
        finite("eta_min", self.eta_min)
    }

    fn rate(&self, epoch: u64, _: f64, base: f64) -> f64 {
        let (since, length) = self.place(epoch);
        self.eta_min + (base - self.eta_min) * (1.0 + (PI * since as f64 / length as f64).cos()) / 2.0
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.count("t_0", &mut self.t_0);
        fields.count("t_mult", &mut self.t_mult);
        fields.number("eta_min", &mut self.eta_min);
    }
}
