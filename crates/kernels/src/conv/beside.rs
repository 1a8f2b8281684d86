//! The gradient of the weights with the channels side by side: a register holds one pixel of as many channels.
//!
//! ```text
//! dW[o, (u,v,c)] = sum over windows of G[o, window] X[place of (u,v) in the window, c]
//! ```
//!
//! Planes are turned once on their way in (see `strip`). Then the factor's rows stand in memory, whatever stride and dilation,
//! and tiles read them there: turning the windows themselves would take as many times as long as a window has elements.

use std::ops::Range;

use super::abreast::{inputs, lay};
use super::planes::{Layout, Rows};
use super::{Conv2d, shared::Shared, shares::Shares};
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Apart, Element, Epilogue, Lane, MAX_LANES, Mat, MatsMut, Size, Source, gemm_packed};
use crate::simd::Level;
use crate::{Accum, Buffer, Real, parallel, simd};

/// Windows of a product, at least, where samples are put together.
const WIDE: usize = 192;
/// Columns that are computed together, about.
const STRIP: usize = 512;

/// The most output channels.
const OUTPUTS: usize = 128;

/// Whether this path computes the gradient of the weights in less time than others.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    let full = geometry.group_in().next_multiple_of(MAX_LANES);
    // Many outputs use a turned window so often that its cost does not count.
    simd::level() != Level::Portable && 4 * geometry.group_in() >= 3 * full && geometry.group_out() <= OUTPUTS
}

/// Some channels of some samples, turned.
struct Turned<'a, T> {
    geometry: &'a Conv2d,
    layout: &'a Layout,
    samples: Range<usize>,
    channels: Range<usize>,
    x: &'a [T],
    /// For each sample and register of channels, a register for each place. The padding is there already.
    laid: &'a mut [T],
    /// Where the first element of each window stands.
    moves: &'a mut [usize],
}

impl<T: Real> LaneKernel<T> for Turned<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Turned { geometry, layout, samples, channels, x, laid, moves } = self;
        let ([oh, ow], size) = (geometry.output(), geometry.input_plane());
        let places = layout.rows * layout.pitch;
        let sample_len = channels.len().next_multiple_of(MAX_LANES) * places;
        let mut flat = Buffer::unspecified(size * L::LANES);
        for (sample, laid) in samples.zip(laid.chunks_exact_mut(sample_len)) {
            for (first, laid) in channels.clone().step_by(L::LANES).zip(laid.chunks_exact_mut(places * L::LANES)) {
                let count = L::LANES.min(channels.end - first);
                let planes = &x[(sample * geometry.in_channels + first) * size..];
                // SAFETY: the caller entered `L`; there are `count` planes, and `laid` has a register for each place.
                unsafe { lay::<L>(layout, planes, size, count, &mut flat, laid) };
            }
        }
        for (at, to) in moves.iter_mut().enumerate() {
            let (sample, i, j) = (at / (oh * ow), at / ow % oh, at % ow);
            let place = i * geometry.stride[0] * layout.pitch + j * geometry.stride[1];
            *to = sample * sample_len + place * L::LANES;
        }
    }
}

/// The factor whose lanes are elements of windows, `(u, v, c)`: sums run over the windows.
#[derive(Clone, Copy)]
struct Windows<'a, T> {
    laid: &'a [T],
    moves: &'a [usize],
    shifts: &'a [usize],
    /// Channels, in whole registers, and places of each.
    channels: usize,
    places: usize,
}

impl<T: Real> Windows<'_, T> {
    /// Where the register of `lane` stands for a window that stands at 0.
    #[inline(always)]
    fn base<L: Lane<Num = T>>(&self, lane: usize) -> usize {
        let (tap, register) = (lane / self.channels, lane % self.channels / L::LANES);
        (register * self.places + self.shifts[tap]) * L::LANES
    }
}

