//! [`ExponentialLr`]: the rate falls by a factor every epoch. As `torch.optim.lr_scheduler.ExponentialLR`:
//!
//! ```text
//! lr_t = lr_0 gamma^t
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::finite;

/// Multiplies the rate by `gamma` every epoch.
#[derive(Clone, Debug)]
pub struct ExponentialLr {
    gamma: f64,
}

impl ExponentialLr {
    /// With this factor.
    pub fn new(gamma: f64) -> Self {
        ExponentialLr { gamma }
    }
}

impl Curve for ExponentialLr {
    const KIND: &'static str = "ExponentialLr";

    fn check(&self) -> Result<(), OptimError> {
        finite("gamma", self.gamma)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        if epoch == 0 { now } else { now * self.gamma }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.number("gamma", &mut self.gamma);
    }
}
