//! [`MultiStepLr`]: the rate falls by a factor at given epochs. As `torch.optim.lr_scheduler.MultiStepLR`:
//!
//! ```text
//! lr_t = lr_0 gamma^(how many milestones are at most t)
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::{count, finite};

/// Multiplies the rate by `gamma` after each of the milestones; at one that stands twice, twice.
#[derive(Clone, Debug)]
pub struct MultiStepLr {
    milestones: Vec<f64>,
    gamma: f64,
}

impl MultiStepLr {
    /// A step after each of these numbers of epochs, in any order, with gamma 0.1.
    pub fn new(milestones: impl IntoIterator<Item = usize>) -> Self {
        MultiStepLr { milestones: milestones.into_iter().map(|m| m as f64).collect(), gamma: 0.1 }
    }

    /// The factor. Default 0.1.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Self {
        MultiStepLr { gamma, ..self }
    }
}

impl Curve for MultiStepLr {
    const KIND: &'static str = "MultiStepLr";

    fn check(&self) -> Result<(), OptimError> {
        self.milestones.iter().try_for_each(|&milestone| count("milestones", milestone))?;
        finite("gamma", self.gamma)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        match self.milestones.iter().filter(|&&milestone| milestone == epoch as f64).count() {
            0 => now,
            times => now * self.gamma.powf(times as f64),
        }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.numbers("milestones", &mut self.milestones);
        fields.number("gamma", &mut self.gamma);
    }
}
