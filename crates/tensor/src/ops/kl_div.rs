//! Kullback-Leibler divergence of a target distribution from one given by logarithms.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of t (ln t - x)`, `x` the logarithm of a probability, `0 ln 0 = 0`; or of `e^t (t - x)`, where `t` is a logarithm too |
//! | derivative | that of the operations of which it is composed: [`log`](Tensor::log), [`exp`](Tensor::exp), [`mul`](Tensor::mul) |
//! | shapes | `x` and `t` broadcast; `y` has no dimension, or the broadcast shape if not reduced |
//! | source | S. Kullback, R. Leibler, "On information and sufficiency", Ann. Math. Statist. 22 (1951) |
//!
//! The divergence of distributions is the sum over each; the mean here is over all elements, as in PyTorch. `batch_mean` gives the
//! mean over the samples instead.

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "kl_div",
    equation: "y = mean of t (ln t - x)",
    derivative: "composed of log, sub, mul",
    torch: "torch.nn.functional.kl_div",
};

/// The Kullback-Leibler divergence, with options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDivLoss {
    /// Whether the target holds logarithms of probabilities.
    pub log_target: bool,
    /// Whether a mean is that of the samples, which the first dimension counts (PyTorch's `batchmean`), and not of all elements.
    pub batch_mean: bool,
    /// Mean, sum or each.
    pub reduction: Reduction,
}

impl KlDivLoss {
    /// The divergence of `target` from the distribution whose logarithm is `input`.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or a mean over samples is asked for where there is no dimension to count them.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>) -> Tensor<T> {
        let each = if self.log_target {
            target.exp() * (target - input)
        } else {
            // What has no probability has no part, and its logarithm must not be taken.
            let absent = target.eq(Tensor::scalar(T::ZERO));
            let safe = Tensor::where_(&absent, Tensor::scalar(T::ONE), target);
            target * safe.log() - target * input
        };
        if self.batch_mean && self.reduction == Reduction::Mean {
            assert!(each.rank() > 0, "kl_div: an input without dimensions has no samples");
            return each.sum() / T::from_usize(each.shape()[0]);
        }
        self.reduction.apply(&each)
    }
}

impl<T: Real> Tensor<T> {
    /// The mean over all elements of the divergence of `target` from the distribution whose logarithm this is. [`KlDivLoss`]
    /// has the options.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn kl_div(&self, target: &Self) -> Self {
        KlDivLoss::default().forward(self, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        // From (1/2, 1/2) to (1, 0): ln 2.
        let (x, t) = (Tensor::from([0.5f64, 0.5]).log(), Tensor::from([1.0, 0.0]));
        let sum = KlDivLoss { reduction: Reduction::Sum, ..Default::default() };
        assert!((sum.forward(&x, &t).item() - 2f64.ln()).abs() < 1e-15);
        assert_eq!(x.kl_div(&x.exp()).item(), 0.0);
        let logs = KlDivLoss { log_target: true, ..sum };
        assert!((logs.forward(&x, &t.log().clamp(-1e3, None)).item() - 2f64.ln()).abs() < 1e-15);
        let (x, t) = (Tensor::stack(&[&x, &x, &x], 0), Tensor::stack(&[&t, &t, &x.exp()], 0));
        let samples = KlDivLoss { batch_mean: true, ..Default::default() };
        assert!((samples.forward(&x, &t).item() - 2.0 / 3.0 * 2f64.ln()).abs() < 1e-15);
        assert_eq!(KlDivLoss { batch_mean: true, ..sum }.forward(&x, &t).item(), sum.forward(&x, &t).item());
    }

    #[test]
    fn gradcheck() {
        let (x, t) = (check::random([3, 4], -2.0, -0.1), check::random([4, 3], 0.1, 0.9));
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
            for log_target in [false, true] {
                let loss = KlDivLoss { log_target, reduction, batch_mean: log_target };
                check::gradients(|x| loss.forward(&x[0], &x[1].t()), &[&x, &t]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).kl_div(&Tensor::zeros([2]));
    }
}
