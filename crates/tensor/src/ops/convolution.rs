//! What the convolutions share: three bilinear maps, closed over their own derivatives.
//!
//! Convolution is linear in `x` and in `w`, so its two gradients are linear in `y'` and in the other operand, and their own
//! gradients are convolutions and each other:
//!
//! | | of `x` or `y'` | of `w` or `x` |
//! |---|---|---|
//! | `conv(x, w)` | `conv_input(y', w)` | `conv_weight(x, y')` |
//! | `conv_input(y', w)` | `conv(x'', w)` | `conv_weight(x'', y')` |
//! | `conv_weight(x, y')` | `conv(x, w'')` | `conv_input(y', w'')` |
//!
//! The transposed convolution is `conv_input` called for its own sake. In one dimension an image has one row. A sample
//! without a batch is a batch of one: the kernels see numbers, and the results get the shape that was asked for.

use std::borrow::Borrow;

use super::{conv_transpose1d, conv_transpose2d, conv1d, conv2d};
use crate::graph::Saved;
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::conv::{self, Conv2d as Geometry, Epilogue};

/// How the window of a convolution moves over `D` dimensions, in their order (`[height, width]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions<const D: usize> {
    /// Distance between neighboring windows. Default 1.
    pub stride: [usize; D],
    /// Zeros added on either side. Default 0.
    pub padding: [usize; D],
    /// Distance between neighboring elements of a window. Default 1.
    pub dilation: [usize; D],
    /// Into how many independent groups the channels are cut. Default 1.
    pub groups: usize,
}

/// How the window of a convolution moves along a sequence.
pub type Conv1dOptions = ConvOptions<1>;
/// How the window of a convolution moves over an image.
pub type Conv2dOptions = ConvOptions<2>;

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        ConvOptions { stride: [1; D], padding: [0; D], dilation: [1; D], groups: 1 }
    }
}

/// How the window of a transposed convolution moves over `D` dimensions of its *output*, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeOptions<const D: usize> {
    /// Distance between the windows of neighboring inputs. Default 1.
    pub stride: [usize; D],
    /// What is cut off the output on either side. Default 0.
    pub padding: [usize; D],
    /// How much less is cut off at the end. Less than the stride or the dilation; default 0.
    pub output_padding: [usize; D],
    /// Distance between neighboring elements of a window. Default 1.
    pub dilation: [usize; D],
    /// Into how many independent groups the channels are cut. Default 1.
    pub groups: usize,
}

/// How the window of a transposed convolution moves along a sequence.
pub type ConvTranspose1dOptions = ConvTransposeOptions<1>;
/// How the window of a transposed convolution moves over an image.
pub type ConvTranspose2dOptions = ConvTransposeOptions<2>;

impl<const D: usize> Default for ConvTransposeOptions<D> {
    fn default() -> Self {
        ConvTransposeOptions { stride: [1; D], padding: [0; D], output_padding: [0; D], dilation: [1; D], groups: 1 }
    }
}

/// What the three maps are called.
pub(super) struct Names {
    pub(super) forward: &'static OpInfo,
    pub(super) input: OpInfo,
    pub(super) weight: OpInfo,
}

/// One convolution `y = conv(x, w)`, with the shapes that its tensors have; all three maps follow.
#[derive(Clone)]
struct Family {
    names: &'static Names,
    geometry: Geometry,
    x: Shape,
    w: Shape,
    y: Shape,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.geometry.fmt(f)
    }
}

#[derive(Debug)]
struct Conv<T: Real> {
    family: Family,
    x: Saved<T>,
    w: Saved<T>,
}

impl<T: Real> Conv<T> {
    /// Its own `x` is freed before the gradient is made, which will be as large.
    fn gradients(f: &Family, x: impl Borrow<Saved<T>>, w: &Saved<T>, grad: &Tensor<T>, inputs: &mut Inputs<'_, T>) {
        f.weights(grad, || f.weight(x.borrow().get(), grad), inputs);
        drop(x);
        inputs.add(0, || f.input(&f.names.input, grad, w.get(), None));
    }
}

