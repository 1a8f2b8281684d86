//! [`Conv1d`] and [`Conv2d`], the convolution layers: `y = x * W + b`.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o, i, j] = b[o] + sum over c, k, l of W[o, c, k, l] x[n, c, s i + d k - p, s j + d l - p]` with stride `s`, dilation `d`, padding `p` |
//! | shapes | `x [N, in, H, W]` -> `y [N, out, H', W']`, `H' = (H + 2 p - d (kernel - 1) - 1) / s + 1`, rounded down |
//! | parameters | `weight [out, in / groups, KH, KW]`, `bias [out]` |
//! | initialization | both uniform on `(-1/sqrt(f), 1/sqrt(f))`, fan in `f = in / groups * KH * KW`: PyTorch's default |
//! | defaults | stride 1, no padding, dilation 1, 1 group, with bias |
//!
//! In one dimension the same without the height. The batch may be missing. Outside of the image there are zeros, PyTorch's
//! default `padding_mode`. With `g` groups the channels fall into `g` equal parts, and each part of the outputs sees its own
//! part of the inputs only; with `groups = in` it is a depthwise convolution.

use crate::extent::{Extent, describe_unless};
use crate::linear::torch_default;
use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::ops::ConvOptions;
use chainrule_tensor::{Real, Rng, Tensor};
use std::marker::PhantomData;

/// A layer of learned filters that slide along sequences `[N, C, L]`.
///
/// ```
/// use chainrule_layers::Conv1d;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let layer: Conv1d = Conv1d::builder(4, 8, 3).dilation(2).same_padding().build(&mut Rng::seed_from_u64(1));
/// assert_eq!(layer.forward(&Tensor::ones([2, 4, 10])).shape(), &[2, 8, 10]);
/// ```
pub type Conv1d<T = f32> = Conv<1, T>;

/// A layer of learned filters that slide over images `[N, C, H, W]`.
///
/// ```
/// use chainrule_layers::Conv2d;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let plain: Conv2d = Conv2d::new(1, 8, 3, &mut rng);
/// assert_eq!(plain.forward(&Tensor::ones([2, 1, 28, 28])).shape(), &[2, 8, 26, 26]);
/// let strided: Conv2d = Conv2d::builder(8, 16, [3, 5]).stride(2).padding([1, 2]).bias(false).build(&mut rng);
/// assert_eq!(strided.forward(&Tensor::ones([2, 8, 26, 26])).shape(), &[2, 16, 13, 13]);
/// ```
pub type Conv2d<T = f32> = Conv<2, T>;

/// A convolution over `D` dimensions: [`Conv1d`] or [`Conv2d`].
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Conv<const D: usize, T: Real = f32> {
    /// `[out, in / groups, ..kernel]`.
    pub weight: Param<T>,
    /// `[out]`.
    pub bias: Option<Param<T>>,
    #[module(skip)]
    options: ConvOptions<D>,
    /// The output is as large as the input.
    same: bool,
}

impl<const D: usize, T: Real> Conv<D, T> {
    /// A layer with all defaults. The kernel is a number or an array (`[height, width]`).
    ///
    /// # Panics
    /// If the kernel is empty.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Extent<D>>, rng: &mut Rng) -> Self {
        Self::builder(inputs, outputs, kernel).build(rng)
    }

    /// A layer to be configured: [`ConvBuilder`].
    pub fn builder(inputs: usize, outputs: usize, kernel: impl Into<Extent<D>>) -> ConvBuilder<D, T> {
        let (Extent(kernel), options) = (kernel.into(), ConvOptions::default());
        ConvBuilder { inputs, outputs, kernel, options, same: false, bias: true, real: PhantomData }
    }

    /// The filtered images or sequences.
    ///
    /// # Panics
    /// If `x` has not the layer's number of channels and of dimensions, or the window does not fit the padded image.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        self.forward_with(&self.weight, x)
    }

    /// The output for another weight.
    #[track_caller]
    pub(crate) fn forward_with(&self, weight: &Tensor<T>, x: &Tensor<T>) -> Tensor<T> {
        self.cut(x, x.conv(weight, self.bias.as_deref(), self.options))
    }

    /// [`forward`](Conv::forward), then a ReLU, in one pass over the output.
    ///
    /// # Panics
    /// As `forward`.
    #[track_caller]
    pub fn forward_relu(&self, x: &Tensor<T>) -> Tensor<T> {
        self.cut(x, x.conv_relu(&self.weight, self.bias.as_deref(), self.options))
    }

    /// The output, as large as the input if it is to be.
    fn cut(&self, x: &Tensor<T>, y: Tensor<T>) -> Tensor<T> {
        if !self.same {
            return y;
        }
        // An odd number of zeros has one more at the end than at the front: without the output that begins one too early.
        let sizes = (x.rank() - D..x.rank()).filter(|&d| y.shape()[d] > x.shape()[d]).collect::<Vec<_>>();
        sizes.into_iter().fold(y, |y, d| y.narrow(d, 1, x.shape()[d]))
    }

    /// Stride, padding, dilation and groups.
    pub fn options(&self) -> ConvOptions<D> {
        self.options
    }
}

