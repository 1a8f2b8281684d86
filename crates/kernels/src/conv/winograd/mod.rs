//! Winograd's convolution F(4x4, 3x3): 3x3 windows, stride 1, with a fourth of the multiplications.
//!
//! A 4x4 tile of outputs depends on a 6x6 tile of inputs. Transformed (see [`transform`]), the sum over channels becomes
//! 36 matrix products, one for each element `e` of a transformed tile:
//!
//! ```text
//! forward:      M[e][tile, o] = sum over c    of V[e][tile, c] U[e][c, o]        V = inputs, U = weights, M = outputs
//! input grad:   the same, of g with the weights turned around and in and out exchanged
//! weight grad: dU[e][c, o]    = sum over tile of V[e][tile, c] G[e][tile, o]     G = gradients of the outputs
//! ```
//!
//! 36 products for 16 outputs instead of 9 for each. Work goes by blocks of tiles, whose `V` and `M` stay in the cache.
//! The transforms round too: the root-mean-square error is two to four times that of a direct sum (a test measures it).

mod gradient;
mod strip;
mod transform;

use super::lanes::{LaneKernel, dispatch};
use super::{Conv2d, shared::Shared};
use crate::gemm::{Element, Epilogue, Lane, MAX_LANES, Mat, gemm};
use crate::{Accum, Buffer, Real, parallel};
use strip::Strip;
use transform::{LANES, Lanes};

/// Elements of a transformed tile.
const ELEMENTS: usize = 36;
/// Rows and columns of outputs of a tile.
const TILE: usize = 4;
/// Tiles of a block, about: enough for good products, few enough for the cache.
const BLOCK_TILES: usize = 64;

/// Whether this path computes the geometry, and in less time than a direct sum.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    let [height, width] = geometry.output();
    let tiles = height.div_ceil(TILE) * width.div_ceil(TILE);
    geometry.kernel == [3, 3]
        && geometry.stride == [1, 1]
        && geometry.dilation == [1, 1]
        && geometry.groups == 1
        && geometry.padding.iter().all(|&p| p <= 2)
        && geometry.padding[0] == geometry.padding[1]
        && geometry.in_channels.min(geometry.out_channels) >= LANES
        // Multiplications wasted on the rest of incomplete tiles.
        && height * width >= 8 * tiles
}

/// A 3x3 convolution of stride 1 from `inner` to `outer` channels: the forward pass, or the gradient of the input.
#[derive(Clone, Copy)]
struct Pass {
    batch: usize,
    inner: usize,
    outer: usize,
    input: [usize; 2],
    output: [usize; 2],
    padding: usize,
}

/// How the tiles of a pass are cut into blocks of whole rows of tiles.
#[derive(Clone, Copy)]
struct Blocks {
    /// Tiles in a row.
    across: usize,
    /// Rows of tiles in an image.
    down: usize,
    /// Rows of tiles in all images.
    rows: usize,
    /// Rows of tiles in a block.
    together: usize,
}

impl Pass {
    fn blocks(&self) -> Blocks {
        let [down, across] = self.output.map(|n| n.div_ceil(TILE));
        let rows = self.batch * down;
        Blocks { across, down, rows, together: (BLOCK_TILES / across).clamp(1, rows) }
    }
}

impl Blocks {
    fn count(&self) -> usize {
        self.rows.div_ceil(self.together)
    }

    /// Rows of tiles of a block.
    fn rows(&self, block: usize) -> std::ops::Range<usize> {
        block * self.together..self.rows.min((block + 1) * self.together)
    }
}

/// The next multiple of a lane group.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// The lane group at the start of a slice.
#[inline(always)]
fn lanes<T>(from: &[T]) -> &Lanes<T> {
    from.first_chunk().expect("a whole group of lanes")
}

/// Stores the elements of a transformed tile, `pitch` apart.
#[inline(always)]
fn spread<T: Real>(tile: &[Lanes<T>; ELEMENTS], to: &mut [T], pitch: usize) {
    for (e, lanes) in tile.iter().enumerate() {
        to[e * pitch..e * pitch + LANES].copy_from_slice(lanes);
    }
}

