//! Square: `y = x^2`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i^2` |
//! | derivative | `x' = 2 y' x` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "square", equation: "y = x^2", derivative: "x' = 2 y' x", torch: "torch.square" };

#[derive(Debug)]
struct SquareOf<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for SquareOf<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad * &self.x * T::from_f64(2.0));
    }
}

unary!(pub(super) Square(self, x: T) = x * x);

impl<T: Real> Tensor<T> {
    /// The square of every element.
    #[track_caller]
    pub fn square(&self) -> Self {
        Self::from_op(&INFO, map1(Square {}, self), &[self], || SquareOf { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-3.0f32, 0.0, 0.5]).square().to_vec(), [9.0, 0.0, 0.25]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.square(), -1.0, 1.0);
    }
}
