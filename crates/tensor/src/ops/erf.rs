//! Error function: `y = erf x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = 2/sqrt(pi) * integral of exp(-t^2) from 0 to x_i` |
//! | derivative | `x' = y' 2/sqrt(pi) exp(-x^2)` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "erf", equation: "y = erf(x)", derivative: "x' = y' 2/sqrt(pi) exp(-x^2)", torch: "torch.erf" };

#[derive(Debug)]
struct Erf<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Erf<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let factor = T::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
        inputs.add(0, || grad * (-(&self.x * &self.x)).exp() * factor);
    }
}

unary!(costly Formula(self, x: T) = x.erf());

impl<T: Real> Tensor<T> {
    /// The error function of every element.
    #[track_caller]
    pub fn erf(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Erf { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // Abramowitz and Stegun, table 7.1: erf 0.5 = 0.5204998778.
        let y = Tensor::from([0.0f64, 0.5, -0.5]).erf().to_vec();
        assert!(y[0] == 0.0 && (y[1] - 0.5204998778).abs() < 1e-10 && y[2] == -y[1]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.erf(), -2.0, 2.0);
    }
}
