//! What the tests of the whole workspace share. The tests themselves stand in `tests/`, one file for each promise:
//!
//! * `parity`: every operation computes what PyTorch computes, and so do its first and second derivatives;
//! * `layers`: so do layers, optimizers and whole trainings, with PyTorch's weights under PyTorch's names;
//! * `determinism`: the same bits at any number of threads and in every run;
//! * `memory`: training holds flat memory;
//! * `tidy`: the source tree keeps its rules.

pub mod compare;
pub mod fixture;
pub mod record;
pub mod tree;
