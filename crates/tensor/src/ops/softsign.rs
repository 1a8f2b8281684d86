//! Soft sign: `y = x / (1 + |x|)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i / (1 + abs(x_i))` |
//! | derivative | `x' = y' / (1 + abs(x))^2` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "softsign",
    equation: "y = x / (1 + |x|)",
    derivative: "x' = y' / (1 + |x|)^2",
    torch: "torch.nn.functional.softsign",
};

#[derive(Debug)]
struct Softsign<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Softsign<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            inputs.add(0, || grad / (self.x.abs() + T::ONE).square());
        } else {
            inputs.add(0, || map2_owned("softsign_backward", Slope {}, grad, &self.x));
        }
    }
}

unary!(Formula(self, x: T) = x / (T::ONE + x.abs()));
binary!(Slope(self, grad: T, x) = {
    let d = T::ONE + x.abs();
    grad / (d * d)
});

impl<T: Real> Tensor<T> {
    /// Every element divided by one more than its absolute value.
    #[track_caller]
    pub fn softsign(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Softsign { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-1.0f32, 0.0, 3.0]).softsign().to_vec(), [-0.5, 0.0, 0.75]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.softsign(), 0.2, 2.0);
        check::unary(|x| x.softsign(), -2.0, -0.2);
    }
}