impl<T: Real> Op<T> for Conv<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        Self::gradients(&self.family, &self.x, &self.w, &grad, inputs);
    }

    fn backward_once(self: Box<Self>, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Conv { family, x, w } = *self;
        Self::gradients(&family, x, &w, &grad, inputs);
    }
}

/// The gradient of the input, and the transposed convolution, which may have a bias.
#[derive(Debug)]
struct Input<T: Real> {
    family: Family,
    y: Saved<T>,
    w: Saved<T>,
}

impl<T: Real> Input<T> {
    /// As for [`Conv`]: its own `y` is freed first.
    fn gradients(f: &Family, y: impl Borrow<Saved<T>>, w: &Saved<T>, grad: &Tensor<T>, inputs: &mut Inputs<'_, T>) {
        f.weights(grad, || f.weight(grad, y.borrow().get()), inputs);
        drop(y);
        inputs.add(0, || f.forward(grad, w.get(), None, false));
    }
}

impl<T: Real> Op<T> for Input<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        Self::gradients(&self.family, &self.y, &self.w, &grad, inputs);
    }

    fn backward_once(self: Box<Self>, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Input { family, y, w } = *self;
        Self::gradients(&family, y, &w, &grad, inputs);
    }
}

#[derive(Debug)]
struct Weight<T: Real> {
    family: Family,
    x: Saved<T>,
    y: Saved<T>,
}

impl<T: Real> Op<T> for Weight<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Weight { family, x, y } = self;
        inputs.add(0, || family.input(&family.names.input, y.get(), &grad, None));
        inputs.add(1, || family.forward(x.get(), &grad, None, false));
    }
}

impl Family {
    /// The convolution, or that and a ReLU.
    #[track_caller]
    fn forward<T: Real>(&self, x: &Tensor<T>, w: &Tensor<T>, bias: Option<&Tensor<T>>, relu: bool) -> Tensor<T> {
        let value = Tensor::build(self.y.clone(), |out| {
            let bias = bias.map(Tensor::to_slice);
            if x.numel() > 0 {
                let epilogue = Epilogue { bias: bias.as_deref(), relu };
                conv::forward(&self.geometry, &x.to_slice(), &w.to_slice(), epilogue, out);
            } else {
                out.fill(T::ZERO);
                add_to_channels(out, bias.as_deref(), self.geometry.output());
                if relu {
                    out.iter_mut().for_each(|y| *y = y.maximum(T::ZERO));
                }
            }
        });
        let saved = || Conv { family: self.clone(), x: Saved::for_input(w, x), w: Saved::for_input(x, w) };
        let y = Tensor::from_op(self.names.forward, value, &operands(x, w, bias), saved);
        if relu { y.behind_relu() } else { y }
    }

    #[track_caller]
    fn input<T: Real>(
        &self,
        info: &'static OpInfo,
        y: &Tensor<T>,
        w: &Tensor<T>,
        bias: Option<&Tensor<T>>,
    ) -> Tensor<T> {
        let value = Tensor::build(self.x.clone(), |out| {
            conv::input_grad(&self.geometry, &y.to_slice(), &w.to_slice(), out);
            add_to_channels(out, bias.map(Tensor::to_slice).as_deref(), self.geometry.input);
        });
        let saved = || Input { family: self.clone(), y: Saved::for_input(w, y), w: Saved::for_input(y, w) };
        Tensor::from_op(info, value, &operands(y, w, bias), saved)
    }

