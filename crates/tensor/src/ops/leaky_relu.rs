//! Rectified linear unit with a slope below 0: `y = x` or `s x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i` where `x_i > 0`, else `s x_i` |
//! | derivative | `x' = y'` where `x > 0`, else `s y'` |
//! | shapes | any |
//! | saved | `x` |
//! | source | A. Maas, A. Hannun, A. Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013) |

use super::elementwise::map1;
use super::gate::{Gate, gate_info};
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "leaky_relu",
    equation: "y = x where x > 0, else s x",
    derivative: "x' = y' where x > 0, else s y'",
    torch: "torch.nn.functional.leaky_relu",
};

static GATE: OpInfo = gate_info!("leaky_relu_backward", "x' = y' where x > 0, else s y'");

unary!(Formula { slope: f64 }(self, x: T) = if x > T::ZERO { x } else { x * T::from_f64(self.slope) });
binary!(Pass { slope: f64 }(self, grad: T, x) = if x > T::ZERO { grad } else { grad * T::from_f64(self.slope) });

impl<T: Real> Tensor<T> {
    /// Every element where it is positive, and `negative_slope` times it elsewhere. PyTorch's default slope is 0.01.
    #[track_caller]
    pub fn leaky_relu(&self, negative_slope: f64) -> Self {
        let gate = Pass { slope: negative_slope };
        Self::from_op(&INFO, map1(Formula { slope: negative_slope }, self), &[self], || Gate {
            info: &GATE,
            x: self.detach(),
            gate,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-2.0f32, 0.0, 3.0]).leaky_relu(0.25).to_vec(), [-0.5, 0.0, 3.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.leaky_relu(0.1), -1.0, 1.0);
        check::unary(|x| (x * x - 0.3).leaky_relu(-0.5) * x, 0.6, 1.0);
    }
}
