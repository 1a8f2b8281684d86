//! The gradient of the weights in Winograd's form: `dU[e] = V[e]^T G[e]`, `dw = G^T dU G`.

use super::images::{Inputs, OutputGrads};
use super::weights::WeightGrads;
use super::{Blocks, ELEMENTS, Pass, padded, spaced, spread};
use crate::conv::{Conv2d, add_shares, shared::Shared};
use crate::gemm::registers::dispatch;
use crate::gemm::{Element, Epilogue, Mat, gemm};
use crate::{Accum, Buffer, parallel};

/// Inner and outer channels of a piece of work: their `dU` stays in the cache.
const CHANNELS: usize = 64;
/// Pieces of work, at least, if there are as many blocks of tiles.
const PIECES: usize = 8;

/// Multiplications of an element of the tiles that are worth two pieces.
const HALVED: usize = 1 << 15;

/// [`weight_grad`](crate::conv::weight_grad) where this path [`serves_weights`](super::serves_weights).
pub(in crate::conv) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let dw = Shared::new(dw);
    Pass::forward(geometry).for_groups(|pass, weights| {
        // SAFETY: each group has its own weights.
        let dw = unsafe { dw.part(weights.start, weights.len()) };
        let mut blocks = pass.blocks();
        let work = blocks.rows * blocks.across * pass.inner * pass.outer;
        if pass.groups == 1 && pass.inner.max(pass.outer) <= CHANNELS && work >= HALVED {
            blocks.together = blocks.together.min(blocks.rows.div_ceil(2));
        }
        let compute = if blocks.count() == 1 { few } else { many };
        compute(pass, &blocks, x, g, dw);
    });
}

/// The parts of some channels.
fn part(channels: usize, i: usize) -> std::ops::Range<usize> {
    i * CHANNELS..channels.min((i + 1) * CHANNELS)
}

/// Many tiles. Pieces: some channels over a fixed share of the tiles; the shares are added up in order.
fn many<T: Element>(pass: &Pass, blocks: &Blocks, x: &[T], g: &[T], dw: &mut [T]) {
    let [inner_parts, outer_parts] = [pass.inner, pass.outer].map(|n| n.div_ceil(CHANNELS));
    let parts = inner_parts * outer_parts;
    let together = blocks.count().div_ceil(PIECES.div_ceil(parts));
    let shares = blocks.count().div_ceil(together);
    let len = dw.len();
    let mut partial = Buffer::unspecified(if shares > 1 { shares * len } else { 0 });
    let target = Shared::new(if shares > 1 { &mut partial } else { &mut *dw });
    parallel::for_each(shares * parts, |piece| {
        let (share, part_of) = (piece / parts, piece % parts);
        let (inner, outer) = (part(pass.inner, part_of % inner_parts), part(pass.outer, part_of / inner_parts));
        let (height, width) = (padded(inner.len()), padded(outer.len()));
        let most = blocks.together * blocks.across;
        let mut inputs = Buffer::unspecified(ELEMENTS * spaced(most * height));
        let mut outputs = Buffer::unspecified(ELEMENTS * spaced(most * width));
        let pitch = spaced(height * width);
        let mut du = Buffer::unspecified(ELEMENTS * pitch);
        for block in share * together..blocks.count().min((share + 1) * together) {
            let rows = blocks.rows(block);
            let tiles = rows.len() * blocks.across;
            let (v, all) = (&Shared::new(&mut inputs), inner.clone());
            dispatch(Inputs { pass, blocks, rows: rows.clone(), channels: inner.clone(), x, v, all });
            let (v, all) = (&Shared::new(&mut outputs), outer.clone());
            dispatch(OutputGrads { pass, blocks, rows, channels: outer.clone(), g, v, all });
            let accum = if block == share * together { Accum::Replace } else { Accum::Add };
            for (e, du) in du.chunks_exact_mut(pitch).enumerate() {
                let v = Mat::new(&inputs[e * spaced(tiles * height)..], tiles, inner.len(), height, 1);
                let g = Mat::row_major(&outputs[e * spaced(tiles * width)..], tiles, width);
                gemm(v.t(), g, &mut du[..inner.len() * width], Epilogue::plain(accum));
            }
        }
        let (kernel, all_inner, at) = (pass.kernel, pass.inner, share * len);
        dispatch(WeightGrads { kernel, all_inner, inner, outer, du: &du, pitch, dw: &target, at });
    });
    if shares > 1 {
        add_shares(&partial, dw);
    }
}

/// Few tiles: they are transformed first. Pieces: some channels.
fn few<T: Element>(pass: &Pass, blocks: &Blocks, x: &[T], g: &[T], dw: &mut [T]) {
    let (rows, tiles) = (0..blocks.rows, blocks.rows * blocks.across);
    let (inner, outer) = (0..pass.inner, 0..pass.outer);
    let (height, width) = (padded(pass.inner), padded(pass.outer));
    let mut inputs = Buffer::unspecified(ELEMENTS * spaced(tiles * height));
    let v = &Shared::new(&mut inputs);
    spread(pass.inner, tiles, |channels| {
        dispatch(Inputs { pass, blocks, rows: rows.clone(), channels, x, v, all: inner.clone() });
    });
    let mut outputs = Buffer::unspecified(ELEMENTS * spaced(tiles * width));
    let v = &Shared::new(&mut outputs);
    spread(pass.outer, tiles, |channels| {
        dispatch(OutputGrads { pass, blocks, rows: rows.clone(), channels, g, v, all: outer.clone() });
    });
    let dw = Shared::new(dw);
    let [inner_parts, outer_parts] = [pass.inner, pass.outer].map(|n| n.div_ceil(CHANNELS));
    parallel::for_each(inner_parts * outer_parts, |piece| {
        let (inner, outer) = (part(pass.inner, piece % inner_parts), part(pass.outer, piece / inner_parts));
        let columns = padded(outer.len());
        let pitch = spaced(inner.len() * columns);
        let mut du = Buffer::unspecified(ELEMENTS * pitch);
        for (e, du) in du.chunks_exact_mut(pitch).enumerate() {
            let v = Mat::new(&inputs[e * spaced(tiles * height) + inner.start..], tiles, inner.len(), height, 1);
            let g = Mat::new(&outputs[e * spaced(tiles * width) + outer.start..], tiles, columns, width, 1);
            gemm(v.t(), g, &mut du[..inner.len() * columns], Epilogue::plain(Accum::Replace));
        }
        let (kernel, all_inner) = (pass.kernel, pass.inner);
        dispatch(WeightGrads { kernel, all_inner, inner, outer, du: &du, pitch, dw: &dw, at: 0 });
    });
}
