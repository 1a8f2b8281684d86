//! Two-dimensional convolution (cross-correlation, as everywhere in deep learning).
//!
//! | | |
//! |---|---|
//! | equation | `y[n,o,i,j] = b[o] + sum over c,u,v of x[n, c, i s + u d - p, j s + v d - p] w[o,c,u,v]` |
//! | derivative | `x' = conv2d_input(y', w)`, `w' = conv2d_weight(x, y')`, `b' = sum of y' over n, i, j` |
//! | shapes | `x [N, C, H, W]`, `w [O, C/groups, KH, KW]`, `b [O]` -> `y [N, O, OH, OW]`; `N` may be missing in both |
//! | saved | `w` if `x` is tracked, `x` if `w` is |
//!
//! Stride `s`, padding `p` with zeros, dilation `d`; `OH = (H + 2p - d (KH - 1) - 1) / s + 1`, rounded down. With groups, `c`
//! runs over the channels of the group of `o`.
//! The two gradients are operations of their own, closed under derivatives with this one: see `convolution.rs`.
//!
//! Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285 (2016).

use super::convolution::{Conv2dOptions, Names};
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "conv2d",
    equation: "y = w * x + b",
    derivative: "x' = conv2d_input(y', w), w' = conv2d_weight(x, y'), b' = sum of y'",
    torch: "torch.nn.functional.conv2d",
};

pub(super) static NAMES: Names = Names {
    forward: &INFO,
    input: OpInfo {
        name: "conv2d_input",
        equation: "x = w^T * y",
        derivative: "y' = conv2d(x', w), w' = conv2d_weight(x', y)",
        torch: "torch.nn.grad.conv2d_input",
    },
    weight: OpInfo {
        name: "conv2d_weight",
        equation: "w = sum over windows of y x",
        derivative: "x' = conv2d_input(y, w'), y' = conv2d(x, w')",
        torch: "torch.nn.grad.conv2d_weight",
    },
};

impl<T: Real> Tensor<T> {
    /// The convolution of these images `[N, C, H, W]` with `weight [O, C/groups, KH, KW]`, plus a `bias [O]`.
    ///
    /// One image `[C, H, W]` without a batch gives one image.
    ///
    /// Windows of 3x3 to 5x5 without a stride may be computed by Winograd's algorithm, which adds up the pixels of a tile of 6x6 in
    /// several ways before it multiplies: an infinite pixel or NaN then makes NaN of outputs nearby whose windows do not hold it,
    /// those that are computed from the same tile, up to 4x4. So it is with the gradients.
    ///
    /// # Panics
    /// If a shape does not match, the groups do not divide the channels, or the window does not fit the padded image.
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: Conv2dOptions) -> Self {
        self.conv(weight, bias, options)
    }
}

#[cfg(test)]
mod tests {
    use super::Conv2dOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(9).reshape([1, 1, 3, 3]);
        let w = Tensor::from([[1.0f32, 0.0], [0.0, -1.0]]).reshape([1, 1, 2, 2]);
        let y = x.conv2d(&w, Some(&Tensor::from([10.0])), Conv2dOptions::default());
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 1, 2, 2], vec![6.0; 4]));
    }

    #[test]
    fn gradcheck() {
        let cases = [
            ([2, 2, 4, 5], [3, 2, 3, 2], Conv2dOptions::default()),
            ([1, 4, 5, 4], [2, 2, 2, 2], Conv2dOptions { stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 2 }),
            ([2, 3, 3, 3], [3, 1, 3, 3], Conv2dOptions { padding: [1, 1], groups: 3, ..Default::default() }),
            ([0, 1, 3, 3], [1, 1, 2, 2], Conv2dOptions::default()),
        ];
        for (x, w, options) in cases {
            let bias = check::random([w[0]], -1.0, 1.0);
            let (x, w) = (check::random(x, -1.0, 1.0), check::random(w, -1.0, 1.0));
            check::gradients(|x| x[0].conv2d(&x[1], Some(&x[2]), options), &[&x, &w, &bias]);
        }
        let (x, w) = (check::random([3, 4, 4], -1.0, 1.0), check::random([2, 3, 2, 3], -1.0, 1.0));
        check::gradients(|x| x[0].conv2d(&x[1], None, Conv2dOptions::default()), &[&x, &w]);
        let (x, w) = (check::random([2, 4, 3, 2], -1.0, 1.0), check::random([2, 3, 2, 2], -1.0, 1.0));
        check::gradients(|x| x[0].permute([0, 2, 1, 3]).conv2d(&x[1].t(), None, Conv2dOptions::default()), &[&x, &w]);
    }

    #[test]
    fn a_relu_can_be_part_of_it() {
        let (x, w) = (check::random([2, 3, 6, 5], -1.0, 1.0), check::random([4, 3, 3, 3], -1.0, 1.0));
        let (x, w, b) = (x.requires_grad(), w.requires_grad(), check::random([4], -1.0, 1.0).requires_grad());
        let options = Conv2dOptions { padding: [1, 1], ..Default::default() };
        let (fused, apart) = (x.conv_relu(&w, Some(&b), options), x.conv2d(&w, Some(&b), options).relu());
        let untracked = crate::no_grad(|| x.conv_relu(&w, Some(&b), options));
        assert!(!untracked.is_tracked() && untracked.to_vec() == apart.to_vec() && fused.to_vec() == apart.to_vec());
        let (one, other) = ((&fused * &fused).sum().backward(), (&apart * &apart).sum().backward());
        for leaf in [&x, &w, &b] {
            assert_eq!(one.get(leaf).unwrap().to_vec(), other.get(leaf).unwrap().to_vec());
        }
        check::gradients(|x| x[0].conv_relu(&x[1], Some(&x[2]), options), &[&x, &w, &b]);
        // Without inputs there is the bias alone.
        let bias = Tensor::from([-1.0f32, 2.0]);
        let y = Tensor::zeros([1, 0, 2, 2]).conv_relu(&Tensor::zeros([2, 0, 2, 2]), Some(&bias), Conv2dOptions::default());
        assert_eq!(y.to_vec(), [0.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "conv2d: input [1, 3, 8, 8] and weight [4, 2, 3, 3] with 1 groups")]
    fn channels_must_match() {
        let _ = Tensor::<f32>::zeros([1, 3, 8, 8]).conv2d(&Tensor::zeros([4, 2, 3, 3]), None, Conv2dOptions::default());
    }

    #[test]
    #[should_panic(expected = "does not fit into images of [2, 8]")]
    fn windows_must_fit() {
        let _ = Tensor::<f32>::zeros([1, 1, 2, 8]).conv2d(&Tensor::zeros([1, 1, 3, 3]), None, Conv2dOptions::default());
    }
}
