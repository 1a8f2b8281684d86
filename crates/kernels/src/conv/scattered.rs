//! The gradient of the input as a plain product, whose numbers are added up where the elements of windows meet.
//!
//! ```text
//! M[window, (c,u,v)] = sum over o of G[o, window] W[o, (c,u,v)]       dx[c, i s + u d - p, j s + v d - p] += M[(i,j), (c,u,v)]
//! ```
//!
//! Both factors stand in memory as the product wants them: no weight is turned, no window packed. What it costs instead is a sum
//! over `M`: little, where `G` has many channels. That sum has the channels side by side, in the order of the windows; or, where
//! channels are few, rows of windows, of `M` turned, in the order of the elements of windows: each is a run of numbers in a plane
//! that is split by the stride (see `planes`).

use super::joined::{FAR, join};
use super::planes::{self, Layout, Rows};
use super::strip::{from_lanes, to_lanes};
use super::{Conv2d, blocked, shared::Shared};
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Epilogue, Lane, MAX_LANES, Mat, MatsMut, gemm, gemm_here};
use crate::{Accum, Buffer, Real, parallel};

/// Channels of a piece of work, at most: whole registers of products for any window.
const CHANNELS: usize = 32;
/// With fewer pieces than this each has a single register of channels, so that the threads have one each.
const FEW: usize = 4;

/// Numbers that the caches near a core hold, about.
const CACHED: usize = 1 << 20;

/// What it takes to add up the products of a sample and a group with the channels side by side, in the time of a multiplication and
/// addition: registers of channels, full or not, are turned, added up and turned back.
fn by_channels(geometry: &Conv2d) -> usize {
    let registers = geometry.group_in().div_ceil(MAX_LANES);
    let [oh, ow] = geometry.output();
    170 * registers * geometry.taps() * oh * ow + 160 * registers * geometry.input_plane()
}

/// What it takes to add them up by rows of windows.
fn by_rows(geometry: &Conv2d) -> usize {
    let [oh, ow] = geometry.output();
    geometry.group_in() * (geometry.taps() * oh * (250 + 2 * ow) + 40 * geometry.input_plane())
}

/// Whether this path computes the gradient of the input in less time than `blocked`. What each of them does for a sample and a group is counted
/// in the time of a multiplication and addition, as fitted to 370 convolutions of all kinds, and again to 194
/// where samples may stand side by side.
pub(super) fn applies<T: Element>(geometry: &Conv2d) -> bool {
    let Conv2d { input: [height, width], stride, .. } = *geometry;
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let ([oh, ow], phases) = (geometry.output(), stride[0] * stride[1]);
    let weights = group_in * group_out * taps;
    // Rows of windows that are shorter than a register are packed one by one; with a stride, outputs are put in place one by one.
    let packed = if width / stride[1] < MAX_LANES { group_out * taps * height / stride[0] } else { 0 };
    let placed = if phases > 1 { group_in * height * stride[1] } else { 0 };
    // Few channels leave rows of tiles empty.
    let empty = 6usize.saturating_sub(group_in) * group_out * taps / 4;
    let turned = 60 * weights / geometry.batch;
    let blocked = (weights + empty) * (height * width / phases)
        + turned
        + 800 * group_out * oh
        + 50 * packed
        + 500 * placed
        + 25_000 * phases;
    let (task, numbers) = blocked::input_grad_task(geometry);
    let apart = if phases > 1 { 40 * group_in * height * width + 5_000 * phases } else { 0 };
    let batched = weights * (height * width / phases) + task.batched::<T>(numbers) / geometry.batch + turned + apart;
    // Products that leave the L2 cache are fetched again; but so are gradients in the other way, where they leave it.
    let far = oh * ow * group_in.min(CHANNELS) * taps > CACHED && oh * ow * group_out < CACHED / 2;
    let fetched = if far { 25 * group_in * taps } else { 0 };
    let added = by_channels(geometry).min(by_rows(geometry));
    (weights + fetched) * oh * ow + added + 5_000 < blocked.min(batched)
}

