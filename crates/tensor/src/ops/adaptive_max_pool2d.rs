//! Maximum over windows that divide an image into a given number of parts, as evenly as they can.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = max of x over window i of the rows and j of the columns` |
//! | derivative | `x'[argmax] += y'`: each gradient goes to the element that won |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]` for a given `[OH, OW]`; `N` may be missing in both |
//! | saved | where each maximum stands |
//!
//! Of `O` windows over `S` elements, window `i` goes from `i S / O`, rounded down, to `(i + 1) S / O`, rounded up. Windows overlap
//! where `S` is no multiple of `O`; `O` may be larger than `S`. Of equal elements the first wins; NaN wins over all. See
//! `pooling.rs`.

use super::pooling;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "adaptive_max_pool2d",
    equation: "y = max of x over each of the windows that divide it",
    derivative: "x' = y' where x won, else 0",
    torch: "torch.nn.functional.adaptive_max_pool2d",
};

impl<T: Real> Tensor<T> {
    /// The maximum of each of `[OH, OW]` windows that divide these images `[N, C, H, W]` or this image `[C, H, W]`.
    ///
    /// # Panics
    /// If the shape is another, or the images are empty (an empty batch is none).
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, output: [usize; 2]) -> Self {
        self.adaptive_max_pool(output)
    }

    /// [`adaptive_max_pool2d`](Tensor::adaptive_max_pool2d), and where in its plane (`row * W + column`) each maximum stands, in
    /// row-major order of the result.
    ///
    /// # Panics
    /// As `adaptive_max_pool2d`.
    #[track_caller]
    pub fn adaptive_max_pool2d_with_indices(&self, output: [usize; 2]) -> (Self, Vec<usize>) {
        pooling::adaptive_max_with_indices(self, output)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Rows 0..2 and 1..3; columns 0..2 and 2..4.
        let x = Tensor::<f32>::arange(12).reshape([1, 3, 4]);
        let (y, places) = x.adaptive_max_pool2d_with_indices([2, 2]);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 2, 2], vec![5.0, 7.0, 9.0, 11.0]));
        assert_eq!(places, [5, 7, 9, 11]);
        assert_eq!(x.unsqueeze(0).adaptive_max_pool2d([1, 1]).to_vec(), [11.0]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 2, 5, 4], -1.0, 1.0);
        for output in [[1, 1], [2, 3], [5, 4], [7, 2]] {
            check::gradients(|x| x[0].adaptive_max_pool2d(output).powf(2.0), &[&x]);
        }
        check::gradients(|x| x[0].permute([3, 1, 2, 0]).slice(2, 0, 5, 2).adaptive_max_pool2d([2, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).adaptive_max_pool2d([3, 2]), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([3, 2, 5, 4]).adaptive_max_pool2d([3, 2]), &[&x]);
        check::gradients(|x| x[0].adaptive_max_pool2d([3, 2]), &[&check::random([0, 2, 4, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_max_pool2d([1, 1]), &[&check::random([1, 1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "adaptive_max_pool2d: input [3, 4] must be [N, C, H, W] or [C, H, W]")]
    fn channels_are_needed() {
        let _ = Tensor::<f32>::zeros([3, 4]).adaptive_max_pool2d([1, 1]);
    }
}
