//! Natural logarithm: `y = ln x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = ln(x_i)`; negative infinity at 0, NaN below |
//! | derivative | `x' = y' / x` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "log", equation: "y = ln(x)", derivative: "x' = y' / x", torch: "torch.log" };

#[derive(Debug)]
struct Log<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Log<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad / &self.x);
    }
}

unary!(costly Formula(self, x: T) = x.ln());

impl<T: Real> Tensor<T> {
    /// The natural logarithm of every element.
    #[track_caller]
    pub fn log(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Log { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([1.0f64, std::f64::consts::E, 0.0, -1.0]).log().to_vec();
        assert_eq!(y[..3], [0.0, 1.0, f64::NEG_INFINITY]);
        assert!(y[3].is_nan());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.log(), 0.5, 2.0);
    }
}
