//! Optimizers: gradients in, better parameters out.
//!
//! * [`Optimizer`] is what a training loop sees: one step, the learning rate, a state that can be saved.
//! * [`Sgd`] is gradient descent with momentum, Nesterov's included; [`Adam`] scales each element's step, with AMSGrad and
//!   decoupled weight decay (AdamW) as options. Formulas and defaults are PyTorch's.
//! * [`clip_grad_norm`] and [`clip_grad_value`] bound the gradients before a step.
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

mod adam;
mod clip;
mod memory;
mod optimizer;
mod rows;
mod rules;
mod sgd;
mod state;
#[cfg(test)]
mod testing;

pub use adam::Adam;
pub use clip::{clip_grad_norm, clip_grad_value};
pub use optimizer::Optimizer;
pub use sgd::Sgd;
pub use state::{OptimError, OptimizerState};
