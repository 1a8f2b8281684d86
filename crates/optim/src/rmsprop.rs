//! [`RmsProp`]: gradients over the root of their mean square.
//!
//! With gradient `g`, parameter `p`, its mean squared gradient `v`, its mean gradient `m` and its direction `b`, as in
//! `torch.optim.RMSprop`:
//!
//! ```text
//! g += weight_decay p
//! v  = alpha v + (1 - alpha) g^2
//! r  = sqrt(v) + eps                      (centered: m = alpha m + (1 - alpha) g,  r = sqrt(v - m^2) + eps)
//! p -= lr g / r                           (momentum: b = momentum b + g / r,  p -= lr b)
//! ```
//!
//! Sources: T. Tieleman, G. Hinton, "Neural networks for machine learning", lecture 6.5 (2012); centered: A. Graves,
//! "Generating sequences with recurrent neural networks" (2013).

use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::not_negative;
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// RMSprop, with momentum and centering as options.
///
/// ```
/// use chainrule_optim::RmsProp;
/// let opt: RmsProp = RmsProp::new(1e-2).alpha(0.95).momentum(0.9).centered(true);
/// ```
pub type RmsProp<T = f32> = ElementWise<RmsPropMethod, T>;

/// What is particular to [`RmsProp`].
#[derive(Clone, Copy, Debug)]
pub enum RmsPropMethod {}

impl Method for RmsPropMethod {
    type Rule = update::RmsProp;
    const NAME: &'static str = "RmsProp";
    const ARRAYS: [&'static str; 3] = ["square_avg", "grad_avg", "momentum_buffer"];
    const SETTINGS: &'static [Setting<update::RmsProp>] = &[
        number!("alpha", not_negative, |o| o.rule.alpha),
        number!("eps", not_negative, |o| o.rule.eps),
        yes_no!("centered", |o| o.rule.centered),
        number!("momentum", not_negative, |o| o.rule.momentum),
    ];
}

impl<T: Real> RmsProp<T> {
    /// RMSprop with this learning rate (PyTorch takes 1e-2), alpha 0.99, eps 1e-8, and nothing else.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::RmsProp { alpha: 0.99, eps: 1e-8, centered: false, momentum: 0.0 }))
    }

    /// How much the averages keep of their past. Default 0.99.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn alpha(self, alpha: f64) -> Self {
        self.with("alpha", alpha)
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

    /// Whether to divide by the deviation of the gradient from its mean. Default false.
    #[must_use]
    pub fn centered(self, centered: bool) -> Self {
        self.with("centered", centered)
    }

    /// How much of the last step's direction is kept. Default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Self {
        self.with("momentum", momentum)
    }
}