impl<const D: usize, T: Real> Layer<T> for Conv<D, T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn call_relu(&self, x: Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward_relu(&x)
    }
    fn describe(&self) -> String {
        let ConvOptions { stride, padding, dilation, groups } = self.options;
        let (inputs, outputs) = (self.weight.shape()[1] * groups, self.weight.shape()[0]);
        let mut line = format!("Conv{D}d({inputs}, {outputs}, kernel_size={}", kernel::<D, T>(&self.weight));
        describe_unless(&mut line, "stride", stride, [1; D]);
        if self.same {
            line.push_str(", padding=same");
        } else {
            describe_unless(&mut line, "padding", padding, [0; D]);
        }
        describe_unless(&mut line, "dilation", dilation, [1; D]);
        describe_rest(line, groups, self.bias.is_some())
    }
}

/// The size of the window that a weight is.
pub(crate) fn kernel<const D: usize, T: Real>(weight: &Tensor<T>) -> Extent<D> {
    Extent(std::array::from_fn(|d| weight.shape()[2 + d]))
}

/// The end of a description.
pub(crate) fn describe_rest(mut line: String, groups: usize, bias: bool) -> String {
    if groups != 1 {
        line.push_str(&format!(", groups={groups}"));
    }
    line + if bias { ")" } else { ", bias=false)" }
}

/// Settings of a [`Conv1d`].
pub type Conv1dBuilder<T = f32> = ConvBuilder<1, T>;
/// Settings of a [`Conv2d`].
pub type Conv2dBuilder<T = f32> = ConvBuilder<2, T>;

/// Settings of a [`Conv`].
#[derive(Clone, Copy, Debug)]
pub struct ConvBuilder<const D: usize, T: Real = f32> {
    inputs: usize,
    outputs: usize,
    kernel: [usize; D],
    options: ConvOptions<D>,
    same: bool,
    bias: bool,
    real: PhantomData<T>,
}

impl<const D: usize, T: Real> ConvBuilder<D, T> {
    /// Distance between neighboring windows. 1 unless said.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Extent<D>>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Zeros added on either side. 0 unless said.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Extent<D>>) -> Self {
        (self.options.padding, self.same) = (padding.into().0, false);
        self
    }

    /// As many zeros on either side as it takes for an output of the input's size (PyTorch's `padding="same"`); of an odd
    /// number, one more at the end.
    #[must_use]
    pub fn same_padding(mut self) -> Self {
        self.same = true;
        self
    }

    /// Distance between neighboring elements of a window. 1 unless said.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Extent<D>>) -> Self {
        self.options.dilation = dilation.into().0;
        self
    }

    /// Into how many independent groups the channels are cut. 1 unless said.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.options.groups = groups;
        self
    }

    /// Whether there is a bias. True unless said.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The layer, in PyTorch's default initialization.
    ///
    /// # Panics
    /// If the kernel, stride or dilation is 0, the groups do not divide the inputs and the outputs, or an output of the
    /// input's size is wanted with a stride.
    #[track_caller]
    pub fn build(self, rng: &mut Rng) -> Conv<D, T> {
        let ConvBuilder { inputs, outputs, kernel, mut options, same, bias, .. } = self;
        let ConvOptions { stride, dilation, groups, .. } = options;
        check_sizes(&format!("Conv{D}d"), inputs, outputs, [kernel, stride, dilation], groups);
        if same {
            assert!(stride == [1; D], "Conv{D}d: with stride {stride:?} the output cannot have the input's size");
            options.padding = std::array::from_fn(|d| (dilation[d] * (kernel[d] - 1)).div_ceil(2));
        }
        let shape: Vec<usize> = [outputs, inputs / groups].into_iter().chain(kernel).collect();
        let (weight, bias) = torch_default(shape, bias.then_some(outputs), rng);
        Conv { weight, bias, options, same }
    }
}

