//! Square root: `y = sqrt x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = sqrt(x_i)`; NaN below 0 |
//! | derivative | `x' = y' / (2 y)` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "sqrt", equation: "y = sqrt(x)", derivative: "x' = y' / (2 y)", torch: "torch.sqrt" };

#[derive(Debug)]
struct Sqrt<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Sqrt<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        inputs.add(0, || grad / (y * T::from_f64(2.0)));
    }
}

unary!(Formula(self, x: T) = x.sqrt());

impl<T: Real> Tensor<T> {
    /// The square root of every element.
    #[track_caller]
    pub fn sqrt(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Sqrt { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([4.0f32, 9.0, 0.0]).sqrt().to_vec(), [2.0, 3.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sqrt(), 0.5, 2.0);
    }
}
