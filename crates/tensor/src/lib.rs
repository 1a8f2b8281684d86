//! Tensors with reverse-mode automatic differentiation.
//!
//! * [`Tensor`] holds numbers in any number of dimensions; it is cheap to clone, immutable to the user, and its views copy
//!   nothing. [ndarray] is the currency at the boundary.
//! * [`graph`] records operations and runs them backward: [`Tensor::backward`], [`grad`], gradients of gradients,
//!   [`no_grad`], hooks, anomaly mode, pictures.
//! * [`ops`] holds the calculus: one file per operation, always in the same order: equation, derivative, what is saved,
//!   backward, forward, tests. Users write operations of their own the same way: see [`Op`].
//! * [`gradcheck`](gradcheck::gradcheck) compares every derivative with finite differences.
//!
//! ```
//! use chainrule_tensor::Tensor;
//!
//! let x = Tensor::from([3.0f32, 4.0]).requires_grad();
//! let length = (&x * &x).sum().sqrt();
//! let grads = length.backward();
//! assert_eq!(grads.get(&x).unwrap().to_vec(), [0.6, 0.8]); // x / |x|
//! ```

#![forbid(unsafe_code)]

mod argmax;
mod array;
mod create;
mod display;
mod indices;
mod mask;
mod rng;
mod shape;
mod short;
mod tensor;

pub mod gradcheck;
pub mod graph;
pub mod ops;

pub use chainrule_kernels::{Number, Real};
pub use gradcheck::{gradcheck, gradgradcheck};
pub use graph::{
    CreateGraph, FreeGraph, Gradients, GraphMode, Inputs, KeepGraph, Op, OpInfo, SavedOutput, checkpoint,
    checkpoint_with, detect_anomaly, grad, is_grad_enabled, no_grad,
};
pub use indices::Indices;
pub use mask::Mask;
/// The arrays that tensors are made from and turned into, in the version that this crate speaks.
pub use ndarray;
pub use rng::Rng;
pub use shape::{Dims, Shape, Sizes};
pub use tensor::Tensor;
