//! Piecewise linear sigmoid: `y = min(max(x + 3, 0), 6) / 6`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 0` up to -3, 1 from 3 on, `x_i / 6 + 1/2` between (NaN stays NaN) |
//! | derivative | `x' = y' / 6` where `-3 < x < 3`, else 0 |
//! | shapes | any |
//! | saved | `x` |
//! | source | A. Howard et al., "Searching for MobileNetV3", arXiv:1905.02244 (2019) |

use super::elementwise::map1;
use super::gate::{Gate, gate_info};
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "hardsigmoid",
    equation: "y = min(max(x + 3, 0), 6) / 6",
    derivative: "x' = y' / 6 where -3 < x < 3, else 0",
    torch: "torch.nn.functional.hardsigmoid",
};

static GATE: OpInfo = gate_info!("hardsigmoid_backward", "x' = y' / 6 where -3 < x < 3, else 0");

unary!(Formula(self, x: T) = {
    let y = x + T::from_f64(3.0);
    let y = if y < T::ZERO { T::ZERO } else { y };
    let six = T::from_f64(6.0);
    (if y > six { six } else { y }) / six
});
binary!(Pass(self, grad: T, x) = {
    if x > T::from_f64(-3.0) && x < T::from_f64(3.0) { grad / T::from_f64(6.0) } else { T::ZERO }
});

impl<T: Real> Tensor<T> {
    /// The piecewise linear sigmoid of every element.
    #[track_caller]
    pub fn hardsigmoid(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Gate { info: &GATE, x: self.detach(), gate: Pass {} })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([-4.0f32, -3.0, 0.0, 1.5, 3.0, 9.0]).hardsigmoid();
        assert_eq!(y.to_vec(), [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.hardsigmoid(), -4.1, 4.0);
        check::unary(|x| x.hardsigmoid() * x, -2.0, 2.0);
    }
}
