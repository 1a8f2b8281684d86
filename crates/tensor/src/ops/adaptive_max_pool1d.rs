//! Maximum over windows that divide a sequence into a given number of parts, as evenly as they can.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i] = max of x over window i` |
//! | derivative | `x'[argmax] += y'`: each gradient goes to the element that won |
//! | shapes | `x [N, C, L]` -> `y [N, C, OL]` for a given `OL`; `N` may be missing in both |
//! | saved | where each maximum stands |
//!
//! Of `O` windows over `S` elements, window `i` goes from `i S / O`, rounded down, to `(i + 1) S / O`, rounded up. Windows overlap
//! where `S` is no multiple of `O`; `O` may be larger than `S`. Of equal elements the first wins; NaN wins over all. See
//! `pooling.rs`.

use super::pooling;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "adaptive_max_pool1d",
    equation: "y = max of x over each of the windows that divide it",
    derivative: "x' = y' where x won, else 0",
    torch: "torch.nn.functional.adaptive_max_pool1d",
};

impl<T: Real> Tensor<T> {
    /// The maximum of each of `output` windows that divide these sequences `[N, C, L]` or this sequence `[C, L]`.
    ///
    /// # Panics
    /// If the shape is another, or the sequences are empty (an empty batch is none).
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, output: usize) -> Self {
        self.adaptive_max_pool([output])
    }

    /// [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d), and where in its sequence each maximum stands, in
    /// row-major order of the result.
    ///
    /// # Panics
    /// As `adaptive_max_pool1d`.
    #[track_caller]
    pub fn adaptive_max_pool1d_with_indices(&self, output: usize) -> (Self, Vec<usize>) {
        pooling::adaptive_max_with_indices(self, [output])
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
        let (y, places) = x.adaptive_max_pool1d_with_indices(3);
        assert_eq!((y.to_vec(), places), (vec![5.0, 6.0, 4.0], vec![1, 2, 3]));
        assert_eq!(x.unsqueeze(0).adaptive_max_pool1d(1).to_vec(), [6.0]);
        assert_eq!(x.narrow(1, 0, 2).adaptive_max_pool1d(4).to_vec(), [1.0, 1.0, 5.0, 5.0]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 7], -1.0, 1.0);
        check::gradients(|x| x[0].adaptive_max_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([2, 0, 1]).slice(0, 0, 7, 2).adaptive_max_pool1d(3), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([2, 3, 7]).adaptive_max_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).adaptive_max_pool1d(3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].adaptive_max_pool1d(2), &[&check::random([0, 2, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_max_pool1d(2), &[&check::random([1, 1, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_max_pool1d(10).powf(2.0), &[&x]);
        check::gradients(|x| x[0].adaptive_max_pool1d(0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "adaptive_max_pool1d: input [2, 0] has nothing to pool")]
    fn something_is_needed() {
        let _ = Tensor::<f32>::zeros([2, 0]).adaptive_max_pool1d(1);
    }
}
