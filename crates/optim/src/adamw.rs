//! [`AdamW`]: [`Adam`](crate::Adam) with decoupled weight decay, as in `torch.optim.AdamW`.
//!
//! ```text
//! p -= lr weight_decay p
//! ```
//!
//! and then Adam's step, whose averages know nothing of the decay.
//!
//! Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (2019).

use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::{fraction, not_negative};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Adam with weight decay that is taken off the parameters: 0.01 unless told otherwise.
///
/// ```
/// use chainrule_optim::AdamW;
/// let opt: AdamW = AdamW::new(1e-3).betas(0.9, 0.95).weight_decay(0.1);
/// ```
pub type AdamW<T = f32> = ElementWise<AdamWMethod, T>;

/// What is particular to [`AdamW`].
#[derive(Clone, Copy, Debug)]
pub enum AdamWMethod {}

impl Method for AdamWMethod {
    type Rule = update::Adam;
    const NAME: &'static str = "AdamW";
    const ARRAYS: [&'static str; 3] = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
    const SETTINGS: &'static [Setting<update::Adam>] = &[
        number!("beta1", fraction, |o| o.rule.beta1),
        number!("beta2", fraction, |o| o.rule.beta2),
        number!("eps", not_negative, |o| o.rule.eps),
        yes_no!("amsgrad", |o| o.rule.amsgrad),
    ];
}

impl<T: Real> AdamW<T> {
    /// AdamW with this learning rate (PyTorch takes 1e-3), betas 0.9 and 0.999, eps 1e-8, and weight decay 0.01.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        let rule = update::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, amsgrad: false };
        Self::start(Options { decoupled: true, weight_decay: 0.01, ..Options::new(lr, rule) })
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

    /// Whether to divide by the root of the largest mean squared gradient so far, so that steps never grow again: AMSGrad.
    /// Default false.
    #[must_use]
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        self.with("amsgrad", amsgrad)
    }
}
