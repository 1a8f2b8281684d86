//! [`RAdam`]: Adam that does not scale its steps before it knows by what.
//!
//! With gradient `g`, parameter `p`, its mean gradient `m`, its mean squared gradient `v`, and `t` the number of the
//! parameter's steps, this one included, as in `torch.optim.RAdam`:
//!
//! ```text
//! g += weight_decay p                        (decoupled: p -= lr weight_decay p)
//! m  = beta1 m + (1 - beta1) g,   m' = m / (1 - beta1^t)
//! v  = beta2 v + (1 - beta2) g^2
//! R  = 2 / (1 - beta2) - 1,       r = R - 2 t beta2^t / (1 - beta2^t)
//! p -= lr m'                                                                            if r <= 5
//! p -= lr m' sqrt(1 - beta2^t) / (sqrt(v) + eps)  sqrt((r-4) (r-2) R / ((R-4) (R-2) r))  otherwise
//! ```
//!
//! `r` says on how many gradients `v` rests; with `beta2 = 0.999` it exceeds 5 from the sixth step on.
//!
//! Source: L. Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).

use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::{fraction, not_negative};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Rectified Adam: no warm-up needed.
///
/// ```
/// use chainrule_optim::RAdam;
/// let opt: RAdam = RAdam::new(1e-3).betas(0.9, 0.99);
/// ```
pub type RAdam<T = f32> = ElementWise<RAdamMethod, T>;

/// What is particular to [`RAdam`].
#[derive(Clone, Copy, Debug)]
pub enum RAdamMethod {}

impl Method for RAdamMethod {
    type Rule = update::RAdam;
    const NAME: &'static str = "RAdam";
    const ARRAYS: [&'static str; 3] = ["exp_avg", "exp_avg_sq", ""];
    const SETTINGS: &'static [Setting<update::RAdam>] = &[
        number!("beta1", fraction, |o| o.rule.beta1),
        number!("beta2", fraction, |o| o.rule.beta2),
        number!("eps", not_negative, |o| o.rule.eps),
        yes_no!("decoupled", |o| o.decoupled),
    ];
}

impl<T: Real> RAdam<T> {
    /// RAdam with this learning rate (PyTorch takes 1e-3), betas 0.9 and 0.999, eps 1e-8, and no weight decay.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::RAdam { beta1: 0.9, beta2: 0.999, eps: 1e-8 }))
    }

    /// How much the mean gradient and the mean squared gradient keep of their past. Default 0.9 and 0.999.
    ///
    /// # Panics
    /// If one is not in `[0, 1)`.
    #[must_use]
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        self.with("beta1", beta1).with("beta2", beta2)
    }

    /// What is added to the root, against division by zero. Default 1e-8.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        self.with("eps", eps)
    }

    /// Whether the weight decay is taken off the parameter and leaves the gradient alone. Default false.
    #[must_use]
    pub fn decoupled(self, decoupled: bool) -> Self {
        self.with("decoupled", decoupled)
    }
}
