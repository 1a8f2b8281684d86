//! Power with a constant exponent: `y = x^p`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i^p`; NaN where `x_i < 0` and `p` is no integer |
//! | derivative | `x' = y' p x^(p-1)` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use super::square::Square;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "powf", equation: "y = x^p", derivative: "x' = y' p x^(p-1)", torch: "torch.pow" };

#[derive(Debug)]
struct Pow<T: Real> {
    x: Tensor<T>,
    exponent: f64,
}

impl<T: Real> Op<T> for Pow<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The derivative of a constant is 0 everywhere; 0 * x^-1 would be NaN at 0.
        if self.exponent != 0.0 {
            inputs.add(0, || grad * self.x.powf(self.exponent - 1.0) * T::from_f64(self.exponent));
        }
    }
}

unary!(costly Formula { exponent: f64 }(self, x: T) = x.powf(T::from_f64(self.exponent)));

impl<T: Real> Tensor<T> {
    /// Every element raised to a constant power.
    #[track_caller]
    pub fn powf(&self, exponent: f64) -> Self {
        // Squares are by far the most common and need no logarithm.
        let value = if exponent == 2.0 { map1(Square {}, self) } else { map1(Formula { exponent }, self) };
        Self::from_op(&INFO, value, &[self], || Pow { x: self.clone(), exponent })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-3.0f32, 0.0, 2.0]).powf(3.0).to_vec(), [-27.0, 0.0, 8.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.powf(3.0), -1.0, 1.0);
        check::unary(|x| x.powf(-0.5), 0.5, 1.0);
        check::unary(|x| x.powf(1.0), -1.0, 1.0);
        check::unary(|x| x.powf(0.0), -1.0, 1.0);
    }

    #[test]
    fn derivatives_at_zero_are_finite() {
        let x = Tensor::from([0.0f64]).requires_grad();
        for exponent in [0.0, 1.0, 2.0] {
            let gradient = x.powf(exponent).sum().backward();
            let expected = if exponent == 1.0 { 1.0 } else { 0.0 };
            assert_eq!(gradient.get(&x).map_or(0.0, |g| g.item()), expected);
        }
    }
}
