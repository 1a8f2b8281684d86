//! Exponential less one: `y = e^x - 1`, exact near 0.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = exp(x_i) - 1` |
//! | derivative | `x' = y' (y + 1)` |
//! | shapes | any |
//! | saved | `y` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "expm1", equation: "y = exp(x) - 1", derivative: "x' = y' (y + 1)", torch: "torch.expm1" };

#[derive(Debug)]
struct Expm1<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Expm1<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        inputs.add(0, || grad * (y + T::ONE));
    }
}

unary!(costly Formula(self, x: T) = x.exp_m1());

impl<T: Real> Tensor<T> {
    /// `e^x - 1` of every element.
    #[track_caller]
    pub fn expm1(&self) -> Self {
        let value = map1(Formula {}, self);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Expm1 { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0f64, 1e-20, f64::NEG_INFINITY]).expm1().to_vec();
        assert_eq!(y, [0.0, 1e-20, -1.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.expm1(), -1.0, 1.0);
    }
}
