//! One number where a mask is true.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = v` if `m_i`, else `x_i` |
//! | derivative | composed of `where`: `x' = 0` if `m`, else `y'` |
//! | shapes | `x` and `m` broadcast; `y` has the broadcast shape |
//! | saved | `m` |

use crate::{Mask, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "masked_fill",
    equation: "y = v if m, else x",
    derivative: "composed of where: x' = 0 if m, else y'",
    torch: "torch.masked_fill",
};

impl<T: Real> Tensor<T> {
    /// This tensor with `value` where the mask is true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Mask, value: T) -> Self {
        assert!(
            self.shape().broadcast(mask.shape()).is_some(),
            "{}: shape {} and a mask of shape {} do not broadcast",
            INFO.name,
            self.shape(),
            mask.shape()
        );
        Self::where_(mask, Self::scalar(value), self)
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::check;
    use crate::{Mask, Tensor};

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, f32::NAN], [3.0, 4.0]]);
        assert_eq!(x.masked_fill(&x.isnan(), 0.0).to_vec(), [1., 0., 3., 4.]);
        let y = x.masked_fill(&Mask::from([false, true]), f32::NEG_INFINITY);
        assert_eq!(y.to_vec(), [1., f32::NEG_INFINITY, 3., f32::NEG_INFINITY]);
        assert_eq!(Tensor::scalar(1.0f32).masked_fill(&Mask::from([true, false]), 5.0).to_vec(), [5., 1.]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.masked_fill(&x.gt(0.0), 2.0).powf(2.0), -1.0, 1.0);
        let mask = Mask::from([true, false]).reshape([2, 1]);
        check::gradients(|x| x[0].masked_fill(&mask, -1.0).powf(2.0), &[&check::random([3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "masked_fill: shape [3] and a mask of shape [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).masked_fill(&Mask::from([true, false]), 0.0);
    }
}
