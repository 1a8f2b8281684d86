//! Optimizers: gradients in, better parameters out.
//!
//! * [`Optimizer`] is what a training loop sees: one step, settings by name and group ([`Groups`]), a state that can be saved.
//! * [`Sgd`], [`Adam`], [`AdamW`], [`RmsProp`], [`Adagrad`], [`Adadelta`], [`NAdam`], [`RAdam`] and [`Lion`] treat every element by
//!   itself ([`ElementWise`]) and update all parameters in one pass; [`Lbfgs`] looks at all of them together. Formulas,
//!   names and defaults are PyTorch's.
//! * [`schedule`] changes the learning rate, and the momentum, while training goes on.
//! * [`clip_grad_norm`] and [`clip_grad_value`] bound the gradients before a step, [`Penalty`] adds those of an L1 or L2 norm,
//!   [`GradientAccumulator`] adds up those of several batches; [`WeightAverage`] averages the weights over the steps.
//!
//! With gradient `g`, parameter `p`, and averages `avg(beta, x)` that keep the share `beta` of themselves (each file has the whole
//! formula):
//!
//! | optimizer | step | source |
//! |---|---|---|
//! | [`Sgd`] | `b = momentum b + (1 - dampening) g`, `p -= lr b` | Sutskever et al. 2013 |
//! | [`Adam`] | `p -= lr avg(beta1, g) / (sqrt(avg(beta2, g^2)) + eps)`, both averages corrected for their start | Kingma, Ba 2015 |
//! | [`AdamW`] | the same after `p -= lr weight_decay p` | Loshchilov, Hutter 2019 |
//! | [`NAdam`] | Adam with Nesterov's look ahead | Dozat 2016 |
//! | [`RAdam`] | Adam whose first steps are plain momentum, rectified later | Liu et al. 2020 |
//! | [`RmsProp`] | `p -= lr g / (sqrt(avg(alpha, g^2)) + eps)` | Tieleman, Hinton 2012 |
//! | [`Adagrad`] | `p -= lr g / (sqrt(sum of g^2) + eps)` | Duchi et al. 2011 |
//! | [`Adadelta`] | `p -= lr d`, `d = sqrt(avg(rho, d^2) + eps) / sqrt(avg(rho, g^2) + eps) g` | Zeiler 2012 |
//! | [`Lion`] | `p -= lr sign(beta1 m + (1 - beta1) g)`, `m = avg(beta2, g)` | Chen et al. 2023 |
//! | [`Lbfgs`] | `p -= t H g`, `H` the inverse curvature as the last changes show it | Nocedal 1980 |
//!
//! | schedule | rate after `t` epochs |
//! |---|---|
//! | [`StepLr`] | `lr gamma^floor(t / step_size)` |
//! | [`MultiStepLr`] | `lr gamma^(milestones up to t)` |
//! | [`ExponentialLr`] | `lr gamma^t` |
//! | [`ConstantLr`] | `lr factor`, from `total_iters` on `lr` |
//! | [`LinearLr`] | `lr` times a factor on a line from `start_factor` to `end_factor` |
//! | [`PolynomialLr`] | `lr (1 - t / total_iters)^power` |
//! | [`CosineAnnealingLr`] | `eta_min + (lr - eta_min) (1 + cos(pi t / t_max)) / 2` |
//! | [`CosineAnnealingWarmRestarts`] | the same, starting again every `t_0`, `t_0 t_mult`, .. epochs |
//! | [`OneCycleLr`] | up to `max_lr` and down to almost nothing, momentum the other way |
//! | [`ReduceLrOnPlateau`] | times `factor` whenever a metric stops to improve |
//! | [`LambdaLr`], [`MultiplicativeLr`] | `lr f(t)`; `lr f(1) f(2) .. f(t)` |
//! | [`SequentialLr`], [`ChainedScheduler`] | one schedule after another; several at once |
//!
//! ```
//! use chainrule_layers::Param;
//! use chainrule_optim::{Optimizer, Sgd};
//! use chainrule_tensor::Tensor;
//!
//! // Any module will do; a parameter is the smallest.
//! let mut x = Param::new(Tensor::from([4.0f32, -2.0]));
//! let mut opt = Sgd::new(0.1).momentum(0.5);
//! for _ in 0..50 {
//!     let loss = (&*x * &*x).sum();
//!     opt.step(&mut x, &loss.backward());
//! }
//! assert!(x.to_vec().iter().all(|x| x.abs() < 1e-3));
//! ```

#![forbid(unsafe_code)]

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod average;
mod clip;
mod element_wise;
mod evaluate;
mod groups;
mod lbfgs;
mod line_search;
mod lion;
mod memory;
mod nadam;
mod optimizer;
mod penalty;
mod radam;
mod rmsprop;
mod rows;
mod rules;
pub mod schedule;
mod sgd;
mod state;
#[cfg(test)]
mod testing;

pub use accumulate::GradientAccumulator;
pub use adadelta::{Adadelta, AdadeltaMethod};
pub use adagrad::{Adagrad, AdagradMethod};
pub use adam::{Adam, AdamMethod};
pub use adamw::{AdamW, AdamWMethod};
pub use average::WeightAverage;
pub use clip::{clip_grad_norm, clip_grad_value};
pub use element_wise::{ElementWise, Method, Setting};
pub use evaluate::{Evaluate, Evaluated};
pub use groups::Groups;
pub use lbfgs::Lbfgs;
pub use lion::{Lion, LionMethod};
pub use nadam::{NAdam, NAdamMethod};
pub use optimizer::Optimizer;
pub use penalty::Penalty;
pub use radam::{RAdam, RAdamMethod};
pub use rmsprop::{RmsProp, RmsPropMethod};
pub use schedule::{
    ChainedScheduler, ConstantLr, CosineAnnealingLr, CosineAnnealingWarmRestarts, ExponentialLr, LambdaLr, LinearLr,
    MultiStepLr, MultiplicativeLr, OneCycleLr, PolynomialLr, ReduceLrOnPlateau, Scheduler, SequentialLr, StepLr,
};
pub use sgd::{Sgd, SgdMethod};
pub use state::{AverageState, OptimError, OptimizerState};

/// The usual optimizers for `f32`, compiled in this crate: programs link to what is `inline(never)` in them.
static _COMPILED: [fn(f64) -> Box<dyn Optimizer>; 3] =
    [|lr| Box::new(Sgd::new(lr)), |lr| Box::new(Adam::new(lr)), |lr| Box::new(AdamW::new(lr))];
