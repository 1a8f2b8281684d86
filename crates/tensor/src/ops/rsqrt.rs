//! Reciprocal of the square root: `y = 1 / sqrt x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 1 / sqrt(x_i)` |
//! | derivative | `x' = -1/2 y' y^3` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "rsqrt", equation: "y = 1 / sqrt(x)", derivative: "x' = -1/2 y' y^3", torch: "torch.rsqrt" };

#[derive(Debug)]
struct Rsqrt<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Rsqrt<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        inputs.add(0, || grad * T::from_f64(-0.5) * (&y * &y * y));
    }
}

unary!(Formula(self, x: T) = T::ONE / x.sqrt());

impl<T: Real> Tensor<T> {
    /// The reciprocal of every element's square root.
    #[track_caller]
    pub fn rsqrt(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Rsqrt { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([4.0f32, 0.25, 0.0, f32::INFINITY]).rsqrt().to_vec();
        assert_eq!(y, [0.5, 2.0, f32::INFINITY, 0.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.rsqrt(), 0.5, 2.0);
    }
}
