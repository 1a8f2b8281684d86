//! [`LambdaLr`] and [`MultiplicativeLr`]: the rate as a function of the epoch. As `torch.optim.lr_scheduler.LambdaLR` and
//! `MultiplicativeLR`:
//!
//! ```text
//! LambdaLr           lr_t = lr_0 f(t)
//! MultiplicativeLr   lr_t = lr_(t-1) f(t)
//! ```

use super::{Curve, Fields};
use std::fmt;
use std::sync::Arc;

/// Multiplies each group's own rate by a function of the epoch. A saved state does not hold the function.
#[derive(Clone)]
pub struct LambdaLr {
    factor: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
}

/// Multiplies the rate, every epoch, by a function of the epoch. A saved state does not hold the function.
#[derive(Clone)]
pub struct MultiplicativeLr {
    factor: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
}

impl LambdaLr {
    /// With this factor after so many epochs.
    pub fn new(factor: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        LambdaLr { factor: Arc::new(factor) }
    }
}

impl MultiplicativeLr {
    /// With this factor after so many epochs, from 1 on.
    pub fn new(factor: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        MultiplicativeLr { factor: Arc::new(factor) }
    }
}

impl Curve for LambdaLr {
    const KIND: &'static str = "LambdaLr";

    fn rate(&self, epoch: u64, _: f64, base: f64) -> f64 {
        base * (self.factor)(epoch)
    }

    fn fields(&mut self, _: &mut Fields<'_>) {}
}

impl Curve for MultiplicativeLr {
    const KIND: &'static str = "MultiplicativeLr";

    fn rate(&self, epoch: u64, now: f64, _: f64) -> f64 {
        if epoch == 0 { now } else { now * (self.factor)(epoch) }
    }

    fn restarted(&self, now: f64, _: f64) -> f64 {
        now * (self.factor)(0)
    }

    fn fields(&mut self, _: &mut Fields<'_>) {}
}

impl fmt::Debug for LambdaLr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaLr").finish_non_exhaustive()
    }
}

impl fmt::Debug for MultiplicativeLr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiplicativeLr").finish_non_exhaustive()
    }
}
