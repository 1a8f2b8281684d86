//! Two-dimensional convolution (cross-correlation, as everywhere in deep learning) and both of its gradients.
//!
//! ```text
//! y[n,o,i,j]  = bias[o] + sum over c,u,v of x[n, c, i s + u d - p, j s + v d - p] w[o,c,u,v]
//! dx[n,c,a,b] = sum over o,u,v with a = i s + u d - p, b = j s + v d - p of g[n,o,i,j] w[o,c,u,v]
//! dw[o,c,u,v] = sum over n,i,j of g[n,o,i,j] x[n, c, i s + u d - p, j s + v d - p]
//! ```
//!
//! with stride `s`, dilation `d`, padding `p` (outside of the image `x` is 0) and `c` running over the channels of the
//! group of `o`. Images are `[batch, channels, height, width]`, weights `[out, in / groups, height, width]`, all without
//! gaps. `dx` and `dw` are what [`input_grad`] and [`weight_grad`] compute from `g`, the gradient of `y`.
//!
//! The paths, one file each: `blocked` (any geometry: windows, packed as they are made or read where they stand, times the
//! weights), `winograd` (3x3 to 5x5), `pointwise` (1x1), both without a stride, `dense` (windows that are all of an image),
//! `depthwise` (one input channel to a group; `abreast` where planes are small), and the definition itself in
//! [`reference`](mod@reference), for tests. `scattered` is the gradient of the input for windows with a stride, few windows and
//! few channels, `beside` that of the weights for few outputs, cut as in `blocked` by `shares`, `correlated` the same for few
//! channels or few outputs; windows that do not overlap are written out for it (`patches`). `planes`, `windows`, `standing`,
//! `batched`, `joined` and `strip` lay images out for them; `ways` says which of these pays, `areas` where padding need not be
//! multiplied.
//! Where windows leave out pixels altogether, `thinned` picks those that they meet first.

use std::ops::Range;

use crate::Accum;
use crate::Buffer;
use crate::gemm::{self, Element};
use crate::size::{LARGEST, count};

mod abreast;
mod areas;
mod batched;
mod beside;
mod blocked;
mod correlated;
mod dense;
mod depthwise;
mod joined;
mod parts;
mod patches;
mod planes;
mod pointwise;
pub mod reference;
mod scattered;
mod shared;
mod shares;
mod standing;
pub(crate) mod strip;
#[cfg(test)]
mod tests;
mod thinned;
mod ways;
mod windows;
mod winograd;

use correlated::{rows, samples};
use thinned::Thinned;

/// The geometry of a convolution. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Number of images.
    pub batch: usize,
    /// Channels of an input image.
    pub in_channels: usize,
    /// Channels of an output image.
    pub out_channels: usize,
    /// Size of an input image.
    pub input: [usize; 2],
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighboring windows.
    pub stride: [usize; 2],
    /// Zeros added on either side.
    pub padding: [usize; 2],
    /// Distance between neighboring elements of a window.
    pub dilation: [usize; 2],
    /// Into how many independent groups the channels, of both sides, are cut.
    pub groups: usize,
}

impl Conv2d {
    /// Size of an output image: `(input + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down;
    /// `None` where the window does not fit into the padded image.
    ///
    /// # Panics
    /// If a kernel size, stride or dilation is 0, or a size is so large that places could wrap around (above 2^31), or the groups do not
    /// divide the channels.
    pub fn checked_output(&self) -> Option<[usize; 2]> {
        self.check();
        let size = |d: usize| {
            let room = self.input[d] + 2 * self.padding[d];
            room.checked_sub(self.dilation[d] * (self.kernel[d] - 1) + 1).map(|rest| rest / self.stride[d] + 1)
        };
        Some([size(0)?, size(1)?])
    }

    /// [`checked_output`](Conv2d::checked_output), or `[0, 0]` where the window does not fit.
    ///
    /// # Panics
    /// As `checked_output`.
    pub fn output(&self) -> [usize; 2] {
        self.checked_output().unwrap_or([0, 0])
    }

