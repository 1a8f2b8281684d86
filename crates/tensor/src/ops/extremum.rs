//! The largest and the smallest elements: their derivatives are the same, the gradient goes where the value came from.

use super::sum::{kept, reduce_dims, without};
use crate::{Dims, Indices, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Real, View};

/// A kernel that finds the extremum of each line: of the input, along so many of its last dimensions, into the output.
type Find<T> = fn(View<'_, T>, usize, &mut [T]);

/// `x' = y' / k` where `x = y`, `k` times in all; else 0.
#[derive(Debug)]
struct OfAll<T: Real> {
    x: Tensor<T>,
    y: Tensor<T>,
}

impl<T: Real> Op<T> for OfAll<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let OfAll { x, y } = self;
        inputs.add(0, || {
            let winners = if y.item().is_nan() { x.isnan() } else { x.eq(y) };
            Tensor::where_(&winners, grad / T::from_usize(winners.count()), Tensor::scalar(T::ZERO))
        });
    }
}

/// The extremum of all elements.
#[track_caller]
pub(super) fn of_all<T: Real>(info: &'static OpInfo, x: &Tensor<T>, find: Find<T>) -> Tensor<T> {
    assert!(x.numel() > 0, "{}: a tensor of shape {} has no element", info.name, x.shape());
    let value = Tensor::build([].into(), |out| find(x.as_view(), 0, out));
    let y = value.detach();
    Tensor::from_op(info, value, &[x], || OfAll { x: x.detach(), y })
}

/// `x'[i, j] = y'[i]` where `j = k[i]`, else 0: what was picked is put back in its place.
#[derive(Debug)]
struct Along {
    from: Shape,
    dim: usize,
    /// With the dimension at size 1.
    index: Indices,
}

impl<T: Real> Op<T> for Along {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Along { from, dim, index } = self;
        inputs.add(0, || Tensor::zeros(from).scatter_add(*dim, index, &grad.reshape(index.shape())));
    }
}

/// The extremum of each line along `dim`, and where it stands.
#[track_caller]
pub(super) fn along<T: Real>(
    info: &'static OpInfo,
    x: &Tensor<T>,
    dim: usize,
    keepdim: bool,
    find: Find<T>,
) -> (Tensor<T>, Indices) {
    let (value, index) = x.extremes(info.name, dim.into(), find);
    let index = Indices::new(index, kept(x.shape(), &[dim]));
    let (value, places) = if keepdim {
        (value, index.clone())
    } else {
        let value = without(value, &[dim]);
        let places = index.reshape(value.shape());
        (value, places)
    };
    let rule = || Along { from: x.shape().clone(), dim, index };
    (Tensor::from_op(info, value, &[x], rule), places)
}

/// `x'[i, j] = y'[i] / k[i]` where `x[i, j] = y[i]`, `k[i]` times in all; else 0.
#[derive(Debug)]
struct Over<T: Real> {
    x: Tensor<T>,
    y: Tensor<T>,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Over<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Over { x, y, dims } = self;
        inputs.add(0, || {
            let shape = kept(x.shape(), dims);
            let winners = x.eq(y.reshape(&shape)).to_tensor::<T>();
            let each = grad.reshape(shape) / winners.sum_dim(dims, true);
            winners * each
        });
    }
}

/// The extremum over some dimensions.
#[track_caller]
pub(super) fn over<T: Real>(
    info: &'static OpInfo,
    x: &Tensor<T>,
    dims: Dims,
    keepdim: bool,
    find: Find<T>,
) -> Tensor<T> {
    let dims = dims.resolve(info.name, x.rank());
    if let Some(d) = dims.iter().find(|&&d| x.shape()[d] == 0) {
        panic!("{}: dimension {d} of shape {} is empty", info.name, x.shape());
    }
    let value = reduce_dims(x, &dims, keepdim, find);
    let y = value.detach();
    Tensor::from_op(info, value, &[x], || Over { x: x.detach(), y, dims: dims.to_vec() })
}
