//! The numbers of Chainrule: slices, shapes and strides in, numbers out.
//!
//! This crate knows nothing of tensors or gradients. It is the one place where SIMD, threads and `unsafe` live:
//!
//! * [`simd`] picks the instruction set once, at run time, and compiles each [`simd::Kernel`] for all of them;
//! * [`parallel`] spreads pieces of work over threads; the order of each sum does not depend on how the work was cut, so that results
//!   have the same bits at any number of threads;
//! * [`buffer`] recycles memory;
//! * every other module is one family of kernels, each beside a plain reference implementation that its tests compare with.
//!
//! Kernels are written once, generically, and compiled here for `f32` and `f64` (the internal `concrete!` macro): a
//! program that depends on Chainrule does not compile them again.

// Where there is no SIMD level but the portable one, nobody calls the tiles of registers.
#![cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, unused_imports))]

#[macro_use]
mod concrete;

pub mod attention;
mod broadcast;
pub mod buffer;
pub mod conv;
pub mod ctc;
pub mod extremes;
mod fold;
pub mod gemm;
pub mod index;
mod lanes;
pub mod map;
pub mod mask;
pub mod math;
mod merged;
pub mod moments;
pub mod norm;
pub mod number;
pub mod parallel;
pub mod peak;
pub mod place;
pub mod pool;
pub mod random;
pub mod real;
pub mod recurrent;
pub mod reduce;
pub mod relu;
pub mod resample;
pub mod rows;
pub mod scan;
pub mod simd;
mod size;
pub mod softmax;
pub mod sort;
mod source;
mod strided;
mod system;
mod turn;
pub mod update;
pub mod view;

pub use buffer::Buffer;
pub use number::Number;
pub use real::Real;
pub use view::View;

/// What a kernel does with the values that already stand in its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// The output is overwritten, whatever it held (even NaN).
    Replace,
    /// The result is added to the output.
    Add,
}
