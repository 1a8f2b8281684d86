//! [`MaxPool1d`] and [`MaxPool2d`]: the maximum of each window of a sequence or an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, c, i, j] = max over k, l of x[n, c, s i + d k - p, s j + d l - p]` with stride `s`, dilation `d`, padding `p` |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, H', W']`, `H' = (H + 2 p - d (kernel - 1) - 1) / s + 1`, rounded down |
//! | parameters | none |
//! | defaults | stride = kernel, no padding, dilation 1 |
//!
//! In one dimension the same without the height. The batch may be missing.

use crate::extent::{Extent, describe_unless};
use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::ops::PoolOptions;
use chainrule_tensor::{Real, Tensor};

/// The maximum of each window of a sequence.
///
/// ```
/// use chainrule_layers::MaxPool1d;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::from([[1.0f32, 3.0, 2.0, 2.0]]);
/// assert_eq!(MaxPool1d::new(2).forward(&x).to_vec(), [3.0, 2.0]);
/// ```
pub type MaxPool1d = MaxPool<1>;

/// The maximum of each window of an image.
///
/// ```
/// use chainrule_layers::MaxPool2d;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
/// assert_eq!(MaxPool2d::new(2).forward(&x).to_vec(), [5.0, 7.0, 13.0, 15.0]);
/// assert_eq!(MaxPool2d::new(3).stride(1).padding(1).forward(&x).shape(), &[1, 1, 4, 4]);
/// ```
pub type MaxPool2d = MaxPool<2>;

/// The maximum of each window over `D` dimensions: [`MaxPool1d`] or [`MaxPool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool<const D: usize> {
    options: PoolOptions<D>,
}

no_parameters!(for<D> MaxPool<D>);

impl<const D: usize> MaxPool<D> {
    /// A window of this size (a number or an array: `[height, width]`) that moves by its size.
    pub fn new(kernel: impl Into<Extent<D>>) -> Self {
        MaxPool { options: kernel.into().0.into() }
    }

    /// Distance between neighboring windows. The window's size unless said.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Extent<D>>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Padding on either side, at most half a window. 0 unless said.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Extent<D>>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// Distance between neighboring elements of a window. 1 unless said.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Extent<D>>) -> Self {
        self.options.dilation = dilation.into().0;
        self
    }

    /// Whether the number of windows is rounded up. False unless said.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.options.ceil_mode = ceil_mode;
        self
    }

    /// The maxima.
    ///
    /// # Panics
    /// If `x` has not the layer's number of dimensions, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.max_pool(self.options)
    }

    /// The settings.
    pub fn options(&self) -> PoolOptions<D> {
        self.options
    }
}

impl<const D: usize, T: Real> Layer<T> for MaxPool<D> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let PoolOptions { kernel, stride, padding, dilation, ceil_mode } = self.options;
        let mut line = format!("MaxPool{D}d(kernel_size={}", Extent(kernel));
        describe_unless(&mut line, "stride", stride, kernel);
        describe_unless(&mut line, "padding", padding, [0; D]);
        describe_unless(&mut line, "dilation", dilation, [1; D]);
        line + if ceil_mode { ", ceil_mode=true)" } else { ")" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;

    #[test]
    fn settings_reach_the_operation() {
        let layer = MaxPool2d::new([3, 2]).stride([2, 1]).padding(1).dilation([1, 2]).ceil_mode(true);
        let options =
            PoolOptions { kernel: [3, 2], stride: [2, 1], padding: [1, 1], dilation: [1, 2], ceil_mode: true };
        assert_eq!(layer.options(), options);
        let x = Tensor::<f64>::randn([2, 3, 7, 6], &mut Rng::seed_from_u64(1));
        assert_eq!(layer.forward(&x).to_vec(), x.max_pool2d(options).to_vec());
    }

    #[test]
    fn describes_what_differs_from_the_defaults() {
        let describe = |layer: &dyn Layer| layer.describe();
        assert_eq!(describe(&MaxPool2d::new(2)), "MaxPool2d(kernel_size=2)");
        assert_eq!(
            describe(&MaxPool2d::new(3).stride(2).padding([1, 0]).dilation(2).ceil_mode(true)),
            "MaxPool2d(kernel_size=3, stride=2, padding=(1, 0), dilation=2, ceil_mode=true)"
        );
        assert_eq!(describe(&MaxPool1d::new(3).stride(2)), "MaxPool1d(kernel_size=3, stride=2)");
    }
}
