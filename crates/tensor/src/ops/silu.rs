//! Sigmoid linear unit, or swish: `y = x sigmoid(x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i s(x_i)`, `s` the logistic function |
//! | derivative | `x' = y' s(x) (1 + x (1 - s(x)))` |
//! | shapes | any |
//! | saved | `x` |
//! | source | S. Elfwing, E. Uchibe, K. Doya, arXiv:1702.03118 (2017); P. Ramachandran, B. Zoph, Q. Le, arXiv:1710.05941 (2017) |

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "silu",
    equation: "y = x s(x), s the logistic function",
    derivative: "x' = y' s(x) (1 + x (1 - s(x)))",
    torch: "torch.nn.functional.silu",
};

#[derive(Debug)]
struct Silu<T: Real> {
    x: Tensor<T>,
}

impl<T: Real> Op<T> for Silu<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let x = &self.x;
        if inputs.is_tracked() {
            let s = x.sigmoid();
            inputs.add(0, || grad * &s * (x * (-s + T::ONE) + T::ONE));
        } else {
            inputs.add(0, || map2_owned("silu_backward", Slope {}, grad, x));
        }
    }
}

unary!(costly Formula(self, x: T) = x * x.sigmoid());
binary!(Slope(self, grad: T, x) = {
    let s = x.sigmoid();
    grad * s * (T::ONE + x * (T::ONE - s))
});

impl<T: Real> Tensor<T> {
    /// Every element times its logistic function.
    #[track_caller]
    pub fn silu(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Silu { x: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // s(ln 3) = 3/4.
        let y = Tensor::from([0.0f64, 3f64.ln(), -(3f64.ln()), 1000.0, -1000.0]).silu().to_vec();
        let expected = [0.0, 0.75 * 3f64.ln(), -0.25 * 3f64.ln(), 1000.0, 0.0];
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.silu(), |x| x.silu());
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.silu());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.silu(), -2.0, 2.0);
    }
}
