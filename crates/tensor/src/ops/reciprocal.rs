//! Reciprocal: `y = 1 / x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 1 / x_i` |
//! | derivative | `x' = -y' y^2` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "reciprocal", equation: "y = 1 / x", derivative: "x' = -y' y^2", torch: "torch.reciprocal" };

#[derive(Debug)]
struct Reciprocal<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Reciprocal<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        inputs.add(0, || -(grad * (&y * &y)));
    }
}

unary!(Formula(self, x: T) = T::ONE / x);

impl<T: Real> Tensor<T> {
    /// The reciprocal of every element.
    #[track_caller]
    pub fn reciprocal(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Reciprocal { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([4.0f32, -0.5, 0.0]).reciprocal().to_vec(), [0.25, -2.0, f32::INFINITY]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.reciprocal(), 0.5, 2.0);
    }
}
