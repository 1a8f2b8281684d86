//! Transposed one-dimensional convolution: what maps the gradient of a convolution's output to that of its input.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o, i s + u d - p] += x[n,c,i] w[c,o,u]` for all `c,i,u`, from `y = b[o]` on |
//! | derivative | `x' = conv1d(y', w)`, `w' = conv1d_weight(y', x)`, `b' = sum of y' over n, i` |
//! | shapes | `x [N, C, L]`, `w [C, O/groups, K]`, `b [O]` -> `y [N, O, OL]`; `N` may be missing in both |
//! | saved | `w` if `x` is tracked, `x` if `w` is |
//!
//! Each input spreads its window over the output. Stride `s`, dilation `d`; the padding `p` is cut off:
//! `OL = (L - 1) s - 2p + d (K - 1) + q + 1`, where the output padding `q` undoes the rounding of the convolution's size.
//! The family is closed under derivatives: see `convolution.rs`.
//!
//! Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285 (2016).

use super::convolution::ConvTranspose1dOptions;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "conv_transpose1d",
    equation: "y = w^T * x + b",
    derivative: "x' = conv1d(y', w), w' = conv1d_weight(y', x), b' = sum of y'",
    torch: "torch.nn.functional.conv_transpose1d",
};

impl<T: Real> Tensor<T> {
    /// The transposed convolution of these sequences `[N, C, L]` with `weight [C, O/groups, K]`, plus a
    /// `bias [O]`.
    ///
    /// One sequence `[C, L]` without a batch gives one sequence.
    ///
    /// # Panics
    /// If a shape does not match, the groups do not divide the channels, the output padding is neither less than the stride
    /// nor less than the dilation, or nothing is left of the output.
    #[track_caller]
    pub fn conv_transpose1d(&self, weight: &Self, bias: Option<&Self>, options: ConvTranspose1dOptions) -> Self {
        self.conv_transpose(weight, bias, options)
    }
}

#[cfg(test)]
mod tests {
    use super::ConvTranspose1dOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Windows [1, 10, 100] at 0 and 2.
        let x = Tensor::from([[1.0f32, 2.0]]);
        let w = Tensor::from([1.0f32, 10.0, 100.0]).reshape([1, 1, 3]);
        let options = ConvTranspose1dOptions { stride: [2], ..Default::default() };
        assert_eq!(x.conv_transpose1d(&w, None, options).to_vec(), [1.0, 10.0, 102.0, 20.0, 200.0]);
        let options = ConvTranspose1dOptions { padding: [1], output_padding: [1], ..options };
        let y = x.conv_transpose1d(&w, Some(&Tensor::from([0.5])), options);
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 4], vec![10.5, 102.5, 20.5, 200.5]));
        // An output padding of a whole stride: nothing reaches the last output.
        let options = ConvTranspose1dOptions { output_padding: [1], dilation: [2], ..Default::default() };
        assert_eq!(x.conv_transpose1d(&w, None, options).to_vec(), [1.0, 2.0, 10.0, 20.0, 100.0, 200.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let o = ConvTranspose1dOptions::default();
        let cases = [
            ([2, 2, 4], [2, 3, 3], o),
            ([1, 4, 3], [4, 1, 2], ConvTranspose1dOptions { stride: [3], padding: [1], output_padding: [2], groups: 2, ..o }),
            ([2, 3, 3], [3, 1, 3], ConvTranspose1dOptions { padding: [1], output_padding: [2], dilation: [3], groups: 3, ..o }),
            ([0, 1, 3], [1, 1, 2], o),
            ([1, 1, 1], [1, 1, 1], o),
        ];
        for (x, w, options) in cases {
            let bias = check::random([w[1] * options.groups], -1.0, 1.0);
            let (x, w) = (check::random(x, -1.0, 1.0), check::random(w, -1.0, 1.0));
            check::gradients(|x| x[0].conv_transpose1d(&x[1], Some(&x[2]), options), &[&x, &w, &bias]);
        }
        let (x, w) = (check::random([5, 2], -1.0, 1.0), check::random([3, 2, 4], -1.0, 1.0));
        check::gradients(|x| x[0].t().conv_transpose1d(&x[1].transpose(0, 1), None, o), &[&x, &w]);
        let x = check::random([1, 3, 8], -1.0, 1.0);
        check::gradients(|x| x[0].broadcast_to([2, 3, 8]).slice(2, 1, 8, 3).conv_transpose1d(&x[1], None, o), &[&x, &w]);
    }

    #[test]
    #[should_panic(expected = "conv_transpose1d: output padding [2] must be less than the stride [2] or the dilation [1]")]
    fn output_padding_is_limited() {
        let options = ConvTranspose1dOptions { stride: [2], output_padding: [2], ..Default::default() };
        let _ = Tensor::<f32>::zeros([1, 1, 8]).conv_transpose1d(&Tensor::zeros([1, 1, 3]), None, options);
    }

    #[test]
    #[should_panic(expected = "conv_transpose1d: input [1, 1, 1] and weight [1, 1, 2] with padding [1] leave no output")]
    fn something_must_be_left() {
        let options = ConvTranspose1dOptions { padding: [1], ..Default::default() };
        let _ = Tensor::<f32>::zeros([1, 1, 1]).conv_transpose1d(&Tensor::zeros([1, 1, 2]), None, options);
    }
}
