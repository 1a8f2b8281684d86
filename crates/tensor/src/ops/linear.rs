//! Affine map, the dense layer: `y = x W^T + b`.
//!
//! | | |
//! |---|---|
//! | equation | `y[n, o] = sum over i of x[n, i] W[o, i] + b[o]` |
//! | derivative | `x' = y' W`, `W' = y'^T x`, `b' = sum over n of y'[n]` |
//! | shapes | `x [.., in]`, `W [out, in]`, `b [out]` -> `y [.., out]` |
//! | saved | `W` if `x` is tracked, `x` if `W` is |
//!
//! One node instead of three, and the weight gradient comes out in the weight's own layout.

use std::borrow::Borrow;

use super::matmul::matrix;
use crate::graph::Saved;
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::gemm::{Epilogue, gemm};
use chainrule_kernels::{Accum, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "linear",
    equation: "y = x W^T + b",
    derivative: "x' = y' W, W' = y'^T x, b' = sum of y' over rows",
    torch: "torch.nn.functional.linear",
};

#[derive(Debug)]
struct Linear<T: Real> {
    x: Saved<T>,
    weight: Saved<T>,
}

impl<T: Real> Op<T> for Linear<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        gradients(&self.x, &self.weight, grad, inputs);
    }

    fn backward_once(self: Box<Self>, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Linear { x, weight } = *self;
        gradients(x, &weight, grad, inputs);
    }
}

/// Its own `x` is freed before the gradient is made, which will be as large.
fn gradients<T: Real>(x: impl Borrow<Saved<T>>, weight: &Saved<T>, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
    // `x` and `W` are inputs 0 and 1; where there is a bias it is input 2.
    inputs.add(1, || grad.t().matmul(x.borrow().get()));
    if inputs.len() == 3 {
        inputs.add(2, || grad.sum_dim(0, false));
    }
    drop(x);
    inputs.add(0, || grad.matmul(weight.get()));
}

impl<T: Real> Tensor<T> {
    /// `self W^T + b` over the last dimension.
    ///
    /// # Panics
    /// If the weight is no matrix, or a size does not match it.
    #[track_caller]
    pub fn linear(&self, weight: &Self, bias: Option<&Self>) -> Self {
        self.dense(weight, bias, false)
    }

    /// [`linear`](Tensor::linear) followed by [`relu`](Tensor::relu): the same numbers and the same graph, without a pass
    /// over the output for the ReLU.
    ///
    /// # Panics
    /// As `linear`.
    #[track_caller]
    pub fn linear_relu(&self, weight: &Self, bias: Option<&Self>) -> Self {
        self.dense(weight, bias, true)
    }

    #[track_caller]
    fn dense(&self, weight: &Self, bias: Option<&Self>, relu: bool) -> Self {
        let fits = weight.rank() == 2
            && self.rank() > 0
            && self.size(-1) == weight.shape()[1]
            && bias.is_none_or(|b| b.shape() == &[weight.shape()[0]]);
        assert!(
            fits,
            "linear: input {}, weight {}, bias {}: they must be [.., in], [out, in] and [out]",
            self.shape(),
            weight.shape(),
            bias.map_or("none".into(), |b| b.shape().to_string())
        );
        let (outputs, features) = (weight.shape()[0], weight.shape()[1]);
        let leading = &self.shape()[..self.rank() - 1];
        let x = if self.rank() == 2 { self.clone() } else { self.reshape([leading.iter().product(), features]) };
        let value = Self::build([x.shape()[0], outputs].into(), |out| {
            let bias = bias.map(Tensor::to_slice);
            let epilogue = Epilogue { col_bias: bias.as_deref(), relu, ..Epilogue::plain(Accum::Replace) };
            gemm(matrix(&x), matrix(weight).t(), out, epilogue);
        });
        let saved = || Linear { x: Saved::for_input(weight, &x), weight: Saved::for_input(&x, weight) };
        let y = match bias {
            Some(bias) => Self::from_op(&INFO, value, &[&x, weight, bias], saved),
            None => Self::from_op(&INFO, value, &[&x, weight], saved),
        };
        let y = if relu { y.behind_relu() } else { y };
        if self.rank() == 2 { y } else { y.reshape(leading.iter().copied().chain([outputs]).collect::<Shape>()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let weight = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let y = Tensor::from([[1.0, -1.0]]).linear(&weight, Some(&Tensor::from([10.0, 20.0, 30.0])));
        assert_eq!(y.to_vec(), [9.0, 19.0, 29.0]);
        assert_eq!(Tensor::from([1.0, 1.0]).linear(&weight, None).to_vec(), [3.0, 7.0, 11.0]);
    }

    #[test]
    fn gradcheck() {
        let (x, w, b) =
            (check::random([4, 3], -1.0, 1.0), check::random([2, 3], -1.0, 1.0), check::random([2], -1.0, 1.0));
        check::gradients(|x| x[0].linear(&x[1], Some(&x[2])), &[&x, &w, &b]);
        check::gradients(|x| x[0].linear(&x[1], None), &[&check::random([2, 2, 3], -1.0, 1.0), &w]);
        check::gradients(|x| x[0].t().linear(&x[1].t(), None), &[&check::random([3, 4], -1.0, 1.0), &check::random([3, 2], -1.0, 1.0)]);
        check::gradients(|x| x[0].linear(&x[1], Some(&x[2])), &[&check::random([0, 3], -1.0, 1.0), &w, &b]);
    }

    #[test]
    fn a_relu_can_be_part_of_it() {
        let (x, w) = (check::random([2, 5, 3], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        let (x, w, b) = (x.requires_grad(), w.requires_grad(), check::random([4], -1.0, 1.0).requires_grad());
        let (fused, apart) = (x.linear_relu(&w, Some(&b)), x.linear(&w, Some(&b)).relu());
        let untracked = crate::no_grad(|| x.linear_relu(&w, Some(&b)));
        assert!(!untracked.is_tracked() && untracked.to_vec() == apart.to_vec() && fused.to_vec() == apart.to_vec());
        let (one, other) = ((&fused * &fused).sum().backward(), (&apart * &apart).sum().backward());
        for leaf in [&x, &w, &b] {
            assert_eq!(one.get(leaf).unwrap().to_vec(), other.get(leaf).unwrap().to_vec());
        }
        check::gradients(|x| x[0].linear_relu(&x[1], Some(&x[2])), &[&x, &w, &b]);
    }

    #[test]
    #[should_panic(expected = "linear: input [4, 2], weight [5, 3], bias none")]
    fn sizes_must_match() {
        let _ = Tensor::<f32>::zeros([4, 2]).linear(&Tensor::zeros([5, 3]), None);
    }
}
