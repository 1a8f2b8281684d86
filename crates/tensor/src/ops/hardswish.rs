//! Piecewise quadratic swish: `y = x hardsigmoid(x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i min(max(x_i + 3, 0), 6) / 6` |
//! | derivative | that of [`mul`](Tensor::mul) and [`hardsigmoid`](Tensor::hardsigmoid), of which it is composed |
//! | shapes | any |
//! | source | A. Howard et al., "Searching for MobileNetV3", arXiv:1905.02244 (2019) |

use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "hardswish",
    equation: "y = x hardsigmoid(x)",
    derivative: "composed of mul and hardsigmoid",
    torch: "torch.nn.functional.hardswish",
};

impl<T: Real> Tensor<T> {
    /// Every element times its piecewise linear sigmoid.
    #[track_caller]
    pub fn hardswish(&self) -> Self {
        self.hardsigmoid() * self
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
