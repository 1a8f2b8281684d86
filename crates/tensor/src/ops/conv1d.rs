//! One-dimensional convolution (cross-correlation, as everywhere in deep learning).
//!
//! | | |
//! |---|---|
//! | equation | `y[n,o,i] = b[o] + sum over c,u of x[n, c, i s + u d - p] w[o,c,u]` |
//! | derivative | `x' = conv1d_input(y', w)`, `w' = conv1d_weight(x, y')`, `b' = sum of y' over n, i` |
//! | shapes | `x [N, C, L]`, `w [O, C/groups, K]`, `b [O]` -> `y [N, O, OL]`; `N` may be missing in both |
//! | saved | `w` if `x` is tracked, `x` if `w` is |
//!
//! Stride `s`, padding `p` with zeros, dilation `d`; `OL = (L + 2p - d (K - 1) - 1) / s + 1`, rounded down. With groups, `c`
//! runs over the channels of the group of `o`. A sequence is an image of one row.
//! The two gradients are operations of their own, closed under derivatives with this one: see `convolution.rs`.
//!
//! Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285 (2016).

use super::convolution::{Conv1dOptions, Names};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "conv1d",
    equation: "y = w * x + b",
    derivative: "x' = conv1d_input(y', w), w' = conv1d_weight(x, y'), b' = sum of y'",
    torch: "torch.nn.functional.conv1d",
};

pub(super) static NAMES: Names = Names {
    forward: &INFO,
    input: OpInfo {
        name: "conv1d_input",
        equation: "x = w^T * y",
        derivative: "y' = conv1d(x', w), w' = conv1d_weight(x', y)",
        torch: "torch.nn.grad.conv1d_input",
    },
    weight: OpInfo {
        name: "conv1d_weight",
        equation: "w = sum over windows of y x",
        derivative: "x' = conv1d_input(y, w'), y' = conv1d(x, w')",
        torch: "torch.nn.grad.conv1d_weight",
    },
};

impl<T: Real> Tensor<T> {
    /// The convolution of these sequences `[N, C, L]` with `weight [O, C/groups, K]`, plus a `bias [O]`.
    ///
    /// One sequence `[C, L]` without a batch gives one sequence.
    ///
    /// # Panics
    /// If a shape does not match, the groups do not divide the channels, or the window does not fit the padded sequence.
    #[track_caller]
    pub fn conv1d(&self, weight: &Self, bias: Option<&Self>, options: Conv1dOptions) -> Self {
        self.conv(weight, bias, options)
    }
}

#[cfg(test)]
mod tests {
    use super::Conv1dOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Differences, two steps apart.
        let x = Tensor::from([1.0f32, 2.0, 4.0, 8.0, 16.0]).reshape([1, 1, 5]);
        let w = Tensor::from([-1.0f32, 1.0]).reshape([1, 1, 2]);
        let options = Conv1dOptions { dilation: [2], padding: [1], ..Default::default() };
        let y = x.conv1d(&w, Some(&Tensor::from([0.5])), options);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 1, 5], vec![2.5, 3.5, 6.5, 12.5, -7.5]));
        assert_eq!(x.squeeze(0).conv1d(&w, None, Conv1dOptions::default()).to_vec(), [1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn gradcheck() {
        let cases = [
            ([2, 2, 6], [3, 2, 3], Conv1dOptions::default()),
            ([1, 4, 7], [2, 2, 2], Conv1dOptions { stride: [2], padding: [3], dilation: [2], groups: 2 }),
            ([2, 3, 4], [6, 1, 3], Conv1dOptions { padding: [1], groups: 3, ..Default::default() }),
            ([0, 1, 3], [1, 1, 2], Conv1dOptions::default()),
            ([2, 0, 3], [1, 0, 2], Conv1dOptions::default()),
            ([1, 1, 1], [1, 1, 1], Conv1dOptions::default()),
        ];
        for (x, w, options) in cases {
            let bias = check::random([w[0]], -1.0, 1.0);
            let (x, w) = (check::random(x, -1.0, 1.0), check::random(w, -1.0, 1.0));
            check::gradients(|x| x[0].conv1d(&x[1], Some(&x[2]), options), &[&x, &w, &bias]);
        }
        let (x, w, b) = (check::random([5, 2], -1.0, 1.0), check::random([3, 2, 4], -1.0, 1.0), check::random([4], -1.0, 1.0));
        check::gradients(|x| x[0].t().conv1d(&x[1].permute([2, 1, 0]), Some(&x[2]), Default::default()), &[&x, &w, &b]);
        let x = check::random([1, 2, 8], -1.0, 1.0);
        check::gradients(|x| x[0].broadcast_to([2, 2, 8]).slice(2, 1, 8, 2).conv1d(&x[1].permute([2, 1, 0]), None, Default::default()), &[&x, &w]);
    }

    #[test]
    #[should_panic(expected = "conv1d: input [3, 8] and weight [4, 2, 3] with 1 groups")]
    fn channels_must_match() {
        let _ = Tensor::<f32>::zeros([3, 8]).conv1d(&Tensor::zeros([4, 2, 3]), None, Conv1dOptions::default());
    }

    #[test]
    #[should_panic(expected = "conv1d: a window of [3] with dilation [4] does not fit into sequences of [8] with padding [0]")]
    fn windows_must_fit() {
        let options = Conv1dOptions { dilation: [4], ..Default::default() };
        let _ = Tensor::<f32>::zeros([1, 1, 8]).conv1d(&Tensor::zeros([1, 1, 3]), None, options);
    }
}
