//! Winograd's convolution F(MxM, KxK), M + K = 7, for windows of 3x3, 4x4 and 5x5: stride 1, dilated or not, with a fourth to some
//! more than a third of the multiplications.
//!
//! A 4x4 tile of outputs of 3x3 windows depends on a 6x6 tile of inputs, and so do a 3x3 tile of 4x4 and a 2x2 tile of 5x5 windows.
//! Transformed (see [`transform`]), the sum over channels becomes 36 matrix products, one for each element `e` of a transformed tile:
//!
//! ```text
//! forward:      M[e][tile, o] = sum over c    of V[e][tile, c] U[e][c, o]        V = inputs, U = weights, M = outputs
//! input grad:   the same, of g with the weights turned around and in and out exchanged
//! weight grad: dU[e][c, o]    = sum over tile of V[e][tile, c] G[e][tile, o]     G = gradients of the outputs
//! ```
//!
//! 36 products for 16 outputs instead of 9 for each (for 9 instead of 16 each, for 4 instead of 25 each). Work goes by blocks of tiles,
//! whose `V` and `M` stay in the cache.
//! The transforms round too: in `f32` the root-mean-square error is 5e-7 to 9e-7 of the result's, one and a half to
//! three and a half times that of a direct sum (`winograd_rounds_little_more_than_a_direct_sum` measures it).

/// Runs `work` with the rows and columns of a window as a constant.
macro_rules! for_kernel {
    ($kernel:expr, $constant:ident => $work:expr) => {
        for_kernel!($kernel, $constant => $work; 3 4 5)
    };
    ($kernel:expr, $constant:ident => $work:expr; $($size:literal)*) => {
        match $kernel {
            $($size => {
                const $constant: usize = $size;
                $work
            })*
            other => unreachable!("no transforms of {other}x{other} windows"),
        }
    };
}

mod gradient;
mod images;
mod transform;
mod weights;

use std::ops::{Range, RangeInclusive};

use super::areas::{Reach, Work};
use super::blocked::blocks;
use super::ways::Way;
use super::{Conv2d, Epilogue, beside, shared::Shared};
use crate::gemm::registers::dispatch;
use crate::gemm::{self, Element, MAX_LANES, Mat, gemm};
use crate::{Accum, Buffer, parallel};
use images::{Inputs, Outputs};
use transform::SIDE;
use weights::{Filters, Weights};

/// Elements of a transformed tile.
const ELEMENTS: usize = SIDE * SIDE;
/// Tiles of a block, about: enough for good products, three times the rows of a register tile, and few enough for the cache.
const BLOCK_TILES: usize = 42;
/// Up to so many tiles are one block.
const FEW_TILES: usize = 128;
/// Outer and inner channels of a block of weights, where tiles are few.
const FEW_OUTER: usize = 32;
const FEW_INNER: usize = 64;
/// Up to so many weights, both halves of the rows of tiles transform all of them.
const FEW_WEIGHTS: usize = 64 * 64;
/// The fewest tiles that are cut so.
const HALVED: usize = 32;
/// Transformed lane groups that are worth a thread: some 10 microseconds.
const PIECE: usize = 256;

/// Rows and columns of the windows that there are transforms for.
const KERNELS: RangeInclusive<usize> = 3..=5;
/// What it takes to transform a channel of a tile, and the weights between two channels, fewer than [`FAR`] or more, in multiplications
/// of the products: for outputs, and for the gradient of the weights, which takes other paths longer.
const IMAGES: [usize; 3] = [330, 100, 270];
const GRADIENTS: [usize; 3] = [270, 50, 50];
/// So many weights leave the L2 cache, when they are transformed.
const FAR: usize = 1 << 14;

/// Whether this path computes the convolution in less time than others.
pub(super) fn serves_forward(geometry: &Conv2d) -> bool {
    possible(geometry) && Pass::forward(geometry).pays(Pass::direct, IMAGES)
}

/// Whether this path computes the gradient of the input in less time than others.
pub(super) fn serves_input_grad(geometry: &Conv2d) -> bool {
    // Of a gradient that is smaller than the image, `scattered` multiplies each number with a window once.
    let direct = |pass: &Pass| pass.direct().min(Pass::forward(geometry).full());
    possible(geometry) && Pass::input_grad(geometry).pays(direct, IMAGES)
}

/// Whether this path computes the gradient of the weights in less time than others.
pub(super) fn serves_weights(geometry: &Conv2d) -> bool {
    possible(geometry)
        && Pass::forward(geometry).pays(Pass::full, GRADIENTS)
        && (geometry.group_out() >= MAX_LANES / 2 || !beside::applies(geometry))
}

