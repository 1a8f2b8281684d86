//! Rectified Adam, as in `torch.optim.RAdam`. With the mean gradient `m` and the mean squared gradient `v`:
//!
//! ```text
//! m  = beta1 m + (1 - beta1) g,   m' = m / (1 - beta1^t)
//! v  = beta2 v + (1 - beta2) g^2
//! R  = 2 / (1 - beta2) - 1,       r = R - 2 t beta2^t / (1 - beta2^t)
//! p -= lr m'                                                                            if r <= 5
//! p -= lr m' sqrt(1 - beta2^t) / (sqrt(v) + eps)  sqrt((r-4) (r-2) R / ((R-4) (R-2) r))  otherwise
//! ```
//!
//! The first steps, whose `v` rests on few gradients, are plain momentum; `r` is the length of the average of squares.
//!
//! Source: L. Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).

use super::adam::Averages;
use super::{ARRAYS, Pass, Rule, Slot};
use crate::Real;

/// The settings of RAdam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdam {
    /// How much of the mean gradient is kept.
    pub beta1: f64,
    /// How much of the mean squared gradient is kept.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
}

impl RAdam {
    /// By what the step along `m / (sqrt(v) + eps)` is multiplied, but for rate and correction of the mean; `None` while
    /// the squares are too few.
    fn rectification(&self, t: f64) -> Option<f64> {
        let correction = 1.0 - self.beta2.powf(t);
        let longest = 2.0 / (1.0 - self.beta2) - 1.0;
        let length = longest - 2.0 * t * self.beta2.powf(t) / correction;
        let rectified = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length);
        (length > 5.0).then(|| correction.sqrt() * rectified.sqrt())
    }
}

impl Rule for RAdam {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, true, false]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::radam(slots);
    }
}

impl Pass for RAdam {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let (rule, t) = (slot.options.rule, slot.t());
        let rectification = rule.rectification(t);
        let rate = slot.options.lr / (1.0 - rule.beta1.powf(t)) * rectification.unwrap_or(1.0);
        let (rate, eps) = (T::from_f64(rate), T::from_f64(rule.eps));
        let averages = Averages::new(slot.options, rule.beta1, rule.beta2);
        if let (param, grad, [Some(mean), Some(square), _]) = slot.parts() {
            match rectification {
                Some(_) => {
                    averages.pass(param, grad, mean, square, |kept, _, m, v| kept - rate * (m / (v.sqrt() + eps)))
                }
                None => averages.pass(param, grad, mean, square, |kept, _, m, _| kept - rate * m),
            }
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
        // Never rectified within four steps; never at all; from a step on (r passes 5).
        for beta2 in [0.999, 0.5, 0.9] {
            let (beta1, eps): (f64, f64) = (0.8, 1e-3);
            follows(Options::new(0.01, RAdam { beta1, beta2, eps }), |t, p, g, [m, v, _]| {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let (step, correction) = (f64::from(t), 1.0 - f64::powi(beta2, t));
                let longest = 2.0 / (1.0 - beta2) - 1.0;
                let r = longest - 2.0 * step * f64::powi(beta2, t) / correction;
                let rest = if r > 5.0 {
                    let ratio = (r - 4.0) * (r - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * r);
                    ratio.sqrt() * correction.sqrt() / (v.sqrt() + eps)
                } else {
                    1.0
                };
                *p -= 0.01 * *m / (1.0 - beta1.powi(t)) * rest;
            });
        }
    }
}
