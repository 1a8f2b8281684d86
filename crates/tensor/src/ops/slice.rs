//! A range of one dimension, with a step; and its adjoint, which puts the range back among zeros.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i, ..] = x[.., start + i step, ..]` |
//! | derivative | `x' = unslice(y')`: `x'[.., start + i step, ..] = y'[.., i, ..]`, 0 elsewhere |
//! | shapes | `y` has `ceil((end - start) / step)` along the dimension |
//! | saved | the range and the input's shape |
//!
//! Slicing is a view. The two are each other's derivative.

use crate::{Dims, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::place::{Put, Range as Places, place};

pub(super) static INFO: OpInfo = OpInfo {
    name: "slice",
    equation: "y = x[start..end by step]",
    derivative: "x' = y' among zeros",
    torch: "x[start:end:step]",
};

static UNSLICE: OpInfo = OpInfo {
    name: "slice_backward",
    equation: "x = y among zeros",
    derivative: "y' = x'[start..end by step]",
    torch: "torch.ops.aten.slice_backward",
};

/// The range `start, start + step, ..` of `count` elements along `dim` of a tensor of shape `full`.
#[derive(Debug, Clone)]
struct Range {
    full: Shape,
    dim: usize,
    start: usize,
    count: usize,
    step: usize,
}

#[derive(Debug)]
struct Slice(Range);

impl<T: Real> Op<T> for Slice {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            inputs.add(0, || self.0.put_back(&grad));
        } else {
            // Many slices of one tensor, such as the steps of a sequence, share one sum: each touches its own part only.
            inputs.add_part(0, |sum| place(&grad.to_slice(), &self.0.places(), Put::Added, sum));
        }
    }
}

#[derive(Debug)]
struct Unslice(Range);

impl<T: Real> Op<T> for Unslice {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.cut(&grad));
    }
}

impl Range {
    #[track_caller]
    fn cut<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let (mut shape, mut strides) = (x.shape().clone(), Shape::from(x.strides()));
        // An empty range, or one of a tensor without elements, may start behind the last element.
        let offset = if self.count == 0 || x.numel() == 0 { x.offset() } else { x.offset() + self.start * strides[self.dim] };
        shape.0[self.dim] = self.count;
        strides.0[self.dim] *= self.step;
        Tensor::from_op(&INFO, x.window(shape, strides, offset), &[x], || Slice(self.clone()))
    }

    /// The range in all dimensions of the full shape.
    fn places(&self) -> Vec<Places> {
        let mut places: Vec<Places> = self.full.iter().map(|&n| Places::all(n)).collect();
        places[self.dim] = Places { size: self.full[self.dim], start: self.start, count: self.count, step: self.step };
        places
    }

    fn put_back<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.full.clone(), |out| place(&y.to_slice(), &self.places(), Put::Among(T::ZERO), out));
        Tensor::from_op(&UNSLICE, value, &[y], || Unslice(self.clone()))
    }
}

impl<T: Real> Tensor<T> {
    /// Every `step`-th element from `start` to before `end` along one dimension: `x[start:end:step]` of PyTorch.
    ///
    /// # Panics
    /// If the dimension does not exist, the range does not lie within it, or `step` is 0.
    #[track_caller]
    pub fn slice(&self, dim: impl Into<Dims>, start: usize, end: usize, step: usize) -> Self {
        let dim = dim.into().resolve_one(INFO.name, self.rank());
        let size = self.shape()[dim];
        assert!(
            start <= end && end <= size && step > 0,
            "slice: the range {start}..{end} with step {step} does not lie within dimension {dim} of shape {}",
            self.shape()
        );
        Range { full: self.shape().clone(), dim, start, count: (end - start).div_ceil(step), step }.cut(self)
    }

    /// `length` elements from `start` on along one dimension.
    ///
    /// # Panics
    /// If the dimension does not exist or the range does not lie within it.
    #[track_caller]
    pub fn narrow(&self, dim: impl Into<Dims>, start: usize, length: usize) -> Self {
        self.slice(dim, start, start.saturating_add(length), 1)
    }

    /// The `index`-th slice along one dimension, which disappears.
    ///
    /// # Panics
    /// If the dimension or the index does not exist.
    #[track_caller]
    pub fn select(&self, dim: impl Into<Dims>, index: usize) -> Self {
        let dim = dim.into().resolve_one("select", self.rank());
        self.slice(dim, index, index.saturating_add(1), 1).squeeze(dim)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(12).reshape([3, 4]);
        assert_eq!(x.slice(1, 1, 4, 2).to_vec(), [1., 3., 5., 7., 9., 11.]);
        assert_eq!(x.t().narrow(0, 2, 1).to_vec(), [2., 6., 10.]);
        assert_eq!(x.select(0, 2).shape(), &[4]);
        assert_eq!(x.slice(0, 3, 3, 1).shape(), &[0, 4]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([3, 5, 2], -1.0, 1.0);
        check::gradients(|x| x[0].slice(1, 1, 5, 2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().slice(2, 0, 4, 3).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3, 5, 2]).narrow(0, 1, 1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].narrow(0, 1, 0), &[&x]);
        check::gradients(|x| x[0].select(0, 2) * 2.0, &[&check::random([3, 0, 2], -1.0, 1.0)]);
        check::gradients(|x| x[0].select(-1, 1).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "slice: the range 2..5 with step 1 does not lie within dimension 0 of shape [4, 2]")]
    fn ranges_must_fit() {
        let _ = Tensor::<f32>::zeros([4, 2]).slice(0, 2, 5, 1);
    }
}
