//! Stochastic gradient descent, as in `torch.optim.SGD`. With the direction `b`:
//!
//! ```text
//! b  = momentum b + (1 - dampening) g     (b = g in the first step)
//! p -= lr b                               (Nesterov: p -= lr (g + momentum b))
//! ```
//!
//! Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).

use super::{ARRAYS, Pass, Rule, Slot, Start, flush};
use crate::Real;

/// The settings of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// How much of the last step's direction is kept; 0 for plain descent.
    pub momentum: f64,
    /// How much the gradient's part in the direction is weakened.
    pub dampening: f64,
    /// Whether the gradient is looked up ahead.
    pub nesterov: bool,
}

impl Rule for Sgd {
    fn arrays(&self) -> [bool; ARRAYS] {
        [self.momentum != 0.0, false, false]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::sgd(slots);
    }
}

impl Pass for Sgd {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let (options, start, first) = (slot.options, Start::new(slot.options), slot.step == 1);
        let rule = options.rule;
        let (lr, momentum) = (T::from_f64(options.lr), T::from_f64(rule.momentum));
        let (param, grad, [direction, ..]) = slot.parts();
        let Some(direction) = direction.filter(|_| rule.momentum != 0.0) else {
            return plain(start, lr, param, grad);
        };
        // At first the direction is the gradient: nothing kept, nothing dampened.
        let keep_take = if first { [T::ZERO, T::ONE] } else { [momentum, T::from_f64(1.0 - rule.dampening)] };
        let ahead = if rule.nesterov { [T::ONE, momentum] } else { [T::ZERO, T::ONE] };
        with_momentum(start, lr, keep_take, ahead, param, grad, direction);
    }
}

// The loops take slices as arguments: that they do not overlap is what lets the compiler vectorize them.

#[inline(always)]
fn plain<T: Real>(start: Start<T>, lr: T, param: &mut [T], grad: &[T]) {
    for (p, &g) in param.iter_mut().zip(grad) {
        let (kept, g) = start.apply(*p, g);
        *p = kept - lr * g;
    }
}

#[inline(always)]
fn with_momentum<T: Real>(
    start: Start<T>,
    lr: T,
    [keep, take]: [T; 2],
    [now, ahead]: [T; 2],
    param: &mut [T],
    grad: &[T],
    direction: &mut [T],
) {
    for ((p, &g), b) in param.iter_mut().zip(grad).zip(direction) {
        let (kept, g) = start.apply(*p, g);
        *b = flush(keep * *b + take * g);
        *p = kept - lr * (now * g + ahead * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        let plain = Sgd { momentum: 0.0, dampening: 0.0, nesterov: false };
        for rule in
            [plain, Sgd { momentum: 0.9, dampening: 0.3, ..plain }, Sgd { momentum: 0.8, nesterov: true, ..plain }]
        {
            follows(Options::new(0.1, rule), |step, p, g, [b, ..]| {
                let mut g = g;
                if rule.momentum != 0.0 {
                    *b = if step == 1 { g } else { rule.momentum * *b + (1.0 - rule.dampening) * g };
                    g = if rule.nesterov { g + rule.momentum * *b } else { *b };
                }
                *p -= 0.1 * g;
            });
        }
    }
}
