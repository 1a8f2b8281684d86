//! [`NAdam`]: Adam that looks ahead as Nesterov does.
//!
//! With gradient `g`, parameter `p`, its mean gradient `m`, its mean squared gradient `v`, and `t` the number of the
//! parameter's steps, this one included, as in `torch.optim.NAdam`:
//!
//! ```text
//! mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),   M_t = mu_1 mu_2 .. mu_t
//! g += weight_decay p                        (decoupled: p -= lr weight_decay p)
//! m  = beta1 m + (1 - beta1) g
//! v  = beta2 v + (1 - beta2) g^2
//! p -= lr ((1 - mu_t) / (1 - M_t)  g  +  mu_(t+1) / (1 - M_(t+1))  m) / (sqrt(v / (1 - beta2^t)) + eps)
//! ```
//!
//! Source: T. Dozat, "Incorporating Nesterov momentum into Adam" (2016).

use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::{fraction, not_negative};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Adam with Nesterov momentum.
///
/// ```
/// use chainrule_optim::NAdam;
/// let opt: NAdam = NAdam::new(2e-3).weight_decay(0.01).decoupled(true);
/// ```
pub type NAdam<T = f32> = ElementWise<NAdamMethod, T>;

/// What is particular to [`NAdam`].
#[derive(Clone, Copy, Debug)]
pub enum NAdamMethod {}

impl Method for NAdamMethod {
    type Rule = update::NAdam;
    const NAME: &'static str = "NAdam";
    const ARRAYS: [&'static str; 3] = ["exp_avg", "exp_avg_sq", ""];
    const PRODUCT: Option<&'static str> = Some("mu_product");
    const SETTINGS: &'static [Setting<update::NAdam>] = &[
        number!("beta1", fraction, |o| o.rule.beta1),
        number!("beta2", fraction, |o| o.rule.beta2),
        number!("eps", not_negative, |o| o.rule.eps),
        number!("momentum_decay", not_negative, |o| o.rule.momentum_decay),
        yes_no!("decoupled", |o| o.decoupled),
    ];
}

impl<T: Real> NAdam<T> {
    /// NAdam with this learning rate (PyTorch takes 2e-3), betas 0.9 and 0.999, eps 1e-8 and momentum decay 4e-3.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::NAdam { beta1: 0.9, beta2: 0.999, eps: 1e-8, momentum_decay: 4e-3 }))
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

    /// How fast the momentum grows from half of `beta1` to `beta1`. Default 4e-3.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn momentum_decay(self, momentum_decay: f64) -> Self {
        self.with("momentum_decay", momentum_decay)
    }

    /// Whether the weight decay is taken off the parameter and leaves the gradient alone. Default false.
    #[must_use]
    pub fn decoupled(self, decoupled: bool) -> Self {
        self.with("decoupled", decoupled)
    }
}
