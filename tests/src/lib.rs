//! What the tests of the whole workspace share. The tests themselves stand in `tests/`, one file for each promise:
//!
//! * `parity`: every operation computes what PyTorch computes, and so do its first and second derivatives;
//! * `layers`: so do layers, optimizers and whole trainings, with PyTorch's weights under PyTorch's names;
//! * `determinism`: the same bits at any number of threads and in every run;
//! * `memory`: training holds flat memory;
//! * `allocations`: once two steps are done it takes none from the system;
//! * `tidy`: the source tree keeps its rules;
//! * the code on the README's and the book's pages compiles and runs (as documentation tests of this crate).

pub mod compare;
pub mod fixture;
pub mod record;
pub mod tree;

/// The pages whose code is compiled and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/autograd.md")]
    mod autograd {}
    #[doc = include_str!("../../docs/sequences.md")]
    mod sequences {}
}
