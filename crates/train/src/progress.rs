//! [`Progress`]: who watches a training run.

use crate::EpochMetrics;

/// Called by [`fit`](crate::fit) as training goes on. Every method does nothing unless it is overridden.
pub trait Progress {
    /// An epoch of `batches` batches begins; epochs count from 1.
    fn epoch_started(&mut self, epoch: usize, batches: usize) {
        let _ = (epoch, batches);
    }

    /// A batch is done, with this mean loss.
    fn batch_done(&mut self, loss: f64) {
        let _ = loss;
    }

    /// An epoch is done.
    fn epoch_done(&mut self, metrics: &EpochMetrics) {
        let _ = metrics;
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
