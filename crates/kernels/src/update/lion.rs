//! Lion: steps of one size, along the sign of a momentum. With the mean gradient `m`:
//!
//! ```text
//! p -= lr sign(beta1 m + (1 - beta1) g)
//! m  = beta2 m + (1 - beta2) g
//! ```
//!
//! with decoupled weight decay and `sign(0) = 0`.
//!
//! Source: X. Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.

use super::{ARRAYS, Average, Pass, Rule, Slot, Start};
use crate::Real;

/// The settings of Lion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// How much the direction takes of the mean gradient.
    pub beta1: f64,
    /// How much of the mean gradient is kept.
    pub beta2: f64,
}

impl Rule for Lion {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, false, false]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::lion(slots);
    }
}

impl Pass for Lion {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let Lion { beta1, beta2 } = slot.options.rule;
        let (start, mix, mean) = (Start::new(slot.options), Average::new(beta1), Average::new(beta2));
        let lr = T::from_f64(slot.options.lr);
        if let (param, grad, [Some(m), ..]) = slot.parts() {
            pass(start, mix, mean, lr, param, grad, m);
        }
    }
}

#[inline(always)]
fn pass<T: Real>(
    start: Start<T>,
    mix: Average<T>,
    average: Average<T>,
    lr: T,
    param: &mut [T],
    grad: &[T],
    mean: &mut [T],
) {
    for ((p, &g), m) in param.iter_mut().zip(grad).zip(mean) {
        let (kept, g) = start.apply(*p, g);
        // Written as the paper does: where the two parts cancel exactly the sign is 0.
        let direction = sign(mix.keep * *m + mix.take * g);
        *m = average.of(*m, g);
        *p = kept - lr * direction;
    }
}

/// -1, 0 or 1; NaN of NaN.
#[inline(always)]
pub(super) fn sign<T: Real>(x: T) -> T {
    let positive = if x > T::ZERO { T::ONE } else { T::ZERO };
    let negative = if x < T::ZERO { T::ONE } else { T::ZERO };
    if x.is_nan() { x } else { positive - negative }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        for (beta1, beta2) in [(0.9, 0.99), (0.0, 0.5)] {
            follows(Options::new(0.01, Lion { beta1, beta2 }), |_, p, g, [m, ..]| {
                let c: f64 = beta1 * *m + (1.0 - beta1) * g;
                *p -= 0.01 * if c == 0.0 { 0.0 } else { c.signum() };
                *m = beta2 * *m + (1.0 - beta2) * g;
            });
        }
    }

    #[test]
    fn signs() {
        assert_eq!([-2.5f32, -0.0, 0.0, 1e-40].map(sign), [-1.0, 0.0, 0.0, 1.0]);
        assert!(sign(f64::NAN).is_nan());
    }
}
