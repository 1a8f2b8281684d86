//! Maximum over windows of an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = max over u,v of x[n, c, i s + u d - p, j s + v d - p]` |
//! | derivative | `x'[argmax] += y'`: each gradient goes to the element that won |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]`; `N` may be missing in both |
//! | saved | where each maximum stands |
//!
//! `OH = (H + 2p - d (KH - 1) - 1) / s + 1`, rounded down, or up in `ceil_mode` (where a last window that would begin in the
//! padding behind is left out). Of equal elements the first wins; NaN wins over all. Padding never wins. The backward rule is
//! linear in `y'`, and its own derivative picks the winners out again: see `pooling.rs`.

use super::pooling::{self, PoolOptions};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "max_pool2d",
    equation: "y = max of x over each window",
    derivative: "x' = y' where x won, else 0",
    torch: "torch.nn.functional.max_pool2d",
};

impl<T: Real> Tensor<T> {
    /// The maximum of each window of these images `[N, C, H, W]` or this image `[C, H, W]`. A number stands for a square window
    /// that moves by its size.
    ///
    /// # Panics
    /// If the shape is another, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn max_pool2d(&self, options: impl Into<PoolOptions<2>>) -> Self {
        self.max_pool(options.into())
    }

    /// [`max_pool2d`](Tensor::max_pool2d), and where in its plane (`row * W + column`) each maximum stands, in row-major order of the
    /// result (`usize::MAX` for a window that holds nothing but padding).
    ///
    /// # Panics
    /// As `max_pool2d`.
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, options: impl Into<PoolOptions<2>>) -> (Self, Vec<usize>) {
        pooling::max_with_indices(self, options.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::{PoolOptions, check};

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
        assert_eq!(x.max_pool2d(2).to_vec(), [5.0, 7.0, 13.0, 15.0]);
        assert_eq!(x.squeeze(0).max_pool2d_with_indices(2).1, [5, 7, 13, 15]);
        let overlapping = PoolOptions { stride: [1, 2], padding: [1, 0], ..PoolOptions::from([3, 2]) };
        assert_eq!(x.max_pool2d(overlapping).shape(), &[1, 1, 4, 2]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 2, 5, 4], -1.0, 1.0);
        check::gradients(|x| x[0].max_pool2d(2), &[&x]);
        let options =
            PoolOptions { stride: [1, 2], padding: [1, 1], dilation: [1, 2], ceil_mode: true, ..PoolOptions::from(2) };
        check::gradients(|x| x[0].max_pool2d(options).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([1, 0, 3, 2]).max_pool2d([1, 3]), &[&x]);
        check::gradients(|x| x[0].squeeze(0).max_pool2d(1), &[&check::random([1, 1, 1, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].slice(3, 0, 4, 2).broadcast_to([3, 2, 2, 5, 2]).select(0, 1).max_pool2d([2, 1]), &[&x]);
        check::gradients(|x| x[0].max_pool2d(2), &[&check::random([0, 1, 4, 4], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "max_pool2d: a window of [5, 5] does not fit into images of [4, 4]")]
    fn windows_must_fit() {
        let _ = Tensor::<f32>::zeros([1, 1, 4, 4]).max_pool2d(5);
    }
}
