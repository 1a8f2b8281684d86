//! Negative log-likelihood of numbers under normal distributions of given means and variances.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of 1/2 (ln v + (x - t)^2 / v)`, `v` the variance, at least `eps` |
//! | derivative | that of [`log`](Tensor::log), [`square`](Tensor::square), [`div`](Tensor::div) and [`clamp`](Tensor::clamp), of which it is composed |
//! | shapes | `x`, `t` and `v` broadcast; `y` has no dimension, or the broadcast shape if not reduced |
//! | source | D. Nix, A. Weigend, "Estimating the mean and variance of the target probability distribution" (1994) |

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "gaussian_nll_loss",
    equation: "y = mean of 1/2 (ln v + (x - t)^2 / v)",
    derivative: "composed of log, square, div and clamp",
    torch: "torch.nn.functional.gaussian_nll_loss",
};

/// The negative log-likelihood under normal distributions, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNllLoss {
    /// Whether the constant `1/2 ln(2 pi)` is added. Not by default.
    pub full: bool,
    /// The least variance. 1e-6 by default.
    pub eps: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for GaussianNllLoss {
    fn default() -> Self {
        GaussianNllLoss { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl GaussianNllLoss {
    /// The loss of the means `input` and the variances `var` against `target`.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>, var: &Tensor<T>) -> Tensor<T> {
        let var = var.clamp(self.eps, None);
        let constant = if self.full { std::f64::consts::TAU.ln() } else { 0.0 };
        let each = ((input - target).square() / &var + var.log() + T::from_f64(constant)) * T::from_f64(0.5);
        self.reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean negative log-likelihood of `target` under normal distributions with these means and the variances `var`.
    /// [`GaussianNllLoss`] has the options.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn gaussian_nll_loss(&self, target: &Self, var: &Self) -> Self {
        GaussianNllLoss::default().forward(self, target, var)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (x, t, v) = (Tensor::from([1.0f64, 2.0]), Tensor::from([3.0, 2.0]), Tensor::from([2.0, 1.0]));
        assert!((x.gaussian_nll_loss(&t, &v).item() - (2.0 + 2f64.ln()) / 4.0).abs() < 1e-15);
        // Minus the logarithm of the density of a normal distribution at its mean.
        let full = GaussianNllLoss { full: true, reduction: Reduction::None, ..Default::default() };
        assert!((full.forward(&x, &t, &v).to_vec()[1] - 0.918_938_533_204_672_7).abs() < 1e-15);
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        let v = check::random([3, 1], 0.5, 2.0);
        for full in [false, true] {
            let loss = GaussianNllLoss { full, reduction: Reduction::None, ..Default::default() };
            check::gradients(|x| loss.forward(&x[0], &x[1].t(), &x[2]), &[&x, &t, &v]);
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).gaussian_nll_loss(&Tensor::zeros([2]), &Tensor::ones([3]));
    }
}
