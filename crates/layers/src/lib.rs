//! Layers: parameters with a forward pass.
//!
//! * [`Module`] names the parameters of a layer or net; `#[derive(Module)]` writes it. State dicts go through it.
//! * [`Layer`] is a module that maps one tensor to another; [`Sequential`](crate::Sequential) chains them.
//! * [`Mode`] says whether a pass trains or evaluates, and carries the random numbers: there is no hidden state.

#![forbid(unsafe_code)]

mod mode;
mod module;
mod param;

pub use mode::Mode;
pub use module::{Entry, EntryMut, Layer, Module, Path};
pub use param::{Buffer, Param};
