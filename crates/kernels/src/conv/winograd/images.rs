//! The transforms of images: inputs, outputs and the outputs' gradients, rows of tiles at a time.
//!
//! Each tile is transformed along its rows and then along its columns. Neighboring rows of input tiles share rows of
//! pixels: what the first step made of them is kept.

use std::ops::Range;

use super::transform::{self, SIDE};
use super::{Blocks, ELEMENTS, Pass, padded, spaced};
use crate::conv::Epilogue;
use crate::conv::shared::Shared;
use crate::conv::strip::{from_lanes, to_lanes};
use crate::gemm::Lane;
use crate::gemm::registers::LaneKernel;
use crate::simd::prefetch;
use crate::{Buffer, Number, Real};

/// Where some rows of tiles of some channels stand: element `(i, j)` of a tile at `(i * 6 + j) * pitch + tile * width`.
struct Layout {
    width: usize,
    pitch: usize,
}

impl Layout {
    fn new(tiles: usize, channels: usize) -> Self {
        let width = padded(channels);
        Layout { width, pitch: spaced(tiles * width) }
    }

    /// How far the last tile reaches.
    fn len(&self, tiles: usize) -> usize {
        (ELEMENTS - 1) * self.pitch + tiles * self.width
    }
}

/// Transforms rows of input tiles: `v[e][tile, c]` for some channels.
pub(super) struct Inputs<'a, T> {
    pub(super) pass: &'a Pass,
    pub(super) blocks: &'a Blocks,
    pub(super) rows: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) x: &'a [T],
    pub(super) v: &'a Shared<'a, T>,
    /// The channels that `v` starts with, and has.
    pub(super) all: Range<usize>,
}

