//! Negative log-likelihood of numbers under normal distributions of given means and variances.
//!
//! | | |
//! |---|---|
//! | equation | `y = mean of 1/2 (ln v + (x - t)^2 / v)`, `v` the variance, at least `eps` |
//! | derivative | that of [`log`](Tensor::log), [`square`](Tensor::square) and [`div`](Tensor::div), of which it is composed; where the variance is less than `eps`, it gets the gradient of `v` all the same, and can grow again |
//! | shapes | `x` and `t` broadcast; the variance is shaped as `x`, or 1 along one dimension, or without the last one, or one number; `y` has no dimension, or the broadcast shape if not reduced |
//! | source | D. Nix, A. Weigend, "Estimating the mean and variance of the target probability distribution" (1994) |

use super::reduction::Reduction;
use crate::{OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "gaussian_nll_loss",
    equation: "y = mean of 1/2 (ln v + (x - t)^2 / v)",
    derivative: "composed of log, square and div",
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
    /// There is a variance for each mean, or one for all along a dimension: its size there is 1, or it lacks the last dimension;
    /// or there is a single one.
    ///
    /// # Panics
    /// If the shapes of `input` and `target` do not broadcast, `var` has another shape, or a variance is negative.
    #[track_caller]
    pub fn forward<T: Real>(&self, input: &Tensor<T>, target: &Tensor<T>, var: &Tensor<T>) -> Tensor<T> {
        let var = self.at_least(&beside(input, var));
        let constant = if self.full { std::f64::consts::TAU.ln() } else { 0.0 };
        let each = ((input - target).square() / &var + var.log() + T::from_f64(constant)) * T::from_f64(0.5);
        self.reduction.apply(&each)
    }

    /// The variances, [`eps`](Self::eps) where they are less, as if that had been added to them: the gradient passes.
    #[track_caller]
    fn at_least<T: Real>(&self, var: &Tensor<T>) -> Tensor<T> {
        let (values, least) = (var.to_slice(), T::from_f64(self.eps));
        if let Some(at) = values.iter().position(|&v| v < T::ZERO) {
            panic!("gaussian_nll_loss: a variance is not negative, but element {at} of var is {}", values[at]);
        }
        if !values.iter().any(|&v| v < least) {
            return var.clone();
        }
        Tensor::where_(&var.lt(Tensor::scalar(least)), &(var - var.detach() + least), var)
    }
}

/// `var` in a shape that broadcasts to that of `input`.
#[track_caller]
fn beside<T: Real>(input: &Tensor<T>, var: &Tensor<T>) -> Tensor<T> {
    let (x, v) = (input.shape(), var.shape());
    let is_one_along_a_dimension = || {
        let differing = || x.iter().zip(v.iter()).filter(|(x, v)| x != v);
        x.rank() == v.rank() && differing().count() == 1 && differing().all(|(_, &v)| v == 1)
    };
    if x == v || v.rank() == 0 || is_one_along_a_dimension() {
        return var.clone();
    }
    assert!(
        x.split_last().is_some_and(|(_, outer)| v == outer),
        "gaussian_nll_loss: var of shape {v} for an input of shape {x}: the sizes must agree, but for one that is 1 or the last, left out"
    );
    var.unsqueeze(-1)
}

impl<T: Real> Tensor<T> {
    /// The mean negative log-likelihood of `target` under normal distributions with these means and the variances `var`.
    /// [`GaussianNllLoss`] has the options.
    ///
    /// # Panics
    /// As [`GaussianNllLoss::forward`].
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
    fn small_variances_count_as_eps_and_get_its_gradient() {
        let v = Tensor::from([0.25f64, 1e-9, 0.0]).requires_grad();
        let (x, t) = (Tensor::from([1.0, 1.0, 0.0]), Tensor::zeros([3]));
        let loss = GaussianNllLoss { eps: 0.5, reduction: Reduction::Sum, ..Default::default() };
        let y = loss.forward(&x, &t, &v);
        // 1/2 (ln 1/2 + d^2 2) and 1/2 (1 / v - d^2 / v^2) at 1/2.
        assert!((y.item() - (1.5 * 0.5f64.ln() + 2.0)).abs() < 1e-15);
        assert_eq!(y.backward().get(&v).unwrap().to_vec(), [-1.0, -1.0, 1.0]);
    }

    #[test]
    fn variances_of_rows() {
        let (x, t) = (check::random([3, 3], -1.0, 1.0), check::random([3, 3], -1.0, 1.0));
        let v = check::random([3], 0.5, 2.0);
        // Not of columns, to which they would broadcast.
        assert_eq!(x.gaussian_nll_loss(&t, &v).item(), x.gaussian_nll_loss(&t, &v.reshape([3, 1])).item());
        let one = Tensor::scalar(0.75);
        assert_eq!(x.gaussian_nll_loss(&t, &one).item(), x.gaussian_nll_loss(&t, &Tensor::full([3, 3], 0.75)).item());
        check::gradients(|x| x[0].gaussian_nll_loss(&x[1], &x[2]), &[&x, &t, &v]);
    }

    #[test]
    #[should_panic(expected = "gaussian_nll_loss: var of shape [2] for an input of shape [2, 3, 4]")]
    fn a_variance_belongs_to_each_mean() {
        let x = Tensor::<f32>::zeros([2, 3, 4]);
        let _ = x.gaussian_nll_loss(&x, &Tensor::ones([2]));
    }

    #[test]
    #[should_panic(expected = "gaussian_nll_loss: a variance is not negative, but element 1 of var is -0.5")]
    fn variances_are_not_negative() {
        let x = Tensor::<f32>::zeros([2]);
        let _ = x.gaussian_nll_loss(&x, &Tensor::from([0.5, -0.5]));
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).gaussian_nll_loss(&Tensor::zeros([2]), &Tensor::ones([3]));
    }
}
