//! The smallest element over dimensions; equal ones share the gradient.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = min over j of x[i, j]`; NaN if any is |
//! | derivative | `x'[i, j] = y'[i] / k[i]` where `x[i, j] = y[i]`, `k[i]` times in all; else 0 |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`); they must not be empty |
//! | saved | `x` and `y` |

use super::extremum;
use crate::{Dims, OpInfo, Tensor};
use chainrule_kernels::{Real, reduce};

pub(super) static INFO: OpInfo = OpInfo {
    name: "amin",
    equation: "y[i] = min over j of x[i, j]",
    derivative: "x' = y' shared by the elements that equal y, else 0",
    torch: "torch.amin",
};

impl<T: Real> Tensor<T> {
    /// The smallest element over some dimensions, NaN over all. The dimensions disappear, or stay with size 1 if `keepdim` is
    /// true. [`min_dim`](Tensor::min_dim) also tells where it stands.
    ///
    /// # Panics
    /// If a dimension does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Dims>, keepdim: bool) -> Self {
        extremum::over(&INFO, self, dims.into(), keepdim, reduce::minimum)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 1.0, 3.0], [5.0, 0.0, 3.0]]).requires_grad();
        let y = x.amin(1, false);
        assert_eq!(y.to_vec(), [1., 0.]);
        let gradient = y.sum().backward().get(&x).unwrap().to_vec();
        assert_eq!(gradient, [0.5, 0.5, 0., 0., 1., 0.]);
        assert_eq!(x.amin([0, 1], true).to_vec(), [0.0]);
        assert!(Tensor::from([1.0f32, f32::NAN, 9.0]).amin(0, false).item().is_nan());
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].amin([0, 1, 2], false).powf(2.0), &[&x]);
        check::gradients(|x| x[0].amin([0, 2], true).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().slice(1, 0, 4, 3).amin(-1, false).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3, 4]).amin(0, false), &[&check::random([3, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].amin(1, false), &[&check::random([0, 3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "amin: dimension 1 of shape [2, 0] is empty")]
    fn nothing_has_no_smallest() {
        let _ = Tensor::<f32>::zeros([2, 0]).amin(1, false);
    }
}
