//! [`Adam`]: steps scaled, element by element, by how large the gradients have been.
//!
//! With gradient `g`, parameter `p`, its mean gradient `m`, its mean squared gradient `v`, and `t` the number of the
//! parameter's steps, this one included, as in `torch.optim.Adam`:
//!
//! ```text
//! g += weight_decay p                        (decoupled: p -= lr weight_decay p)
//! m  = beta1 m + (1 - beta1) g
//! v  = beta2 v + (1 - beta2) g^2
//! w  = v                                     (AMSGrad: the largest v so far)
//! p -= lr m' / (sqrt(w') + eps)    with m' = m / (1 - beta1^t),  w' = w / (1 - beta2^t)
//! ```
//!
//! The divisions by `1 - beta^t` make up for averages that start at zero.
//!
//! Sources: D. Kingma, J. Ba, "Adam" (2015); S. Reddi et al., "On the convergence of Adam and beyond" (2018); I. Loshchilov,
//! F. Hutter, "Decoupled weight decay regularization" (2019).

use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::{fraction, not_negative};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Adam, with AMSGrad and decoupled weight decay as options; [`AdamW`](crate::AdamW) has the latter as a matter of course.
///
/// ```
/// use chainrule_optim::Adam;
/// let opt: Adam = Adam::new(1e-3).betas(0.9, 0.999).eps(1e-8).amsgrad(true);
/// ```
pub type Adam<T = f32> = ElementWise<AdamMethod, T>;

/// What is particular to [`Adam`].
#[derive(Clone, Copy, Debug)]
pub enum AdamMethod {}

impl Method for AdamMethod {
    type Rule = update::Adam;
    const NAME: &'static str = "Adam";
    const ARRAYS: [&'static str; 3] = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
    const SETTINGS: &'static [Setting<update::Adam>] = &[
        number!("beta1", fraction, |o| o.rule.beta1),
        number!("beta2", fraction, |o| o.rule.beta2),
        number!("eps", not_negative, |o| o.rule.eps),
        yes_no!("amsgrad", |o| o.rule.amsgrad),
        yes_no!("decoupled", |o| o.decoupled),
    ];
}