/// [`input_grad`](super::input_grad) where this path [`applies`]. Pieces: some channels of a sample or, where weights leave the cache, of
/// some samples, which fetch them once.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { batch, groups, in_channels, out_channels, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let (group_in, group_out, taps) = (geometry.group_in(), geometry.group_out(), geometry.taps());
    let (plane, size) = (oh * ow, geometry.input_plane());
    let rows = (by_rows(geometry) < by_channels(geometry)).then(|| planes::inputs(geometry));
    let far = group_in * group_out * taps >= FAR;
    let (together, blocks) = if far && rows.is_none() { blocked::blocks(batch, plane) } else { (1, batch) };
    let most = if blocks * groups * group_in.div_ceil(CHANNELS) < FEW { MAX_LANES } else { CHANNELS };
    let parts = group_in.div_ceil(most);
    let by_part = far && most * taps > together * plane;
    let made = (together > 1).then(|| side_by_side(geometry, g, together));
    let g = made.as_deref().unwrap_or(g);
    let dx = Shared::new(dx);
    parallel::for_each(blocks * groups * parts, |piece| {
        let (block, group, part) = if by_part {
            (piece % blocks, piece / blocks / parts, piece / blocks % parts)
        } else {
            (piece / parts / groups, piece / parts % groups, piece % parts)
        };
        let samples = blocked::samples(geometry, together, block);
        let windows = samples.len() * plane;
        let channels = part * most..group_in.min((part + 1) * most);
        let columns = channels.len() * taps;
        let g = &g[samples.start * out_channels * plane + group * group_out * windows..];
        let w = &w[(group * group_out * group_in + channels.start) * taps..];
        let mut products = Buffer::unspecified(windows * columns);
        let (g, w) = (Mat::new(g, windows, group_out, 1, windows), Mat::new(w, group_out, columns, group_in * taps, 1));
        let (a, b) = if rows.is_some() { (w.t(), g.t()) } else { (g, w) };
        if blocks * groups * parts == 1 {
            gemm(a, b, &mut products, Epilogue::plain(Accum::Replace));
        } else {
            let mut products = MatsMut::row_major(&mut products, a.size().0, b.size().1);
            gemm_here(a, b, &mut products, Epilogue::plain(Accum::Replace));
        }
        for (sample, products) in samples.zip(products.chunks_exact(plane * columns)) {
            let at = (sample * in_channels + group * group_in + channels.start) * size;
            // SAFETY: each piece has its own channels of its own samples.
            let dx = unsafe { dx.part(at, channels.len() * size) };
            match &rows {
                Some((layout, shifts)) => add_rows(layout, shifts, [oh, ow], products, dx),
                None => dispatch(Scatter { geometry, products, dx }),
            }
        }
    });
}

/// The gradients of the outputs with those of `together` samples side by side: `[block, channel, sample, window]`.
fn side_by_side<T: Element>(geometry: &Conv2d, g: &[T], together: usize) -> Buffer<T> {
    let (channels, plane) = (geometry.out_channels, geometry.output().iter().product::<usize>());
    let mut made = Buffer::unspecified(g.len());
    let sample = channels * plane;
    for (from, to) in g.chunks(together * sample).zip(made.chunks_mut(together * sample)) {
        join(from, sample, [from.len() / sample, channels, plane], to);
    }
    made
}

/// Adds up the products `[(c, u, v), window]` of some channels.
fn add_rows<T: Element>(layout: &Layout, shifts: &[usize], windows: [usize; 2], products: &[T], dx: &mut [T]) {
    let (size, [down, step]) = (layout.size[0] * layout.size[1], layout.stride);
    let of_channel = shifts.len() * windows[0] * windows[1];
    let mut laid = Buffer::unspecified(layout.len());
    for (products, dx) in products.chunks_exact(of_channel).zip(dx.chunks_exact_mut(size)) {
        laid.fill(T::ZERO);
        dispatch(AddRows { shifts, windows, pitch: layout.pitch, products, laid: &mut laid });
        dx.fill(T::ZERO);
        for phase in 0..down * step {
            let (rows, top) = layout.inside(0, phase / step, layout.rows);
            let (columns, left) = layout.inside(1, phase % step, layout.pitch);
            if rows.is_empty() || columns.is_empty() {
                continue;
            }
            let from = &laid[(phase * layout.rows + rows.start) * layout.pitch + columns.start..];
            let to = &mut dx[top * layout.size[1] + left..];
            let (to_pitch, size) = (down * layout.size[1], [rows.len(), columns.len()]);
            dispatch(Rows { from, pitch: layout.pitch, to, to_pitch, step, size });
        }
    }
}

