//! [`ConvTranspose1d`] and [`ConvTranspose2d`], the layers that make images larger: `y = W^T * x + b`.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o, s i + d k - p, s j + d l - p] += W[c, o, k, l] x[n, c, i, j]` for all `c, i, j, k, l`, from `y = b[o]` on, with stride `s`, dilation `d`, padding `p` |
//! | shapes | `x [N, in, H, W]` -> `y [N, out, H', W']`, `H' = (H - 1) s - 2 p + d (kernel - 1) + output_padding + 1` |
//! | parameters | `weight [in, out / groups, KH, KW]`, `bias [out]` |
//! | initialization | both uniform on `(-1/sqrt(f), 1/sqrt(f))`, `f = out / groups * KH * KW`: PyTorch's default |
//! | defaults | stride 1, no padding, no output padding, dilation 1, 1 group, with bias |
//!
//! In one dimension the same without the height. The batch may be missing. With the settings of a convolution, this maps images
//! of the size of its output to images of the size of its input (up to the output padding, which undoes its rounding).

use crate::conv::{check_sizes, describe_rest, kernel};
use crate::extent::{Extent, describe_unless};
use crate::linear::torch_default;
use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::ops::ConvTransposeOptions;
use chainrule_tensor::{Real, Rng, Tensor};
use std::marker::PhantomData;

/// A layer of learned filters that spreads sequences `[N, C, L]`.
pub type ConvTranspose1d<T = f32> = ConvTranspose<1, T>;

/// A layer of learned filters that spreads images `[N, C, H, W]`.
///
/// ```
/// use chainrule_layers::ConvTranspose2d;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let layer: ConvTranspose2d = ConvTranspose2d::builder(8, 1, 4).stride(2).padding(1).build(&mut Rng::seed_from_u64(1));
/// assert_eq!(layer.forward(&Tensor::ones([2, 8, 7, 7])).shape(), &[2, 1, 14, 14]);
/// ```
pub type ConvTranspose2d<T = f32> = ConvTranspose<2, T>;

/// A transposed convolution over `D` dimensions: [`ConvTranspose1d`] or [`ConvTranspose2d`].
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct ConvTranspose<const D: usize, T: Real = f32> {
    /// `[in, out / groups, ..kernel]`.
    pub weight: Param<T>,
    /// `[out]`.
    pub bias: Option<Param<T>>,
    #[module(skip)]
    options: ConvTransposeOptions<D>,
}

impl<const D: usize, T: Real> ConvTranspose<D, T> {
    /// A layer with all defaults. The kernel is a number or an array (`[height, width]`).
    ///
    /// # Panics
    /// If the kernel is empty.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Extent<D>>, rng: &mut Rng) -> Self {
        Self::builder(inputs, outputs, kernel).build(rng)
    }

    /// A layer to be configured: [`ConvTransposeBuilder`].
    pub fn builder(inputs: usize, outputs: usize, kernel: impl Into<Extent<D>>) -> ConvTransposeBuilder<D, T> {
        let (Extent(kernel), options) = (kernel.into(), ConvTransposeOptions::default());
        ConvTransposeBuilder { inputs, outputs, kernel, options, bias: true, real: PhantomData }
    }

    /// The spread images or sequences.
    ///
    /// # Panics
    /// If `x` has not the layer's number of channels and of dimensions, or the padding leaves nothing.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        self.forward_with(&self.weight, x)
    }

    /// The output for another weight.
    #[track_caller]
    pub(crate) fn forward_with(&self, weight: &Tensor<T>, x: &Tensor<T>) -> Tensor<T> {
        x.conv_transpose(weight, self.bias.as_deref(), self.options)
    }

    /// Stride, padding, output padding, dilation and groups.
    pub fn options(&self) -> ConvTransposeOptions<D> {
        self.options
    }
}

