//! Smooth rectifier: `y = ln(1 + e^(b x)) / b`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = ln(1 + exp(b x_i)) / b`; `x_i` where `b x_i` is above the threshold |
//! | derivative | `x' = y' s(b x)`, `s` the logistic function; `y'` above the threshold |
//! | shapes | any |
//! | saved | `x` |
//!
//! Computed as `max(z, 0) + ln(1 + e^-|z|)` with `z = b x`, which neither overflows nor cancels.

use super::elementwise::{map1, map2_owned};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "softplus",
    equation: "y = ln(1 + exp(b x)) / b, x above the threshold",
    derivative: "x' = y' / (1 + exp(-b x)), y' above the threshold",
    torch: "torch.nn.functional.softplus",
};

#[derive(Debug)]
struct Softplus<T: Real> {
    x: Tensor<T>,
    beta: f64,
    threshold: f64,
}

impl<T: Real> Op<T> for Softplus<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Softplus { ref x, beta, threshold } = *self;
        if inputs.is_tracked() {
            let z = x * T::from_f64(beta);
            let linear = z.gt(Tensor::scalar(T::from_f64(threshold)));
            inputs.add(0, || grad * Tensor::where_(&linear, Tensor::scalar(T::ONE), z.sigmoid()));
        } else {
            inputs.add(0, || map2_owned("softplus_backward", Slope { beta, threshold }, grad, x));
        }
    }
}

unary!(costly Formula { beta: f64, threshold: f64 }(self, x: T) = {
    let beta = T::from_f64(self.beta);
    let z = x * beta;
    let y = (z.maximum(T::ZERO) + (-z.abs()).exp().ln_1p()) / beta;
    if z > T::from_f64(self.threshold) { x } else { y }
});
binary!(Slope { beta: f64, threshold: f64 }(self, grad: T, x) = {
    let z = x * T::from_f64(self.beta);
    if z > T::from_f64(self.threshold) { grad } else { grad * z.sigmoid() }
});

impl<T: Real> Tensor<T> {
    /// The smooth rectifier of every element; `x` itself where `beta x` is above the threshold. PyTorch's defaults are 1 and
    /// 20.
    #[track_caller]
    pub fn softplus(&self, beta: f64, threshold: f64) -> Self {
        let value = map1(Formula { beta, threshold }, self);
        Self::from_op(&INFO, value, &[self], || Softplus { x: self.clone(), beta, threshold })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([0.0f64, 3f64.ln(), -1000.0, 1000.0]).softplus(1.0, 20.0).to_vec();
        let expected = [2f64.ln(), 4f64.ln(), 0.0, 1000.0];
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
        assert_eq!(Tensor::from([1.0f32]).softplus(2.0, 1.5).item(), 1.0);
    }

    #[test]
    fn the_tails_keep_their_digits() {
        check::tails(|x| x.softplus(1.0, 20.0), |x| x.softplus(1.0, 20.0));
        check::tails(|x| x.softplus(-1.5, 20.0), |x| x.softplus(-1.5, 20.0));
        check::tails(|x| x.softplus(1.0, 80.0), |x| x.softplus(1.0, 80.0));
    }

    #[test]
    fn derivatives_are_finite_far_away() {
        check::finite(|x| x.softplus(1.0, 20.0));
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.softplus(1.0, 20.0), -2.0, 2.0);
        check::unary(|x| x.softplus(-1.5, 20.0), -2.0, 2.0);
        check::unary(|x| x.softplus(3.0, 1.0), 0.5, 2.0);
    }
}