    /// How many numbers the input holds.
    pub fn input_len(&self) -> usize {
        count(&[self.batch, self.in_channels, self.input[0], self.input[1]])
    }

    /// How many numbers the weights hold.
    pub fn weight_len(&self) -> usize {
        count(&[self.out_channels, self.in_channels / self.groups, self.kernel[0], self.kernel[1]])
    }

    /// How many numbers the output holds.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        count(&[self.batch, self.out_channels, height, width])
    }

    fn check(&self) {
        let positive = |pair: [usize; 2]| pair[0] > 0 && pair[1] > 0;
        assert!(positive(self.kernel), "conv2d: the kernel {:?} is empty", self.kernel);
        assert!(positive(self.stride), "conv2d: the stride {:?} is 0", self.stride);
        assert!(positive(self.dilation), "conv2d: the dilation {:?} is 0", self.dilation);
        let sizes = [self.input, self.kernel, self.stride, self.padding, self.dilation];
        assert!(sizes.as_flattened().iter().all(|&size| size <= LARGEST), "conv2d: a size is too large: {self:?}");
        assert!(
            self.groups > 0
                && self.in_channels.is_multiple_of(self.groups)
                && self.out_channels.is_multiple_of(self.groups),
            "conv2d: {} groups do not divide {} and {} channels",
            self.groups,
            self.in_channels,
            self.out_channels
        );
    }

    /// Checks the three slices of a pass, named by what they stand for.
    fn check_lengths(&self, x: usize, w: usize, y: usize) {
        assert_eq!(x, self.input_len(), "conv2d: the input has another length than {self:?}");
        assert_eq!(w, self.weight_len(), "conv2d: the weights have another length than {self:?}");
        assert_eq!(y, self.output_len(), "conv2d: the output has another length than {self:?}");
    }

    /// Elements of a window.
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of an input plane.
    fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Input channels of a group.
    fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of a group.
    fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }
}

/// What happens to an element of the output before it is stored. Applied in this order.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// A number for each output channel, added to all of its elements.
    pub bias: Option<&'a [T]>,
    /// Negative elements become 0 (after the bias); NaN stays.
    pub relu: bool,
}

impl<'a, T> Epilogue<'a, T> {
    /// Store the sums as they are.
    pub fn plain() -> Self {
        Epilogue { bias: None, relu: false }
    }

    /// The same for a product whose rows are some of the channels.
    fn of_rows(self, channels: Range<usize>) -> gemm::Epilogue<'a, T> {
        let row_bias = self.bias.map(|bias| &bias[channels]);
        gemm::Epilogue { row_bias, relu: self.relu, ..gemm::Epilogue::plain(Accum::Replace) }
    }
}

concrete! {
    <T> trait ConvKernels;
    /// The convolution `y` of `x` with `w`, through the epilogue.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says, or the bias is not one number for each output channel.
    pub fn forward(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) = forward_impl;
    /// The gradient `dx` with respect to the input, from `g`, the gradient of the output.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says.
    pub fn input_grad(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) = input_grad_impl;
    /// The gradient `dw` with respect to the weights, from `g`, the gradient of the output.
    ///
    /// # Panics
    /// If a slice has another length than the geometry says.
    pub fn weight_grad(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) = weight_grad_impl;
}

/// The ways to compute a convolution.
enum Path {
    Dense,
    Winograd,
    Pointwise,
    Abreast,
    Depthwise,
    Blocked,
}

impl Path {
    /// The path of a pass that Winograd's serves, or not.
    fn of(geometry: &Conv2d, winograd: bool) -> Self {
        if dense::applies(geometry) {
            Path::Dense
        } else if winograd {
            Path::Winograd
        } else if pointwise::applies(geometry) {
            Path::Pointwise
        } else if depthwise::applies(geometry) {
            if abreast::applies(geometry) { Path::Abreast } else { Path::Depthwise }
        } else {
            Path::Blocked
        }
    }
}

/// Adds up gradients of the weights that were summed apart, in order.
fn add_shares<T: Element>(partial: &[T], dw: &mut [T]) {
    let (first, rest) = partial.split_at(dw.len());
    dw.copy_from_slice(first);
    for share in rest.chunks_exact(dw.len()) {
        dw.iter_mut().zip(share).for_each(|(dw, &share)| *dw += share);
    }
}

