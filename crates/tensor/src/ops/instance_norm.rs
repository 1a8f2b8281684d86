//! Instance normalization: each channel of each sample by itself.
//!
//! | | |
//! |---|---|
//! | equation | `y = z w + b`, `z = (x - m) r`, `r = 1 / sqrt(v + eps)`; `m`, `v` mean and variance of each channel of each sample |
//! | derivative | `x' = w r (y' - mean(y') - z mean(y' z))`, `w' = sum of y' z`, `b' = sum of y'` |
//! | shapes | `x [N, C, ..]`, `w`, `b [C]` -> `y` as `x` |
//! | saved | `x`, `w`, `m` and `r` |
//! | source | D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization", arXiv:1607.08022 (2016) |
//!
//! It is group normalization with a group for each channel: see `group_norm.rs`.

use super::group_norm::normalize;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "instance_norm",
    equation: "y = (x - mean) / sqrt(var + eps) w + b, by sample and channel",
    derivative: "x' = w r (y' - mean(y') - z mean(y' z)), w' = sum of y' z, b' = sum of y'",
    torch: "torch.nn.functional.instance_norm",
};

impl<T: Real> Tensor<T> {
    /// Brings each channel of each sample of `[N, C, ..]` to mean 0 and variance 1, then scales and shifts it. Without a
    /// weight the scale is 1, without a bias the shift is 0.
    ///
    /// # Panics
    /// If there are fewer than three dimensions, or `weight` or `bias` is not `[C]`.
    #[track_caller]
    pub fn instance_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f64) -> Self {
        assert!(self.rank() >= 3, "instance_norm: input {} must be [N, C, L], [N, C, H, W], ..", self.shape());
        normalize(&INFO, self, self.shape()[1].max(1), weight, bias, eps)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[[1.0f64, 3.0], [10.0, 10.0]]]);
        let (w, b) = (Tensor::from([2.0, 1.0]), Tensor::from([0.0, 5.0]));
        assert_eq!(x.instance_norm(Some(&w), Some(&b), 1e-20).to_vec(), [-2.0, 2.0, 5.0, 5.0]);
    }

    #[test]
    fn gradcheck() {
        let (w, b) = (check::random([2], 0.5, 1.5), check::random([2], -1.0, 1.0));
        for shape in [&[2, 2, 4][..], &[1, 2, 2, 3], &[0, 2, 3], &[2, 2, 1]] {
            let x = check::random(shape, -1.0, 1.0);
            check::gradients(|x| x[0].instance_norm(Some(&x[1]), Some(&x[2]), 1e-2), &[&x, &w, &b]);
            check::gradients(|x| x[0].instance_norm(None, None, 1e-2), &[&x]);
        }
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].transpose(0, 1).instance_norm(Some(&x[1]), None, 1e-2), &[&x, &w]);
        check::gradients(|x| x[0].slice(1, 0, 3, 2).instance_norm(None, Some(&x[1]), 1e-2), &[&x, &b]);
        check::gradients(|x| x[0].select(1, 0).broadcast_to([3, 2, 4]).instance_norm(None, None, 1e-2), &[&x]);
        check::gradients(|x| x[0].instance_norm(None, None, 1e-2), &[&check::random([1, 1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "instance_norm: input [2, 4] must be [N, C, L], [N, C, H, W], ..")]
    fn instances_have_positions() {
        let _ = Tensor::<f32>::zeros([2, 4]).instance_norm(None, None, 1e-5);
    }
}
