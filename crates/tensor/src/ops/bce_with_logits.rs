//! Binary cross entropy of logits.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of -p t ln s(x) - (1 - t) ln(1 - s(x))`, `s` the logistic function, `p` the weight of the positive; or the sum, or each |
//! | derivative | `x' = y' ((1 - t) s(x) - t s(-x)) / n`, `t' = -y' x / n` without weights |
//! | shapes | `x` and `t` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `x` and `t` |
//!
//! Computed as `max(x, 0) - x t + ln(1 + e^-|x|)`, which neither overflows nor cancels for logits of any size; nor does the
//! gradient, which is `s(x) - t` in exact arithmetic. With weights it is
//! composed: `w ((1 - t) x - (1 + (p - 1) t) logsigmoid(x))`.

use super::elementwise::map2;
use super::reduction::{Reduction, require_same_shape};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "bce_with_logits",
    equation: "y = mean of max(x, 0) - x t + ln(1 + exp(-|x|))",
    derivative: "x' = y' (sigmoid(x) - t) / n, t' = -y' x / n",
    torch: "torch.nn.functional.binary_cross_entropy_with_logits",
};

/// The binary cross entropy of logits, with options.
#[derive(Clone, Debug, Default)]
pub struct BceWithLogitsLoss<T: Real = f32> {
    /// A factor for each element; it broadcasts.
    pub weight: Option<Tensor<T>>,
    /// A factor for the part of the positive, such as one for each class; it broadcasts. Above 1 it raises recall, below 1
    /// precision.
    pub pos_weight: Option<Tensor<T>>,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

#[derive(Debug)]
struct Rule<T: Real> {
    x: Tensor<T>,
    target: Tensor<T>,
    reduction: Reduction,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let each = self.reduction.each(grad, self.x.numel());
        if inputs.is_tracked() {
            let Rule { x, target, .. } = self;
            inputs.add(0, || (x.sigmoid() * (-target + T::ONE) - (-x).sigmoid() * target) * &each);
        } else {
            inputs.add(0, || map2("bce_backward", Slope {}, &self.x, &self.target) * &each);
        }
        inputs.add(1, || -(&self.x * each));
    }
}

binary!(Loss(self, x: T, t) = x.maximum(T::ZERO) - x * t + (-x.abs()).exp().ln_1p());
binary!(Slope(self, x: T, t) = (T::ONE - t) * x.sigmoid() - t * (-x).sigmoid());

impl<T: Real> BceWithLogitsLoss<T> {
    /// The binary cross entropy of the logits `input` against target probabilities in `[0, 1]`.
    ///
    /// # Panics
    /// If the shapes differ, or a weight does not broadcast to them.
    #[track_caller]
    pub fn forward(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("logits", input), ("target", target));
        let reduction = self.reduction;
        if self.weight.is_none() && self.pos_weight.is_none() {
            let value = reduction.value(map2(INFO.name, Loss {}, input, target));
            return Tensor::from_op(&INFO, value, &[input, target], || Rule {
                x: input.clone(),
                target: target.clone(),
                reduction,
            });
        }
        let mut positive = input.logsigmoid();
        if let Some(pos_weight) = &self.pos_weight {
            positive = positive * ((pos_weight - T::ONE) * target + T::ONE);
        }
        let mut each = (-target + T::ONE) * input - positive;
        if let Some(weight) = &self.weight {
            each = each * weight;
        }
        let broadcasts = each.shape() == input.shape();
        assert!(broadcasts, "bce_with_logits: the weights do not broadcast to the logits' shape {}", input.shape());
        reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean binary cross entropy of these logits against target probabilities in `[0, 1]`. [`BceWithLogitsLoss`] has the
    /// options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn bce_with_logits(&self, target: &Self) -> Self {
        BceWithLogitsLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert!((Tensor::from([0.0f64]).bce_with_logits(&Tensor::from([0.3])).item() - 2f64.ln()).abs() < 1e-15);
        let x = Tensor::from([1000.0f32, -1000.0, 1000.0, -1000.0]).requires_grad();
        let loss = x.bce_with_logits(&Tensor::from([1.0, 0.0, 0.0, 1.0]));
        assert_eq!(loss.item(), 500.0);
        assert_eq!(loss.backward().get(&x).unwrap().to_vec(), [0.0, 0.0, 0.25, -0.25]);
        let weighted = BceWithLogitsLoss {
            weight: Some(Tensor::from([2.0])),
            pos_weight: Some(Tensor::scalar(3.0)),
            reduction: Reduction::None,
        };
        let each = weighted.forward(&x, &Tensor::from([1.0, 0.0, 0.0, 1.0]));
        assert_eq!(each.to_vec(), [0.0, 0.0, 2000.0, 6000.0]);
    }

    #[test]
    fn small_gradients_survive() {
        let x = Tensor::from([20.0f32, -20.0]).requires_grad();
        let t = Tensor::from([1.0f32, 0.0]);
        for g in [crate::grad(&x.bce_with_logits(&t), &[&x], crate::CreateGraph), {
            vec![x.bce_with_logits(&t).backward().get(&x).unwrap().clone()]
        }] {
            let expected = 0.5 * (-20f32).exp();
            let close = |g: f32| (g / expected - 1.0).abs() < 1e-6;
            assert!(close(-g[0].to_vec()[0]) && close(g[0].to_vec()[1]), "{:?}", g[0].to_vec());
        }
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], -2.0, 2.0), check::random([4, 3], 0.1, 0.9));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            let plain = BceWithLogitsLoss { reduction, ..Default::default() };
            check::gradients(|x| plain.forward(&x[0], &x[1].t()), &[&x, &t]);
            let (w, p) = (check::random([4], 0.5, 1.0), check::random([3, 1], 0.5, 2.0));
            check::gradients(
                |x| {
                    let (weight, pos_weight) = (Some(x[2].clone()), Some(x[3].clone()));
                    BceWithLogitsLoss { weight, pos_weight, reduction }.forward(&x[0], &x[1].t())
                },
                &[&x, &t, &w, &p],
            );
        }
    }

    #[test]
    #[should_panic(expected = "bce_with_logits: logits [3] and target [3, 1] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([3]).bce_with_logits(&Tensor::zeros([3, 1]));
    }
}
