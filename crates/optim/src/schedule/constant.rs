//! [`ConstantLr`]: a smaller rate for the first epochs. As `torch.optim.lr_scheduler.ConstantLR`:
//!
//! ```text
//! lr_t = lr_0 factor    for t < total_iters,    lr_0 from then on
//! ```

use super::{Curve, Fields};
use crate::OptimError;
use crate::rules::unit;

/// Multiplies the rate by `factor` until `total_iters` epochs are over.
#[derive(Clone, Debug)]
pub struct ConstantLr {
    factor: f64,
    total_iters: u64,
}

impl ConstantLr {
    /// For this many epochs, with factor 1/3.
    pub fn new(total_iters: usize) -> Self {
        ConstantLr { factor: 1.0 / 3.0, total_iters: total_iters as u64 }
    }

    /// The factor, in `[0, 1]`. Default 1/3.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        ConstantLr { factor, ..self }
    }
}

impl Curve for ConstantLr {
    const KIND: &'static str = "ConstantLr";

    fn check(&self) -> Result<(), OptimError> {
        unit("factor", self.factor)
    }

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        match epoch {
            0 => now * self.factor,
            _ if epoch == self.total_iters => now * (1.0 / self.factor),
            _ => now,
        }
    }

    fn restarted(&self, _: f64, base: f64) -> f64 {
        if self.total_iters == 0 { base } else { base * self.factor }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.number("factor", &mut self.factor);
        fields.count("total_iters", &mut self.total_iters);
    }
}
