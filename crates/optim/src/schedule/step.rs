//! [`StepLr`]: the rate falls by a factor every few epochs. As `torch.optim.lr_scheduler.StepLR`:
//!
//! ```text
//! lr_t = lr_0 gamma^floor(t / step_size)
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::{finite, positive};

/// Multiplies the rate by `gamma` every `step_size` epochs.
#[derive(Clone, Debug)]
pub struct StepLr {
    step_size: u64,
    gamma: f64,
}

impl StepLr {
    /// A step every `step_size` epochs (at least 1), with gamma 0.1.
    pub fn new(step_size: usize) -> Self {
        StepLr { step_size: step_size as u64, gamma: 0.1 }
    }

    /// The factor. Default 0.1.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Self {
        StepLr { gamma, ..self }
    }
}

impl Curve for StepLr {
    const KIND: &'static str = "StepLr";

    fn check(&self) -> Result<(), OptimError> {
        positive("step_size", self.step_size as f64)?;
        finite("gamma", self.gamma)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        if epoch > 0 && epoch.is_multiple_of(self.step_size) { now * self.gamma } else { now }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.count("step_size", &mut self.step_size);
        fields.number("gamma", &mut self.gamma);
    }
}