impl<const D: usize, T: Real> Layer<T> for ConvTranspose<D, T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let ConvTransposeOptions { stride, padding, output_padding, dilation, groups } = self.options;
        let (inputs, outputs) = (self.weight.shape()[0], self.weight.shape()[1] * groups);
        let mut line = format!("ConvTranspose{D}d({inputs}, {outputs}, kernel_size={}", kernel::<D, T>(&self.weight));
        describe_unless(&mut line, "stride", stride, [1; D]);
        describe_unless(&mut line, "padding", padding, [0; D]);
        describe_unless(&mut line, "output_padding", output_padding, [0; D]);
        describe_unless(&mut line, "dilation", dilation, [1; D]);
        describe_rest(line, groups, self.bias.is_some())
    }
}

/// Settings of a [`ConvTranspose`].
#[derive(Clone, Copy, Debug)]
pub struct ConvTransposeBuilder<const D: usize, T: Real = f32> {
    inputs: usize,
    outputs: usize,
    kernel: [usize; D],
    options: ConvTransposeOptions<D>,
    bias: bool,
    real: PhantomData<T>,
}

impl<const D: usize, T: Real> ConvTransposeBuilder<D, T> {
    /// Distance between the windows of neighboring inputs. 1 unless said.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Extent<D>>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// What is cut off the output on either side. 0 unless said.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Extent<D>>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// How much less is cut off at the end; less than the stride or the dilation. 0 unless said.
    #[must_use]
    pub fn output_padding(mut self, padding: impl Into<Extent<D>>) -> Self {
        self.options.output_padding = padding.into().0;
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
    /// If the kernel, stride or dilation is 0, or the groups do not divide the inputs and the outputs.
    #[track_caller]
    pub fn build(self, rng: &mut Rng) -> ConvTranspose<D, T> {
        let ConvTransposeBuilder { inputs, outputs, kernel, options, bias, .. } = self;
        let ConvTransposeOptions { stride, dilation, groups, .. } = options;
        check_sizes(&format!("ConvTranspose{D}d"), inputs, outputs, [kernel, stride, dilation], groups);
        let shape: Vec<usize> = [inputs, outputs / groups].into_iter().chain(kernel).collect();
        let (weight, bias) = torch_default(shape, bias.then_some(outputs), rng);
        ConvTranspose { weight, bias, options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> Rng {
        Rng::seed_from_u64(7)
    }

    #[test]
    fn settings_reach_the_operation() {
        let builder =
            ConvTranspose2d::<f32>::builder(4, 6, [3, 2]).stride([2, 1]).padding(1).dilation([1, 2]).groups(2);
        let layer = builder.output_padding(1).bias(false).build(&mut rng());
        assert_eq!(layer.weight.shape(), &[4, 3, 3, 2]);
        let x = Tensor::randn([2, 4, 3, 5], &mut rng());
        let y = layer.forward(&x);
        assert_eq!(y.shape(), &[2, 6, 6, 6]);
        assert_eq!(y.to_vec(), x.conv_transpose2d(&layer.weight, None, layer.options()).to_vec());
        assert_eq!(
            layer.describe(),
            "ConvTranspose2d(4, 6, kernel_size=(3, 2), stride=(2, 1), padding=1, output_padding=1, dilation=(1, 2), groups=2, bias=false)"
        );
        let layer: ConvTranspose1d = ConvTranspose1d::new(2, 3, 4, &mut rng());
        assert_eq!(layer.describe(), "ConvTranspose1d(2, 3, kernel_size=4)");
        assert_eq!(layer.forward(&Tensor::ones([2, 5])).shape(), &[3, 8]);
    }

    #[test]
    fn starts_within_the_bounds_of_pytorch() {
        // f = 8 / 2 * 5 * 5 = 100.
        let layer: ConvTranspose2d<f64> = ConvTranspose2d::builder(200, 8, 5).groups(2).build(&mut rng());
        let largest = layer.weight.to_vec().iter().fold(0f64, |m, x| m.max(x.abs()));
        assert!((0.098..0.1).contains(&largest), "{largest}");
        let bias = layer.bias.as_ref().unwrap();
        assert!(bias.shape() == &[8] && bias.to_vec().iter().all(|b| b.abs() < 0.1));
    }

    #[test]
    #[should_panic(expected = "ConvTranspose1d: 3 groups do not divide 6 inputs and 4 outputs")]
    fn groups_must_divide_the_channels() {
        ConvTranspose1d::<f32>::builder(6, 4, 3).groups(3).build(&mut rng());
    }
}
