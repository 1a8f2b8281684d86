//! Mean over windows of a sequence.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i] = 1/k sum over u of x[n, c, i s + u - p]`, `k` the size of the window |
//! | derivative | `x' = ` each `y'` spread evenly over its window |
//! | shapes | `x [N, C, L]` -> `y [N, C, OL]`; `N` may be missing in both |
//! | saved | the geometry |
//!
//! `OL = (L + 2p - K) / s + 1`, rounded down, or up in `ceil_mode` (where what lies behind the padding counts for nothing).
//! Padding counts as zeros; with `count_include_pad: false` the mean is over the sequence's elements only. The two directions
//! are linear and each other's derivative: see `pooling.rs`.

use super::pooling::AvgPoolOptions;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "avg_pool1d",
    equation: "y = mean of x over each window",
    derivative: "x' = y' spread over each window",
    torch: "torch.nn.functional.avg_pool1d",
};

impl<T: Real> Tensor<T> {
    /// The mean of each window of these sequences `[N, C, L]` or this sequence `[C, L]`. A number stands for a window
    /// that moves by its size.
    ///
    /// # Panics
    /// If the shape is another, a size or the divisor is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn avg_pool1d(&self, options: impl Into<AvgPoolOptions<1>>) -> Self {
        self.avg_pool(options.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::{AvgPoolOptions, check};

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 5.0, 6.0, 2.0, 0.0]]);
        assert_eq!(x.avg_pool1d(2).to_vec(), [3.0, 4.0]);
        let options = AvgPoolOptions { padding: [1], ceil_mode: true, ..2.into() };
        assert_eq!(x.unsqueeze(0).avg_pool1d(options).to_vec(), [0.5, 5.5, 1.0]);
        let options = AvgPoolOptions { count_include_pad: false, ..options };
        assert_eq!(x.unsqueeze(0).avg_pool1d(options).to_vec(), [1.0, 5.5, 1.0]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 7], -1.0, 1.0);
        check::gradients(|x| x[0].avg_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([2, 0, 1]).slice(2, 0, 3, 2).avg_pool1d(2), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([2, 3, 7]).avg_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).avg_pool1d(2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].avg_pool1d(1), &[&check::random([0, 2, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].avg_pool1d(1), &[&check::random([1, 1, 1], -1.0, 1.0)]);
        for count_include_pad in [true, false] {
            let options = AvgPoolOptions { stride: [2], padding: [1], ceil_mode: true, count_include_pad, ..3.into() };
            check::gradients(|x| x[0].avg_pool1d(options).powf(2.0), &[&x]);
        }
    }

    #[test]
    #[should_panic(expected = "avg_pool1d: a window of [5] does not fit into sequences of [2] with padding [1]")]
    fn windows_must_fit() {
        let _ = Tensor::<f32>::zeros([1, 1, 2]).avg_pool1d(AvgPoolOptions { padding: [1], ..5.into() });
    }
}