impl<T: Real> LaneKernel<T> for Inputs<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Inputs { pass, blocks, rows, channels, x, v, all } = self;
        let (apart, tile_side, shared) = (blocks.apart, pass.tile(), pass.kernel - 1);
        let columns = tile_side * blocks.across + shared * apart;
        let lines = Lines { image: pass.input, columns, padding: pass.padding };
        let tiles = rows.len() * blocks.across;
        let layout = Layout::new(tiles, all.len());
        let v = v.place(0, layout.len(tiles));
        // A line of pixels, and six lines of half-transformed tiles.
        let mut room = Buffer::unspecified((lines.columns + SIDE * blocks.across * SIDE) * L::LANES);
        let (line, half) = room.split_at_mut(lines.columns * L::LANES);
        let half_line = blocks.across * SIDE * L::LANES;
        for group in channels.clone().step_by(L::LANES) {
            let count = L::LANES.min(channels.end - group);
            for (at, row) in rows.clone().enumerate() {
                let (sample, phase, top) = blocks.place(row);
                let planes = lines.planes(x, pass.planes(sample)[0] + group, count);
                // The last lines of the row of tiles above, if it was in this phase, are the first of this one.
                let known = if at > 0 && top > 0 { shared } else { 0 };
                for i in top + known..top + SIDE {
                    let half = &mut half[i % SIDE * half_line..][..half_line];
                    // SAFETY: the caller entered `L`; a line has all pixels of its tiles.
                    unsafe {
                        if lines.read::<L>(planes, count, i * apart + phase, line) {
                            for (phase, half) in half.chunks_exact_mut(half_line / apart).enumerate() {
                                for (tile, half) in half.chunks_exact_mut(SIDE * L::LANES).enumerate() {
                                    let from = line[(tile * tile_side * apart + phase) * L::LANES..].as_ptr();
                                    let d = load::<L, SIDE>(from, apart * L::LANES);
                                    store(transform::input(d), half.as_mut_ptr(), L::LANES);
                                }
                            }
                        } else {
                            half.fill(T::ZERO);
                        }
                    }
                }
                let mut starts = [half.as_ptr(); SIDE];
                for (i, start) in starts.iter_mut().enumerate() {
                    *start = half[(top + i) % SIDE * half_line..].as_ptr();
                }
                for tile in 0..blocks.across {
                    for j in 0..SIDE {
                        let from = (tile * SIDE + j) * L::LANES;
                        let to = j * layout.pitch + (at * blocks.across + tile) * layout.width + group - all.start;
                        // SAFETY: as above; `v` has all tiles and channels, and those of this call are its own.
                        unsafe {
                            let mut d = [L::splat(T::ZERO); SIDE];
                            for (d, start) in d.iter_mut().zip(starts) {
                                *d = L::load(start.add(from));
                            }
                            store(transform::input(d), v.add(to), SIDE * layout.pitch);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms rows of tiles of the outputs' gradient: `v[e][tile, o]` for some channels.
pub(super) struct OutputGrads<'a, T> {
    pub(super) pass: &'a Pass,
    pub(super) blocks: &'a Blocks,
    pub(super) rows: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) g: &'a [T],
    pub(super) v: &'a Shared<'a, T>,
    /// The channels that `v` starts with, and has.
    pub(super) all: Range<usize>,
}

impl<T: Real> LaneKernel<T> for OutputGrads<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        // SAFETY: the caller's.
        unsafe { for_kernel!(self.pass.kernel, K => self.transform::<L, { SIDE + 1 - K }>()) }
    }
}

impl<T: Real> OutputGrads<'_, T> {
    /// # Safety
    /// `L` is entered.
    #[inline(always)]
    unsafe fn transform<L: Lane<Num = T>, const M: usize>(self) {
        let OutputGrads { pass, blocks, rows, channels, g, v, all } = self;
        let apart = blocks.apart;
        let lines = Lines { image: pass.output, columns: M * blocks.across, padding: 0 };
        let tiles = rows.len() * blocks.across;
        let layout = Layout::new(tiles, all.len());
        let v = v.place(0, layout.len(tiles));
        let mut room = Buffer::unspecified((lines.columns + M * blocks.across * SIDE) * L::LANES);
        let (line, half) = room.split_at_mut(lines.columns * L::LANES);
        let half_line = blocks.across * SIDE * L::LANES;
        for group in channels.clone().step_by(L::LANES) {
            let count = L::LANES.min(channels.end - group);
            for (at, row) in rows.clone().enumerate() {
                let (sample, phase, top) = blocks.place(row);
                let planes = lines.planes(g, pass.planes(sample)[1] + group, count);
                for (i, half) in half.chunks_exact_mut(half_line).enumerate() {
                    // SAFETY: the caller entered `L`; a line has all pixels of its tiles.
                    unsafe {
                        if lines.read::<L>(planes, count, (top + i) * apart + phase, line) {
                            for (phase, half) in half.chunks_exact_mut(half_line / apart).enumerate() {
                                for (tile, half) in half.chunks_exact_mut(SIDE * L::LANES).enumerate() {
                                    let from = line[(tile * M * apart + phase) * L::LANES..].as_ptr();
                                    let g = load::<L, M>(from, apart * L::LANES);
                                    store(transform::output_grad(g), half.as_mut_ptr(), L::LANES);
                                }
                            }
                        } else {
                            half.fill(T::ZERO);
                        }
                    }
                }
                for tile in 0..blocks.across {
                    for j in 0..SIDE {
                        let from = (tile * SIDE + j) * L::LANES;
                        let to = j * layout.pitch + (at * blocks.across + tile) * layout.width + group - all.start;
                        // SAFETY: as above; `v` has all tiles and channels, and those of this call are its own.
                        unsafe {
                            let g = load::<L, M>(half[from..].as_ptr(), half_line);
                            store(transform::output_grad(g), v.add(to), SIDE * layout.pitch);
                        }
                    }
                }
            }
        }
    }
}

/// Transforms rows of products `m[e][tile, o]` back and writes the outputs.
pub(super) struct Outputs<'a, T> {
    pub(super) pass: &'a Pass,
    pub(super) blocks: &'a Blocks,
    pub(super) rows: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) m: &'a [T],
    pub(super) epilogue: Epilogue<'a, T>,
    pub(super) y: &'a Shared<'a, T>,
}

impl<T: Real> LaneKernel<T> for Outputs<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        // SAFETY: the caller's.
        unsafe { for_kernel!(self.pass.kernel, K => self.transform::<L, { SIDE + 1 - K }>()) }
    }
}

