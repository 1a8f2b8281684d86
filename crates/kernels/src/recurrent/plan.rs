//! How the steps of a sequence are cut for the threads, by the sizes alone.

use super::Sequence;
use crate::{Real, parallel};
use std::ops::Range;

/// The most samples that a thread takes through all steps at once: their gates fit the caches beside the weights.
const MOST_ROWS: usize = 16;
/// Multiplications in all steps that are worth a second thread.
const PARALLEL: usize = 1 << 20;

/// Calls `work` for parts of the samples, on several threads where that pays.
///
/// Parts have nearly equal numbers of samples, and there is an even number of them if there are several.
pub(super) fn for_rows<T: Real>(sequence: &Sequence<'_, T>, work: impl Fn(Range<usize>) + Sync + Send) {
    let Sequence { steps, batch, hidden, .. } = *sequence;
    let large = steps * batch * sequence.cell.gates() * hidden * hidden >= PARALLEL;
    let parts = if large { (batch.div_ceil(2 * MOST_ROWS) * 2).min(batch) } else { 1 };
    parallel::for_each(parts, |i| work(i * batch / parts..(i + 1) * batch / parts));
}
