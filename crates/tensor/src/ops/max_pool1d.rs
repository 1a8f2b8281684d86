//! Maximum over windows of a sequence.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i] = max over u of x[n, c, i s + u d - p]` |
//! | derivative | `x'[argmax] += y'`: each gradient goes to the element that won |
//! | shapes | `x [N, C, L]` -> `y [N, C, OL]`; `N` may be missing in both |
//! | saved | where each maximum stands |
//!
//! `OL = (L + 2p - d (K - 1) - 1) / s + 1`, rounded down, or up in `ceil_mode` (where a last window that would begin in the
//! padding behind is left out). Of equal elements the first wins; NaN wins over all. Padding never wins. The backward rule is
//! linear in `y'`, and its own derivative picks the winners out again: see `pooling.rs`.

use super::pooling::{self, PoolOptions};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "max_pool1d",
    equation: "y = max of x over each window",
    derivative: "x' = y' where x won, else 0",
    torch: "torch.nn.functional.max_pool1d",
};

impl<T: Real> Tensor<T> {
    /// The maximum of each window of these sequences `[N, C, L]` or this sequence `[C, L]`. A number stands for a window
    /// that moves by its size.
    ///
    /// # Panics
    /// If the shape is another, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn max_pool1d(&self, options: impl Into<PoolOptions<1>>) -> Self {
        self.max_pool(options.into())
    }

    /// [`max_pool1d`](Tensor::max_pool1d), and where in its sequence each maximum stands, in row-major order of the
    /// result (`usize::MAX` for a window that holds nothing but padding).
    ///
    /// # Panics
    /// As `max_pool1d`.
    #[track_caller]
    pub fn max_pool1d_with_indices(&self, options: impl Into<PoolOptions<1>>) -> (Self, Vec<usize>) {
        pooling::max_with_indices(self, options.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::{PoolOptions, check};

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 5.0, 5.0, 2.0, 0.0, 3.0]]);
        assert_eq!(x.max_pool1d(2).to_vec(), [5.0, 5.0, 3.0]);
        let options = PoolOptions { stride: [1], padding: [1], dilation: [2], ..3.into() };
        let (y, places) = x.max_pool1d_with_indices(options);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 4], vec![5.0, 5.0, 5.0, 5.0]));
        assert_eq!(places, [1, 2, 1, 2]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 7], -1.0, 1.0);
        check::gradients(|x| x[0].max_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([2, 0, 1]).slice(2, 0, 3, 2).max_pool1d(2), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([2, 3, 7]).max_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).max_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].max_pool1d(1), &[&check::random([0, 2, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].max_pool1d(1), &[&check::random([1, 1, 1], -1.0, 1.0)]);
        let options = PoolOptions { stride: [1], padding: [1], dilation: [2], ceil_mode: true, ..2.into() };
        check::gradients(|x| x[0].max_pool1d(options).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "max_pool1d: input [4] must be [N, C, L] or [C, L]")]
    fn channels_are_needed() {
        let _ = Tensor::<f32>::zeros([4]).max_pool1d(2);
    }
}
