//! The graph of operations, and how gradients flow back through it.
//!
//! A tracked tensor holds a node. A node holds what its operation saved and the nodes of the operation's inputs, so the
//! graph points from results to inputs and lives as long as somebody holds a result. Nodes have growing ids: an input's id
//! is always smaller than its result's. Backward ([`engine`](self)) therefore visits ids from the largest down and needs
//! no recursion, and every node is reached after all gradients that flow into it have been summed.
//!
//! Nothing is stored inside tensors: [`Tensor::backward`](crate::Tensor::backward) returns the [`Gradients`] of the leaves.

mod checkpoint;
mod dot;
mod engine;
mod gradients;
mod inputs;
mod mode;
mod node;

pub use checkpoint::{checkpoint, checkpoint_with};
pub use engine::{GraphMode, grad};
pub use gradients::Gradients;
pub use inputs::{Inputs, Saved, SavedOutput};
pub use mode::{detect_anomaly, is_grad_enabled, no_grad};
pub use node::{HookHandle, Op, OpInfo};

pub(crate) use node::{NodeRef, edges_of};

#[doc(no_inline)]
pub use GraphMode::{CreateGraph, FreeGraph, KeepGraph};