/// Whether there are transforms for the windows.
fn possible(geometry: &Conv2d) -> bool {
    let ([kernel, other], apart) = (geometry.kernel, geometry.dilation[0]);
    KERNELS.contains(&kernel)
        && other == kernel
        && geometry.stride == [1, 1]
        && geometry.dilation == [apart, apart]
        && geometry.padding.iter().all(|&p| p <= (kernel - 1) * apart)
        && geometry.padding[0] == geometry.padding[1]
}

/// A convolution of stride 1 from `inner` to `outer` channels of a group: the forward pass, or the gradient of the input.
#[derive(Clone, Copy)]
struct Pass {
    batch: usize,
    inner: usize,
    outer: usize,
    group: usize,
    /// How many there are.
    groups: usize,
    /// Rows and columns of a window.
    kernel: usize,
    input: [usize; 2],
    output: [usize; 2],
    padding: usize,
    dilation: usize,
}

/// How the tiles of a pass are cut into blocks of whole rows of tiles.
///
/// A dilated window meets every so many lines and columns only: an image is as many phases each way, and each of them an image with
/// windows that are not dilated. Tiles go through one phase after the other, down and across.
#[derive(Clone, Copy)]
struct Blocks {
    /// Distance between neighboring pixels of a tile: the dilation.
    apart: usize,
    /// Rows and columns of outputs of a tile.
    tile: usize,
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
    /// Whether the multiplications that the pass saves, of those of a `direct` product of one sample, make up for the transforms. Its
    /// products have whole registers of outer channels, and whole tiles.
    fn pays(&self, direct: impl Fn(&Self) -> f64, [channel, near, far]: [usize; 3]) -> bool {
        let (inner, outer) = (padded(self.inner), padded(self.outer));
        let tile = ELEMENTS * self.inner * outer + channel * (inner + outer);
        let weight = if self.inner * outer < FAR { near } else { far };
        let (batch, weights) = (self.batch as f64, (weight * inner * outer) as f64);
        direct(self) * batch >= (self.tiles() * tile) as f64 * batch + weights
    }

    /// The multiplications of all elements of all windows.
    fn full(&self) -> f64 {
        (self.taps() * self.output[0] * self.output[1]) as f64 * (self.inner * self.outer) as f64
    }

    /// The same, as far as a product that leaves out elements in the padding saves time.
    fn direct(&self) -> f64 {
        let place = |u: usize| Some((u * self.dilation) as isize - self.padding as isize);
        let reach = [0, 1].map(|d| Reach::new(self.output[d], 1, (0..self.kernel).map(place), self.input[d]));
        let together = blocks(self.batch, self.output[0] * self.output[1]).0;
        let work = Work { batch: self.batch, together, channels: self.inner, outputs: self.outer, way: Way::Rows };
        self.full() * work.cut(&reach).1
    }

    /// Rows and columns of outputs of a tile.
    fn tile(&self) -> usize {
        SIDE + 1 - self.kernel
    }

    /// Rows and columns of tiles of an image.
    fn sides(&self) -> [usize; 2] {
        self.output.map(|n| self.dilation * n.div_ceil(self.tile() * self.dilation))
    }

    /// Elements of a window.
    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Tiles of an image.
    fn tiles(&self) -> usize {
        self.sides().iter().product()
    }

    fn blocks(&self) -> Blocks {
        let [down, across] = self.sides();
        let rows = self.batch * down;
        let together = if rows * across <= FEW_TILES { rows } else { (BLOCK_TILES / across).clamp(1, rows) };
        Blocks { apart: self.dilation, tile: self.tile(), across, down, rows, together }
    }
}

impl Blocks {
    /// The sample and the phase of a row of tiles, and its first line in that phase.
    fn place(&self, row: usize) -> (usize, usize, usize) {
        let (sample, row, rows) = (row / self.down, row % self.down, self.down / self.apart);
        (sample, row / rows, row % rows * self.tile)
    }

    fn count(&self) -> usize {
        self.rows.div_ceil(self.together)
    }

    /// Rows of tiles of a block.
    fn rows(&self, block: usize) -> Range<usize> {
        block * self.together..self.rows.min((block + 1) * self.together)
    }
}

/// The next multiple of a lane group.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(MAX_LANES)
}