impl<T: Real> Outputs<'_, T> {
    /// # Safety
    /// `L` is entered.
    #[inline(always)]
    unsafe fn transform<L: Lane<Num = T>, const M: usize>(self) {
        let Outputs { pass, blocks, rows, channels, m, epilogue, y } = self;
        let [height, width] = pass.output;
        let layout = Layout::new(rows.len() * blocks.across, channels.len());
        assert!(m.len() >= layout.len(rows.len() * blocks.across), "the products are too short");
        let (apart, each, columns) = (blocks.apart, blocks.across / blocks.apart, M * blocks.across);
        let mut strip = Buffer::unspecified(M * columns * L::LANES);
        for group in (0..channels.len()).step_by(L::LANES) {
            let (count, channel) = (L::LANES.min(channels.len() - group), channels.start + group);
            let bias = epilogue.bias.map_or(&[][..], |bias| &bias[channel..channel + count]);
            // SAFETY: the caller entered `L`, and the slice has as many numbers.
            let bias = unsafe { L::load_first(bias.as_ptr(), bias.len()) };
            for (at, row) in rows.clone().enumerate() {
                for tile in 0..blocks.across {
                    let (phase, column) = if apart == 1 { (0, tile) } else { (tile / each, tile % each) };
                    let column = column * M * apart + phase;
                    let from = (at * blocks.across + tile) * layout.width + group;
                    // SAFETY: the caller entered `L`; `m` has all tiles and, in whole registers, channels.
                    unsafe {
                        let m = m.as_ptr().add(from);
                        let mut products = [[L::splat(T::ZERO); SIDE]; SIDE];
                        for (i, row) in products.iter_mut().enumerate() {
                            *row = load(m.add(i * SIDE * layout.pitch), layout.pitch);
                        }
                        let outputs = transform::output_tile::<L, M>(products);
                        for (i, row) in outputs.iter().enumerate() {
                            for (j, y) in row.iter().enumerate() {
                                let to = (i * columns + column + j * apart) * L::LANES;
                                let y = y.add(bias);
                                let y = if epilogue.relu { y.relu() } else { y };
                                y.store(strip[to..].as_mut_ptr());
                            }
                        }
                    }
                }
                let (sample, phase, top) = blocks.place(row);
                let rows = (top * apart + phase..height).step_by(apart);
                for (i, line) in rows.zip(strip.chunks_exact(columns * L::LANES)) {
                    let len = (count - 1) * height * width + width;
                    // SAFETY: `place` checks that all of it lies inside; each piece of work has its own rows of tiles and
                    // channels.
                    unsafe {
                        let planes = y.place(((pass.planes(sample)[1] + channel) * height + i) * width, len);
                        from_lanes::<L>(line.as_ptr(), count, width, planes, height * width);
                    }
                }
            }
        }
    }
}

/// How many lines ahead of their use pixels are asked for: planes are short, so that the machine sees no pattern.
const AHEAD: usize = 6;

/// Lines of pixels that tiles need.
struct Lines {
    /// Height and width of the image.
    image: [usize; 2],
    /// Pixels of a line.
    columns: usize,
    /// Zeros before the first pixel and above the first line.
    padding: usize,
}

impl Lines {
    /// The planes of `count` channels from plane `first` on.
    fn planes<'a, T>(&self, x: &'a [T], first: usize, count: usize) -> &'a [T] {
        let plane = self.image[0] * self.image[1];
        &x[first * plane..(first + count) * plane]
    }

    /// Reads line `i`, counted from the padding on, with the channels innermost; `false` if it is all zeros.
    ///
    /// # Safety
    /// `L` is entered, and the planes are those of `count` channels.
    #[inline(always)]
    unsafe fn read<L: Lane>(&self, planes: &[L::Num], count: usize, i: usize, line: &mut [L::Num]) -> bool {
        let [height, width] = self.image;
        if i < self.padding || i >= self.padding + height {
            return false;
        }
        let columns = width.min(self.columns - self.padding);
        let (left, rest) = line[..self.columns * L::LANES].split_at_mut(self.padding * L::LANES);
        let (middle, right) = rest.split_at_mut(columns * L::LANES);
        left.fill(L::Num::ZERO);
        right.fill(L::Num::ZERO);
        let from = planes[(i - self.padding) * width..].as_ptr();
        for lane in 0..count {
            for column in (0..columns).step_by(64 / size_of::<L::Num>()) {
                prefetch(from.wrapping_add(lane * height * width + AHEAD * width + column));
            }
        }
        // SAFETY: the planes have the line, `middle` has room for its columns.
        unsafe { to_lanes::<L>(from, height * width, count, columns, middle.as_mut_ptr()) };
        true
    }
}

/// Registers that stand `step` numbers apart.
///
/// # Safety
/// `L` is entered, and the numbers are there; so it is for [`store`].
#[inline(always)]
pub(super) unsafe fn load<L: Lane, const N: usize>(from: *const L::Num, step: usize) -> [L; N] {
    // SAFETY: the caller's.
    unsafe {
        let mut all = [L::splat(L::Num::ZERO); N];
        for (i, x) in all.iter_mut().enumerate() {
            *x = L::load(from.add(i * step));
        }
        all
    }
}

/// Stores registers `step` numbers apart.
#[inline(always)]
pub(super) unsafe fn store<L: Lane, const N: usize>(all: [L; N], to: *mut L::Num, step: usize) {
    for (i, x) in all.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe { x.store(to.add(i * step)) };
    }
}
