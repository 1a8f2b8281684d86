//! Exponential linear units: `x` above 0, an exponential below that tends to a constant.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = s x_i` where `x_i > 0`, else `s a (exp(x_i / b) - 1)` |
//! | derivative | `x' = s y'` where `x > 0`, else `y' (s a / b) exp(x / b)` |
//! | shapes | any |
//! | saved | `x` |
//! | source | D. Clevert, T. Unterthiner, S. Hochreiter, arXiv:1511.07289 (2015); G. Klambauer et al., "Self-normalizing neural networks", arXiv:1706.02515 (2017); J. Barron, arXiv:1704.07483 (2017) |
//!
//! `elu` has `s = b = 1`; `celu` has `s = 1`, `b = a`, which makes it smooth; `selu` has `b = 1` and the two constants that
//! keep mean 0 and variance 1 from layer to layer.

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "elu",
    equation: "y = x where x > 0, else a (exp(x) - 1)",
    derivative: "x' = y' where x > 0, else y' a exp(x)",
    torch: "torch.nn.functional.elu",
};

static CELU: OpInfo = OpInfo {
    name: "celu",
    equation: "y = x where x > 0, else a (exp(x / a) - 1)",
    derivative: "x' = y' where x > 0, else y' exp(x / a)",
    torch: "torch.nn.functional.celu",
};

static SELU: OpInfo = OpInfo {
    name: "selu",
    equation: "y = s x where x > 0, else s a (exp(x) - 1)",
    derivative: "x' = s y' where x > 0, else y' s a exp(x)",
    torch: "torch.nn.functional.selu",
};

#[derive(Debug)]
struct Elu<T: Real> {
    x: Tensor<T>,
    form: Formula,
}

impl<T: Real> Op<T> for Elu<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let (x, Formula { scale, low, inner }) = (&self.x, self.form);
        if inputs.is_tracked() {
            // Above 0 the exponential is not wanted, and must not overflow.
            let zero = || Tensor::scalar(T::ZERO);
            let below = Tensor::where_(&x.lt(zero()), x, zero()) * T::from_f64(inner);
            let below = below.exp() * T::from_f64(low * inner);
            inputs.add(0, || {
                grad * Tensor::where_(&x.le(Tensor::scalar(T::ZERO)), below, Tensor::scalar(T::from_f64(scale)))
            });
        } else {
            inputs.add(0, || map2_owned("elu_backward", Slope { scale, low, inner }, grad, x));
        }
    }
}

unary!(costly Formula { scale: f64, low: f64, inner: f64 }(self, x: T) = {
    if x <= T::ZERO { T::from_f64(self.low) * (x * T::from_f64(self.inner)).exp_m1() } else { x * T::from_f64(self.scale) }
});
binary!(Slope { scale: f64, low: f64, inner: f64 }(self, grad: T, x) = {
    let below = T::from_f64(self.low * self.inner) * (x * T::from_f64(self.inner)).exp();
    grad * if x <= T::ZERO { below } else { T::from_f64(self.scale) }
});

impl<T: Real> Tensor<T> {
    #[track_caller]
    fn elu_family(&self, info: &'static OpInfo, form: Formula) -> Self {
        Self::from_op(info, map1(form, self), &[self], || Elu { x: self.clone(), form })
    }

    /// The exponential linear unit of every element: `x` or `alpha (e^x - 1)`. PyTorch's default `alpha` is 1.
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Self {
        self.elu_family(&INFO, Formula { scale: 1.0, low: alpha, inner: 1.0 })
    }

    /// The continuously differentiable exponential linear unit of every element: `x` or `alpha (e^(x / alpha) - 1)`.
    ///
    /// # Panics
    /// If `alpha` is 0.
    #[track_caller]
    pub fn celu(&self, alpha: f64) -> Self {
        assert!(alpha != 0.0, "celu: alpha must not be 0");
        self.elu_family(&CELU, Formula { scale: 1.0, low: alpha, inner: 1.0 / alpha })
    }

    /// The scaled exponential linear unit of every element, with the constants of the paper.
    #[track_caller]
    pub fn selu(&self) -> Self {
        let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
        self.elu_family(&SELU, Formula { scale, low: scale * alpha, inner: 1.0 })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([-1000.0f64, -(2f64.ln()), 0.0, 3.0]);
        let close = |a: Tensor<f64>, b: [f64; 4]| a.to_vec().iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
        assert!(close(x.elu(2.0), [-2.0, -1.0, 0.0, 3.0]));
        assert!(close((&x * 2.0).celu(2.0), [-2.0, -1.0, 0.0, 6.0]));
        let limit = -1.758_099_340_847_376_6;
        assert!(close(x.selu(), [limit, limit / 2.0, 0.0, 3.152_102_962_066_441_4]));
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.elu(0.7), -2.0, 2.0);
        check::unary(|x| x.celu(1.3), -2.0, 2.0);
        check::unary(|x| x.selu(), -2.0, 2.0);
        check::unary(|x| (x * 1000.0).elu(1.0), -2.0, 2.0);
    }
}
