//! Layers: parameters with a forward pass.
//!
//! * [`Module`] names the parameters of a layer or net; `#[derive(Module)]` writes it. State dicts go through it.
//! * [`Layer`] is a module that maps one tensor to another; [`Sequential`] chains them.
//! * [`Mode`] says whether a pass trains or evaluates, and carries the random numbers: there is no hidden state.
//!
//! One file per layer, each with its equation, shapes, parameters (named and shaped as in PyTorch) and initialization.
//!
//! ```
//! use chainrule_layers::{Linear, Mode, Module, Relu, Sequential};
//! use chainrule_tensor::{Rng, Tensor};
//!
//! let mut rng = Rng::seed_from_u64(1);
//! let net: Sequential = Sequential::new()
//!     .add(Linear::new(4, 8, &mut rng))
//!     .add(Relu)
//!     .add(Linear::new(8, 3, &mut rng));
//! let y = net.forward(&Tensor::ones([5, 4]), &mut Mode::Eval);
//! assert_eq!(y.shape(), &[5, 3]);
//! assert_eq!(net.named_parameters()[0].0, "0.weight");
//! ```

#![forbid(unsafe_code)]

mod activation;
mod linear;
mod mode;
mod module;
mod param;
mod sequential;

pub mod init;

pub use activation::{Gelu, Relu, Sigmoid, Tanh};
pub use chainrule_derive::Module;
pub use chainrule_tensor::Real;
pub use linear::{Linear, LinearBuilder};
pub use mode::Mode;
pub use module::{Entry, EntryMut, Layer, Module, Path};
pub use param::{Buffer, Param};
pub use sequential::Sequential;
