//! Adagrad, as in `torch.optim.Adagrad`. With the sum `s` of the squared gradients:
//!
//! ```text
//! s += g^2                                (at first the initial accumulator value)
//! p -= lr / (1 + (t - 1) lr_decay)  g / (sqrt(s) + eps)
//! ```
//!
//! Source: J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization" (2011).

use super::{ARRAYS, Pass, Rule, Slot, Start};
use crate::Real;

/// The settings of Adagrad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// How fast the learning rate falls with the steps.
    pub lr_decay: f64,
    /// What the sums of squares start at.
    pub initial_accumulator_value: f64,
    /// Added to the root.
    pub eps: f64,
}

impl Rule for Adagrad {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, false, false]
    }

    fn initial(&self) -> f64 {
        self.initial_accumulator_value
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::adagrad(slots);
    }
}

impl Pass for Adagrad {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let Adagrad { lr_decay, eps, .. } = slot.options.rule;
        let start = Start::new(slot.options);
        let rate = slot.options.lr / (1.0 + (slot.t() - 1.0) * lr_decay);
        if let (param, grad, [Some(sum), ..]) = slot.parts() {
            pass(start, T::from_f64(rate), T::from_f64(eps), param, grad, sum);
        }
    }
}

#[inline(always)]
fn pass<T: Real>(start: Start<T>, rate: T, eps: T, param: &mut [T], grad: &[T], sum: &mut [T]) {
    for ((p, &g), s) in param.iter_mut().zip(grad).zip(sum) {
        let (kept, g) = start.apply(*p, g);
        *s += g * g;
        *p = kept - rate * (g / (s.sqrt() + eps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        for (lr_decay, initial) in [(0.0, 0.0), (0.1, 0.5)] {
            let rule = Adagrad { lr_decay, initial_accumulator_value: initial, eps: 1e-3 };
            follows(Options::new(0.1, rule), |t, p, g, [s, ..]| {
                *s += g * g;
                *p -= 0.1 / (1.0 + f64::from(t - 1) * lr_decay) * g / (s.sqrt() + 1e-3);
            });
        }
    }
}
