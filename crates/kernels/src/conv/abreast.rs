//! Depthwise convolution of small planes with the channels side by side: a register holds one pixel of as many channels.
//!
//! ```text
//! y[i,j]  = bias + sum over u,v of w[u,v] x[i s + u d - p, j s + v d - p]         all channels of a register at once
//! dx      = the same of g, phase by phase of the stride, with the shifts turned around
//! dw[u,v] = sum over i,j of g[i,j] x[i s + u d - p, j s + v d - p]
//! ```
//!
//! Rows of a few pixels would leave most of a register empty, and each has ends to look after. Here neither matters: planes
//! are turned on their way in and out (see `strip`), and between stand plain sums of whole registers, for any stride.

use std::ops::Range;

use super::planes::{Layout, Turned};
use super::strip::{from_lanes, to_lanes};
use super::{Conv2d, Epilogue, shared::Shared};
use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Lane, MAX_LANES};
use crate::{Buffer, Number, Real, parallel};

/// Multiplications worth a piece of parallel work.
const PIECE: usize = 1 << 18;
/// Pieces of the gradient of the weights, at least, if there are as many samples.
const PIECES: usize = 8;
/// Window elements whose gradients are summed together.
const TAPS: usize = 9;
/// The fewest channels: half a register.
const CHANNELS: usize = 8;
/// The largest planes: those of a register of channels stay in the L2 cache.
const PLANE: usize = 64 * 64;

/// Whether this path computes a depthwise geometry.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    let ([height, width], [down, right]) = (geometry.output(), geometry.stride);
    // What a stride passes over is read once on either path, but other registers would not be full.
    geometry.in_channels >= CHANNELS && geometry.input_plane() <= PLANE * down * right && height * width <= PLANE
}

/// Outputs that the same window elements reach, at every `step`-th row and column from `place` on.
struct Phase {
    place: [usize; 2],
    size: [usize; 2],
    /// Window elements, and how far from the start of the source they are.
    terms: Vec<(usize, usize)>,
}

/// Sums over windows: which planes they come from and where they go.
struct Plan {
    source: Layout,
    /// Rows and columns of the source from one output of a phase to the next.
    pace: [usize; 2],
    phases: Vec<Phase>,
    out: [usize; 2],
    step: [usize; 2],
    /// Many sources add up to one output, rather than one giving many.
    gathers: bool,
}