/// Transforms rows of input tiles: `v[e][tile, c]` for some channels.
struct Inputs<'a, T> {
    pass: &'a Pass,
    blocks: &'a Blocks,
    rows: std::ops::Range<usize>,
    channels: std::ops::Range<usize>,
    x: &'a [T],
    v: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Inputs<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Inputs { pass, blocks, rows, channels, x, v } = self;
        let plane = pass.input[0] * pass.input[1];
        let width = padded(channels.len());
        let pitch = rows.len() * blocks.across * width;
        let mut strip = Buffer::unspecified(6 * (TILE * blocks.across + 2) * LANES);
        let (strip, _) = strip.as_chunks_mut::<LANES>();
        let mut half = [[T::ZERO; LANES]; ELEMENTS];
        let mut to = [[T::ZERO; LANES]; ELEMENTS];
        for (at, row) in rows.enumerate() {
            let place = Strip {
                image: pass.input,
                size: [6, TILE * blocks.across + 2],
                top: row % blocks.down * TILE,
                padding: pass.padding,
            };
            for group in (0..channels.len()).step_by(LANES) {
                let count = LANES.min(channels.len() - group);
                let first = row / blocks.down * pass.inner + channels.start + group;
                // SAFETY: the caller entered `L`.
                unsafe { place.read::<L>(&x[first * plane..], count, strip) };
                for tile in 0..blocks.across {
                    let from = |i, j| &strip[i * place.size[1] + tile * TILE + j];
                    transform::input_tile(from, &mut half, &mut to);
                    spread(&to, &mut v[(at * blocks.across + tile) * width + group..], pitch);
                }
            }
        }
    }
}

/// Transforms weights: `u[e][c, o]` for some inner and outer channels.
struct Weights<'a, T> {
    w: &'a [T],
    /// Distance of the weights of neighboring outer and inner channels.
    steps: [usize; 2],
    /// Turn the 3x3 weights around.
    turned: bool,
    inner: std::ops::Range<usize>,
    outer: std::ops::Range<usize>,
    u: &'a Shared<'a, T>,
    /// Distance between elements.
    pitch: usize,
}

impl<T: Real> LaneKernel<T> for Weights<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Weights { w, steps, turned, inner, outer, u, pitch } = self;
        let width = padded(outer.len());
        let mut half = [[T::ZERO; LANES]; ELEMENTS];
        let mut to = [[T::ZERO; LANES]; ELEMENTS];
        for group in (0..outer.len()).step_by(LANES) {
            let count = LANES.min(outer.len() - group);
            let mut from = [[T::ZERO; LANES]; 9];
            for c in inner.clone() {
                let w = &w[(outer.start + group) * steps[0] + c * steps[1]..];
                assert!(w.len() >= (count - 1) * steps[0] + 9, "the weights are too short");
                // SAFETY: the 9 weights of each of `count` outer channels are there, and `from` has room for them.
                unsafe {
                    strip::to_lanes::<L>(w.as_ptr(), steps[0], count, 9, from.as_flattened_mut().as_mut_ptr());
                }
                let tap = |i, j| &from[if turned { 8 - (i * 3 + j) } else { i * 3 + j }];
                transform::weight_tile(tap, &mut half, &mut to);
                for (e, lanes) in to.iter().enumerate() {
                    // SAFETY: each piece of work has its own inner channels, or a `u` of its own.
                    unsafe { u.part(e * pitch + c * width + group, LANES) }.copy_from_slice(lanes);
                }
            }
        }
    }
}

/// Transforms rows of products back and writes the outputs.
struct Outputs<'a, T> {
    pass: &'a Pass,
    blocks: &'a Blocks,
    rows: std::ops::Range<usize>,
    channels: std::ops::Range<usize>,
    m: &'a [T],
    bias: Option<&'a [T]>,
    y: &'a Shared<'a, T>,
}

