//! Mean over windows that divide an image into a given number of parts, as evenly as they can.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = mean of x over window i of the rows and j of the columns` |
//! | derivative | `x' = ` each `y'` spread evenly over its window |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]` for a given `[OH, OW]`; `N` may be missing in both |
//! | saved | the geometry |
//!
//! Of `O` windows over `S` elements, window `i` goes from `i S / O`, rounded down, to `(i + 1) S / O`, rounded up. Windows overlap
//! where `S` is no multiple of `O`; `O` may be larger than `S`. The two directions are linear and each other's derivative. See
//! `pooling.rs`.

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "adaptive_avg_pool2d",
    equation: "y = mean of x over each of the windows that divide it",
    derivative: "x' = y' spread over each window",
    torch: "torch.nn.functional.adaptive_avg_pool2d",
};

impl<T: Real> Tensor<T> {
    /// The mean of each of `[OH, OW]` windows that divide these images `[N, C, H, W]` or this image `[C, H, W]`.
    ///
    /// # Panics
    /// If the shape is another, or the images are empty (an empty batch is none).
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, output: [usize; 2]) -> Self {
        self.adaptive_avg_pool(output)
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
        let y = x.adaptive_avg_pool2d([2, 2]);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 2, 2], vec![2.5, 4.5, 6.5, 8.5]));
        assert_eq!(x.unsqueeze(0).adaptive_avg_pool2d([1, 1]).to_vec(), [5.5]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 2, 5, 4], -1.0, 1.0);
        for output in [[1, 1], [2, 3], [5, 4], [7, 2]] {
            check::gradients(|x| x[0].adaptive_avg_pool2d(output).powf(2.0), &[&x]);
        }
        check::gradients(|x| x[0].permute([3, 1, 2, 0]).slice(2, 0, 5, 2).adaptive_avg_pool2d([2, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].select(0, 1).adaptive_avg_pool2d([3, 2]), &[&x]);
        check::gradients(|x| x[0].select(0, 1).broadcast_to([3, 2, 5, 4]).adaptive_avg_pool2d([3, 2]), &[&x]);
        check::gradients(|x| x[0].adaptive_avg_pool2d([3, 2]), &[&check::random([0, 2, 4, 4], -1.0, 1.0)]);
        check::gradients(|x| x[0].adaptive_avg_pool2d([1, 1]), &[&check::random([1, 1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "adaptive_avg_pool2d: input [3, 4] must be [N, C, H, W] or [C, H, W]")]
    fn channels_are_needed() {
        let _ = Tensor::<f32>::zeros([3, 4]).adaptive_avg_pool2d([1, 1]);
    }
}
