//! Adam with Nesterov's look ahead, as in `torch.optim.NAdam`. With the mean gradient `m` and the mean squared gradient `v`:
//!
//! ```text
//! mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),   M_t = mu_1 mu_2 .. mu_t
//! m  = beta1 m + (1 - beta1) g
//! v  = beta2 v + (1 - beta2) g^2
//! p -= lr ((1 - mu_t) / (1 - M_t)  g  +  mu_(t+1) / (1 - M_(t+1))  m) / (sqrt(v / (1 - beta2^t)) + eps)
//! ```
//!
//! Source: T. Dozat, "Incorporating Nesterov momentum into Adam" (2016).

use super::adam::Averages;
use super::{ARRAYS, Pass, Rule, Slot};
use crate::Real;

/// The settings of NAdam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdam {
    /// How much of the mean gradient is kept.
    pub beta1: f64,
    /// How much of the mean squared gradient is kept.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// How fast the momentum grows to `beta1`.
    pub momentum_decay: f64,
}

impl NAdam {
    /// `mu_t`.
    fn momentum(&self, t: f64) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96f64.powf(t * self.momentum_decay))
    }
}

impl Rule for NAdam {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, true, false]
    }

    /// `M_t`: all momenta so far, multiplied. They may have changed on the way, so it is not calculated from `t`.
    fn product(&self, step: u64, before: f64) -> f64 {
        before * self.momentum(step as f64)
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::nadam(slots);
    }
}

impl Pass for NAdam {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let (options, rule, t) = (slot.options, slot.options.rule, slot.t());
        let (now, next) = (rule.momentum(t), rule.momentum(t + 1.0));
        let of_gradient = T::from_f64(options.lr * (1.0 - now) / (1.0 - slot.product));
        let of_mean = T::from_f64(options.lr * next / (1.0 - slot.product * next));
        let root = T::from_f64(1.0 / (1.0 - rule.beta2.powf(t)).sqrt());
        let eps = T::from_f64(rule.eps);
        let averages = Averages::new(options, rule.beta1, rule.beta2);
        if let (param, grad, [Some(mean), Some(square), _]) = slot.parts() {
            averages.pass(param, grad, mean, square, |kept, g, m, v| {
                kept - (of_gradient * g + of_mean * m) / (v.sqrt() * root + eps)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        for (beta1, momentum_decay) in [(0.9, 4e-3), (0.5, 0.0), (0.0, 1.0)] {
            let (beta2, eps) = (0.7, 1e-3);
            follows(Options::new(0.01, NAdam { beta1, beta2, eps, momentum_decay }), |t, p, g, [m, v, _]| {
                let mu = |t: i32| beta1 * (1.0 - 0.5 * 0.96f64.powf(f64::from(t) * momentum_decay));
                let product = |t: i32| (1..=t).map(mu).product::<f64>();
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let ahead = (1.0 - mu(t)) * g / (1.0 - product(t)) + mu(t + 1) * *m / (1.0 - product(t + 1));
                *p -= 0.01 * ahead / ((*v / (1.0 - beta2.powi(t))).sqrt() + eps);
            });
        }
    }
}
