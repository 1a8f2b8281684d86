//! Samples side by side: `[channel, sample, pixel]` of what is `[sample, channel, pixel]`, so that one product takes them all.

use super::planes::Rows;
use crate::gemm::Element;
use crate::gemm::registers::dispatch;
use crate::parallel;

/// Numbers worth a piece of parallel work.
const PIECE: usize = 1 << 14;

/// From so many weights on, samples are worth putting side by side: they leave the cache near a core, and are fetched once then.
pub(super) const FAR: usize = 1 << 18;

/// Puts samples, which begin at a `distance` from each other, side by side.
pub(super) fn join<T: Element>(from: &[T], distance: usize, [samples, channels, plane]: [usize; 3], to: &mut [T]) {
    let row = samples * plane;
    let together = (PIECE / row).clamp(1, channels);
    parallel::for_each_chunk(to, together * row, |piece, to| {
        let size = [to.len() / row, plane];
        for sample in 0..samples {
            let from = &from[sample * distance + piece * together * plane..];
            dispatch(Rows { from, pitch: plane, to: &mut to[sample * plane..], to_pitch: row, step: 1, size });
        }
    });
}

/// Undoes [`join`], into samples without gaps.
pub(super) fn separate<T: Element>(from: &[T], [samples, channels, plane]: [usize; 3], to: &mut [T]) {
    let (row, size) = (samples * plane, channels * plane);
    let together = (PIECE / size).clamp(1, samples);
    parallel::for_each_chunk(to, together * size, |piece, to| {
        for (i, to) in to.chunks_exact_mut(size).enumerate() {
            let from = &from[(piece * together + i) * plane..];
            dispatch(Rows { from, pitch: row, to, to_pitch: plane, step: 1, size: [channels, plane] });
        }
    });
}