/// Adds rows of windows to where their elements stand in a plane that is laid out.
struct AddRows<'a, T> {
    /// Where an element of the first window stands.
    shifts: &'a [usize],
    /// Rows and columns of windows.
    windows: [usize; 2],
    /// Distance between rows of windows.
    pitch: usize,
    /// `[(u, v), window]`.
    products: &'a [T],
    laid: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for AddRows<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let AddRows { shifts, windows: [rows, columns], pitch, products, laid } = self;
        for (&shift, products) in shifts.iter().zip(products.chunks_exact(rows * columns)) {
            for (i, row) in products.chunks_exact(columns).enumerate() {
                let to = &mut laid[shift + i * pitch..][..columns];
                for at in (0..columns).step_by(L::LANES) {
                    let rest = columns - at;
                    // SAFETY: the caller entered `L`, and both rows have so many numbers from `at` on.
                    unsafe {
                        let (from, to) = (row.as_ptr().add(at), to.as_mut_ptr().add(at));
                        if rest >= L::LANES {
                            L::load(to).add(L::load(from)).store(to);
                        } else {
                            L::load_first(to, rest).add(L::load_first(from, rest)).store_first(to, rest);
                        }
                    }
                }
            }
        }
    }
}

/// Adds up the products of some channels.
struct Scatter<'a, T> {
    geometry: &'a Conv2d,
    /// `[window, (c, u, v)]`.
    products: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> LaneKernel<T> for Scatter<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Scatter { geometry, products, dx } = self;
        let Conv2d { input: [_, width], kernel, stride, padding, dilation, .. } = *geometry;
        let ([oh, ow], size, taps) = (geometry.output(), geometry.input_plane(), geometry.taps());
        let channels = dx.len() / size;
        assert!(products.len() == oh * ow * channels * taps, "a product for each element of each window");
        // Elements of a window that starts at `at`, counted from the padding on, which lie in the image.
        let inside = |at: usize, d: usize| {
            let first = padding[d].saturating_sub(at).div_ceil(dilation[d]);
            let end = (padding[d] + geometry.input[d]).saturating_sub(at).div_ceil(dilation[d]);
            first..end.clamp(first, kernel[d].max(first))
        };
        let mut sums = Buffer::unspecified(size * L::LANES);
        let mut window = Buffer::unspecified(taps * L::LANES);
        for first in (0..channels).step_by(L::LANES) {
            let count = L::LANES.min(channels - first);
            sums.fill(T::ZERO);
            for i in 0..oh {
                let rows = inside(i * stride[0], 0);
                for j in 0..ow {
                    let columns = inside(j * stride[1], 1);
                    let from = products[((i * ow + j) * channels + first) * taps..].as_ptr();
                    // SAFETY: the caller entered `L`; a window has products for `count` channels, `window` a register for
                    // each of its elements, and `sums` one for each place in the image, where `rows` and `columns` are.
                    unsafe {
                        to_lanes::<L>(from, taps, count, taps, window.as_mut_ptr());
                        for u in rows.clone() {
                            let row = (i * stride[0] + u * dilation[0] - padding[0]) * width;
                            for v in columns.clone() {
                                let place = row + j * stride[1] + v * dilation[1] - padding[1];
                                let to = sums.as_mut_ptr().add(place * L::LANES);
                                let product = L::load(window.as_ptr().add((u * kernel[1] + v) * L::LANES));
                                L::load(to).add(product).store(to);
                            }
                        }
                    }
                }
            }
            let planes = &mut dx[first * size..][..count * size];
            // SAFETY: the caller entered `L`; there are `count` planes, and a register of sums for each of their places.
            unsafe { from_lanes::<L>(sums.as_ptr(), count, size, planes.as_mut_ptr(), size) };
        }
    }
}