/// The layout of padded input planes, and the shift of each window element.
pub(super) fn inputs(geometry: &Conv2d) -> (Layout, Vec<usize>) {
    let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
    let output = geometry.output();
    let length = |d: usize| (output[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1;
    let padding = padding.map(|p| p as isize);
    let layout = Layout { size: input, padding, stride: [1, 1], rows: length(0), pitch: length(1) };
    let place = |tap: usize| [tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]];
    (layout, (0..geometry.taps()).map(|tap| layout.shift(place(tap))).collect())
}

impl Plan {
    fn forward(geometry: &Conv2d) -> Self {
        let (source, shifts) = inputs(geometry);
        let out = geometry.output();
        let phase = Phase { place: [0, 0], size: out, terms: shifts.into_iter().enumerate().collect() };
        Plan { source, pace: geometry.stride, phases: vec![phase], out, step: [1, 1], gathers: false }
    }

    fn input_grad(geometry: &Conv2d) -> Self {
        let stride = geometry.stride;
        let (source, turned) = Turned::both(geometry);
        let phase = |phase: usize| {
            let [(i, row, rows), (j, column, columns)] =
                [(0, phase / stride[1]), (1, phase % stride[1])].map(|(d, p)| turned[d].inside(geometry, d, p));
            let shift = |(tap, shift)| (tap, shift + source.shift([i, j]));
            let terms = Turned::shifts(geometry, phase).into_iter().map(shift).collect();
            Phase { place: [row, column], size: [rows, columns], terms }
        };
        let phases = (0..stride[0] * stride[1]).map(phase).filter(|phase| !phase.size.contains(&0)).collect();
        Plan { source, pace: [1, 1], phases, out: geometry.input, step: stride, gathers: true }
    }

    /// # Panics
    /// If a sum reaches beyond the source or the output.
    fn check(&self) {
        for Phase { place, size, terms } in &self.phases {
            let last = |d: usize| (size[d] - 1) * self.pace[d];
            let reach = terms.iter().map(|term| term.1).max().unwrap_or(0);
            let end = reach + last(0) * self.source.pitch + last(1);
            assert!(
                terms.is_empty() || end < self.source.rows * self.source.pitch,
                "a window lies outside of the plane"
            );
            assert!((0..2).all(|d| place[d] + (size[d] - 1) * self.step[d] < self.out[d]), "an output lies outside");
        }
    }
}

/// Calls `work` for pieces of the units of all samples, each as many channels as the longest register holds.
fn spread(geometry: &Conv2d, work: impl Fn(Range<usize>) + Sync + Send) {
    let [height, width] = geometry.output();
    let units = geometry.batch * geometry.in_channels.div_ceil(MAX_LANES);
    let costs = MAX_LANES * height * width * geometry.taps() * geometry.group_out();
    let together = (PIECE / costs.max(1)).max(1);
    parallel::for_each(units.div_ceil(together), |i| work(i * together..units.min((i + 1) * together)));
}

/// Planes of a register of channels, `distance` numbers apart, laid out in `out`, whose padding is there already.
///
/// # Safety
/// `L` is entered; the planes have the layout's size, `flat` a register for each of their numbers, `out` one for each place.
#[inline(always)]
pub(super) unsafe fn lay<L: Lane>(
    layout: &Layout,
    planes: &[L::Num],
    distance: usize,
    count: usize,
    flat: &mut [L::Num],
    out: &mut [L::Num],
) {
    let [height, width] = layout.size;
    assert!(planes.len() >= (count - 1) * distance + height * width && flat.len() >= height * width * L::LANES);
    // SAFETY: as was asserted.
    unsafe { to_lanes::<L>(planes.as_ptr(), distance, count, height * width, flat.as_mut_ptr()) };
    let (rows, top) = layout.inside(0, 0, layout.rows);
    let (columns, left) = layout.inside(1, 0, layout.pitch);
    for (i, row) in rows.enumerate() {
        let from = &flat[((top + i) * width + left) * L::LANES..][..columns.len() * L::LANES];
        let to = &mut out[(row * layout.pitch + columns.start) * L::LANES..][..from.len()];
        for at in (0..from.len()).step_by(L::LANES) {
            // SAFETY: both have whole registers of the same number.
            unsafe { L::load(from.as_ptr().add(at)).store(to.as_mut_ptr().add(at)) };
        }
    }
}

/// Sums over windows for some units of channels.
struct Sums<'a, T> {
    geometry: &'a Conv2d,
    plan: &'a Plan,
    units: Range<usize>,
    x: &'a [T],
    w: &'a [T],
    epilogue: Epilogue<'a, T>,
    y: &'a Shared<'a, T>,
}

impl<T: Real> LaneKernel<T> for Sums<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Sums { geometry, plan, units, x, w, epilogue, y } = self;
        let (each, taps, channels) = (geometry.group_out(), geometry.taps(), geometry.in_channels);
        let (from_size, to_size) = (plan.source.size[0] * plan.source.size[1], plan.out[0] * plan.out[1]);
        let (from_each, to_each) = if plan.gathers { (each, 1) } else { (1, each) };
        let mut flat = Buffer::unspecified(from_size * L::LANES);
        let mut source = Buffer::zeroed(plan.source.rows * plan.source.pitch * L::LANES);
        let mut sums = Buffer::unspecified(to_size * L::LANES);
        let mut weights = Buffer::unspecified(taps * L::LANES);
        let per = channels.div_ceil(MAX_LANES);
        for unit in units {
            let all = unit % per * MAX_LANES..channels.min((unit % per + 1) * MAX_LANES);
            for first in all.clone().step_by(L::LANES) {
                let count = L::LANES.min(all.end - first);
                let channel = unit / per * channels + first;
                for m in 0..each {
                    let (from, to) = if plan.gathers { (m, 0) } else { (0, m) };
                    // SAFETY: the caller entered `L`. Slices are as long as the loops assume, as `check_lengths` and
                    // `Plan::check` made sure; each unit has its own channels of its own sample.
                    unsafe {
                        if plan.gathers || m == 0 {
                            let planes = &x[(channel * from_each + from) * from_size..];
                            lay::<L>(&plan.source, planes, from_each * from_size, count, &mut flat, &mut source);
                        }
                        let w = &w[(first * each + m) * taps..][..((count - 1) * each + 1) * taps];
                        to_lanes::<L>(w.as_ptr(), each * taps, count, taps, weights.as_mut_ptr());
                        let mut starts = [T::ZERO; MAX_LANES];
                        if let Some(bias) = epilogue.bias {
                            (0..count).for_each(|lane| starts[lane] = bias[(first + lane) * each + m]);
                        }
                        let start = (!plan.gathers || m == 0).then(|| L::load(starts.as_ptr()));
                        sum::<L>(plan, &source, &weights, (start, epilogue.relu), &mut sums);
                        if !plan.gathers || m + 1 == each {
                            let distance = to_each * to_size;
                            let len = (count - 1) * distance + to_size;
                            let planes = y.place((channel * to_each + to) * to_size, len);
                            from_lanes::<L>(sums.as_ptr(), count, to_size, planes, distance);
                        }
                    }
                }
            }
        }
    }
}

