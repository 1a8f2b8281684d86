//! What becomes of the losses of single elements or samples: their mean, their sum, or each as it is.

use super::mean::mean_value;
use super::sum::reduce_dims;
use crate::Tensor;
use chainrule_kernels::{Real, reduce};

/// How a loss of many elements or samples becomes the loss that is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean: a tensor without dimensions. The default.
    #[default]
    Mean,
    /// Their sum: a tensor without dimensions.
    Sum,
    /// Each on its own.
    None,
}

impl Reduction {
    /// Applies the reduction.
    #[track_caller]
    pub fn apply<T: Real>(self, losses: &Tensor<T>) -> Tensor<T> {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses.clone(),
        }
    }

    /// [`apply`](Self::apply), untracked.
    pub(super) fn value<T: Real>(self, losses: Tensor<T>) -> Tensor<T> {
        match self {
            Reduction::Mean => mean_value(&losses),
            Reduction::Sum => reduce_dims(&losses, &(0..losses.rank()).collect::<Vec<_>>(), false, reduce::sum),
            Reduction::None => losses,
        }
    }

    /// What the gradient of each of `count` losses is divided by. (Where there is none, not by 0: infinity times nothing
    /// would be NaN.)
    pub(super) fn divisor<T: Real>(self, count: usize) -> T {
        if self == Reduction::Mean { T::from_usize(count.max(1)) } else { T::ONE }
    }

    /// The gradient of each of `count` losses: one number for all of them, unless they stay as they are.
    pub(super) fn each<T: Real>(self, grad: Tensor<T>, count: usize) -> Tensor<T> {
        if self == Reduction::Mean { grad / self.divisor::<T>(count) } else { grad }
    }
}

/// Asserts that what a loss compares has one shape.
#[track_caller]
pub(super) fn require_same_shape<T: Real>(op: &str, input: (&str, &Tensor<T>), target: (&str, &Tensor<T>)) {
    assert!(
        input.1.shape() == target.1.shape(),
        "{op}: {} {} and {} {} must have the same shape",
        input.0,
        input.1.shape(),
        target.0,
        target.1.shape()
    );
}