impl<T: Real> LaneKernel<T> for Outputs<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Outputs { pass, blocks, rows, channels, m, bias, y } = self;
        let plane = pass.output[0] * pass.output[1];
        let width = padded(channels.len());
        let pitch = rows.len() * blocks.across * width;
        let size = [TILE, TILE * blocks.across];
        let mut strip = Buffer::unspecified((size[0] * size[1] + MAX_LANES) * LANES);
        let (strip, _) = strip.as_chunks_mut::<LANES>();
        let mut half = [[T::ZERO; LANES]; ELEMENTS];
        let mut to = [[T::ZERO; LANES]; TILE * TILE];
        for (at, row) in rows.enumerate() {
            let place = Strip { image: pass.output, size, top: row % blocks.down * TILE, padding: 0 };
            for group in (0..channels.len()).step_by(LANES) {
                let count = LANES.min(channels.len() - group);
                for tile in 0..blocks.across {
                    let m = &m[(at * blocks.across + tile) * width + group..];
                    transform::output_tile(|i, j| lanes(&m[(i * 6 + j) * pitch..]), &mut half, &mut to);
                    for (i, to) in to.chunks_exact(TILE).enumerate() {
                        let start = i * size[1] + tile * TILE;
                        strip[start..start + TILE].copy_from_slice(to);
                    }
                }
                let channel = channels.start + group;
                let mut added = [T::ZERO; LANES];
                if let Some(bias) = bias {
                    added[..count].copy_from_slice(&bias[channel..][..count]);
                }
                let first = row / blocks.down * pass.outer + channel;
                // SAFETY: each piece of work has its own rows of tiles and channels.
                unsafe { place.write::<L>(strip, &added, count, y, first * plane) };
            }
        }
    }
}

/// Computes a pass. The weight from inner channel `c` to outer channel `o` stands at `o * steps[0] + c * steps[1]`.
fn run<T: Element>(
    pass: &Pass,
    x: &[T],
    (w, steps, turned): (&[T], [usize; 2], bool),
    bias: Option<&[T]>,
    y: &mut [T],
) {
    let blocks = pass.blocks();
    // Where few tiles meet many weights, blocks of outer channels share the work, and each transforms its own weights.
    let few = blocks.count() == 1;
    let wide = if few { padded(pass.outer.div_ceil(4)).clamp(2 * LANES, 4 * LANES) } else { pass.outer };
    let parts = pass.outer.div_ceil(wide);
    let pitch = pass.inner * padded(wide);
    let weights = |inner, outer, u: &Shared<'_, T>| {
        dispatch(Weights { w, steps, turned, inner, outer, u, pitch });
    };
    let mut whole = Buffer::unspecified(if few { 0 } else { ELEMENTS * pitch });
    if !few {
        let whole = Shared::new(&mut whole);
        parallel::for_each(pass.inner.div_ceil(LANES), |group| {
            weights(group * LANES..pass.inner.min((group + 1) * LANES), 0..pass.outer, &whole);
        });
    }
    let y = Shared::new(y);
    parallel::for_each(blocks.count() * parts, |piece| {
        let (rows, part) = (blocks.rows(piece / parts), piece % parts);
        let outer = part * wide..pass.outer.min((part + 1) * wide);
        let mut own = Buffer::unspecified(if few { ELEMENTS * pitch } else { 0 });
        if few {
            weights(0..pass.inner, outer.clone(), &Shared::new(&mut own));
        }
        let u: &[T] = if few { &own } else { &whole };
        let tiles = rows.len() * blocks.across;
        let (width, columns) = (padded(pass.inner), padded(outer.len()));
        let mut v = Buffer::unspecified(ELEMENTS * tiles * width);
        dispatch(Inputs { pass, blocks: &blocks, rows: rows.clone(), channels: 0..pass.inner, x, v: &mut v });
        let mut m = Buffer::unspecified(ELEMENTS * tiles * columns);
        for (e, m) in m.chunks_exact_mut(tiles * columns).enumerate() {
            let v = Mat::new(&v[e * tiles * width..], tiles, pass.inner, width, 1);
            let u = Mat::row_major(&u[e * pitch..], pass.inner, columns);
            gemm(v, u, m, Epilogue::plain(Accum::Replace));
        }
        dispatch(Outputs { pass, blocks: &blocks, rows, channels: outer, m: &m, bias, y: &y });
    });
}

impl Pass {
    fn forward(geometry: &Conv2d) -> Self {
        Pass {
            batch: geometry.batch,
            inner: geometry.in_channels,
            outer: geometry.out_channels,
            input: geometry.input,
            output: geometry.output(),
            padding: geometry.padding[0],
        }
    }
}

/// [`forward`](super::forward) where this path [`applies`].
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    run(&Pass::forward(geometry), x, (w, [geometry.in_channels * 9, 9], false), bias, y);
}

/// [`input_grad`](super::input_grad) where this path [`applies`].
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let pass = Pass {
        batch: geometry.batch,
        inner: geometry.out_channels,
        outer: geometry.in_channels,
        input: geometry.output(),
        output: geometry.input,
        padding: 2 - geometry.padding[0],
    };
    run(&pass, g, (w, [9, geometry.in_channels * 9], true), None, dx);
}

pub(super) use gradient::weight_grad;