/// Checks the settings of a convolution or a transposed one.
#[track_caller]
pub(crate) fn check_sizes<const D: usize>(
    layer: &str,
    inputs: usize,
    outputs: usize,
    [kernel, stride, dilation]: [[usize; D]; 3],
    groups: usize,
) {
    assert!(
        [kernel, stride, dilation].as_flattened().iter().all(|&n| n > 0),
        "{layer}: kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must be positive"
    );
    assert!(
        groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
        "{layer}: {groups} groups do not divide {inputs} inputs and {outputs} outputs"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> Rng {
        Rng::seed_from_u64(7)
    }

    #[test]
    fn computes_the_convolution() {
        let layer = Conv2d::<f32> {
            weight: Param::new(Tensor::from([[[[1.0, 0.0], [0.0, -1.0]]]][0]).unsqueeze(0)),
            bias: Some(Param::new([0.5].into())),
            options: ConvOptions::default(),
            same: false,
        };
        let y = layer.forward(&Tensor::arange(9).reshape([1, 1, 3, 3]));
        assert_eq!(y.to_vec(), [-3.5; 4]);
    }

    #[test]
    fn settings_reach_the_operation() {
        let builder = Conv2d::<f32>::builder(4, 6, [3, 2]).stride([2, 1]).padding(1).dilation([1, 2]).groups(2);
        let layer = builder.bias(false).build(&mut rng());
        assert_eq!(layer.weight.shape(), &[6, 2, 3, 2]);
        let x = Tensor::randn([2, 4, 7, 8], &mut rng());
        let options = ConvOptions { stride: [2, 1], padding: [1, 1], dilation: [1, 2], groups: 2 };
        assert_eq!(layer.options(), options);
        let y = layer.forward(&x);
        assert_eq!(y.shape(), &[2, 6, 4, 8]);
        assert_eq!(y.to_vec(), x.conv2d(&layer.weight, None, options).to_vec());
        assert_eq!(
            layer.describe(),
            "Conv2d(4, 6, kernel_size=(3, 2), stride=(2, 1), padding=1, dilation=(1, 2), groups=2, bias=false)"
        );
        assert_eq!(Conv2d::<f64>::new(1, 2, 3, &mut rng()).describe(), "Conv2d(1, 2, kernel_size=3)");
    }

    #[test]
    fn the_output_can_have_the_size_of_the_input() {
        let mut layer: Conv1d = Conv1d::builder(1, 1, 4).same_padding().bias(false).build(&mut rng());
        layer.weight.set(&Tensor::from([1.0, 10.0, 100.0, 1000.0]).reshape([1, 1, 4]));
        // One zero in front, two at the end.
        let y = layer.forward(&Tensor::from([[1.0, 2.0, 3.0]]));
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 3], vec![3210.0, 321.0, 32.0]));
        assert_eq!(layer.describe(), "Conv1d(1, 1, kernel_size=4, padding=same, bias=false)");
        let layer: Conv2d = Conv2d::builder(2, 3, [2, 5]).dilation([3, 2]).same_padding().build(&mut rng());
        assert_eq!(layer.forward(&Tensor::ones([1, 2, 4, 6])).shape(), &[1, 3, 4, 6]);
    }

    #[test]
    fn starts_within_the_bounds_of_pytorch() {
        // Fan in 8 / 2 * 5 * 5 = 100.
        let layer: Conv2d<f64> = Conv2d::builder(8, 200, 5).groups(2).build(&mut rng());
        for param in layer.parameters() {
            let largest = param.to_vec().iter().fold(0f64, |m, x| m.max(x.abs()));
            assert!((0.098..0.1).contains(&largest), "{largest}");
        }
        let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "bias"]);
    }

    #[test]
    #[should_panic(expected = "Conv2d: 3 groups do not divide 6 inputs and 4 outputs")]
    fn groups_must_divide_the_channels() {
        Conv2d::<f32>::builder(6, 4, 3).groups(3).build(&mut rng());
    }

    #[test]
    #[should_panic(expected = "Conv2d: kernel [3, 3], stride [0, 0] and dilation [1, 1] must be positive")]
    fn sizes_must_be_positive() {
        Conv2d::<f32>::builder(1, 1, 3).stride(0).build(&mut rng());
    }
}
