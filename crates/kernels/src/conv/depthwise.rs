//! Groups with a single input channel (depthwise convolution, and images with one channel): there is no matrix to multiply.
//!
//! ```text
//! y[n,o]  = sum over u,v of w[o,u,v] (x[n,c] shifted by (u,v))            c = o / (out channels per in channel)
//! dx      = the same of g, phase by phase of the stride, with the shifts turned around
//! dw[o,u,v] = sum over n of g[n,o] . (x[n,c] shifted by (u,v))
//! ```
//!
//! Planes are laid out once so that each shift is a run of numbers (see `planes`); sums stay in registers over all
//! window elements.

use super::lanes::dispatch;
use super::planes::{Dots, Fill, Layout, Rows, SLACK, Shifted};
use super::{Conv2d, shared::Shared};
use crate::gemm::{Element, MAX_LANES};
use crate::{Buffer, parallel};

/// Multiplications worth a piece of parallel work.
const PIECE: usize = 1 << 19;
/// Pieces of the gradient of the weights, at least, if there are as many samples.
const PIECES: usize = 8;

/// Whether this path computes the geometry.
pub(super) fn applies(geometry: &Conv2d) -> bool {
    // With many output channels to an input channel there is a matrix again.
    geometry.group_in() == 1 && geometry.group_out() <= 8
}

/// Which planes a piece of work takes together.
fn together(geometry: &Conv2d) -> usize {
    let [height, width] = geometry.output();
    (PIECE / (height * width * geometry.taps() * geometry.group_out()).max(1)).max(1)
}

/// The layout of input planes, and the shift of each window element.
fn inputs(geometry: &Conv2d) -> (Layout, Vec<usize>) {
    let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
    let [oh, ow] = geometry.output();
    let reach = |d: usize| (kernel[d] - 1) * dilation[d] / stride[d];
    let padding = padding.map(|p| p as isize);
    let layout = Layout { size: input, padding, stride, rows: oh + reach(0), pitch: ow + reach(1) };
    let shifts = (0..geometry.taps())
        .map(|tap| layout.shift([tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]]))
        .collect();
    (layout, shifts)
}

/// [`forward`](super::forward) where this path [`applies`]. Pieces: some input planes.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let ([oh, ow], each, taps) = (geometry.output(), geometry.group_out(), geometry.taps());
    let (layout, shifts) = inputs(geometry);
    let (plane, size) = (oh * ow, geometry.input_plane());
    let together = together(geometry);
    parallel::for_each_chunk(y, together * each * plane, |piece, y| {
        let mut laid = Buffer::zeroed(layout.len());
        let mut wide = Buffer::unspecified((oh - 1) * layout.pitch + ow + SLACK);
        let mut terms = vec![(0, T::ZERO); taps];
        for (at, y) in y.chunks_exact_mut(each * plane).enumerate() {
            let at = piece * together + at;
            dispatch(Fill { layout: &layout, plane: &x[at * size..(at + 1) * size], out: &mut laid });
            for (o, y) in y.chunks_exact_mut(plane).enumerate() {
                let o = at % geometry.in_channels * each + o;
                let pairs = shifts.iter().zip(&w[o * taps..]);
                terms.iter_mut().zip(pairs).for_each(|(term, (&shift, &w))| *term = (shift, w));
                let first = bias.map_or(T::ZERO, |bias| bias[o]);
                dispatch(Shifted { src: &laid, terms: &terms, first, add: false, out: &mut wide });
                dispatch(Rows { from: &wide, pitch: layout.pitch, to: y, to_pitch: ow, step: 1, size: [oh, ow] });
            }
        }
    });
}

/// The rows (or columns) of `dx` along one dimension: row `a` belongs to phase `(a + p) % s` and is number
/// `q = (a + p) / s` of it, which window elements `u` with `u d % s` equal to the phase reach from row `q - u d / s` of `g`.
struct Turned {
    /// The first `q` that any phase needs, and how many there are.
    first: usize,
    count: usize,
    /// The largest `u d / s`.
    reach: usize,
}

impl Turned {
    fn new(geometry: &Conv2d, d: usize) -> Self {
        let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
        let first = padding[d].saturating_sub(stride[d] - 1).div_ceil(stride[d]);
        let last = (input[d] - 1 + padding[d]) / stride[d];
        Turned { first, count: last + 1 - first, reach: (kernel[d] - 1) * dilation[d] / stride[d] }
    }

    /// The first number of a phase that is a row of `dx`, which row that is, and how many there are from there on.
    fn inside(&self, geometry: &Conv2d, d: usize, phase: usize) -> (usize, usize, usize) {
        let (stride, padding) = (geometry.stride[d], geometry.padding[d]);
        let skip = padding.saturating_sub(self.first * stride + phase).div_ceil(stride);
        let row = (self.first + skip) * stride + phase - padding;
        let rows = geometry.input[d].saturating_sub(row).div_ceil(stride);
        (skip, row, rows.min(self.count.saturating_sub(skip)))
    }
}

