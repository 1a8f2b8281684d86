//! Mean binary cross entropy of logits.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of -t ln s(x) - (1 - t) ln(1 - s(x))`, `s` the logistic function |
//! | derivative | `x' = y' (s(x) - t) / n`, `t' = -y' x / n` |
//! | shapes | `x` and `t` equal; `y` has no dimension |
//! | saved | `x` and `t` |
//!
//! Computed as `max(x, 0) - x t + ln(1 + e^-|x|)`, which neither overflows nor cancels for logits of any size.

use super::elementwise::map2;
use super::mean::mean_value;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "bce_with_logits",
    equation: "y = mean of max(x, 0) - x t + ln(1 + exp(-|x|))",
    derivative: "x' = y' (sigmoid(x) - t) / n, t' = -y' x / n",
    torch: "torch.nn.functional.binary_cross_entropy_with_logits",
};

#[derive(Debug)]
struct BceWithLogits<T: Real> {
    x: Tensor<T>,
    target: Tensor<T>,
}

impl<T: Real> Op<T> for BceWithLogits<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let each = grad / T::from_usize(self.x.numel());
        if inputs.is_tracked() {
            inputs.add(0, || (self.x.sigmoid() - &self.target) * &each);
        } else {
            inputs.add(0, || map2("bce_backward", Slope {}, &self.x, &self.target) * &each);
        }
        inputs.add(1, || -(&self.x * each));
    }
}

binary!(Loss(self, x: T, t) = x.maximum(T::ZERO) - x * t + (-x.abs()).exp().ln_1p());
binary!(Slope(self, x: T, t) = x.sigmoid() - t);

impl<T: Real> Tensor<T> {
    /// The mean binary cross entropy of these logits against target probabilities in `[0, 1]`.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn bce_with_logits(&self, target: &Self) -> Self {
        assert!(
            self.shape() == target.shape(),
            "bce_with_logits: logits {} and target {} must have the same shape",
            self.shape(),
            target.shape()
        );
        let value = mean_value(&map2(INFO.name, Loss {}, self, target));
        Self::from_op(&INFO, value, &[self, target], || BceWithLogits { x: self.clone(), target: target.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert!((Tensor::from([0.0f64]).bce_with_logits(&Tensor::from([0.3])).item() - 2f64.ln()).abs() < 1e-15);
        let x = Tensor::from([1000.0f32, -1000.0, 1000.0, -1000.0]).requires_grad();
        let loss = x.bce_with_logits(&Tensor::from([1.0, 0.0, 0.0, 1.0]));
        assert_eq!(loss.item(), 500.0);
        assert_eq!(loss.backward().get(&x).unwrap().to_vec(), [0.0, 0.0, 0.25, -0.25]);
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], -2.0, 2.0), check::random([4, 3], 0.1, 0.9));
        check::gradients(|x| x[0].bce_with_logits(&x[1].t()), &[&x, &t]);
    }

    #[test]
    #[should_panic(expected = "bce_with_logits: logits [3] and target [3, 1] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([3]).bce_with_logits(&Tensor::zeros([3, 1]));
    }
}
