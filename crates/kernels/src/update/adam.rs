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

use super::{ARRAYS, Average, Options, Pass, Rule, Slot, Start};
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

/// The first lines of Adam and its kin, with their numbers rounded: the decay, and the two averages.
#[derive(Clone, Copy)]
pub(super) struct Averages<T> {
    start: Start<T>,
    mean: Average<T>,
    square: Average<T>,
}

impl<T: Real> Averages<T> {
    #[inline(always)]
    pub(super) fn new<R>(options: &Options<R>, beta1: f64, beta2: f64) -> Self {
        Averages { start: Start::new(options), mean: Average::new(beta1), square: Average::new(beta2) }
    }

    /// Brings an element's averages up to date. Returns what the decay leaves of the parameter, and the gradient.
    #[inline(always)]
    fn update(self, p: T, g: T, m: &mut T, v: &mut T) -> (T, T) {
        let (kept, g) = self.start.apply(p, g);
        (*m, *v) = (self.mean.of(*m, g), self.square.of_squares(*v, g));
        (kept, g)
    }

    /// Every parameter becomes `step(kept, g, m, v)`: of what the decay leaves of it, the gradient and the new averages.
    #[inline(always)]
    pub(super) fn pass(
        self,
        param: &mut [T],
        grad: &[T],
        mean: &mut [T],
        square: &mut [T],
        step: impl Fn(T, T, T, T) -> T,
    ) {
        for (((p, &g), m), v) in param.iter_mut().zip(grad).zip(mean).zip(square) {
            let (kept, g) = self.update(*p, g, m, v);
            *p = step(kept, g, *m, *v);
        }
    }

    /// The same with the largest `v` so far instead of `v`.
    #[inline(always)]
    fn pass_largest(
        self,
        param: &mut [T],
        grad: &[T],
        mean: &mut [T],
        square: &mut [T],
        max_square: &mut [T],
        step: impl Fn(T, T, T, T) -> T,
    ) {
        for ((((p, &g), m), v), w) in param.iter_mut().zip(grad).zip(mean).zip(square).zip(max_square) {
            let (kept, g) = self.update(*p, g, m, v);
            *w = w.maximum(*v);
            *p = step(kept, g, *m, *w);
        }
    }
}

impl Pass for Adam {
    #[inline(always)]
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>) {
        let Adam { beta1, beta2, eps, amsgrad } = slot.options.rule;
        let averages = Averages::new(slot.options, beta1, beta2);
        let rate = T::from_f64(slot.options.lr / (1.0 - beta1.powf(slot.t())));
        let root = T::from_f64(1.0 / (1.0 - beta2.powf(slot.t())).sqrt());
        let eps = T::from_f64(eps);
        let step = |kept: T, _, m: T, w: T| kept - rate * (m / (w.sqrt() * root + eps));
        match slot.parts() {
            (param, grad, [Some(m), Some(v), Some(w)]) if amsgrad => averages.pass_largest(param, grad, m, v, w, step),
            (param, grad, [Some(m), Some(v), _]) => averages.pass(param, grad, m, v, step),
            _ => unreachable!("the walk has checked the arrays"),
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