/// A distance for `len` numbers: an odd number of cache lines, so that what stands at multiples of it falls into
/// different sets of the caches.
fn spaced(len: usize) -> usize {
    (len.div_ceil(MAX_LANES) | 1) * MAX_LANES
}

/// Calls `work` for ranges that cover `0..len`, in pieces of whole lane groups worth a thread: `costs` is about the number
/// of transformed lane groups of each.
fn spread(len: usize, costs: usize, work: impl Fn(Range<usize>) + Sync + Send) {
    let piece = MAX_LANES * (PIECE / costs.max(1)).max(1);
    parallel::for_each(len.div_ceil(piece), |i| work(i * piece..len.min((i + 1) * piece)));
}

/// Computes a pass. Nobody else writes the channels of its group.
fn run<T: Element>(pass: &Pass, x: &[T], filters: Filters<'_, T>, epilogue: Epilogue<'_, T>, y: &Shared<'_, T>) {
    let blocks = pass.blocks();
    if blocks.count() == 1 {
        few(pass, &blocks, x, filters, epilogue, y);
    } else {
        many(pass, &blocks, x, filters, epilogue, y);
    }
}

/// Many tiles: all weights are transformed first. Pieces: blocks of tiles.
fn many<T: Element>(
    pass: &Pass,
    blocks: &Blocks,
    x: &[T],
    filters: Filters<'_, T>,
    epilogue: Epilogue<'_, T>,
    y: &Shared<'_, T>,
) {
    let (width, columns) = (padded(pass.inner), padded(pass.outer));
    let pitch = spaced(pass.inner * columns);
    let mut u = Buffer::unspecified(ELEMENTS * pitch);
    let shared = Shared::new(&mut u);
    spread(pass.inner, columns, |inner| {
        let at = inner.start;
        dispatch(Weights { filters, inner, outer: 0..pass.outer, at, u: &shared, pitch });
    });
    parallel::for_each(blocks.count(), |block| {
        let rows = blocks.rows(block);
        let tiles = rows.len() * blocks.across;
        let mut v = Buffer::unspecified(ELEMENTS * spaced(tiles * width));
        let all = 0..pass.inner;
        let shared = Shared::new(&mut v);
        dispatch(Inputs { pass, blocks, rows: rows.clone(), channels: all.clone(), x, v: &shared, all });
        let mut m = Buffer::unspecified(ELEMENTS * spaced(tiles * columns));
        for (e, m) in m.chunks_exact_mut(spaced(tiles * columns)).enumerate() {
            let v = Mat::new(&v[e * spaced(tiles * width)..], tiles, pass.inner, width, 1);
            let u = Mat::row_major(&u[e * pitch..], pass.inner, columns);
            gemm(v, u, &mut m[..tiles * columns], gemm::Epilogue::plain(Accum::Replace));
        }
        dispatch(Outputs { pass, blocks, rows, channels: 0..pass.outer, m: &m, epilogue, y });
    });
}

/// Few tiles. All inputs are transformed first; pieces are blocks of outer channels. Where weights are few too, pieces are
/// rows of tiles instead, each with a copy of its own of all that is transformed: a line that another core has just written
/// takes longer to fetch than to compute.
fn few<T: Element>(
    pass: &Pass,
    blocks: &Blocks,
    x: &[T],
    filters: Filters<'_, T>,
    epilogue: Epilogue<'_, T>,
    y: &Shared<'_, T>,
) {
    let width = padded(pass.inner);
    let outer_parts = pass.outer.div_ceil(FEW_OUTER);
    let part = |rows: Range<usize>, part: usize, v: &[T]| {
        let outer = part * FEW_OUTER..pass.outer.min((part + 1) * FEW_OUTER);
        few_channels(pass, blocks, (rows, outer), v, filters, epilogue, y);
    };
    if pass.inner * pass.outer <= FEW_WEIGHTS && blocks.rows > 1 && blocks.rows * blocks.across >= HALVED {
        // A sum has the same order in both cuts.
        let parts = parallel::threads().min(2);
        return parallel::for_each(parts, |part_of| {
            let rows = part_of * blocks.rows / parts..(part_of + 1) * blocks.rows / parts;
            let mut v = Buffer::unspecified(ELEMENTS * spaced(rows.len() * blocks.across * width));
            let (all, shared) = (0..pass.inner, &Shared::new(&mut v));
            dispatch(Inputs { pass, blocks, rows: rows.clone(), channels: all.clone(), x, v: shared, all });
            (0..outer_parts).for_each(|outer| part(rows.clone(), outer, &v));
        });
    }
    let (rows, tiles) = (0..blocks.rows, blocks.rows * blocks.across);
    let mut v = Buffer::unspecified(ELEMENTS * spaced(tiles * width));
    let shared = &Shared::new(&mut v);
    spread(pass.inner, tiles, |channels| {
        dispatch(Inputs { pass, blocks, rows: rows.clone(), channels, x, v: shared, all: 0..pass.inner });
    });
    parallel::for_each(outer_parts, |outer| part(rows.clone(), outer, &v));
}

