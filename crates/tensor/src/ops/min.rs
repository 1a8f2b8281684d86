//! The smallest element: of all, or along one dimension together with where it stands.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = min over j of x[i, j]`, at `k[i]`; NaN is smaller than all |
//! | derivative | along a dimension: `x'[i, j] = y'[i]` where `j = k[i]`, else 0. Of all: shared by equal ones |
//! | shapes | the dimension disappears, or stays with size 1 (`keepdim`); it must not be empty |
//! | saved | `k`; or `x` and `y` |

use super::extremum;
use crate::{Dims, Indices, OpInfo, Tensor};
use chainrule_kernels::{Real, reduce};

pub(super) static INFO: OpInfo = OpInfo {
    name: "min",
    equation: "y[i] = min over j of x[i, j]",
    derivative: "x' = y' where the smallest stands, else 0",
    torch: "torch.min",
};

impl<T: Real> Tensor<T> {
    /// The smallest of all elements, as a tensor without dimensions. Equal ones share the gradient.
    ///
    /// # Panics
    /// If there is no element.
    #[track_caller]
    pub fn min(&self) -> Self {
        extremum::of_all(&INFO, self, reduce::minimum)
    }

    /// The smallest elements along one dimension, and their indices, which [`gather`](Tensor::gather) takes if `keepdim` is true. The first of
    /// equals gets the gradient. The dimension disappears, or stays with size 1 if `keepdim` is true.
    /// [`amin`](Tensor::amin) takes several dimensions.
    ///
    /// # Panics
    /// If there is no such dimension, or it is empty while there are lines.
    #[track_caller]
    pub fn min_dim(&self, dim: impl Into<Dims>, keepdim: bool) -> (Self, Indices) {
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.rank() == 0 {
            return self.unsqueeze(0).min_dim(0, false);
        }
        extremum::along(&INFO, self, dim, keepdim, reduce::minimum)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 1.0, 3.0], [5.0, 0.0, 2.0]]).requires_grad();
        let (y, k) = x.min_dim(1, false);
        assert_eq!((y.to_vec(), k.to_vec()), (vec![1., 0.], vec![0, 1]));
        let gradient = y.sum().backward().get(&x).unwrap().to_vec();
        assert_eq!(gradient, [1., 0., 0., 0., 1., 0.]);
        assert_eq!(x.min_dim(0, true).0.shape(), &[1, 3]);
        assert_eq!(x.min().item(), 0.0);
        let ties = Tensor::from([2.0f32, 2.0]).requires_grad();
        assert_eq!(ties.min().backward().get(&ties).unwrap().to_vec(), [0.5, 0.5]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].min().powf(2.0), &[&x]);
        check::gradients(|x| x[0].min_dim(1, true).0.powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().slice(1, 0, 4, 3).min_dim(-2, false).0.powf(2.0), &[&x]);
        check::gradients(|x| x[0].min_dim(0, false).0, &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].min_dim(1, false).0, &[&check::random([0, 3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "min: a tensor of shape [2, 0] has no element")]
    fn nothing_has_no_smallest() {
        let _ = Tensor::<f32>::zeros([2, 0]).min();
    }
}