    fn weight<T: Real>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.w.clone(), |out| {
            conv::weight_grad(&self.geometry, &x.to_slice(), &y.to_slice(), out);
        });
        let saved = || Weight { family: self.clone(), x: Saved::for_input(y, x), y: Saved::for_input(x, y) };
        Tensor::from_op(&self.names.weight, value, &[x, y], saved)
    }

    /// The gradients of the weights and of the bias, which are inputs 1 and 2 of the map and its transpose.
    fn weights<T: Real>(&self, grad: &Tensor<T>, weight: impl FnOnce() -> Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(1, weight);
        if inputs.len() == 3 {
            inputs.add(2, || self.per_channel(grad));
        }
    }

    /// The sum over all but the channels: the gradient of a bias.
    fn per_channel<T: Real>(&self, grad: &Tensor<T>) -> Tensor<T> {
        let channel = grad.rank() + 1 - self.w.rank();
        grad.sum_dim((0..grad.rank()).filter(|&d| d != channel).collect::<Vec<_>>(), false)
    }
}

fn operands<'a, T: Real>(a: &'a Tensor<T>, b: &'a Tensor<T>, bias: Option<&'a Tensor<T>>) -> Vec<&'a Tensor<T>> {
    [a, b].into_iter().chain(bias).collect()
}

/// Adds the bias of each channel to its plane.
fn add_to_channels<T: Real>(images: &mut [T], bias: Option<&[T]>, [height, width]: [usize; 2]) {
    let Some(bias) = bias.filter(|_| !images.is_empty()) else { return };
    for (plane, &bias) in images.chunks_exact_mut(height * width).zip(bias.iter().cycle()) {
        plane.iter_mut().for_each(|x| *x += bias);
    }
}

/// Sizes along height and width, for one dimension or two: a sequence is an image of one row.
pub(super) fn planar<const D: usize>(sizes: [usize; D], of_one_row: usize) -> [usize; 2] {
    match sizes[..] {
        [length] => [of_one_row, length],
        [height, width] => [height, width],
        _ => panic!("windows move over one dimension or two, not over {D}"),
    }
}

/// Batch, channels and size of samples with `dims` dimensions: `[N, C, ..]`, or one sample `[C, ..]`.
pub(super) fn samples(shape: &Shape, dims: usize) -> Option<(usize, usize, [usize; 2])> {
    let (batch, channels, sizes) = match shape.rank().checked_sub(dims)? {
        1 => (1, shape[0], &shape[1..]),
        2 => (shape[0], shape[1], &shape[2..]),
        _ => return None,
    };
    Some((batch, channels, if dims == 1 { [1, sizes[0]] } else { [sizes[0], sizes[1]] }))
}

/// A sample's shape after an operation: other channels, other sizes, and a batch if it had one.
pub(super) fn resized(shape: &Shape, dims: usize, channels: usize, sizes: [usize; 2]) -> Shape {
    let batch = &shape[..shape.rank() - dims - 1];
    batch.iter().chain(&[channels]).chain(&sizes[2 - dims..]).copied().collect()
}

/// How messages write the shape of images or sequences.
pub(super) fn layout(dims: usize) -> &'static str {
    if dims == 1 { "[N, C, L] or [C, L]" } else { "[N, C, H, W] or [C, H, W]" }
}

/// `conv1d` and `conv2d`, perhaps with a ReLU behind.
#[track_caller]
pub(super) fn conv<T: Real, const D: usize>(
    names: &'static Names,
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    options: ConvOptions<D>,
    relu: bool,
) -> Tensor<T> {
    let ConvOptions { stride, padding, dilation, groups } = options;
    let planar = Geometry {
        stride: planar(stride, 1),
        padding: planar(padding, 0),
        dilation: planar(dilation, 1),
        groups,
        ..UNKNOWN
    };
    let family = conv_family(names, D, x.shape(), weight.shape(), bias.map(Tensor::shape), planar);
    family.forward(x, weight, bias, relu)
}