/// All sums of a plan, from a start or, without one, added to what is there; then perhaps a ReLU.
///
/// # Safety
/// `L` is entered; the slices have a register for each place of the plan, and each window element.
#[inline(always)]
unsafe fn sum<L: Lane>(
    plan: &Plan,
    source: &[L::Num],
    weights: &[L::Num],
    ends: (Option<L>, bool),
    out: &mut [L::Num],
) {
    for phase in &plan.phases {
        let [rows, columns] = phase.size;
        for i in 0..rows {
            let from = source.as_ptr().wrapping_add(i * plan.pace[0] * plan.source.pitch * L::LANES);
            let to = (phase.place[0] + i * plan.step[0]) * plan.out[1] + phase.place[1];
            let to = out.as_mut_ptr().wrapping_add(to * L::LANES);
            let (pace, step) = (plan.pace[1] * L::LANES, plan.step[1] * L::LANES);
            let weights = weights.as_ptr();
            let mut j = 0;
            // SAFETY: the caller's.
            unsafe {
                if columns.is_multiple_of(7) {
                    while j < columns {
                        block::<L, 7>(
                            &phase.terms,
                            (from.add(j * pace), pace),
                            weights,
                            ends,
                            (to.add(j * step), step),
                        );
                        j += 7;
                    }
                }
                while j + 8 <= columns {
                    block::<L, 8>(&phase.terms, (from.add(j * pace), pace), weights, ends, (to.add(j * step), step));
                    j += 8;
                }
                while j + 4 <= columns {
                    block::<L, 4>(&phase.terms, (from.add(j * pace), pace), weights, ends, (to.add(j * step), step));
                    j += 4;
                }
                while j < columns {
                    block::<L, 1>(&phase.terms, (from.add(j * pace), pace), weights, ends, (to.add(j * step), step));
                    j += 1;
                }
            }
        }
    }
}

/// `N` sums of a row.
///
/// # Safety
/// As for [`sum`].
#[inline(always)]
unsafe fn block<L: Lane, const N: usize>(
    terms: &[(usize, usize)],
    (from, pace): (*const L::Num, usize),
    weights: *const L::Num,
    (start, relu): (Option<L>, bool),
    (to, step): (*mut L::Num, usize),
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [L::splat(L::Num::ZERO); N];
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = match start {
                Some(start) => start,
                None => L::load(to.add(j * step)),
            };
        }
        for &(tap, shift) in terms {
            let (w, from) = (L::load(weights.add(tap * L::LANES)), from.add(shift * L::LANES));
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = sum.add_product(w, L::load(from.add(j * pace)));
            }
        }
        for (j, sum) in sums.iter().enumerate() {
            let sum = if relu { sum.relu() } else { *sum };
            sum.store(to.add(j * step));
        }
    }
}

/// [`forward`](super::forward) where this path [`applies`].
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    run(geometry, &Plan::forward(geometry), x, w, epilogue, y);
}

/// [`input_grad`](super::input_grad) where this path [`applies`].
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    run(geometry, &Plan::input_grad(geometry), g, w, Epilogue::plain(), dx);
}

/// Computes a plan. Pieces: some channels of some samples.
fn run<T: Element>(geometry: &Conv2d, plan: &Plan, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    plan.check();
    let y = &Shared::new(y);
    spread(geometry, |units| dispatch(Sums { geometry, plan, units, x, w, epilogue, y }));
}

