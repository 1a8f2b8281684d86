//! What Chainrule is measured on: the workloads that other engines run too, and how they are timed.
//!
//! * [`nets`] builds the networks, [`workload`] the training steps and other work around them;
//! * [`machine`] pins threads to cores, measures the peak rate and reads the memory in use;
//! * [`measure`] times a workload, [`report`] prints it, [`plot`] draws curves.
//!
//! The binary `workloads` runs them; the criterion benches beside it look at single kernels, layers and steps.

#![forbid(unsafe_code)]

pub mod machine;
pub mod measure;
pub mod nets;
pub mod plot;
pub mod report;
pub mod workload;

/// Numbers between -1 and 1, the same ones every time.
pub fn numbers(len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}
