//! Natural logarithm of one more: `y = ln(1 + x)`, exact near 0.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = ln(1 + x_i)` |
//! | derivative | `x' = y' / (1 + x)` |
//! | shapes | any |
//! | saved | `x` |
//!
//! `1 + x` itself loses what `x` has below the last bit of 1; this does not.

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "log1p", equation: "y = ln(1 + x)", derivative: "x' = y' / (1 + x)", torch: "torch.log1p" };

#[derive(Debug)]
struct Log1p<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Log1p<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad / (&self.x + T::ONE));
    }
}

unary!(costly Formula(self, x: T) = x.ln_1p());

impl<T: Real> Tensor<T> {
    /// The natural logarithm of one more than every element.
    #[track_caller]
    pub fn log1p(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Log1p { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0f64, 1.0, 1e-20, -1.0]).log1p().to_vec();
        assert_eq!(y, [0.0, std::f64::consts::LN_2, 1e-20, f64::NEG_INFINITY]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.log1p(), -0.5, 2.0);
    }
}
