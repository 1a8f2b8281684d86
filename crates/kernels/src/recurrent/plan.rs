//! How the steps of a sequence are cut for the threads, by the sizes alone.

use super::Sequence;
use super::panels::block_width;
use crate::{Real, parallel};
use std::ops::Range;

/// The most samples that a thread takes through all steps at once: their gates fit the caches beside the weights.
const MOST_ROWS: usize = 16;
/// With fewer samples the time goes into reading the weights, which threads then share.
const FEW_ROWS: usize = 8;
/// Multiplications in all steps that are worth a second thread.
const PARALLEL: usize = 1 << 20;
/// Multiplications in one step that are worth waiting for another thread after each.
const SHARED_STEP: usize = 1 << 18;

/// Calls `work(step, samples, units)` for `0..steps`, on several threads where that pays. All of a step's units of a sample are
/// done before its next step begins. Parts of the units begin at blocks.
///
/// Many samples are cut into an even number of nearly equal parts, each of which goes through all steps by itself. Of few
/// samples, two threads share the units.
pub(super) fn for_steps<T: Real>(
    sequence: &Sequence<'_, T>,
    steps: usize,
    work: impl Fn(usize, Range<usize>, Range<usize>) + Sync + Send,
) {
    let Sequence { batch, hidden, .. } = *sequence;
    let one_step = batch * sequence.cell.gates() * hidden * hidden;
    if batch >= FEW_ROWS {
        let parts = if sequence.steps * one_step >= PARALLEL { batch.div_ceil(2 * MOST_ROWS) * 2 } else { 1 };
        parallel::for_each(parts, |part| {
            let rows = part * batch / parts..(part + 1) * batch / parts;
            (0..steps).for_each(|step| work(step, rows.clone(), 0..hidden));
        });
    } else if batch > 0 {
        let half = hidden.div_ceil(2 * block_width::<T>()) * block_width::<T>();
        let parts = if one_step >= SHARED_STEP && half < hidden { 2 } else { 1 };
        parallel::for_each_step(steps, parts, |step, part| {
            let units = match (parts, part) {
                (1, _) => 0..hidden,
                (_, 0) => 0..half,
                _ => half..hidden,
            };
            work(step, 0..batch, units);
        });
    }
}

/// Every `width`-th number of a range, the last one first in every other step: what a step read last, the next reads first, while the
/// caches still hold it. Weights read in the same order in each step would push out what comes next all along.
pub(super) fn there_and_back(step: usize, range: Range<usize>, width: usize) -> impl Iterator<Item = usize> {
    let last = range.len().div_ceil(width).saturating_sub(1);
    let turned = step % 2 == 1;
    range.clone().step_by(width).enumerate().map(move |(i, _)| range.start + width * if turned { last - i } else { i })
}
