//! The gradient of the weights in Winograd's form: `dU[e] = V[e]^T G[e]`, `dw = G^T dU G`.

use std::ops::Range;

use super::strip::{Strip, from_lanes};
use super::transform::{self, LANES};
use super::{Blocks, ELEMENTS, Inputs, Pass, TILE, lanes, padded, spread};
use crate::conv::lanes::{LaneKernel, dispatch};
use crate::conv::{Conv2d, add_shares, shared::Shared};
use crate::gemm::{Element, Epilogue, Lane, MAX_LANES, Mat, gemm};
use crate::{Accum, Buffer, Real, parallel};

/// Input channels of a piece of work.
const CHANNELS: usize = 64;
/// Pieces of work, at least, if there are as many blocks of tiles.
const PIECES: usize = 8;

/// Transforms rows of tiles of the outputs' gradient: `v[e][tile, o]`.
struct OutputGrads<'a, T> {
    pass: &'a Pass,
    blocks: &'a Blocks,
    rows: Range<usize>,
    g: &'a [T],
    v: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for OutputGrads<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let OutputGrads { pass, blocks, rows, g, v } = self;
        let plane = pass.output[0] * pass.output[1];
        let width = padded(pass.outer);
        let pitch = rows.len() * blocks.across * width;
        let size = [TILE, TILE * blocks.across];
        let mut strip = Buffer::unspecified(size[0] * size[1] * LANES);
        let (strip, _) = strip.as_chunks_mut::<LANES>();
        let mut half = [[T::ZERO; LANES]; ELEMENTS];
        let mut to = [[T::ZERO; LANES]; ELEMENTS];
        for (at, row) in rows.enumerate() {
            let place = Strip { image: pass.output, size, top: row % blocks.down * TILE, padding: 0 };
            for group in (0..pass.outer).step_by(LANES) {
                let first = row / blocks.down * pass.outer + group;
                // SAFETY: the caller entered `L`.
                unsafe { place.read::<L>(&g[first * plane..], LANES.min(pass.outer - group), strip) };
                for tile in 0..blocks.across {
                    let from = |i, j| &strip[i * size[1] + tile * TILE + j];
                    transform::output_grad_tile(from, &mut half, &mut to);
                    spread(&to, &mut v[(at * blocks.across + tile) * width + group..], pitch);
                }
            }
        }
    }
}

/// Transforms `du[e][c, o]` back and writes it to the weights of some input channels.
struct WeightGrads<'a, T> {
    pass: &'a Pass,
    channels: Range<usize>,
    du: &'a [T],
    dw: &'a Shared<'a, T>,
    /// Where the weights start.
    at: usize,
}

impl<T: Real> LaneKernel<T> for WeightGrads<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let WeightGrads { pass, channels, du, dw, at } = self;
        let width = padded(pass.outer);
        let pitch = channels.len() * width;
        let mut half = [[T::ZERO; LANES]; ELEMENTS];
        let zero = [T::ZERO; LANES];
        let mut to = [[T::ZERO; LANES]; MAX_LANES];
        for group in (0..pass.outer).step_by(LANES) {
            for (c, channel) in channels.clone().enumerate() {
                let du = &du[c * width + group..];
                transform::weight_grad_tile(
                    |i, j| lanes(&du[(i * 6 + j) * pitch..]),
                    &mut half,
                    to.first_chunk_mut().expect("nine are there"),
                );
                let count = LANES.min(pass.outer - group);
                let pitch = pass.inner * 9;
                let start = at + (group * pass.inner + channel) * 9;
                // SAFETY: `place` checks that all of it lies inside; each piece of work has its own share of `dw` or its
                // own channels. `to` has room behind the nine for a register.
                unsafe {
                    let dw = dw.place(start, (count - 1) * pitch + 9);
                    from_lanes::<L>(to.as_flattened().as_ptr(), zero.as_ptr(), count, 9, dw, pitch);
                }
            }
        }
    }
}

/// [`weight_grad`](crate::conv::weight_grad) where this path [`applies`](super::applies). Pieces: some channels of a fixed
/// share of the tiles; the shares are added up in order.
pub(in crate::conv) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let pass = Pass::forward(geometry);
    let blocks = pass.blocks();
    let parts = pass.inner.div_ceil(CHANNELS);
    let together = blocks.count().div_ceil(PIECES.div_ceil(parts));
    let shares = blocks.count().div_ceil(together);
    let len = dw.len();
    let mut partial = Buffer::unspecified(if shares > 1 { shares * len } else { 0 });
    let target = Shared::new(if shares > 1 { &mut partial } else { &mut *dw });
    parallel::for_each(shares * parts, |piece| {
        let (share, part) = (piece / parts, piece % parts);
        let channels = part * CHANNELS..pass.inner.min((part + 1) * CHANNELS);
        let (height, width) = (channels.len(), padded(pass.outer));
        let most = blocks.together * blocks.across * ELEMENTS;
        let mut inputs = Buffer::unspecified(most * padded(height));
        let mut outputs = Buffer::unspecified(most * width);
        let mut du = Buffer::unspecified(ELEMENTS * height * width);
        for block in share * together..blocks.count().min((share + 1) * together) {
            let rows = blocks.rows(block);
            let tiles = rows.len() * blocks.across;
            let (channels, v) = (channels.clone(), &mut inputs[..]);
            dispatch(Inputs { pass: &pass, blocks: &blocks, rows: rows.clone(), channels, x, v });
            dispatch(OutputGrads { pass: &pass, blocks: &blocks, rows, g, v: &mut outputs });
            let accum = if block == share * together { Accum::Replace } else { Accum::Add };
            for (e, du) in du.chunks_exact_mut(height * width).enumerate() {
                let v = Mat::new(&inputs[e * tiles * padded(height)..], tiles, height, padded(height), 1);
                let g = Mat::row_major(&outputs[e * tiles * width..], tiles, width);
                gemm(v.t(), g, du, Epilogue::plain(accum));
            }
        }
        dispatch(WeightGrads { pass: &pass, channels, du: &du, dw: &target, at: share * len });
    });
    if shares > 1 {
        add_shares(&partial, dw);
    }
}
