//! What the tests of the whole workspace share. The tests themselves stand in `tests/`, one file for each promise:
//!
//! * `parity`: every operation computes what PyTorch computes, and so do its first and second derivatives;
//! * `determinism`: the same bits at any number of threads and in every run;
//! * `memory`: training holds flat memory;
//! * `tidy`: the source tree keeps its rules.

pub mod fixture;
pub mod tree;
