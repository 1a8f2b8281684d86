//! Transposed two-dimensional convolution: what maps the gradient of a convolution's output to that of its input.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o, i s + u d - p, j s + v d - p] += x[n,c,i,j] w[c,o,u,v]` for all `c,i,j,u,v`, from `y = b[o]` on |
//! | derivative | `x' = conv2d(y', w)`, `w' = conv2d_weight(y', x)`, `b' = sum of y' over n, i, j` |
//! | shapes | `x [N, C, H, W]`, `w [C, O/groups, KH, KW]`, `b [O]` -> `y [N, O, OH, OW]`; `N` may be missing in both |
//! | saved | `w` if `x` is tracked, `x` if `w` is |
//!
//! Each input spreads its window over the output. Stride `s`, dilation `d`; the padding `p` is cut off:
//! `OH = (H - 1) s - 2p + d (KH - 1) + q + 1`, where the output padding `q` undoes the rounding of the convolution's size.
//! The family is closed under derivatives: see `convolution.rs`.
//!
//! Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285 (2016).

use super::convolution::ConvTranspose2dOptions;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "conv_transpose2d",
    equation: "y = w^T * x + b",
    derivative: "x' = conv2d(y', w), w' = conv2d_weight(y', x), b' = sum of y'",
    torch: "torch.nn.functional.conv_transpose2d",
};

impl<T: Real> Tensor<T> {
    /// The transposed convolution of these images `[N, C, H, W]` with `weight [C, O/groups, KH, KW]`, plus a
    /// `bias [O]`.
    ///
    /// One image `[C, H, W]` without a batch gives one image.
    ///
    /// # Panics
    /// If a shape does not match, the groups do not divide the channels, the output padding is neither less than the stride
    /// nor less than the dilation, or nothing is left of the output.
    #[track_caller]
    pub fn conv_transpose2d(&self, weight: &Self, bias: Option<&Self>, options: ConvTranspose2dOptions) -> Self {
        self.conv_transpose(weight, bias, options)
    }
}

#[cfg(test)]
mod tests {
    use super::ConvTranspose2dOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).reshape([1, 1, 2, 2]);
        let w = Tensor::from([[1.0f32, 10.0], [100.0, 0.0]]).reshape([1, 1, 2, 2]);
        let y = x.conv_transpose2d(&w, None, ConvTranspose2dOptions::default());
        assert_eq!(y.shape(), &[1, 1, 3, 3]);
        assert_eq!(y.to_vec(), [1.0, 12.0, 20.0, 103.0, 234.0, 40.0, 300.0, 400.0, 0.0]);
        let options = ConvTranspose2dOptions { stride: [2, 2], ..Default::default() };
        assert_eq!(x.conv_transpose2d(&w, None, options).to_vec()[..8], [1.0, 10.0, 2.0, 20.0, 100.0, 0.0, 200.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let o = ConvTranspose2dOptions::default();
        let strided = ConvTranspose2dOptions { stride: [2, 3], padding: [1, 0], output_padding: [1, 2], ..o };
        let dilated = ConvTranspose2dOptions { dilation: [2, 3], output_padding: [1, 2], padding: [1, 2], groups: 3, ..o };
        let cases = [
            ([2, 2, 3, 2], [2, 3, 3, 3], o),
            ([1, 4, 2, 3], [4, 1, 2, 1], ConvTranspose2dOptions { groups: 2, ..strided }),
            ([1, 3, 2, 3], [3, 1, 3, 2], dilated),
            ([0, 1, 3, 3], [1, 1, 2, 2], o),
            ([1, 1, 1, 1], [1, 1, 1, 1], o),
        ];
        for (x, w, options) in cases {
            let bias = check::random([w[1] * options.groups], -1.0, 1.0);
            let (x, w) = (check::random(x, -1.0, 1.0), check::random(w, -1.0, 1.0));
            check::gradients(|x| x[0].conv_transpose2d(&x[1], Some(&x[2]), options), &[&x, &w, &bias]);
        }
        let (x, w) = (check::random([3, 2, 4], -1.0, 1.0), check::random([3, 2, 2, 2], -1.0, 1.0));
        check::gradients(|x| x[0].transpose(1, 2).conv_transpose2d(&x[1].permute([0, 1, 3, 2]), None, strided), &[&x, &w]);
        let x = check::random([1, 3, 2, 5], -1.0, 1.0);
        check::gradients(|x| x[0].broadcast_to([2, 3, 2, 5]).slice(3, 0, 5, 2).conv_transpose2d(&x[1], None, o), &[&x, &w]);
    }

    #[test]
    #[should_panic(expected = "conv_transpose2d: input [1, 3, 8, 8] and weight [4, 2, 3, 3] with 1 groups")]
    fn channels_must_match() {
        let _ = Tensor::<f32>::zeros([1, 3, 8, 8]).conv_transpose2d(&Tensor::zeros([4, 2, 3, 3]), None, Default::default());
    }
}