fn forward_impl<T: Element>(geometry: &Conv2d, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    geometry.check_lengths(x.len(), w.len(), y.len());
    assert!(epilogue.bias.is_none_or(|b| b.len() == geometry.out_channels), "conv2d: the bias has another length");
    if y.is_empty() {
        return;
    }
    if let Some(thinned) = Thinned::of(geometry) {
        return forward_impl(&thinned.geometry, &thinned.pick(x), w, epilogue, y);
    }
    match Path::of(geometry, winograd::serves_forward(geometry)) {
        Path::Dense => dense::forward(geometry, x, w, epilogue, y),
        Path::Winograd => winograd::forward(geometry, x, w, epilogue, y),
        Path::Pointwise => pointwise::forward(geometry, x, w, epilogue, y),
        Path::Abreast => abreast::forward(geometry, x, w, epilogue, y),
        Path::Depthwise => depthwise::forward(geometry, x, w, epilogue, y),
        Path::Blocked => blocked::forward(geometry, x, w, epilogue, y),
    }
}

fn input_grad_impl<T: Element>(geometry: &Conv2d, g: &[T], w: &[T], dx: &mut [T]) {
    geometry.check_lengths(dx.len(), w.len(), g.len());
    if g.is_empty() || dx.is_empty() {
        dx.fill(T::ZERO);
        return;
    }
    // The other paths have no work where no window goes.
    let pays = |inner: &Conv2d| {
        matches!(Path::of(inner, winograd::serves_input_grad(inner)), Path::Winograd | Path::Pointwise)
    };
    if let Some(thinned) = Thinned::of(geometry).filter(|thinned| pays(&thinned.geometry)) {
        let mut picked = Buffer::unspecified(thinned.geometry.input_len());
        input_grad_impl(&thinned.geometry, g, w, &mut picked);
        return thinned.put_back(&picked, dx);
    }
    match Path::of(geometry, winograd::serves_input_grad(geometry)) {
        Path::Dense => dense::input_grad(geometry, g, w, dx),
        Path::Winograd => winograd::input_grad(geometry, g, w, dx),
        Path::Pointwise => pointwise::input_grad(geometry, g, w, dx),
        Path::Abreast => abreast::input_grad(geometry, g, w, dx),
        Path::Depthwise => depthwise::input_grad(geometry, g, w, dx),
        Path::Blocked if scattered::applies::<T>(geometry) => scattered::input_grad(geometry, g, w, dx),
        Path::Blocked => blocked::input_grad(geometry, g, w, dx),
    }
}

fn weight_grad_impl<T: Element>(geometry: &Conv2d, x: &[T], g: &[T], dw: &mut [T]) {
    geometry.check_lengths(x.len(), dw.len(), g.len());
    if g.is_empty() || x.is_empty() || dw.is_empty() {
        dw.fill(T::ZERO);
        return;
    }
    if let Some(thinned) = Thinned::of(geometry) {
        return weight_grad_impl(&thinned.geometry, &thinned.pick(x), g, dw);
    }
    match Path::of(geometry, winograd::serves_weights(geometry)) {
        Path::Dense => dense::weight_grad(geometry, x, g, dw),
        Path::Winograd => winograd::weight_grad(geometry, x, g, dw),
        Path::Pointwise => pointwise::weight_grad(geometry, x, g, dw),
        Path::Abreast => abreast::weight_grad(geometry, x, g, dw),
        Path::Depthwise => depthwise::weight_grad(geometry, x, g, dw),
        Path::Blocked if samples::applies::<T>(geometry) => samples::weight_grad(geometry, x, g, dw),
        Path::Blocked if rows::applies::<T>(geometry) => rows::weight_grad(geometry, x, g, dw),
        Path::Blocked if beside::applies(geometry) => beside::weight_grad(geometry, x, g, dw),
        Path::Blocked => blocked::weight_grad(geometry, x, g, dw),
    }
}
