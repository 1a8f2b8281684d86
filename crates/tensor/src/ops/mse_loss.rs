//! Squared error: `y = mean of (a - b)^2`.
//!
//! | | |
//! |---|---|
//! | equation | `y = 1/n sum over i of (a_i - b_i)^2`; or the sum, or each |
//! | derivative | `a' = y' 2 (a - b) / n`, `b' = -a'` |
//! | shapes | `a` and `b` equal; `y` has no dimension, or that shape if not reduced |
//! | saved | `a` and `b` |

use super::elementwise::map2;
use super::reduction::{Reduction, require_same_shape};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "mse_loss",
    equation: "y = mean of (a - b)^2",
    derivative: "a' = y' 2 (a - b) / n, b' = -a'",
    torch: "torch.nn.functional.mse_loss",
};

/// The squared error, with options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MseLoss {
    /// Mean, sum or each.
    pub reduction: Reduction,
}

#[derive(Debug)]
struct Rule<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
    reduction: Reduction,
}

impl<T: Real> Op<T> for Rule<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let n = self.reduction.divisor::<T>(self.a.numel());
        let two = T::from_f64(2.0) / n;
        let slope = if inputs.is_tracked() || self.reduction == Reduction::None {
            (&self.a - &self.b) * (grad * two)
        } else {
            map2(INFO.name, Slope { factor: (grad.item() * two).to_f64() }, &self.a, &self.b)
        };
        inputs.add(1, || -&slope);
        inputs.add(0, || slope);
    }
}

binary!(Square(self, a: T, b) = (a - b) * (a - b));
binary!(Slope { factor: f64 }(self, a: T, b) = (a - b) * T::from_f64(self.factor));

impl MseLoss {
    /// The squared error of `input` against `target`.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        require_same_shape(INFO.name, ("input", input), ("target", target));
        let reduction = self.reduction;
        let value = reduction.value(map2(INFO.name, Square {}, input, target));
        Tensor::from_op(&INFO, value, &[input, target], || Rule { a: input.clone(), b: target.clone(), reduction })
    }
}

impl<T: Real> Tensor<T> {
    /// The mean of the squared differences to `target`, as a tensor without dimensions. [`MseLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, target: &Self) -> Self {
        MseLoss::default().forward(self, target)
    }

    /// Half the mean of the squared differences to `target`: its gradient is the mean difference itself.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn half_mse_loss(&self, target: &Self) -> Self {
        self.mse_loss(target) * T::from_f64(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0, 5.0]));
        assert_eq!((a.mse_loss(&b).item(), a.half_mse_loss(&b).item()), (6.5, 3.25));
        assert_eq!(MseLoss { reduction: Reduction::Sum }.forward(&a, &b).item(), 13.0);
        assert_eq!(MseLoss { reduction: Reduction::None }.forward(&a, &b).to_vec(), [4.0, 9.0]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            check::gradients(|x| MseLoss { reduction }.forward(&x[0], &x[1].t()), &[&a, &b]);
        }
        check::gradients(|x| x[0].half_mse_loss(&x[0].powf(2.0)), &[&b]);
    }

    #[test]
    #[should_panic(expected = "mse_loss: input [4, 1] and target [4] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([4, 1]).mse_loss(&Tensor::zeros([4]));
    }
}
