//! Hyperbolic tangent: `y = tanh x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = (e^x_i - e^-x_i) / (e^x_i + e^-x_i)` |
//! | derivative | `x' = y' (1 - y^2)` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "tanh", equation: "y = tanh(x)", derivative: "x' = y' (1 - y^2)", torch: "torch.tanh" };

#[derive(Debug)]
struct Tanh<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Tanh<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let y = self.y.get(inputs);
            inputs.add(0, || &grad - &grad * (&y * &y));
        } else {
            inputs.add(0, || map2_owned("tanh_backward", Slope {}, grad, self.y.value()));
        }
    }
}

unary!(costly Formula(self, x: T) = x.tanh());
binary!(Slope(self, grad: T, y) = grad * (T::ONE - y * y));

impl<T: Real> Tensor<T> {
    /// The hyperbolic tangent of every element.
    #[track_caller]
    pub fn tanh(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Tanh { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([0.0f64, 100.0, -100.0]).tanh().to_vec(), [0.0, 1.0, -1.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.tanh(), -1.0, 1.0);
    }
}
