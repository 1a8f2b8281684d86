//! [`Adadelta`]: steps in the units of the parameter.
//!
//! With gradient `g`, parameter `p`, its mean squared gradient `v` and its mean squared change `u`, as in
//! `torch.optim.Adadelta`:
//!
//! ```text
//! g += weight_decay p
//! v  = rho v + (1 - rho) g^2
//! d  = sqrt(u + eps) / sqrt(v + eps)  g
//! u  = rho u + (1 - rho) d^2
//! p -= lr d
//! ```
//!
//! Source: M. Zeiler, "ADADELTA: an adaptive learning rate method" (2012).

use crate::element_wise::{ElementWise, Method, Setting, number};
use crate::rules::{not_negative, unit};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Adadelta, which needs no learning rate: 1 is usual.
///
/// ```
/// use chainrule_optim::Adadelta;
/// let opt: Adadelta = Adadelta::new(1.0).rho(0.95);
/// ```
pub type Adadelta<T = f32> = ElementWise<AdadeltaMethod, T>;

/// What is particular to [`Adadelta`].
#[derive(Clone, Copy, Debug)]
pub enum AdadeltaMethod {}

impl Method for AdadeltaMethod {
    type Rule = update::Adadelta;
    const NAME: &'static str = "Adadelta";
    const ARRAYS: [&'static str; 3] = ["square_avg", "acc_delta", ""];
    const SETTINGS: &'static [Setting<update::Adadelta>] =
        &[number!("rho", unit, |o| o.rule.rho), number!("eps", not_negative, |o| o.rule.eps)];
}

impl<T: Real> Adadelta<T> {
    /// Adadelta with this learning rate (PyTorch takes 1), rho 0.9 and eps 1e-6.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::Adadelta { rho: 0.9, eps: 1e-6 }))
    }

    /// How much the averages keep of their past. Default 0.9.
    ///
    /// # Panics
    /// If it is not in `[0, 1]`.
    #[must_use]
    #[track_caller]
    pub fn rho(self, rho: f64) -> Self {
        self.with("rho", rho)
    }

    /// What is added under both roots: it sets the size of the first steps. Default 1e-6.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        self.with("eps", eps)
    }
}