impl<T: Real> Source<T> for Windows<'_, T> {
    #[inline(always)]
    fn pack<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>, width: usize, panel: &mut [T]) {
        for (j, lane) in lanes.step_by(L::LANES).enumerate() {
            let base = self.base::<L>(lane);
            for (row, &at) in panel.chunks_exact_mut(width).zip(&self.moves[ks.clone()]) {
                let (to, from) = (&mut row[j * L::LANES..][..L::LANES], &self.laid[base + at..][..L::LANES]);
                // SAFETY: we run inside `Lane::enter`; both are whole registers.
                unsafe { L::load(from.as_ptr()).store(to.as_mut_ptr()) };
            }
        }
    }

    #[inline(always)]
    fn apart<L: Lane<Num = T>>(&self, ks: Range<usize>, lanes: Range<usize>) -> Option<Apart<T>> {
        let moves = &self.moves[ks];
        let mut runs = [[self.laid.as_ptr(); 2]; 2];
        for (j, runs) in runs.iter_mut().enumerate() {
            let lane = lanes.start + j * L::LANES;
            if lane < lanes.end {
                let base = self.base::<L>(lane);
                // Windows follow each other: the last one reaches furthest.
                let end = self.moves.last().map_or(0, |last| last + base + L::LANES);
                assert!(end <= self.laid.len(), "a window lies outside of the planes");
                *runs = [self.laid[base..].as_ptr(); 2];
            }
        }
        Some(Apart { runs, count: [L::LANES; 2], moves: moves.as_ptr() })
    }
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: some channels over a fixed share of the blocks of
/// samples, added up in order at the end.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], taps) = (geometry.output(), geometry.taps());
    let (group_in, group_out, plane) = (geometry.group_in(), geometry.group_out(), oh * ow);
    let (layout, shifts) = inputs(geometry);
    let places = layout.rows * layout.pitch;
    let strip = (STRIP / taps).next_multiple_of(MAX_LANES).min(group_in);
    let together = WIDE.div_ceil(plane).min(geometry.batch);
    let count = geometry.batch.div_ceil(together);
    let shares = Shares::new(geometry, strip, count);
    let mut partial = Buffer::unspecified(shares.count * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares.pieces(), |i| {
        let piece = shares.piece(i);
        let (group, channels) = (piece.group, piece.channels.clone());
        let width = channels.len().next_multiple_of(MAX_LANES);
        let mut laid = Buffer::zeroed(together * width * places);
        let mut moves = vec![0; together * plane];
        let mut room = Buffer::unspecified(group_out * together * plane);
        let mut sum = Buffer::unspecified(group_out * taps * width);
        for block in piece.blocks.clone() {
            let samples = block * together..geometry.batch.min((block + 1) * together);
            let columns = samples.len() * plane;
            let (moves, first) = (&mut moves[..columns], group * group_in);
            dispatch(Turned {
                geometry,
                layout: &layout,
                samples: samples.clone(),
                channels: first + channels.start..first + channels.end,
                x,
                laid: &mut laid,
                moves,
            });
            for (i, sample) in samples.clone().enumerate() {
                let from = &g[(sample * geometry.out_channels + group * group_out) * plane..];
                let to = &mut room[i * plane..];
                dispatch(Rows { from, pitch: plane, to, to_pitch: columns, step: 1, size: [group_out, plane] });
            }
            let gradients = Mat::row_major(&room, group_out, columns);
            let windows = Windows { laid: &laid, moves, shifts: &shifts, channels: width, places };
            let accum = if block == piece.blocks.start { Accum::Replace } else { Accum::Add };
            let size = Size { m: group_out, n: taps * width, k: columns };
            let mut sum = MatsMut::row_major(&mut sum, size.m, size.n);
            gemm_packed(simd::level(), size, |_| (gradients, windows), &mut sum, Epilogue::plain(accum));
        }
        for (o, row) in sum.chunks_exact(taps * width).enumerate() {
            let at = shares.place(&piece, o);
            // SAFETY: each piece has its own share, outputs and channels.
            let to = unsafe { out.part(at, channels.len() * taps) };
            for (c, to) in to.chunks_exact_mut(taps).enumerate() {
                to.iter_mut().enumerate().for_each(|(tap, to)| *to = row[tap * width + c]);
            }
        }
    });
    super::add_shares(&partial, dw);
}
