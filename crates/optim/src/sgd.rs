//! [`Sgd`]: stochastic gradient descent.
//!
//! With gradient `g`, parameter `p` and its direction `b`, as in `torch.optim.SGD`:
//!
//! ```text
//! g += weight_decay p
//! b  = momentum b + (1 - dampening) g        (b = g in the parameter's first step)
//! p -= lr b                                  (Nesterov: p -= lr (g + momentum b))
//! ```
//!
//! Without momentum `p -= lr g`, and nothing is remembered.
//!
//! Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).

use crate::OptimError;
use crate::element_wise::{ElementWise, Method, Setting, number, yes_no};
use crate::rules::{finite, not_negative};
use chainrule_kernels::update::{self, Options};
use chainrule_tensor::Real;

/// Stochastic gradient descent with momentum and weight decay.
///
/// ```
/// use chainrule_optim::Sgd;
/// let opt: Sgd = Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4);
/// ```
pub type Sgd<T = f32> = ElementWise<SgdMethod, T>;

/// What is particular to [`Sgd`].
#[derive(Clone, Copy, Debug)]
pub enum SgdMethod {}

impl Method for SgdMethod {
    type Rule = update::Sgd;
    const NAME: &'static str = "Sgd";
    const ARRAYS: [&'static str; 3] = ["momentum_buffer", "", ""];
    const SETTINGS: &'static [Setting<update::Sgd>] = &[
        number!("momentum", not_negative, |o| o.rule.momentum),
        number!("dampening", finite, |o| o.rule.dampening),
        yes_no!("nesterov", |o| o.rule.nesterov),
    ];

    fn check(options: &Options<update::Sgd>) -> Result<(), OptimError> {
        let update::Sgd { momentum, dampening, nesterov } = options.rule;
        if nesterov && (momentum == 0.0 || dampening != 0.0) {
            return Err(OptimError::Contradiction("nesterov needs a momentum above 0 and no dampening"));
        }
        Ok(())
    }

    fn remembers(options: &Options<update::Sgd>) -> bool {
        options.rule.momentum != 0.0
    }
}

impl<T: Real> Sgd<T> {
    /// Plain gradient descent with this learning rate: no momentum, no weight decay.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Self::start(Options::new(lr, update::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false }))
    }

    /// How much of the last step's direction is kept. Default 0: none.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Self {
        self.with("momentum", momentum)
    }

    /// How much the gradient's part in the direction is weakened. Default 0.
    ///
    /// # Panics
    /// If it is not finite.
    #[must_use]
    #[track_caller]
    pub fn dampening(self, dampening: f64) -> Self {
        self.with("dampening", dampening)
    }

    /// Whether to step along the direction as it will be (Nesterov). Needs momentum, and no dampening: the first step
    /// panics otherwise, so that the settings can come in any order. Default false.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        self.with("nesterov", nesterov)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Optimizer;
    use crate::testing::{ends_as_in_pytorch, follows};
    use chainrule_layers::Param;
    use chainrule_tensor::{Gradients, Tensor};

    #[test]
    fn two_steps_by_hand() {
        let mut p = Param::new(Tensor::from([1.0f64]));
        let mut opt = Sgd::new(0.5).momentum(0.5).dampening(0.25).weight_decay(0.5);
        let mut step = |p: &mut Param<f64>| {
            let grads = (&**p * 2.0).sum().backward();
            opt.step(p, &grads);
            p.item()
        };
        // g = 2 + 0.5 = 2.5, b = 2.5, p = 1 - 1.25.
        assert_eq!(step(&mut p), -0.25);
        // g = 2 - 0.125 = 1.875, b = 1.25 + 0.75 * 1.875 = 2.65625, p = -0.25 - 1.328125.
        assert_eq!(step(&mut p), -1.578125);
    }

    fn check_definition<T: Real>(tolerance: f64) {
        for (momentum, dampening, nesterov, decay) in
            [(0.0, 0.0, false, 0.0), (0.0, 0.0, false, 0.1), (0.9, 0.3, false, 0.01), (0.8, 0.0, true, 0.1)]
        {
            let opt = Sgd::<T>::new(0.1).nesterov(nesterov).momentum(momentum).dampening(dampening).weight_decay(decay);
            follows(opt, tolerance, |step, p, g, [b, ..]| {
                let mut g = g + decay * *p;
                if momentum != 0.0 {
                    *b = if step == 1 { g } else { momentum * *b + (1.0 - dampening) * g };
                    g = if nesterov { g + momentum * *b } else { *b };
                }
                *p -= 0.1 * g;
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
            Sgd::<T>::new(0.1),
            [
                0.3242647541675434,
                -0.5045192511661623,
                0.09304916538235886,
                0.7909423052651794,
                0.4596321456702669,
                -0.4748844459992742,
                0.022534810171967675,
                -0.019775906368283584,
                0.22179089901475144,
            ],
        );
        ends_as_in_pytorch(
            Sgd::<T>::new(0.1).weight_decay(0.05),
            [
                0.3157564756837021,
                -0.49742545611447725,
                0.09142211932583769,
                0.7733233627767779,
                0.4478469773146099,
                -0.46532243252719324,
                0.02208747545442191,
                -0.01748343538446651,
                0.21615259871275921,
            ],
        );
        ends_as_in_pytorch(
            Sgd::<T>::new(0.1).momentum(0.9),
            [
                0.061199085568520654,
                -0.8997373855530725,
                0.04890156348639073,
                0.47879159703611446,
                0.024527762749047968,
                -0.43739428553233833,
                -0.08813026283116547,
                0.2741158331387558,
                0.10174133296920226,
            ],
        );
        ends_as_in_pytorch(
            Sgd::<T>::new(0.1).momentum(0.9).dampening(0.3).weight_decay(0.05),
            [
                0.11013382184353601,
                -0.7714863716594359,
                0.05337121077733223,
                0.5199602675209759,
                0.1104221269827592,
                -0.42660293073026523,
                -0.06577723137134181,
                0.18256578514181096,
                0.12307696747027339,
            ],
        );
        ends_as_in_pytorch(
            Sgd::<T>::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4),
            [
                0.036491652601916384,
                -0.9911751844927806,
                0.05880177630812764,
                0.4540580132026026,
                -0.01628472859536796,
                -0.4339168348778353,
                -0.07765153948359534,
                0.3956132293609055,
                0.07869122005020251,
            ],
        );
    }

    #[test]
    fn ends_where_pytorch_does() {
        check_pytorch::<f64>();
        check_pytorch::<f32>();
    }

    #[test]
    #[should_panic(expected = "Sgd: lr must be finite and at least 0, got -0.1")]
    fn the_rate_is_not_negative() {
        let _: Sgd = Sgd::new(-0.1);
    }

    #[test]
    #[should_panic(expected = "Sgd: momentum must be finite and at least 0, got NaN")]
    fn momentum_is_a_number() {
        let _: Sgd = Sgd::new(0.1).momentum(f64::NAN);
    }

    #[test]
    #[should_panic(expected = "Sgd: nesterov needs a momentum above 0 and no dampening")]
    fn nesterov_needs_momentum() {
        Sgd::<f32>::new(0.1).nesterov(true).step(&mut (), &Gradients::default());
    }

    #[test]
    #[should_panic(expected = "Sgd: nesterov needs a momentum above 0 and no dampening")]
    fn nesterov_takes_no_dampening() {
        Sgd::<f32>::new(0.1).nesterov(true).momentum(0.9).dampening(0.1).step(&mut (), &Gradients::default());
    }
}
