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

use super::planes::{Dots, Fill, Layout, Rows, SLACK, Shifted, Turned, inputs};
use super::{Conv2d, Epilogue, shared::Shared};
use crate::gemm::registers::dispatch;
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

/// [`forward`](super::forward) where this path [`applies`]. Pieces: some input planes.
pub(super) fn forward<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
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
                let first = epilogue.bias.map_or(T::ZERO, |bias| bias[o]);
                dispatch(Shifted { src: &laid, terms: &terms, first, add: false, relu: epilogue.relu, out: &mut wide });
                dispatch(Rows { from: &wide, pitch: layout.pitch, to: y, to_pitch: ow, step: 1, size: [oh, ow] });
            }
        }
    });
}

/// [`input_grad`](super::input_grad) where this path [`applies`]. Pieces: some input planes.
pub(super) fn input_grad<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    let Conv2d { stride, input, .. } = *geometry;
    let (each, taps, size) = (geometry.group_out(), geometry.taps(), geometry.input_plane());
    let output = geometry.output();
    let plane = output[0] * output[1];
    let (layout, turned) = Turned::both(geometry);
    let pitch = layout.pitch;
    let shifts: Vec<_> = (0..stride[0] * stride[1]).map(|phase| Turned::shifts(geometry, phase)).collect();
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
                    terms.extend(shifts[phase].iter().map(|&(tap, shift)| (shift, w[tap])));
                    dispatch(Shifted { src: &laid, terms: &terms, first: T::ZERO, add: o > 0, relu: false, out: wide });
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
