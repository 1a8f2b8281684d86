//! Logistic function: `y = 1 / (1 + e^-x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 1 / (1 + exp(-x_i))` |
//! | derivative | `x' = y' y (1 - y)` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "sigmoid",
    equation: "y = 1 / (1 + exp(-x))",
    derivative: "x' = y' y (1 - y)",
    torch: "torch.sigmoid",
};

#[derive(Debug)]
struct Sigmoid<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Sigmoid<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let y = self.y.get(inputs);
            inputs.add(0, || grad * (&y - &y * &y));
        } else {
            inputs.add(0, || map2_owned("sigmoid_backward", Slope {}, grad, self.y.value()));
        }
    }
}

unary!(costly Formula(self, x: T) = x.sigmoid());
binary!(Slope(self, grad: T, y) = grad * y * (T::ONE - y));

impl<T: Real> Tensor<T> {
    /// The logistic function of every element. It never overflows.
    #[track_caller]
    pub fn sigmoid(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Sigmoid { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([0.0f64, 1000.0, -1000.0]).sigmoid().to_vec(), [0.5, 1.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sigmoid(), -2.0, 2.0);
    }
}
