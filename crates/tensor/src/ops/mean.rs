//! Mean over dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = 1/n sum over j of x[i, j]`, `n` the number of `j` |
//! | derivative | `x'[i, j] = y'[i] / n` |
//! | shapes | the averaged dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | the input's shape and the averaged dimensions |
//!
//! The mean of nothing is NaN, as in PyTorch.

use super::sum::{kept, reduce_dims};
use crate::short::Short;
use crate::{Dims, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Real, reduce};

pub(super) static INFO: OpInfo = OpInfo {
    name: "mean",
    equation: "y[i] = 1/n sum over j of x[i, j]",
    derivative: "x'[i, j] = y'[i] / n",
    torch: "torch.mean",
};

#[derive(Debug)]
struct Mean {
    from: Shape,
    dims: Vec<usize>,
}

/// How many elements are averaged.
fn count<T: Real>(shape: &Shape, dims: &[usize]) -> T {
    T::from_usize(dims.iter().map(|&d| shape[d]).product())
}

/// The mean over some dimensions, untracked.
fn value<T: Real>(x: &Tensor<T>, dims: &[usize], keepdim: bool) -> Tensor<T> {
    let n = count::<T>(x.shape(), dims);
    reduce_dims(x, dims, keepdim, |x, kept, out| {
        reduce::sum(x, kept, out);
        out.iter_mut().for_each(|y| *y /= n);
    })
}

/// The mean of all elements, untracked: the last step of the losses.
pub(super) fn mean_value<T: Real>(x: &Tensor<T>) -> Tensor<T> {
    let all: Short<usize, 4> = (0..x.rank()).collect();
    value(x, &all, false)
}

impl<T: Real> Op<T> for Mean {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let (from, dims) = (&self.from, &self.dims);
        inputs.add(0, || (grad / count::<T>(from, dims)).reshape(kept(from, dims)).broadcast_to(from));
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of all elements, as a tensor without dimensions.
    #[track_caller]
    pub fn mean(&self) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.mean_dim(all, false)
    }

    /// The mean over some dimensions. They disappear, or stay with size 1 if `keepdim` is true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let value = value(self, &dims, keepdim);
        Self::from_op(&INFO, value, &[self], || Mean { from: self.shape().clone(), dims: dims.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.mean().item(), 2.5);
        assert_eq!(x.mean_dim(0, false).to_vec(), [1.5, 2.5, 3.5]);
        assert!(Tensor::<f32>::zeros([0]).mean().item().is_nan());
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].mean().powf(2.0), &[&x]);
        check::gradients(|x| x[0].mean_dim([0, 2], true).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().mean_dim(-1, false).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "mean: dimension 0 is named twice in [0, -2]")]
    fn dimensions_are_named_once() {
        let _ = Tensor::<f32>::zeros([2, 3]).mean_dim([0, -2], false);
    }
}
