//! Exponential: `y = e^x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = exp(x_i)` |
//! | derivative | `x' = y' y` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "exp", equation: "y = exp(x)", derivative: "x' = y' y", torch: "torch.exp" };

#[derive(Debug)]
struct Exp<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Exp<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        inputs.add(0, || grad * y);
    }
}

unary!(costly Formula(self, x: T) = x.exp());

impl<T: Real> Tensor<T> {
    /// `e` to the power of every element.
    #[track_caller]
    pub fn exp(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Exp { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0f64, 1.0]).exp().to_vec();
        assert_eq!(y[0], 1.0);
        assert!((y[1] - std::f64::consts::E).abs() < 1e-15, "e is not {}", y[1]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.exp(), -1.0, 1.0);
    }
}
