//! [`Conv2d`], the convolution layer: `y = x * W + b`.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o, i, j] = b[o] + sum over c, k, l of W[o, c, k, l] x[n, c, s i + d k - p, s j + d l - p]` with stride `s`, dilation `d`, padding `p` |
//! | shapes | `x [N, in, H, W]` -> `y [N, out, H', W']`, `H' = (H + 2 p - d (kernel - 1) - 1) / s + 1`, rounded down |
//! | parameters | `weight [out, in / groups, KH, KW]`, `bias [out]` |
//! | initialization | both uniform on `(-1/sqrt(f), 1/sqrt(f))`, fan in `f = in / groups * KH * KW`: PyTorch's default |
//! | defaults | stride 1, no padding, dilation 1, 1 group, with bias |
//!
//! With `g` groups the channels fall into `g` equal parts, and each part of the outputs sees its own part of the inputs
//! only; with `groups = in` it is a depthwise convolution.

use crate::linear::torch_default;
use crate::pair::describe_unless;
use crate::{Layer, Mode, Module, Pair, Param};
use chainrule_tensor::ops::Conv2dOptions;
use chainrule_tensor::{Real, Rng, Tensor};
use std::marker::PhantomData;

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
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Conv2d<T: Real = f32> {
    /// `[out, in / groups, KH, KW]`.
    pub weight: Param<T>,
    /// `[out]`.
    pub bias: Option<Param<T>>,
    #[module(skip)]
    options: Conv2dOptions,
}

impl<T: Real> Conv2d<T> {
    /// A layer with all defaults. The kernel is a number or `[height, width]`.
    ///
    /// # Panics
    /// If the kernel is empty.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Pair>, rng: &mut Rng) -> Self {
        Self::builder(inputs, outputs, kernel).build(rng)
    }

    /// A layer to be configured: [`Conv2dBuilder`].
    pub fn builder(inputs: usize, outputs: usize, kernel: impl Into<Pair>) -> Conv2dBuilder<T> {
        let Pair(kernel) = kernel.into();
        Conv2dBuilder { inputs, outputs, kernel, options: Conv2dOptions::default(), bias: true, real: PhantomData }
    }

    /// The filtered images.
    ///
    /// # Panics
    /// If `x` is not `[N, in, H, W]`, or the window does not fit the padded image.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.conv2d(&self.weight, self.bias.as_deref(), self.options)
    }

    /// Stride, padding, dilation and groups.
    pub fn options(&self) -> Conv2dOptions {
        self.options
    }
}

impl<T: Real> Layer<T> for Conv2d<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let shape = self.weight.shape();
        let Conv2dOptions { stride, padding, dilation, groups } = self.options;
        let mut line =
            format!("Conv2d({}, {}, kernel_size={}", shape[1] * groups, shape[0], Pair([shape[2], shape[3]]));
        describe_unless(&mut line, "stride", stride, [1, 1]);
        describe_unless(&mut line, "padding", padding, [0, 0]);
        describe_unless(&mut line, "dilation", dilation, [1, 1]);
        if groups != 1 {
            line.push_str(&format!(", groups={groups}"));
        }
        line + if self.bias.is_some() { ")" } else { ", bias=false)" }
    }
}

/// Settings of a [`Conv2d`].
#[derive(Clone, Copy, Debug)]
pub struct Conv2dBuilder<T: Real = f32> {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    options: Conv2dOptions,
    bias: bool,
    real: PhantomData<T>,
}

impl<T: Real> Conv2dBuilder<T> {
    /// Distance between neighboring windows. 1 unless said.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Zeros added on either side. 0 unless said.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// Distance between neighboring elements of a window. 1 unless said.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
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
    /// If the kernel, stride or dilation is 0, or the groups do not divide the inputs and the outputs.
    #[track_caller]
    pub fn build(self, rng: &mut Rng) -> Conv2d<T> {
        let Conv2dBuilder { inputs, outputs, kernel, options, bias, .. } = self;
        let Conv2dOptions { stride, dilation, groups, .. } = options;
        assert!(
            [kernel, stride, dilation].as_flattened().iter().all(|&n| n > 0),
            "Conv2d: kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must be positive"
        );
        assert!(
            groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
            "Conv2d: {groups} groups do not divide {inputs} inputs and {outputs} outputs"
        );
        let (weight, bias) = torch_default([outputs, inputs / groups, kernel[0], kernel[1]], bias, rng);
        Conv2d { weight, bias, options }
    }
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
            options: Conv2dOptions::default(),
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
        let options = Conv2dOptions { stride: [2, 1], padding: [1, 1], dilation: [1, 2], groups: 2 };
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
