//! Adam, as in `torch.optim.Adam`; with decoupled weight decay, `AdamW`. With the mean gradient `m` and the mean squared
//! gradient `v`:
//!
//! ```text
//! m  = beta1 m + (1 - beta1) g
//! v  = beta2 v + (1 - beta2) g^2
//! w  = v                                  (AMSGrad: the largest v so far)
//! p -= lr / (1 - beta1^t)  m / (sqrt(w) / sqrt(1 - beta2^t) + eps)
//! ```
//!
//! Sources: D. Kingma, J. Ba, "Adam" (2015); I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (2019);
//! S. Reddi et al., "On the convergence of Adam and beyond" (2018).

use super::{ARRAYS, Average, Pass, Rule, Slot, Start};
use crate::Real;

/// The settings of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// How much of the mean gradient is kept.
    pub beta1: f64,
    /// How much of the mean squared gradient is kept.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// Whether to divide by the largest mean squared gradient so far.
    pub amsgrad: bool,
}

impl Rule for Adam {
    fn arrays(&self) -> [bool; ARRAYS] {
        [true, true, self.amsgrad]
    }

    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]) {
        super::adam(slots);
    }
}

/// The numbers of a step, rounded.
#[derive(Clone, Copy)]
struct Numbers<T> {
    start: Start<T>,
    mean: Average<T>,
    square: Average<T>,
    rate: T,
    root: T,
    eps: T,
}

impl Pass for Adam {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let Adam { beta1, beta2, eps, amsgrad } = slot.options.rule;
        let numbers = Numbers {
            start: Start::new(slot.options),
            mean: Average::new(beta1),
            square: Average::new(beta2),
            rate: T::from_f64(slot.options.lr / (1.0 - beta1.powf(slot.t()))),
            root: T::from_f64(1.0 / (1.0 - beta2.powf(slot.t())).sqrt()),
            eps: T::from_f64(eps),
        };
        match slot.parts() {
            (param, grad, [Some(m), Some(v), Some(w)]) if amsgrad => largest(numbers, param, grad, m, v, w),
            (param, grad, [Some(m), Some(v), _]) => plain(numbers, param, grad, m, v),
            _ => unreachable!("the walk has checked the arrays"),
        }
    }
}

#[inline(always)]
fn plain<T: Real>(n: Numbers<T>, param: &mut [T], grad: &[T], mean: &mut [T], square: &mut [T]) {
    for (((p, &g), m), v) in param.iter_mut().zip(grad).zip(mean).zip(square) {
        let (kept, g) = n.start.apply(*p, g);
        (*m, *v) = (n.mean.of(*m, g), n.square.of_squares(*v, g));
        *p = kept - n.rate * (*m / (v.sqrt() * n.root + n.eps));
    }
}

#[inline(always)]
fn largest<T: Real>(
    n: Numbers<T>,
    param: &mut [T],
    grad: &[T],
    mean: &mut [T],
    square: &mut [T],
    max_square: &mut [T],
) {
    for ((((p, &g), m), v), w) in param.iter_mut().zip(grad).zip(mean).zip(square).zip(max_square) {
        let (kept, g) = n.start.apply(*p, g);
        (*m, *v) = (n.mean.of(*m, g), n.square.of_squares(*v, g));
        *w = w.maximum(*v);
        *p = kept - n.rate * (*m / (w.sqrt() * n.root + n.eps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Options;
    use crate::update::testing::follows;

    #[test]
    fn follows_the_definition() {
        let plain = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, amsgrad: false };
        for rule in [plain, Adam { beta1: 0.7, beta2: 0.6, eps: 1e-3, amsgrad: true }] {
            follows(Options::new(0.01, rule), |t, p, g, [m, v, w]| {
                *m = rule.beta1 * *m + (1.0 - rule.beta1) * g;
                *v = rule.beta2 * *v + (1.0 - rule.beta2) * g * g;
                *w = if rule.amsgrad { w.max(*v) } else { *v };
                let (mean, square) = (*m / (1.0 - rule.beta1.powi(t)), *w / (1.0 - rule.beta2.powi(t)));
                *p -= 0.01 * mean / (square.sqrt() + rule.eps);
            });
        }
    }

    #[test]
    fn tiny_moments_become_zero() {
        let options = Options::new(0.1, Adam { beta1: 0.9, beta2: 0.9, eps: 1e-8, amsgrad: false });
        let (mut p, mut m, mut v) = ([1.0f32; 20], [1e-37f32; 20], [1e-37f32; 20]);
        for step in 1..=60 {
            let arrays = [Some(&mut m[..]), Some(&mut v[..]), None];
            let param = &mut p[..];
            Adam::step(&mut [Slot { options: &options, param, grad: &[0.0; 20], arrays, step, product: 1.0 }]);
        }
        assert_eq!((m, v), ([0.0; 20], [0.0; 20]));
    }
}
