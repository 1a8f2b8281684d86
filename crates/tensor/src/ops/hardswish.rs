//! Piecewise quadratic swish: `y = x hardsigmoid(x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i min(max(x_i + 3, 0), 6) / 6` |
//! | derivative | `x' = y' s(x)`, where the slope `s` is 0 up to -3, 1 from 3 on, `x_i / 3 + 1/2` between |
//! | shapes | any |
//! | saved | `x` |
//! | source | A. Howard et al., "Searching for MobileNetV3", arXiv:1905.02244 (2019) |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "hardswish",
    equation: "y = x hardsigmoid(x)",
    derivative: "x' = y' s(x), s = x / 3 + 1/2 between -3 and 3, 0 below, 1 above",
    torch: "torch.nn.functional.hardswish",
};

#[derive(Debug)]
struct Hardswish<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Hardswish<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let x = &self.x;
        if inputs.is_tracked() {
            let bound = |b: f64| Tensor::scalar(T::from_f64(b));
            let between = x * T::from_f64(1.0 / 3.0) + T::from_f64(0.5);
            let below_three = Tensor::where_(&x.ge(bound(3.0)), bound(1.0), between);
            inputs.add(0, || grad * Tensor::where_(&x.le(bound(-3.0)), bound(0.0), below_three));
        } else {
            inputs.add(0, || map2_owned("hardswish_backward", Slope {}, grad, x));
        }
    }
}
unary!(Formula(self, x: T) = {
    let y = x + T::from_f64(3.0);
    let y = if y < T::ZERO { T::ZERO } else { y };
    let six = T::from_f64(6.0);
    x * (if y > six { six } else { y } * T::from_f64(1.0 / 6.0))
});
binary!(Slope(self, grad: T, x) = {
    let three = T::from_f64(3.0);
    let between = x * T::from_f64(1.0 / 3.0) + T::from_f64(0.5);
    let slope = if x >= three { T::ONE } else { between };
    grad * if x <= -three { T::ZERO } else { slope }
});

impl<T: Real> Tensor<T> {
    /// Every element times its piecewise linear sigmoid.
    #[track_caller]
    pub fn hardswish(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Hardswish { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([-4.0f32, 0.0, 1.5, 9.0]).hardswish().to_vec(), [0.0, 0.0, 1.125, 9.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.hardswish(), -4.1, 4.0);
    }
}
