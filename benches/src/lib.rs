//! What Chainrule is measured on: the workloads that other engines run too, and how they are timed.
//!
//! * [`nets`] builds the networks, [`workload`] the training steps and other work around them;
//! * [`machine`] pins threads to cores, measures the peak rate and reads the memory in use;
//! * [`measure`] times a workload, [`report`] prints it.
//!
//! The binary `workloads` runs them; the criterion benches beside it look at single kernels, layers and steps.

#![forbid(unsafe_code)]

pub mod machine;
pub mod measure;
pub mod nets;
pub mod report;
pub mod workload;