/// Some rows of tiles and outer channels of a pass, from transformed inputs `v`. Weights are transformed a block of inner
/// channels at a time and used at once.
fn few_channels<T: Element>(
    pass: &Pass,
    blocks: &Blocks,
    (rows, outer): (Range<usize>, Range<usize>),
    v: &[T],
    filters: Filters<'_, T>,
    epilogue: Epilogue<'_, T>,
    y: &Shared<'_, T>,
) {
    let (tiles, width, columns) = (rows.len() * blocks.across, padded(pass.inner), padded(outer.len()));
    let pitch = spaced(FEW_INNER * columns);
    let mut u = Buffer::unspecified(ELEMENTS * pitch);
    let mut m = Buffer::unspecified(ELEMENTS * spaced(tiles * columns));
    for first in (0..pass.inner).step_by(FEW_INNER) {
        let inner = first..pass.inner.min(first + FEW_INNER);
        let shared = Shared::new(&mut u);
        dispatch(Weights { filters, inner: inner.clone(), outer: outer.clone(), at: 0, u: &shared, pitch });
        let accum = if first == 0 { Accum::Replace } else { Accum::Add };
        for (e, m) in m.chunks_exact_mut(spaced(tiles * columns)).enumerate() {
            let v = Mat::new(&v[e * spaced(tiles * width) + first..], tiles, inner.len(), width, 1);
            let u = Mat::row_major(&u[e * pitch..], inner.len(), columns);
            gemm(v, u, &mut m[..tiles * columns], gemm::Epilogue::plain(accum));
        }
    }
    dispatch(Outputs { pass, blocks, rows, channels: outer, m: &m, epilogue, y });
}

impl Pass {
    fn forward(geometry: &Conv2d) -> Self {
        Pass {
            batch: geometry.batch,
            inner: geometry.group_in(),
            outer: geometry.group_out(),
            group: 0,
            groups: geometry.groups,
            kernel: geometry.kernel[0],
            input: geometry.input,
            output: geometry.output(),
            padding: geometry.padding[0],
            dilation: geometry.dilation[0],
        }
    }

    fn input_grad(geometry: &Conv2d) -> Self {
        let pass = Pass::forward(geometry);
        let padding = (pass.kernel - 1) * pass.dilation - pass.padding;
        Pass { inner: pass.outer, outer: pass.inner, input: pass.output, output: pass.input, padding, ..pass }
    }

    /// Calls `work` for the pass of each group, with the place of its weights.
    fn for_groups(&self, work: impl Fn(&Pass, Range<usize>) + Sync + Send) {
        let weights = self.inner * self.outer * self.taps();
        parallel::for_each(self.groups, |group| {
            work(&Pass { group, ..*self }, group * weights..(group + 1) * weights);
        });
    }

    /// The plane of the input and of the output where a sample of the group starts.
    fn planes(&self, sample: usize) -> [usize; 2] {
        [self.inner, self.outer].map(|channels| (sample * self.groups + self.group) * channels)
    }
}

/// [`forward`](super::forward) where this path [`serves_forward`].
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    let y = Shared::new(y);
    Pass::forward(geometry).for_groups(|pass, weights| {
        let filters = Filters {
            w: &w[weights],
            steps: [pass.inner * pass.taps(), pass.taps()],
            kernel: pass.kernel,
            turned: false,
        };
        let bias = epilogue.bias.map(|bias| &bias[pass.group * pass.outer..][..pass.outer]);
        run(pass, x, filters, Epilogue { bias, ..epilogue }, &y);
    });
}

/// [`input_grad`](super::input_grad) where this path [`serves_input_grad`].
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let dx = Shared::new(dx);
    Pass::input_grad(geometry).for_groups(|pass, weights| {
        let filters = Filters {
            w: &w[weights],
            steps: [pass.taps(), pass.outer * pass.taps()],
            kernel: pass.kernel,
            turned: true,
        };
        run(pass, g, filters, Epilogue::plain(), &dx);
    });
}

pub(super) use gradient::weight_grad;
