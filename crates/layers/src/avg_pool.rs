//! [`AvgPool1d`] and [`AvgPool2d`]: the mean of each window of a sequence or an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, c, i, j] = mean over k, l of x[n, c, s i + k - p, s j + l - p]` with stride `s`, padding `p` |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, H', W']`, `H' = (H + 2 p - kernel) / s + 1`, rounded down |
//! | parameters | none |
//! | defaults | stride = kernel, no padding; padding counts in the mean |
//!
//! In one dimension the same without the height. The batch may be missing.

use crate::extent::{Extent, describe_unless};
use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::ops::AvgPoolOptions;
use chainrule_tensor::{Real, Tensor};

/// The mean of each window of a sequence.
///
/// ```
/// use chainrule_layers::AvgPool1d;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::from([[1.0f32, 3.0, 2.0, 2.0]]);
/// assert_eq!(AvgPool1d::new(2).forward(&x).to_vec(), [2.0, 2.0]);
/// ```
pub type AvgPool1d = AvgPool<1>;

/// The mean of each window of an image.
///
/// ```
/// use chainrule_layers::AvgPool2d;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
/// assert_eq!(AvgPool2d::new(2).forward(&x).to_vec(), [2.5, 4.5, 10.5, 12.5]);
/// ```
pub type AvgPool2d = AvgPool<2>;

/// The mean of each window over `D` dimensions: [`AvgPool1d`] or [`AvgPool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool<const D: usize> {
    options: AvgPoolOptions<D>,
}

no_parameters!(for<D> AvgPool<D>);

impl<const D: usize> AvgPool<D> {
    /// A window of this size (a number or an array: `[height, width]`) that moves by its size.
    pub fn new(kernel: impl Into<Extent<D>>) -> Self {
        AvgPool { options: kernel.into().0.into() }
    }

    /// Distance between neighboring windows. The window's size unless said.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Extent<D>>) -> Self {
        self.options.stride = stride.into().0;
        self
    }

    /// Zeros added on either side, at most half a window. 0 unless said.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Extent<D>>) -> Self {
        self.options.padding = padding.into().0;
        self
    }

    /// Whether the number of windows is rounded up. False unless said.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.options.ceil_mode = ceil_mode;
        self
    }

    /// Whether padding counts in the mean. True unless said.
    #[must_use]
    pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.options.count_include_pad = count_include_pad;
        self
    }

    /// What the sums are divided by instead of the size of their windows. Nothing unless said.
    #[must_use]
    pub fn divisor_override(mut self, divisor: usize) -> Self {
        self.options.divisor_override = Some(divisor);
        self
    }

    /// The means.
    ///
    /// # Panics
    /// If `x` has not the layer's number of dimensions, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.avg_pool(self.options)
    }

    /// The settings.
    pub fn options(&self) -> AvgPoolOptions<D> {
        self.options
    }
}

impl<const D: usize, T: Real> Layer<T> for AvgPool<D> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let AvgPoolOptions { kernel, stride, padding, ceil_mode, count_include_pad, divisor_override } = self.options;
        let mut line = format!("AvgPool{D}d(kernel_size={}", Extent(kernel));
        describe_unless(&mut line, "stride", stride, kernel);
        describe_unless(&mut line, "padding", padding, [0; D]);
        line.push_str(if ceil_mode { ", ceil_mode=true" } else { "" });
        line.push_str(if count_include_pad { "" } else { ", count_include_pad=false" });
        line + &divisor_override.map_or(")".into(), |divisor| format!(", divisor_override={divisor})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;

    #[test]
    fn settings_reach_the_operation() {
        let layer = AvgPool2d::new([3, 2]).stride([2, 1]).padding(1).ceil_mode(true).count_include_pad(false);
        let options = AvgPoolOptions {
            kernel: [3, 2],
            stride: [2, 1],
            padding: [1, 1],
            ceil_mode: true,
            count_include_pad: false,
            divisor_override: None,
        };
        assert_eq!(layer.options(), options);
        let x = Tensor::<f64>::randn([2, 3, 7, 6], &mut Rng::seed_from_u64(1));
        assert_eq!(layer.forward(&x).to_vec(), x.avg_pool2d(options).to_vec());
    }

    #[test]
    fn describes_what_differs_from_the_defaults() {
        let describe = |layer: &dyn Layer| layer.describe();
        assert_eq!(describe(&AvgPool2d::new([2, 3])), "AvgPool2d(kernel_size=(2, 3))");
        assert_eq!(
            describe(&AvgPool2d::new(3).stride(1).padding(1).ceil_mode(true).count_include_pad(false)),
            "AvgPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=true, count_include_pad=false)"
        );
        assert_eq!(describe(&AvgPool1d::new(2).divisor_override(3)), "AvgPool1d(kernel_size=2, divisor_override=3)");
    }
}
