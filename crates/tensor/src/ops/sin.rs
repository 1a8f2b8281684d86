//! Sine: `y = sin x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = sin(x_i)`, `x_i` in radians; NaN where it is infinite |
//! | derivative | `x' = y' cos(x)` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::math::trig;

pub(super) static INFO: OpInfo =
    OpInfo { name: "sin", equation: "y = sin(x)", derivative: "x' = y' cos(x)", torch: "torch.sin" };

#[derive(Debug)]
struct Sin<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Sin<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad * self.x.cos());
    }
}

impl<T: Real> Tensor<T> {
    /// The sine of every element, an angle in radians.
    #[track_caller]
    pub fn sin(&self) -> Self {
        Self::from_op(&INFO, map1(trig::Sin, self), &[self], || Sin { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;
    use std::f64::consts::PI;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0, PI / 2.0, -PI / 6.0]).sin().to_vec();
        assert!(y.iter().zip([0.0, 1.0, -0.5]).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn large_angles() {
        let x = [1e5f32, 3e7, -1e20, 1e-30];
        for (y, x) in Tensor::from(x).sin().to_vec().into_iter().zip(x) {
            assert!((f64::from(y) - f64::from(x).sin()).abs() < 6e-8);
        }
        assert!(Tensor::from([f32::INFINITY]).sin().item().is_nan());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sin(), -3.0, 3.0);
    }
}
