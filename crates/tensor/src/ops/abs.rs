//! Absolute value: `y = |x|`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i` or `-x_i`, whichever is not negative |
//! | derivative | `x' = y' sign(x)`, 0 at 0 |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use super::sign::Sign;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "abs", equation: "y = |x|", derivative: "x' = y' sign(x)", torch: "torch.abs" };

#[derive(Debug)]
struct Abs<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Abs<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The sign is constant almost everywhere: no gradient flows through it.
        inputs.add(0, || grad * map1(Sign {}, &self.x));
    }
}

unary!(Formula(self, x: T) = x.abs());

impl<T: Real> Tensor<T> {
    /// The absolute value of every element.
    #[track_caller]
    pub fn abs(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Abs { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-3.0f32, 0.0, 2.0]).abs().to_vec(), [3.0, 0.0, 2.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.abs(), 0.5, 1.0);
        check::unary(|x| x.abs() * x, -1.0, -0.5);
    }
}
