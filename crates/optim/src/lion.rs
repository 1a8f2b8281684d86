//! [`Lion`]: steps of one size, along the sign of a momentum.
//!
//! With gradient `g`, parameter `p` and its mean gradient `m`:
//!
//! ```text
//! p -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)
//! m  = beta2 m + (1 - beta2) g
//! ```
//!
//! where `sign(0) = 0`. As every step is of size `lr`, the rate wants to be 3 to 10 times smaller than Adam's, and the
//! weight decay so much larger.
//!
//! Source: X. Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.

use crate::element_wise::{ElementWise, Method, Setting, number};
use crate::rules::fraction;
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Lion: half of Adam's memory. Its weight decay is decoupled.
///
/// ```
/// use chainrule_optim::Lion;
/// let opt: Lion = Lion::new(1e-4).weight_decay(0.1);
/// ```
pub type Lion<T = f32> = ElementWise<LionMethod, T>;

/// What is particular to [`Lion`].
#[derive(Clone, Copy, Debug)]
pub enum LionMethod {}

impl Method for LionMethod {
    type Rule = update::Lion;
    const NAME: &'static str = "Lion";
    const ARRAYS: [&'static str; 3] = ["exp_avg", "", ""];
    const SETTINGS: &'static [Setting<update::Lion>] =
        &[number!("beta1", fraction, |o| o.rule.beta1), number!("beta2", fraction, |o| o.rule.beta2)];
}

impl<T: Real> Lion<T> {
    /// Lion with this learning rate (the paper takes 1e-4), betas 0.9 and 0.99, and no weight decay.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        let rule = update::Lion { beta1: 0.9, beta2: 0.99 };
        Self::start(Options { decoupled: true, ..Options::new(lr, rule) })
    }

    /// How much of the mean gradient goes into the direction, and how much the mean keeps of its past. Default 0.9 and 0.99.
    ///
    /// # Panics
    /// If one is not in `[0, 1)`.
    #[must_use]
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        self.with("beta1", beta1).with("beta2", beta2)
    }
}
