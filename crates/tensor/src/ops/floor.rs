//! Rounding to integers: down (`floor`), up (`ceil`), to the nearest (`round`), towards zero (`trunc`).
//!
//! | | |
//! |---|---|
//! | equation | `y_i` = the largest integer not above `x_i` (`floor`), and its kin |
//! | derivative | `x' = 0`: constant almost everywhere |
//! | shapes | any |
//! | saved | nothing |

use super::elementwise::map1;
use super::sign::Constant;
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "floor",
    equation: "y = the largest integer not above x",
    derivative: "x' = 0",
    torch: "torch.floor",
};

static CEIL: OpInfo = OpInfo {
    name: "ceil",
    equation: "y = the smallest integer not below x",
    derivative: "x' = 0",
    torch: "torch.ceil",
};
static ROUND: OpInfo =
    OpInfo { name: "round", equation: "y = the nearest integer to x", derivative: "x' = 0", torch: "torch.round" };
static TRUNC: OpInfo =
    OpInfo { name: "trunc", equation: "y = x without its fraction", derivative: "x' = 0", torch: "torch.trunc" };

unary!(Floor(self, x: T) = x.floor());
unary!(Ceil(self, x: T) = -(-x).floor());
unary!(Round(self, x: T) = x.round_ties_even());
// The sign survives where nothing else does: -0.5 becomes -0.
unary!(Trunc(self, x: T) = if x < T::ZERO { -(-x).floor() } else { x.floor() });

impl<T: Real> Tensor<T> {
    /// The largest integer not above each element. No gradient flows through it.
    #[track_caller]
    pub fn floor(&self) -> Self {
        Self::from_op(&INFO, map1(Floor {}, self), &[self], || Constant)
    }

    /// The smallest integer not below each element. No gradient flows through it.
    #[track_caller]
    pub fn ceil(&self) -> Self {
        Self::from_op(&CEIL, map1(Ceil {}, self), &[self], || Constant)
    }

    /// The integer nearest to each element; of two that are equally near, the even one. No gradient flows through it.
    #[track_caller]
    pub fn round(&self) -> Self {
        Self::from_op(&ROUND, map1(Round {}, self), &[self], || Constant)
    }

    /// Each element without its fraction. No gradient flows through it.
    #[track_caller]
    pub fn trunc(&self) -> Self {
        Self::from_op(&TRUNC, map1(Trunc {}, self), &[self], || Constant)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([-1.5f32, -0.5, 0.5, 1.5, 2.5, f32::INFINITY]);
        assert_eq!(x.floor().to_vec(), [-2.0, -1.0, 0.0, 1.0, 2.0, f32::INFINITY]);
        assert_eq!(x.ceil().to_vec(), [-1.0, 0.0, 1.0, 2.0, 3.0, f32::INFINITY]);
        assert_eq!(x.round().to_vec(), [-2.0, 0.0, 0.0, 2.0, 2.0, f32::INFINITY]);
        assert_eq!(x.trunc().to_vec(), [-1.0, 0.0, 0.0, 1.0, 2.0, f32::INFINITY]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| (x.floor() + x.ceil() + x.round() + x.trunc()) * x, 0.6, 0.9);
    }
}