/// `conv_transpose1d` and `conv_transpose2d`.
#[track_caller]
pub(super) fn conv_transpose<T: Real, const D: usize>(
    info: &'static OpInfo,
    names: &'static Names,
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    options: ConvTransposeOptions<D>,
) -> Tensor<T> {
    let ConvTransposeOptions { stride, padding, output_padding, dilation, groups } = options;
    let planar_geometry = Geometry {
        stride: planar(stride, 1),
        padding: planar(padding, 0),
        dilation: planar(dilation, 1),
        groups,
        ..UNKNOWN
    };
    let shapes = (x.shape(), weight.shape(), bias.map(Tensor::shape));
    let family = conv_transpose_family(info.name, names, D, shapes, planar(output_padding, 0), planar_geometry);
    // Where the output padding holds a whole stride, further windows begin in it: their inputs are zeros.
    let padded = (0..D).fold(x.clone(), |x, d| {
        let (d, mut missing) = (x.rank() - D + d, x.shape().clone());
        missing.0[d] = family.y[d] - x.shape()[d];
        if missing[d] == 0 { x } else { Tensor::cat(&[&x, &Tensor::zeros(missing)], d) }
    });
    family.input(info, &padded, weight, bias)
}

/// What remains to be filled in.
const UNKNOWN: Geometry = Geometry {
    batch: 0,
    in_channels: 0,
    out_channels: 0,
    input: [0, 0],
    kernel: [0, 0],
    stride: [1, 1],
    padding: [0, 0],
    dilation: [1, 1],
    groups: 1,
};

#[track_caller]
fn check_sizes(op: &str, dims: usize, geometry: &Geometry) {
    let Geometry { kernel, stride, dilation, groups, .. } = geometry;
    let [kernel, stride, dilation] = [kernel, stride, dilation].map(|pair| &pair[2 - dims..]);
    assert!(
        *groups > 0 && [kernel, stride, dilation].concat().iter().all(|&n| n > 0),
        "{op}: kernel {kernel:?}, stride {stride:?}, dilation {dilation:?} and groups {groups} must be positive"
    );
}

/// Checks the shapes of a convolution; the geometry still lacks what the shapes say.
#[track_caller]
fn conv_family(
    names: &'static Names,
    dims: usize,
    x: &Shape,
    w: &Shape,
    bias: Option<&Shape>,
    geometry: Geometry,
) -> Family {
    let op = names.forward.name;
    let (Some((batch, in_channels, input)), Some((out_channels, group_channels, kernel)), true) =
        (samples(x, dims), samples(w, dims), w.rank() == dims + 2)
    else {
        let window = if dims == 1 { "[O, C/groups, K]" } else { "[O, C/groups, KH, KW]" };
        panic!("{op}: input {x} and weight {w} must be {} and {window}", layout(dims))
    };
    let geometry = Geometry { batch, in_channels, out_channels, input, kernel, ..geometry };
    let Geometry { padding, dilation, groups, .. } = geometry;
    check_sizes(op, dims, &geometry);
    assert!(
        group_channels * groups == in_channels && out_channels % groups == 0,
        "{op}: input {x} and weight {w} with {groups} groups: the weight must be [O, C/groups, ..], the groups divide O"
    );
    if let Some(bias) = bias {
        assert!(bias == &[out_channels], "{op}: bias {bias} must be [{out_channels}]");
    }
    let Some(output) = geometry.checked_output() else {
        let [kernel, input, padding, dilation] = [&kernel, &input, &padding, &dilation].map(|pair| &pair[2 - dims..]);
        let images = if dims == 1 { "sequences" } else { "images" };
        panic!(
            "{op}: a window of {kernel:?} with dilation {dilation:?} does not fit into {images} of {input:?} with padding {padding:?}"
        )
    };
    let y = resized(x, dims, out_channels, output);
    Family { names, geometry, x: x.clone(), w: w.clone(), y }
}

