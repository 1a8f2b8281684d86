//! Two-dimensional convolution (cross-correlation, as everywhere in deep learning), closed over its own derivatives.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,o,i,j] = b[o] + sum over c,u,v of x[n, c, i s + u d - p, j s + v d - p] w[o,c,u,v]` |
//! | derivative | `x' = conv2d_input(y', w)`, `w' = conv2d_weight(x, y')`, `b' = sum of y' over n, i, j` |
//! | shapes | `x [N, C, H, W]`, `w [O, C/groups, KH, KW]`, `b [O]` -> `y [N, O, OH, OW]` |
//! | saved | `w` if `x` is tracked, `x` if `w` is |
//!
//! Stride `s`, padding `p` with zeros, dilation `d`; `OH = (H + 2p - d (KH - 1) - 1) / s + 1`, rounded down. With groups, `c`
//! runs over the channels of the group of `o`.
//!
//! Convolution is linear in `x` and in `w`, so its two gradients are linear in `y'` and in the other operand, and their own
//! gradients are convolutions and each other:
//!
//! | | of `x` or `y'` | of `w` or `x` |
//! |---|---|---|
//! | `conv2d(x, w)` | `conv2d_input(y', w)` | `conv2d_weight(x, y')` |
//! | `conv2d_input(y', w)` | `conv2d(x'', w)` | `conv2d_weight(x'', y')` |
//! | `conv2d_weight(x, y')` | `conv2d(x, w'')` | `conv2d_input(y', w'')` |
//!
//! Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285 (2016).

use crate::graph::Saved;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::conv::{self, Conv2d as Geometry};

pub(super) static INFO: OpInfo = OpInfo {
    name: "conv2d",
    equation: "y = w * x + b",
    derivative: "x' = conv2d_input(y', w), w' = conv2d_weight(x, y'), b' = sum of y'",
    torch: "torch.nn.functional.conv2d",
};

static INPUT: OpInfo = OpInfo {
    name: "conv2d_input",
    equation: "x = w^T * y",
    derivative: "y' = conv2d(x', w), w' = conv2d_weight(x', y)",
    torch: "torch.nn.grad.conv2d_input",
};

static WEIGHT: OpInfo = OpInfo {
    name: "conv2d_weight",
    equation: "w = sum over windows of y x",
    derivative: "x' = conv2d_input(y, w'), y' = conv2d(x, w')",
    torch: "torch.nn.grad.conv2d_weight",
};

/// How a window moves over an image. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Distance between neighboring windows. Default 1.
    pub stride: [usize; 2],
    /// Zeros added on either side. Default 0.
    pub padding: [usize; 2],
    /// Distance between neighboring elements of a window. Default 1.
    pub dilation: [usize; 2],
    /// Into how many independent groups the channels are cut. Default 1.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Conv2dOptions { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

#[derive(Debug)]
struct Conv2d<T: Real> {
    geometry: Geometry,
    x: Saved<T>,
    w: Saved<T>,
}

impl<T: Real> Op<T> for Conv2d<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || input_gradient(&self.geometry, &grad, self.w.get()));
        inputs.add(1, || weight_gradient(&self.geometry, self.x.get(), &grad));
        if inputs.len() == 3 {
            inputs.add(2, || grad.sum_dim([0, 2, 3], false));
        }
    }
}

#[derive(Debug)]
struct Input<T: Real> {
    geometry: Geometry,
    y: Saved<T>,
    w: Saved<T>,
}

impl<T: Real> Op<T> for Input<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || forward(&self.geometry, &grad, self.w.get(), None));
        inputs.add(1, || weight_gradient(&self.geometry, &grad, self.y.get()));
    }
}

#[derive(Debug)]
struct Weight<T: Real> {
    geometry: Geometry,
    x: Saved<T>,
    y: Saved<T>,
}

impl<T: Real> Op<T> for Weight<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || input_gradient(&self.geometry, self.y.get(), &grad));
        inputs.add(1, || forward(&self.geometry, self.x.get(), &grad, None));
    }
}

