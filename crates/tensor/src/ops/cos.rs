//! Cosine: `y = cos x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = cos(x_i)`, `x_i` in radians; NaN where it is infinite |
//! | derivative | `x' = -y' sin(x)` |
//! | shapes | any |
//! | saved | `x` |

use super::elementwise::map1;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::math::trig;

pub(super) static INFO: OpInfo =
    OpInfo { name: "cos", equation: "y = cos(x)", derivative: "x' = -y' sin(x)", torch: "torch.cos" };

#[derive(Debug)]
struct Cos<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Cos<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || -(grad * self.x.sin()));
    }
}

impl<T: Real> Tensor<T> {
    /// The cosine of every element, an angle in radians.
    #[track_caller]
    pub fn cos(&self) -> Self {
        Self::from_op(&INFO, map1(trig::Cos, self), &[self], || Cos { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;
    use std::f64::consts::PI;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0, PI / 3.0, PI]).cos().to_vec();
        assert!(y.iter().zip([1.0, 0.5, -1.0]).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn large_angles() {
        let x = [1e5f32, 3e7, -1e20, 1e-30];
        for (y, x) in Tensor::from(x).cos().to_vec().into_iter().zip(x) {
            assert!((f64::from(y) - f64::from(x).cos()).abs() < 6e-8);
        }
        assert!(Tensor::from([f32::INFINITY]).cos().item().is_nan());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.cos(), -3.0, 3.0);
    }
}
