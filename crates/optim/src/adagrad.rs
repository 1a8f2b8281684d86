//! [`Adagrad`]: gradients over the root of the sum of all their squares.
//!
//! With gradient `g`, parameter `p`, its sum of squared gradients `s`, and `t` the number of the parameter's steps, this
//! one included, as in `torch.optim.Adagrad`:
//!
//! ```text
//! g += weight_decay p
//! s += g^2                                (at first the initial accumulator value)
//! p -= lr / (1 + (t - 1) lr_decay)  g / (sqrt(s) + eps)
//! ```
//!
//! Source: J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization" (2011).

use crate::element_wise::{ElementWise, Method, Setting, number};
use crate::rules::not_negative;
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Adagrad: rare features, whose gradients are mostly zero, keep a high rate.
///
/// ```
/// use chainrule_optim::Adagrad;
/// let opt: Adagrad = Adagrad::new(1e-2).lr_decay(1e-3).initial_accumulator_value(0.1);
/// ```
pub type Adagrad<T = f32> = ElementWise<AdagradMethod, T>;

/// What is particular to [`Adagrad`].
#[derive(Clone, Copy, Debug)]
pub enum AdagradMethod {}

impl Method for AdagradMethod {
    type Rule = update::Adagrad;
    const NAME: &'static str = "Adagrad";
    const ARRAYS: [&'static str; 3] = ["sum", "", ""];
    const SETTINGS: &'static [Setting<update::Adagrad>] = &[
        number!("lr_decay", not_negative, |o| o.rule.lr_decay),
        number!("initial_accumulator_value", not_negative, |o| o.rule.initial_accumulator_value),
        number!("eps", not_negative, |o| o.rule.eps),
    ];
}

impl<T: Real> Adagrad<T> {
    /// Adagrad with this learning rate (PyTorch takes 1e-2), eps 1e-10, and sums that start at 0.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::Adagrad { lr_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10 }))
    }

    /// How fast the learning rate falls with the steps. Default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn lr_decay(self, lr_decay: f64) -> Self {
        self.with("lr_decay", lr_decay)
    }

    /// What the sums of squares start at. Default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn initial_accumulator_value(self, initial_accumulator_value: f64) -> Self {
        self.with("initial_accumulator_value", initial_accumulator_value)
    }

    /// What is added to the root, against division by zero. Default 1e-10.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        self.with("eps", eps)
    }
}
