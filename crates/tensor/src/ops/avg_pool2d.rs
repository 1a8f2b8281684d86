//! Mean over windows of an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = 1/k sum over u,v of x[n, c, i s + u - p, j s + v - p]`, `k` the size of the window |
//! | derivative | `x' = ` each `y'` spread evenly over its window |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]`; `N` may be missing in both |
//! | saved | the geometry |
//!
//! `OH = (H + 2p - KH) / s + 1`, rounded down, or up in `ceil_mode` (where what lies behind the padding counts for nothing).
//! Padding counts as zeros; with `count_include_pad: false` the mean is over the image's elements only. The two directions
//! are linear and each other's derivative: see `pooling.rs`.

use super::pooling::AvgPoolOptions;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "avg_pool2d",
    equation: "y = mean of x over each window",
    derivative: "x' = y' spread over each window",
    torch: "torch.nn.functional.avg_pool2d",
};

impl<T: Real> Tensor<T> {
    /// The mean of each window of these images `[N, C, H, W]` or this image `[C, H, W]`. A number stands for a square window
    /// that moves by its size.
    ///
    /// # Panics
    /// If the shape is another, a size or the divisor is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn avg_pool2d(&self, options: impl Into<AvgPoolOptions<2>>) -> Self {
        self.avg_pool(options.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::{AvgPoolOptions, check};

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
        assert_eq!(x.avg_pool2d(2).to_vec(), [2.5, 4.5, 10.5, 12.5]);
        let padded = AvgPoolOptions { padding: [1, 1], ..2.into() };
        assert_eq!(x.avg_pool2d(padded).to_vec()[0], 0.0);
        assert_eq!(x.avg_pool2d(padded).to_vec()[8], 15.0 / 4.0);
        let inside = AvgPoolOptions { count_include_pad: false, ..padded };
        assert_eq!(x.avg_pool2d(inside).to_vec()[8], 15.0);
        let thirds = AvgPoolOptions { divisor_override: Some(3), ..2.into() };
        assert_eq!(x.squeeze(0).avg_pool2d(thirds).to_vec()[1], 6.0);
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
        let halves = AvgPoolOptions { padding: [0, 1], divisor_override: Some(2), ..3.into() };
        check::gradients(|x| x[0].select(0, 1).avg_pool2d(halves).powf(2.0), &[&x]);
        check::gradients(|x| x[0].slice(3, 0, 4, 2).avg_pool2d(2), &[&x]);
        check::gradients(|x| x[0].broadcast_to([3, 1, 4, 4]).avg_pool2d(2), &[&check::random([1, 4, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].avg_pool2d(2), &[&check::random([0, 1, 4, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].avg_pool2d(1), &[&check::random([1, 1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "avg_pool2d: padding [2, 2] must be at most half of the window [3, 3]")]
    fn padding_is_limited() {
        let _ = Tensor::<f32>::zeros([1, 1, 9, 9]).avg_pool2d(AvgPoolOptions { padding: [2, 2], ..3.into() });
    }
}
