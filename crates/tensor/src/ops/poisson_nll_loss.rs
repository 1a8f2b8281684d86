//! Negative log-likelihood of counts under Poisson distributions.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of e^x - t x`, `x` the logarithm of the rate; or of `x - t ln(x + eps)`, `x` the rate |
//! | derivative | that of [`exp`](Tensor::exp) or [`log`](Tensor::log), [`mul`](Tensor::mul) and [`sub`](Tensor::sub), of which it is composed |
//! | shapes | `x` and `t` broadcast; `y` has no dimension, or the broadcast shape if not reduced |
//!
//! What does not depend on the rate, `ln t!`, is left out, or approximated by Stirling's formula (`full`).

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "poisson_nll_loss",
    equation: "y = mean of exp(x) - t x",
    derivative: "composed of exp, mul and sub",
    torch: "torch.nn.functional.poisson_nll_loss",
};

/// The negative log-likelihood of counts, with options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNllLoss {
    /// Whether the input is the logarithm of the rate. It is by default.
    pub log_input: bool,
    /// Whether Stirling's approximation of `ln t!` is added where `t > 1`. Not by default.
    pub full: bool,
    /// What keeps the logarithm of a rate of 0 finite. 1e-8 by default.
    pub eps: f64,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl Default for PoissonNllLoss {
    fn default() -> Self {
        PoissonNllLoss { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

impl PoissonNllLoss {
    /// The loss of rates, or their logarithms, against counts.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        let mut each = if self.log_input {
            input.exp() - target * input
        } else {
            input - target * (input + T::from_f64(self.eps)).log()
        };
        if self.full {
            let large = target.gt(Tensor::scalar(T::ONE));
            let t = Tensor::where_(&large, target, Tensor::scalar(T::ONE));
            let stirling = &t * t.log() - &t + (&t * T::from_f64(std::f64::consts::TAU)).log() * T::from_f64(0.5);
            each = each + Tensor::where_(&large, stirling, Tensor::scalar(T::ZERO));
        }
        self.reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean negative log-likelihood of counts, where this is the logarithm of their rates. [`PoissonNllLoss`] has the
    /// options.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn poisson_nll_loss(&self, target: &Self) -> Self {
        PoissonNllLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (x, t) = (Tensor::from([0.0f64, 2f64.ln()]), Tensor::from([3.0, 1.0]));
        assert!((x.poisson_nll_loss(&t).item() - (3.0 - 2f64.ln()) / 2.0).abs() < 1e-15);
        let rates = PoissonNllLoss { log_input: false, eps: 0.0, ..Default::default() };
        assert!((rates.forward(&x.exp(), &t).item() - (3.0 - 2f64.ln()) / 2.0).abs() < 1e-15);
        // ln 3! = 1.7918, of which Stirling's formula has 1.7641.
        let full = PoissonNllLoss { full: true, reduction: Reduction::None, ..Default::default() };
        assert!((full.forward(&x, &t).to_vec()[0] - 2.7641).abs() < 1e-4);
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], 0.5, 2.0), check::random([4, 3], 1.5, 3.0));
        for (log_input, full) in [(true, false), (false, false), (true, true)] {
            let loss = PoissonNllLoss { log_input, full, reduction: Reduction::None, ..Default::default() };
            check::gradients(|x| loss.forward(&x[0], &x[1].t()), &[&x, &t]);
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).poisson_nll_loss(&Tensor::zeros([2]));
    }
}
