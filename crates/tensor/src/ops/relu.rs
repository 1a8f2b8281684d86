//! Rectified linear unit: `y = max(x, 0)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i` where `x_i > 0`, else 0 (NaN stays NaN) |
//! | derivative | `x' = y'` where `y > 0`, else 0 (`y'` where `y` is NaN) |
//! | shapes | any |
//! | saved | `y`: where it is positive |
//!
//! The backward rule is linear in the gradient and constant in `y`, so it is an operation whose rule is itself.

use super::elementwise::map1;
use super::gate::{Gate, gate_info};
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "relu", equation: "y = max(x, 0)", derivative: "x' = y' where y > 0, else 0", torch: "torch.relu" };

static GATE: OpInfo = gate_info!("relu_backward", "x' = y' where y > 0, else 0");

unary!(Formula(self, x: T) = x.maximum(T::ZERO));
// NaN passes the gradient on: a NaN must not be hidden behind zeros.
binary!(Pass(self, grad: T, y) = if y <= T::ZERO { T::ZERO } else { grad });

impl<T: Real> Tensor<T> {
    /// The larger of 0 and every element.
    #[track_caller]
    pub fn relu(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = value.detach();
        Self::from_op(&INFO, value, &[self], || Gate { info: &GATE, x: y, gate: Pass {} })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([-1.0f32, 0.0, 2.0, f32::NAN]).relu().to_vec();
        assert_eq!(y[..3], [0.0, 0.0, 2.0]);
        assert!(y[3].is_nan());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.relu(), -1.0, 1.0);
        check::unary(|x| (x * x).relu() * x, -1.0, 1.0);
    }
}