/// The gradients of the weights of a unit of channels over some samples.
struct Products<'a, T> {
    geometry: &'a Conv2d,
    samples: Range<usize>,
    channels: Range<usize>,
    x: &'a [T],
    g: &'a [T],
    /// The gradients of all channels.
    dw: &'a Shared<'a, T>,
    /// Where they start.
    at: usize,
}

impl<T: Real> LaneKernel<T> for Products<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Products { geometry, samples, channels, x, g, dw, at } = self;
        let (each, taps, [height, width]) = (geometry.group_out(), geometry.taps(), geometry.output());
        let (size, plane) = (geometry.input_plane(), height * width);
        let (layout, shifts) = inputs(geometry);
        let [down, across] = [geometry.stride[0] * layout.pitch, geometry.stride[1]].map(|n| n * L::LANES);
        let mut flat = Buffer::unspecified(size * L::LANES);
        let mut source = Buffer::zeroed(layout.rows * layout.pitch * L::LANES);
        let mut gradients = Buffer::unspecified(plane * L::LANES);
        for first in channels.clone().step_by(L::LANES) {
            let count = L::LANES.min(channels.end - first);
            let mut totals = Buffer::zeroed(each * taps * L::LANES);
            for sample in samples.clone() {
                let channel = sample * geometry.in_channels + first;
                // SAFETY: the caller entered `L`; the slices are as long as `check_lengths` made sure.
                unsafe { lay::<L>(&layout, &x[channel * size..], size, count, &mut flat, &mut source) };
                for (m, totals) in totals.chunks_exact_mut(taps * L::LANES).enumerate() {
                    let planes = &g[(channel * each + m) * plane..][..((count - 1) * each + 1) * plane];
                    // SAFETY: as above.
                    unsafe { to_lanes::<L>(planes.as_ptr(), each * plane, count, plane, gradients.as_mut_ptr()) };
                    for (shifts, totals) in shifts.chunks(TAPS).zip(totals.chunks_mut(TAPS * L::LANES)) {
                        // Missing ones repeat the first.
                        let mut from = [source.as_ptr(); TAPS];
                        for (t, from) in from.iter_mut().enumerate() {
                            *from = source[*shifts.get(t).unwrap_or(&shifts[0]) * L::LANES..].as_ptr();
                        }
                        // SAFETY: as above; `inputs` lays out a place for each element of each window.
                        unsafe {
                            let mut sums = [L::splat(T::ZERO); TAPS];
                            for i in 0..height {
                                let g = gradients.as_ptr().add(i * width * L::LANES);
                                for j in 0..width {
                                    let g = L::load(g.add(j * L::LANES));
                                    for (sum, from) in sums.iter_mut().zip(from) {
                                        *sum = sum.add_product(g, L::load(from.add(i * down + j * across)));
                                    }
                                }
                            }
                            for (total, sum) in totals.chunks_exact_mut(L::LANES).zip(sums) {
                                L::load(total.as_ptr()).add(sum).store(total.as_mut_ptr());
                            }
                        }
                    }
                }
            }
            for (m, totals) in totals.chunks_exact(taps * L::LANES).enumerate() {
                let len = ((count - 1) * each + 1) * taps;
                let to = dw.place(at + (first * each + m) * taps, len);
                // SAFETY: `place` checks that all of it lies inside; each piece has its own share and channels.
                unsafe { from_lanes::<L>(totals.as_ptr(), count, taps, to, each * taps) };
            }
        }
    }
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: some channels over a fixed share of the samples,
/// added up in order.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let units = geometry.in_channels.div_ceil(MAX_LANES);
    let shares = PIECES.div_ceil(units).min(geometry.batch);
    let len = dw.len();
    let mut partial = Buffer::unspecified(shares * len);
    let out = &Shared::new(&mut partial);
    parallel::for_each(shares * units, |piece| {
        let (share, first) = (piece / units, piece % units * MAX_LANES);
        let channels = first..geometry.in_channels.min(first + MAX_LANES);
        let samples = geometry.batch * share / shares..geometry.batch * (share + 1) / shares;
        dispatch(Products { geometry, samples, channels, x, g, dw: out, at: share * len });
    });
    super::add_shares(&partial, dw);
}
