//! RMSprop, as in `torch.optim.RMSprop`. With the mean squared gradient `v`, the mean gradient `m` and the direction `b`:
//!
//! ```text
//! v  = alpha v + (1 - alpha) g^2
//! r  = sqrt(v) + eps                      (centered: m = alpha m + (1 - alpha) g,  r = sqrt(v - m^2) + eps)
//! p -= lr g / r                           (momentum: b = momentum b + g / r,  p -= lr b)
//! ```
//!
//! Sources: T. Tieleman, G. Hinton, "Neural networks for machine learning", lecture 6.5 (2012); centered: A. Graves,
//! "Generating sequences with recurrent neural networks" (2013).

use super::{ARRAYS, Average, Pass, Rule, Slot, Start, flush};
use crate::Real;

/// The settings of RMSprop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// How much of the averages is kept.
    pub alpha: f64,
    /// Added to the root.
    pub eps: f64,
    /// Whether to divide by the deviation from the mean gradient.
    pub centered: bool,
    /// How much of the last step's direction is kept.
    pub momentum: f64,
}

impl Rule for RmsProp {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, self.centered, self.momentum > 0.0]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::rmsprop(slots);
    }
}

/// The numbers of a step, rounded.
#[derive(Clone, Copy)]
struct Numbers<T> {
    start: Start<T>,
    average: Average<T>,
    lr: T,
    eps: T,
    momentum: T,
}

impl Pass for RmsProp {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let RmsProp { alpha, eps, centered, momentum } = slot.options.rule;
        let n = Numbers {
            start: Start::new(slot.options),
            average: Average::new(alpha),
            lr: T::from_f64(slot.options.lr),
            eps: T::from_f64(eps),
            momentum: T::from_f64(momentum),
        };
        let (param, grad, [square, mean, direction]) = slot.parts();
        let square = square.expect("the walk has checked the arrays");
        match (mean.filter(|_| centered), direction.filter(|_| momentum > 0.0)) {
            (None, None) => plain(n, param, grad, square),
            (None, Some(b)) => with_momentum(n, param, grad, square, b),
            (Some(m), None) => with_mean(n, param, grad, square, m),
            (Some(m), Some(b)) => with_both(n, param, grad, square, m, b),
        }
    }
}

impl<T: Real> Numbers<T> {
    /// The gradient over the root of its mean square.
    #[inline(always)]
    fn scaled(self, g: T, v: &mut T) -> T {
        *v = self.average.of_squares(*v, g);
        g / (v.sqrt() + self.eps)
    }

    /// The gradient over its deviation.
    #[inline(always)]
    fn scaled_centered(self, g: T, v: &mut T, m: &mut T) -> T {
        (*v, *m) = (self.average.of_squares(*v, g), self.average.of(*m, g));
        // Where gradients hardly differ, rounding can bring the variance below 0.
        g / ((*v - *m * *m).maximum(T::ZERO).sqrt() + self.eps)
    }
}

#[inline(always)]
fn plain<T: Real>(n: Numbers<T>, param: &mut [T], grad: &[T], square: &mut [T]) {
    for ((p, &g), v) in param.iter_mut().zip(grad).zip(square) {
        let (kept, g) = n.start.apply(*p, g);
        *p = kept - n.lr * n.scaled(g, v);
    }
}

#[inline(always)]
fn with_momentum<T: Real>(n: Numbers<T>, param: &mut [T], grad: &[T], square: &mut [T], direction: &mut [T]) {
    for (((p, &g), v), b) in param.iter_mut().zip(grad).zip(square).zip(direction) {
        let (kept, g) = n.start.apply(*p, g);
        *b = flush(n.momentum * *b + n.scaled(g, v));
        *p = kept - n.lr * *b;
    }
}

#[inline(always)]
fn with_mean<T: Real>(n: Numbers<T>, param: &mut [T], grad: &[T], square: &mut [T], mean: &mut [T]) {
    for (((p, &g), v), m) in param.iter_mut().zip(grad).zip(square).zip(mean) {
        let (kept, g) = n.start.apply(*p, g);
        *p = kept - n.lr * n.scaled_centered(g, v, m);
    }
}

#[inline(always)]
fn with_both<T: Real>(
    n: Numbers<T>,
    param: &mut [T],
    grad: &[T],
    square: &mut [T],
    mean: &mut [T],
    direction: &mut [T],
) {
    for ((((p, &g), v), m), b) in param.iter_mut().zip(grad).zip(square).zip(mean).zip(direction) {
        let (kept, g) = n.start.apply(*p, g);
        *b = flush(n.momentum * *b + n.scaled_centered(g, v, m));
        *p = kept - n.lr * *b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        for (centered, momentum) in [(false, 0.0), (false, 0.9), (true, 0.0), (true, 0.5)] {
            let (alpha, eps) = (0.8, 1e-3);
            follows(Options::new(0.01, RmsProp { alpha, eps, centered, momentum }), |_, p, g, [v, m, b]| {
                *v = alpha * *v + (1.0 - alpha) * g * g;
                *m = alpha * *m + (1.0 - alpha) * g;
                let square = if centered { *v - *m * *m } else { *v };
                *b = momentum * *b + g / (square.sqrt() + eps);
                *p -= 0.01 * *b;
            });
        }
    }

    #[test]
    fn a_variance_is_never_negative() {
        let options = Options::new(0.01, RmsProp { alpha: 1.0, eps: 1e-3, centered: true, momentum: 0.0 });
        let (start, average) = (Start::new(&options), Average::new(1.0));
        let n = Numbers { start, average, lr: 0.01f32, eps: 1e-3, momentum: 0.0 };
        // The square of the mean is larger than that of the only gradient, by rounding.
        let (mut square, mut mean) = (1.0, 1.0 + f32::EPSILON);
        assert_eq!(n.scaled_centered(1.0, &mut square, &mut mean), 1.0 / 1e-3);
    }
}
