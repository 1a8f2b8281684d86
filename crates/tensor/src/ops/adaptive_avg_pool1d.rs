//! Mean over windows that divide a sequence into a given number of parts, as evenly as they can.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i] = mean of x over window i` |
//! | derivative | `x' = ` each `y'` spread evenly over its window |
//! | shapes | `x [N, C, L]` -> `y [N, C, OL]` for a given `OL`; `N` may be missing in both |
//! | saved | the geometry |
//!
//! Of `O` windows over `S` elements, window `i` goes from `i S / O`, rounded down, to `(i + 1) S / O`, rounded up. Windows overlap
//! where `S` is no multiple of `O`; `O` may be larger than `S`. The two directions are linear and each other's derivative. See
//! `pooling.rs`.

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "adaptive_avg_pool1d",
    equation: "y = mean of x over each of the windows that divide it",
    derivative: "x' = y' spread over each window",
    torch: "torch.nn.functional.adaptive_avg_pool1d",
};

impl<T: Real> Tensor<T> {
    /// The mean of each of `output` windows that divide these sequences `[N, C, L]` or this sequence `[C, L]`.
    ///
    /// # Panics
    /// If the shape is another, or the sequences are empty (an empty batch is none).
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, output: usize) -> Self {
        self.adaptive_avg_pool([output])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Windows 0..2, 1..4, 3..5.
        let x = Tensor::from([[1.0f32, 5.0, 6.0, 4.0, 0.0]]);
        assert_eq!(x.adaptive_avg_pool1d(3).to_vec(), [3.0, 5.0, 2.0]);
        assert_eq!(x.unsqueeze(0).adaptive_avg_pool1d(1).to_vec(), [3.2]);
        assert_eq!(x.narrow(1, 0, 2).adaptive_avg_pool1d(4).to_vec(), [1.0, 1.0, 5.0, 5.0]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 7], -1.0, 1.0);
        check::gradients(|x| x[0].adaptive_avg_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([2, 0, 1]).slice(0, 0, 7, 2).adaptive_avg_pool1d(3), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([2, 3, 7]).adaptive_avg_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).adaptive_avg_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].adaptive_avg_pool1d(2), &[&check::random([0, 2, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_avg_pool1d(2), &[&check::random([1, 1, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_avg_pool1d(10).powf(2.0), &[&x]);
        check::gradients(|x| x[0].adaptive_avg_pool1d(0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "adaptive_avg_pool1d: input [2, 0] has nothing to pool")]
    fn something_is_needed() {
        let _ = Tensor::<f32>::zeros([2, 0]).adaptive_avg_pool1d(1);
    }
}