/// [`input_grad`](super::input_grad) where this path [`applies`]. Pieces: some input planes.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { kernel, stride, dilation, input, .. } = *geometry;
    let (each, taps, size) = (geometry.group_out(), geometry.taps(), geometry.input_plane());
    let output = geometry.output();
    let plane = output[0] * output[1];
    let turned = [Turned::new(geometry, 0), Turned::new(geometry, 1)];
    let padding = turned.each_ref().map(|t| t.reach as isize - t.first as isize);
    let [rows, pitch] = turned.each_ref().map(|t| t.count + t.reach);
    let layout = Layout { size: output, padding, stride: [1, 1], rows, pitch };
    let together = together(geometry);
    parallel::for_each_chunk(dx, together * size, |piece, dx| {
        let mut laid = Buffer::zeroed(layout.len());
        let len = (turned[0].count - 1) * pitch + turned[1].count + SLACK;
        let mut wide = Buffer::unspecified(stride[0] * stride[1] * len);
        let mut terms = Vec::with_capacity(taps);
        for (at, dx) in dx.chunks_exact_mut(size).enumerate() {
            let at = piece * together + at;
            for o in 0..each {
                dispatch(Fill { layout: &layout, plane: &g[(at * each + o) * plane..][..plane], out: &mut laid });
                let w = &w[(at % geometry.in_channels * each + o) * taps..][..taps];
                for (phase, wide) in wide.chunks_exact_mut(len).enumerate() {
                    terms.clear();
                    for (tap, &w) in w.iter().enumerate() {
                        let [u, v] = [tap / kernel[1] * dilation[0], tap % kernel[1] * dilation[1]];
                        if [u % stride[0], v % stride[1]] == [phase / stride[1], phase % stride[1]] {
                            let at = [turned[0].reach - u / stride[0], turned[1].reach - v / stride[1]];
                            terms.push((layout.shift(at), w));
                        }
                    }
                    dispatch(Shifted { src: &laid, terms: &terms, first: T::ZERO, add: o > 0, out: wide });
                }
            }
            for (phase, wide) in wide.chunks_exact(len).enumerate() {
                let (i, row, rows) = turned[0].inside(geometry, 0, phase / stride[1]);
                let (j, column, columns) = turned[1].inside(geometry, 1, phase % stride[1]);
                let (from, to) = (&wide[(i * pitch + j).min(len)..], &mut dx[(row * input[1] + column).min(size)..]);
                let (to_pitch, step, size) = (stride[0] * input[1], stride[1], [rows, columns]);
                dispatch(Rows { from, pitch, to, to_pitch, step, size });
            }
        }
    });
}

/// [`weight_grad`](super::weight_grad) where this path [`applies`]. Pieces: input channels over a fixed share of the samples,
/// added up in order.
pub(super) fn weight_grad<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    let ([oh, ow], each, taps) = (geometry.output(), geometry.group_out(), geometry.taps());
    let (layout, shifts) = inputs(geometry);
    let (plane, size) = (oh * ow, geometry.input_plane());
    let gradients = Layout { size: [oh, ow], padding: [0, 0], stride: [1, 1], rows: oh, pitch: layout.pitch };
    let shares = PIECES.div_ceil(geometry.in_channels).min(geometry.batch);
    let mut partial = Buffer::unspecified(shares * dw.len());
    let out = Shared::new(&mut partial);
    parallel::for_each(shares * geometry.in_channels, |piece| {
        let (share, channel) = (piece / geometry.in_channels, piece % geometry.in_channels);
        let mut sums = Buffer::zeroed(each * taps * MAX_LANES);
        let (sums, _) = sums.as_chunks_mut::<MAX_LANES>();
        let mut laid = Buffer::zeroed(layout.len());
        let mut wide = Buffer::zeroed(gradients.len());
        for sample in geometry.batch * share / shares..geometry.batch * (share + 1) / shares {
            let at = sample * geometry.in_channels + channel;
            dispatch(Fill { layout: &layout, plane: &x[at * size..(at + 1) * size], out: &mut laid });
            for (o, sums) in sums.chunks_exact_mut(taps).enumerate() {
                dispatch(Fill { layout: &gradients, plane: &g[(at * each + o) * plane..][..plane], out: &mut wide });
                let g = &wide[..(oh - 1) * layout.pitch + ow];
                dispatch(Dots { src: &laid, g, shifts: &shifts, sums });
            }
        }
        // SAFETY: each piece has its own share and channel.
        let dw = unsafe { out.part(piece * each * taps, each * taps) };
        for (dw, sums) in dw.iter_mut().zip(&*sums) {
            *dw = sums.iter().fold(T::ZERO, |total, &sum| total + sum);
        }
    });
    super::add_shares(&partial, dw);
}
