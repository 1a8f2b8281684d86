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
mod groups;
mod lbfgs;
mod line_search;
mod lion;
mod memory;
mod nadam;
mod objective;
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
pub use groups::Groups;
pub use lbfgs::Lbfgs;
pub use lion::{Lion, LionMethod};
pub use nadam::{NAdam, NAdamMethod};
pub use objective::{Evaluation, Objective};
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
