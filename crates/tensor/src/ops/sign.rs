//! Sign: `y = -1`, 0 or 1.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 1` where `x_i > 0`, -1 where `x_i < 0`, else 0 (for NaN too, as in PyTorch) |
//! | derivative | `x' = 0`: constant almost everywhere |
//! | shapes | any |
//! | saved | nothing |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "sign", equation: "y = x / |x|, 0 at 0", derivative: "x' = 0", torch: "torch.sign" };

/// The rule of an operation that is constant almost everywhere.
#[derive(Debug)]
pub(super) struct Constant;

impl<T: Real> Op<T> for Constant {
    fn backward(&self, _: Tensor<T>, _: &mut Inputs<'_, T>) {}
}

unary!(pub(super) Sign(self, x: T) = if x > T::ZERO { T::ONE } else if x < T::ZERO { -T::ONE } else { T::ZERO });

impl<T: Real> Tensor<T> {
    /// The sign of every element: -1, 0 or 1. No gradient flows through it.
    #[track_caller]
    pub fn sign(&self) -> Self {
        Self::from_op(&INFO, map1(Sign {}, self), &[self], || Constant)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([-3.0f32, 0.0, 0.5, f32::INFINITY, f32::NAN]).sign().to_vec();
        assert_eq!(y, [-1.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sign() * x, 0.5, 1.0);
        check::unary(|x| x.sign(), -1.0, -0.5);
    }
}