impl<T: Real> Adam<T> {
    /// Adam with this learning rate (PyTorch takes 1e-3), betas 0.9 and 0.999, eps 1e-8, and no weight decay.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, amsgrad: false }))
    }

    /// How much the mean gradient and the mean squared gradient keep of their past. Default 0.9 and 0.999.
    ///
    /// # Panics
    /// If one is not in `[0, 1)`.
    #[must_use]
    #[track_caller]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        self.with("beta1", beta1).with("beta2", beta2)
    }

    /// What is added to the root, against division by zero. Default 1e-8.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn eps(self, eps: f64) -> Self {
        self.with("eps", eps)
    }

    /// Whether to divide by the root of the largest mean squared gradient so far, so that steps never grow again: AMSGrad.
    /// Default false.
    #[must_use]
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        self.with("amsgrad", amsgrad)
    }

    /// Whether the weight decay is taken off the parameter and leaves the gradient alone ([`AdamW`](crate::AdamW)). Default false.
    #[must_use]
    pub fn decoupled(self, decoupled: bool) -> Self {
        self.with("decoupled", decoupled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ends_as_in_pytorch, follows};
    use crate::{Groups, Optimizer};
    use chainrule_layers::Param;
    use chainrule_tensor::Tensor;

    #[test]
    fn two_steps_by_hand() {
        let mut p = Param::new(Tensor::from([1.0f64]));
        let mut opt = Adam::new(0.5).betas(0.5, 0.75).eps(0.0);
        // At first m' = g and w' = g^2: the step is lr, whatever the gradient.
        let grads = (&*p * 8.0).sum().backward();
        opt.step(&mut p, &grads);
        assert_eq!(p.item(), 0.5);
        // m = 0.5 * 4 + 0.5 * 2 = 3, m' = 3 / 0.75 = 4;  v = 0.75 * 16 + 0.25 * 4 = 13, w' = 13 / 0.4375.
        let grads = (&*p * 2.0).sum().backward();
        opt.step(&mut p, &grads);
        assert!((p.item() - (0.5 - 0.5 * 4.0 / (13.0f64 / 0.4375).sqrt())).abs() < 1e-15);
    }

    fn check_definition<T: Real>(tolerance: f64) {
        let (lr, beta1, beta2, eps): (f64, f64, f64, f64) = (0.01, 0.7, 0.6, 1e-3);
        for (decay, decoupled, amsgrad) in
            [(0.0, false, false), (0.1, false, false), (0.1, true, false), (0.0, false, true), (0.1, true, true)]
        {
            let opt = Adam::<T>::new(lr).betas(beta1, beta2).eps(eps);
            let opt = opt.weight_decay(decay).decoupled(decoupled).amsgrad(amsgrad);
            follows(opt, tolerance, |t, p, g, [m, v, w]| {
                let mut g = g;
                if decoupled {
                    *p -= lr * decay * *p;
                } else {
                    g += decay * *p;
                }
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *w = if amsgrad { w.max(*v) } else { *v };
                let (mean, square) = (*m / (1.0 - beta1.powi(t)), *w / (1.0 - beta2.powi(t)));
                *p -= lr * mean / (square.sqrt() + eps);
            });
        }
    }

    #[test]
    fn follows_the_definition() {
        check_definition::<f64>(1e-14);
        check_definition::<f32>(3e-7);
    }

    fn check_pytorch<T: Real>() {
        ends_as_in_pytorch(
            Adam::<T>::new(1e-3),
            [
                0.49500133238117455,
                -0.254999572108427,
                0.12000744680437328,
                0.9950009677623364,
                0.7450006487221786,
                -0.495009285075388,
                0.09500228179834287,
                -0.19500030025986387,
                0.29500243216717104,
            ],
        );
        ends_as_in_pytorch(
            Adam::<T>::new(0.05).betas(0.7, 0.9).eps(1e-3).weight_decay(0.1),
            [
                0.26316041981260446,
                -0.4957817145556861,
                0.06324263868727611,
                0.757779225223612,
                0.5051571751481501,
                -0.3847561663890269,
                -0.11025043179093146,
                0.0466265530634636,
                0.07920609904811199,
            ],
        );
        ends_as_in_pytorch(
            Adam::<T>::new(0.1).betas(0.5, 0.6).amsgrad(true),
            [
                0.136153256457014,
                -0.7282561056794168,
                0.16379249695794007,
                0.593535838378448,
                0.2969487939232386,
                -0.4267256928179879,
                -0.09946126125673149,
                0.2893042934208419,
                0.010553681359578761,
            ],
        );
        // torch.optim.AdamW
        ends_as_in_pytorch(
            Adam::<T>::new(0.05).weight_decay(0.1).decoupled(true),
            [
                0.24848713860712443,
                -0.49001784503296475,
                0.045384506997771856,
                0.7331144752497276,
                0.48673819808308727,
                -0.4345341647978444,
                -0.1251805125122393,
                0.05145567691294424,
                0.0673666321119316,
            ],
        );
    }

    #[test]
    fn ends_where_pytorch_does() {
        check_pytorch::<f64>();
        check_pytorch::<f32>();
    }

    #[test]
    #[should_panic(expected = "Adam: beta2 must be at least 0 and below 1, got 1")]
    fn betas_are_below_one() {
        let _: Adam = Adam::new(1e-3).betas(0.9, 1.0);
    }

    #[test]
    #[should_panic(expected = "Adam: lr must be finite and at least 0, got inf")]
    fn the_rate_is_finite() {
        let mut opt: Adam = Adam::new(1e-3);
        opt.set_lr(f64::INFINITY);
    }

    #[test]
    #[should_panic(expected = "Adam: eps must be finite and at least 0, got -1")]
    fn eps_is_not_negative() {
        let _: Adam = Adam::new(1e-3).eps(-1.0);
    }
}