#[track_caller]
fn forward<T: Real>(geometry: &Geometry, x: &Tensor<T>, w: &Tensor<T>, bias: Option<&Tensor<T>>) -> Tensor<T> {
    let [height, width] = geometry.output();
    let value = Tensor::build([geometry.batch, geometry.out_channels, height, width].into(), |out| {
        let bias = bias.map(Tensor::to_slice);
        conv::forward(geometry, &x.to_slice(), &w.to_slice(), bias.as_deref(), out);
    });
    let saved = || Conv2d { geometry: *geometry, x: Saved::for_input(w, x), w: Saved::for_input(x, w) };
    match bias {
        Some(bias) => Tensor::from_op(&INFO, value, &[x, w, bias], saved),
        None => Tensor::from_op(&INFO, value, &[x, w], saved),
    }
}

fn input_gradient<T: Real>(geometry: &Geometry, y: &Tensor<T>, w: &Tensor<T>) -> Tensor<T> {
    let [height, width] = geometry.input;
    let value = Tensor::build([geometry.batch, geometry.in_channels, height, width].into(), |out| {
        conv::input_grad(geometry, &y.to_slice(), &w.to_slice(), out);
    });
    let saved = || Input { geometry: *geometry, y: Saved::for_input(w, y), w: Saved::for_input(y, w) };
    Tensor::from_op(&INPUT, value, &[y, w], saved)
}

fn weight_gradient<T: Real>(geometry: &Geometry, x: &Tensor<T>, y: &Tensor<T>) -> Tensor<T> {
    let [height, width] = geometry.kernel;
    let shape = [geometry.out_channels, geometry.in_channels / geometry.groups, height, width];
    let value = Tensor::build(shape.into(), |out| {
        conv::weight_grad(geometry, &x.to_slice(), &y.to_slice(), out);
    });
    let saved = || Weight { geometry: *geometry, x: Saved::for_input(y, x), y: Saved::for_input(x, y) };
    Tensor::from_op(&WEIGHT, value, &[x, y], saved)
}

impl<T: Real> Tensor<T> {
    /// The convolution of these images `[N, C, H, W]` with `weight [O, C/groups, KH, KW]`, plus a `bias [O]`.
    ///
    /// # Panics
    /// If a shape does not match, the groups do not divide the channels, or the window does not fit the padded image.
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: Conv2dOptions) -> Self {
        let Conv2dOptions { stride, padding, dilation, groups } = options;
        let (&[batch, in_channels, height, width], &[out_channels, group_channels, kh, kw]) =
            (&self.shape()[..], &weight.shape()[..])
        else {
            panic!(
                "conv2d: input {} and weight {} must be [N, C, H, W] and [O, C/groups, KH, KW]",
                self.shape(),
                weight.shape()
            )
        };
        let positive = |pair: [usize; 2]| pair[0] > 0 && pair[1] > 0;
        assert!(
            groups > 0 && positive(stride) && positive(dilation) && kh > 0 && kw > 0,
            "conv2d: kernel [{kh}, {kw}], stride {stride:?}, dilation {dilation:?} and groups {groups} must be positive"
        );
        assert!(
            group_channels * groups == in_channels && out_channels % groups == 0,
            "conv2d: input {} and weight {} with {groups} groups: the weight must be [O, C/groups, KH, KW], the groups divide O",
            self.shape(),
            weight.shape()
        );
        if let Some(bias) = bias {
            assert!(bias.shape() == &[out_channels], "conv2d: bias {} must be [{out_channels}]", bias.shape());
        }
        let geometry = Geometry {
            batch,
            in_channels,
            out_channels,
            input: [height, width],
            kernel: [kh, kw],
            stride,
            padding,
            dilation,
            groups,
        };
        assert!(
            geometry.checked_output().is_some(),
            "conv2d: a window of [{kh}, {kw}] with dilation {dilation:?} does not fit into images of [{height}, {width}] with padding {padding:?}"
        );
        forward(&geometry, self, weight, bias)
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
        let (x, w) = (check::random([2, 4, 3, 2], -1.0, 1.0), check::random([2, 3, 2, 2], -1.0, 1.0));
        check::gradients(|x| x[0].permute([0, 2, 1, 3]).conv2d(&x[1].t(), None, Conv2dOptions::default()), &[&x, &w]);
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
