//! One element of each line along a dimension, by index; and its adjoint, which puts elements back among zeros.
//!
//! ```text
//! pick   y[i, j] = x[i, k_ij, j]          put   x[i, k, j] = y[i, j] if k = k_ij, else 0
//! ```
//!
//! The maximum along a dimension and the likelihood of a class are picked this way. The two are each other's derivative.

use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real};
use std::sync::Arc;

static PICK: OpInfo = OpInfo {
    name: "pick",
    equation: "y = x[index] of each line",
    derivative: "x' = y' at the index, else 0",
    torch: "torch.gather",
};

static PUT: OpInfo = OpInfo {
    name: "put",
    equation: "x = y at the index, else 0",
    derivative: "y' = x'[index]",
    torch: "torch.scatter",
};

/// Which element of each line: lines in row-major order of the other dimensions.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    /// The shape with the dimension.
    pub(super) full: Shape,
    pub(super) dim: usize,
    pub(super) index: Arc<[usize]>,
}

impl<T: Real> Op<T> for Pick {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The operation may have kept the dimension at size 1.
        inputs.add(0, || self.put(&grad.reshape(self.dropped())));
    }
}

#[derive(Debug)]
struct Put(Pick);

impl<T: Real> Op<T> for Put {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.pick(&grad));
    }
}

impl Pick {
    /// The shape without the dimension.
    fn dropped(&self) -> Shape {
        (0..self.full.rank()).filter(|&d| d != self.dim).map(|d| self.full[d]).collect()
    }

    /// Where the picked elements stand among all, in row-major order.
    fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let (size, inner) = (self.full[self.dim], self.full[self.dim + 1..].iter().product::<usize>());
        self.index.iter().enumerate().map(move |(line, &k)| (line / inner * size + k) * inner + line % inner)
    }

    /// The picked elements, untracked, in the shape without the dimension.
    pub(super) fn value<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let x = x.to_slice();
        Tensor::build(self.dropped(), |out| out.iter_mut().zip(self.positions()).for_each(|(out, at)| *out = x[at]))
    }

    /// The picked elements, in the shape without the dimension.
    #[track_caller]
    pub(super) fn pick<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        Tensor::from_op(&PICK, self.value(x), &[x], || self.clone())
    }

    /// The elements of `y`, which has the shape without the dimension, among zeros.
    #[track_caller]
    fn put<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let mut buffer = Buffer::zeroed(self.full.numel());
        for (&y, at) in y.to_slice().iter().zip(self.positions()) {
            buffer[at] = y;
        }
        let value = Tensor::from_buffer(buffer, self.full.clone());
        Tensor::from_op(&PUT, value, &[y], || Put(self.clone()))
    }
}
