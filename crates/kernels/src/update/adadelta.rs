//! Adadelta, as in `torch.optim.Adadelta`. With the mean squared gradient `v` and the mean squared change `u`:
//!
//! ```text
//! v  = rho v + (1 - rho) g^2
//! d  = sqrt(u + eps) / sqrt(v + eps)  g
//! u  = rho u + (1 - rho) d^2
//! p -= lr d
//! ```
//!
//! Source: M. Zeiler, "ADADELTA: an adaptive learning rate method" (2012).

use super::{ARRAYS, Average, Pass, Rule, Slot, Start};
use crate::Real;

/// The settings of Adadelta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    /// How much of the averages is kept.
    pub rho: f64,
    /// Added under both roots.
    pub eps: f64,
}

impl Rule for Adadelta {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, true, false]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::adadelta(slots);
    }
}

impl Pass for Adadelta {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let Adadelta { rho, eps } = slot.options.rule;
        let (start, average) = (Start::new(slot.options), Average::new(rho));
        let (lr, eps) = (T::from_f64(slot.options.lr), T::from_f64(eps));
        if let (param, grad, [Some(square), Some(change), _]) = slot.parts() {
            pass(start, average, lr, eps, param, grad, square, change);
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn pass<T: Real>(
    start: Start<T>,
    average: Average<T>,
    lr: T,
    eps: T,
    param: &mut [T],
    grad: &[T],
    square: &mut [T],
    change: &mut [T],
) {
    for (((p, &g), v), u) in param.iter_mut().zip(grad).zip(square).zip(change) {
        let (kept, g) = start.apply(*p, g);
        *v = average.of_squares(*v, g);
        let d = (*u + eps).sqrt() / (*v + eps).sqrt() * g;
        *u = average.of_squares(*u, d);
        *p = kept - lr * d;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        for (rho, eps) in [(0.9, 1e-6), (0.0, 1e-2), (1.0, 1e-2)] {
            follows(Options::new(0.5, Adadelta { rho, eps }), |_, p, g, [v, u, _]| {
                *v = rho * *v + (1.0 - rho) * g * g;
                let d = ((*u + eps) / (*v + eps)).sqrt() * g;
                *u = rho * *u + (1.0 - rho) * d * d;
                *p -= 0.5 * d;
            });
        }
    }
}
