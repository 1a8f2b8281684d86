//! Mean over windows of an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = 1/k sum over u,v of x[n, c, i s + u - p, j s + v - p]`, `k` the size of the window |
//! | derivative | `x' = ` each `y'` spread evenly over its window |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]` |
//! | saved | the geometry |
//!
//! Padding counts as zeros; with `count_include_pad: false` the mean is over the image's elements only. The two directions
//! are linear and each other's derivative.

use super::max_pool2d::{PoolOptions, geometry};
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::pool::{self, Pool2d};

pub(super) static INFO: OpInfo = OpInfo {
    name: "avg_pool2d",
    equation: "y = mean of x over each window",
    derivative: "x' = y' spread over each window",
    torch: "torch.nn.functional.avg_pool2d",
};

static SPREAD: OpInfo = OpInfo {
    name: "avg_pool2d_backward",
    equation: "x' = y' spread over each window",
    derivative: "y'' = mean of x'' over each window",
    torch: "torch.ops.aten.avg_pool2d_backward",
};

/// How an averaging window moves over an image. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPoolOptions {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighboring windows. Default: the window's size.
    pub stride: [usize; 2],
    /// Zeros added on either side, at most half a window. Default 0.
    pub padding: [usize; 2],
    /// Round the number of windows up instead of down. Default false.
    pub ceil_mode: bool,
    /// Whether padding counts in the mean. Default true.
    pub count_include_pad: bool,
}

impl From<[usize; 2]> for AvgPoolOptions {
    fn from(kernel: [usize; 2]) -> Self {
        AvgPoolOptions { kernel, stride: kernel, padding: [0, 0], ceil_mode: false, count_include_pad: true }
    }
}
impl From<usize> for AvgPoolOptions {
    fn from(kernel: usize) -> Self {
        [kernel, kernel].into()
    }
}

#[derive(Debug, Clone)]
struct Windows {
    pool: Pool2d,
    input: Shape,
    output: Shape,
}

impl Windows {
    #[track_caller]
    fn average<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.output.clone(), |out| pool::avg_forward(&self.pool, &x.to_slice(), out));
        Tensor::from_op(&INFO, value, &[x], || AvgPool2d(self.clone()))
    }

    fn spread<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.input.clone(), |out| pool::avg_backward(&self.pool, &y.to_slice(), out));
        Tensor::from_op(&SPREAD, value, &[y], || Spread(self.clone()))
    }
}

#[derive(Debug)]
struct AvgPool2d(Windows);

impl<T: Real> Op<T> for AvgPool2d {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.spread(&grad));
    }
}

#[derive(Debug)]
struct Spread(Windows);

impl<T: Real> Op<T> for Spread {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.average(&grad));
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of each window of these images `[N, C, H, W]`. A number stands for a square window that moves by its size.
    ///
    /// # Panics
    /// If this is no batch of images, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn avg_pool2d(&self, options: impl Into<AvgPoolOptions>) -> Self {
        let AvgPoolOptions { kernel, stride, padding, ceil_mode, count_include_pad } = options.into();
        let options = PoolOptions { kernel, stride, padding, dilation: [1, 1], ceil_mode };
        let (pool, output) = geometry(INFO.name, self, options, count_include_pad);
        Windows { pool, input: self.shape().clone(), output }.average(self)
    }
}

#[cfg(test)]
mod tests {
    use super::AvgPoolOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
        assert_eq!(x.avg_pool2d(2).to_vec(), [2.5, 4.5, 10.5, 12.5]);
        let padded = AvgPoolOptions { padding: [1, 1], ..AvgPoolOptions::from(2) };
        assert_eq!(x.avg_pool2d(padded).to_vec()[0], 0.0);
        assert_eq!(x.avg_pool2d(padded).to_vec()[8], 15.0 / 4.0);
        let inside = AvgPoolOptions { count_include_pad: false, ..padded };
        assert_eq!(x.avg_pool2d(inside).to_vec()[8], 15.0);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 2, 5, 4], -1.0, 1.0);
        check::gradients(|x| x[0].avg_pool2d(2), &[&x]);
        for count_include_pad in [true, false] {
            let options =
                AvgPoolOptions { stride: [1, 2], padding: [1, 1], ceil_mode: true, count_include_pad, ..3.into() };
            check::gradients(|x| x[0].avg_pool2d(options).powf(2.0), &[&x]);
        }
        check::gradients(|x| x[0].permute([1, 0, 3, 2]).avg_pool2d([1, 3]), &[&x]);
    }

    #[test]
    #[should_panic(expected = "avg_pool2d: padding [2, 2] must be at most half of the window [3, 3]")]
    fn padding_is_limited() {
        let _ = Tensor::<f32>::zeros([1, 1, 9, 9]).avg_pool2d(AvgPoolOptions { padding: [2, 2], ..3.into() });
    }
}
