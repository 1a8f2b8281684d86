//! Binary cross entropy of probabilities.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of -t ln x - (1 - t) ln(1 - x)`, the logarithms at least -100; or the sum, or each |
//! | derivative | `x' = y' (x - t) / (x (1 - x)) / n`, the divisor at least 1e-12; `t' = y' (ln(1 - x) - ln x) / n` |
//! | shapes | `x` and `t` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `x` and `t` |
//!
//! Where the probabilities come from logits, [`bce_with_logits`](Tensor::bce_with_logits) is more accurate.

use super::elementwise::map2;
use super::reduction::{Reduction, require_same_shape};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "bce_loss",
    equation: "y = -mean of t ln x + (1 - t) ln(1 - x)",
    derivative: "x' = y' (x - t) / (x (1 - x)) / n, t' = y' (ln(1 - x) - ln x) / n",
    torch: "torch.nn.functional.binary_cross_entropy",
};

/// The binary cross entropy of probabilities, with options.
#[derive(Clone, Debug, Default)]
pub struct BceLoss<T: Real = f32> {
    /// A factor for each element; it broadcasts.
    pub weight: Option<Tensor<T>>,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

#[derive(Debug)]
struct Rule<T: Real> {
    x: Tensor<T>,
    target: Tensor<T>,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Rule { x, target } = self;
        inputs.add(0, || &grad * (x - target) / (x - x.square()).clamp(1e-12, None));
        inputs.add(1, || grad * ((-x).log1p().clamp(-100.0, None) - x.log().clamp(-100.0, None)));
    }
}

binary!(Loss(self, x: T, t) = {
    let least = T::from_f64(-100.0);
    let (yes, no) = (x.ln().maximum(least), (-x).ln_1p().maximum(least));
    (t - T::ONE) * no - t * yes
});

impl<T: Real> BceLoss<T> {
    /// The binary cross entropy of the probabilities `input` against target probabilities, all in `[0, 1]`.
    ///
    /// # Panics
    /// If the shapes differ, or the weight does not broadcast to them.
    #[track_caller]
    pub fn forward(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("input", input), ("target", target));
        let value = map2(INFO.name, Loss {}, input, target);
        let mut each =
            Tensor::from_op(&INFO, value, &[input, target], || Rule { x: input.clone(), target: target.clone() });
        if let Some(weight) = &self.weight {
            each = each * weight;
            let broadcasts = each.shape() == input.shape();
            assert!(broadcasts, "bce_loss: the weight does not broadcast to the input's shape {}", input.shape());
        }
        self.reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean binary cross entropy of these probabilities against target probabilities, all in `[0, 1]`. [`BceLoss`] has the
    /// options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn bce_loss(&self, target: &Self) -> Self {
        BceLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([0.5f64, 0.0, 1.0, 0.0]).requires_grad();
        let t = Tensor::from([1.0, 0.0, 1.0, 1.0]);
        let loss = BceLoss { reduction: Reduction::None, ..Default::default() }.forward(&x, &t);
        assert_eq!(loss.to_vec(), [2f64.ln(), 0.0, 0.0, 100.0]);
        assert!((x.bce_loss(&t).item() - (2f64.ln() + 100.0) / 4.0).abs() < 1e-12);
        assert_eq!(loss.sum().backward().get(&x).unwrap().to_vec(), [-2.0, 0.0, 0.0, -1e12]);
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], 0.1, 0.9), check::random([4, 3], 0.1, 0.9));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            for weight in [None, Some(check::random([3, 1], 0.5, 2.0))] {
                let loss = BceLoss { weight, reduction };
                check::gradients(|x| loss.forward(&x[0], &x[1].t()), &[&x, &t]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "bce_loss: input [3] and target [3, 1] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([3]).bce_loss(&Tensor::zeros([3, 1]));
    }
}