/// Checks the shapes of a transposed convolution, whose input and output change places.
#[track_caller]
fn conv_transpose_family(
    op: &str,
    names: &'static Names,
    dims: usize,
    (x, w, bias): (&Shape, &Shape, Option<&Shape>),
    output_padding: [usize; 2],
    geometry: Geometry,
) -> Family {
    let (Some((batch, channels, size)), Some((in_channels, group_channels, kernel)), true) =
        (samples(x, dims), samples(w, dims), w.rank() == dims + 2)
    else {
        let window = if dims == 1 { "[C, O/groups, K]" } else { "[C, O/groups, KH, KW]" };
        panic!("{op}: input {x} and weight {w} must be {} and {window}", layout(dims))
    };
    let out_channels = group_channels * geometry.groups;
    let mut geometry = Geometry { batch, in_channels: out_channels, out_channels: channels, kernel, ..geometry };
    check_sizes(op, dims, &geometry);
    let Geometry { stride, padding, dilation, groups, .. } = geometry;
    assert!(
        channels == in_channels && channels % groups == 0,
        "{op}: input {x} and weight {w} with {groups} groups: the weight must be [C, O/groups, ..], the groups divide C"
    );
    if let Some(bias) = bias {
        assert!(bias == &[out_channels], "{op}: bias {bias} must be [{out_channels}]");
    }
    let visible = |pair: [usize; 2]| pair[2 - dims..].to_vec();
    assert!(
        (0..2).all(|d| output_padding[d] < stride[d].max(dilation[d])),
        "{op}: output padding {:?} must be less than the stride {:?} or the dilation {:?}",
        visible(output_padding),
        visible(stride),
        visible(dilation)
    );
    for d in 0..2 {
        let full =
            size[d].checked_sub(1).map(|n| n * stride[d] + dilation[d] * (kernel[d] - 1) + output_padding[d] + 1);
        geometry.input[d] = full.and_then(|full| full.checked_sub(2 * padding[d])).unwrap_or(0);
        assert!(
            geometry.input[d] > 0,
            "{op}: input {x} and weight {w} with padding {:?} leave no output",
            visible(padding)
        );
    }
    let y = resized(x, dims, channels, geometry.output());
    Family { names, geometry, x: resized(x, dims, out_channels, geometry.input), w: w.clone(), y }
}

/// What belongs to one dimension, or to two.
pub(super) fn of_dims<const D: usize, A>(one: A, two: A) -> A {
    match D {
        1 => one,
        2 => two,
        _ => panic!("windows move over one dimension or two, not over {D}"),
    }
}

impl<T: Real> Tensor<T> {
    /// [`conv1d`](Tensor::conv1d) or [`conv2d`](Tensor::conv2d), as the options say.
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn conv<const D: usize>(&self, weight: &Self, bias: Option<&Self>, options: ConvOptions<D>) -> Self {
        conv(of_dims::<D, _>(&conv1d::NAMES, &conv2d::NAMES), self, weight, bias, options, false)
    }

    /// [`conv`](Tensor::conv) followed by [`relu`](Tensor::relu): the same numbers and the same graph, without a pass over
    /// the output for the ReLU.
    ///
    /// # Panics
    /// As `conv`.
    #[track_caller]
    pub fn conv_relu<const D: usize>(&self, weight: &Self, bias: Option<&Self>, options: ConvOptions<D>) -> Self {
        conv(of_dims::<D, _>(&conv1d::NAMES, &conv2d::NAMES), self, weight, bias, options, true)
    }

    /// [`conv_transpose1d`](Tensor::conv_transpose1d) or [`conv_transpose2d`](Tensor::conv_transpose2d), as the options say.
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn conv_transpose<const D: usize>(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: ConvTransposeOptions<D>,
    ) -> Self {
        let info = of_dims::<D, _>(&conv_transpose1d::INFO, &conv_transpose2d::INFO);
        conv_transpose(info, of_dims::<D, _>(&conv1d::NAMES, &conv2d::NAMES), self, weight, bias, options)
    }
}
