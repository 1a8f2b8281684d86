//! [`OptimizerState`]: an optimizer taken apart into names, numbers and tensors, ready for a file.

use chainrule_tensor::{Real, Tensor};
use std::collections::BTreeMap;

/// What [`Optimizer::state`](crate::Optimizer::state) returns. All numbers are exact: `f64` survives its decimal notation in
/// Rust, and tensors are in the parameters' own precision.
#[derive(Clone, Debug)]
pub struct OptimizerState<T: Real = f32> {
    /// Whose state it is: `"Sgd"`, `"Adam"`.
    pub kind: String,
    /// The settings by name, such as `lr`. Yes is 1 and no is 0.
    pub options: BTreeMap<String, f64>,
    /// For each parameter of the model, by name, how many gradients went into its tensors here. Empty before the first step.
    pub steps: BTreeMap<String, u64>,
    /// What is remembered, under the parameter's name, a dot, and PyTorch's name for it: `fc.weight.exp_avg`.
    pub tensors: BTreeMap<String, Tensor<T>>,
}

impl<T: Real> OptimizerState<T> {
    /// A setting.
    pub(crate) fn option(&self, name: &'static str) -> Result<f64, OptimError> {
        self.options.get(name).copied().ok_or_else(|| OptimError::Missing { name: name.into() })
    }

    /// A setting that is yes or no.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, OptimError> {
        match self.option(name)? {
            0.0 => Ok(false),
            1.0 => Ok(true),
            value => Err(OptimError::Option { name, value, rule: "must be 0 or 1" }),
        }
    }

    /// That the state is of this optimizer and has these settings, no others.
    pub(crate) fn check(&self, kind: &'static str, options: &[&str]) -> Result<(), OptimError> {
        if self.kind != kind {
            return Err(OptimError::Kind { expected: kind, found: self.kind.clone() });
        }
        match self.options.keys().find(|name| !options.contains(&name.as_str())) {
            Some(name) => Err(OptimError::Unknown { name: name.clone() }),
            None => Ok(()),
        }
    }
}

/// Why a state cannot be loaded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// It is another optimizer's.
    #[error("the optimizer state is that of {found:?}, not of {expected:?}")]
    Kind {
        /// The optimizer that was to load it.
        expected: &'static str,
        /// The optimizer that saved it.
        found: String,
    },
    /// Something is not there.
    #[error("the optimizer state lacks {name:?}")]
    Missing {
        /// The name of the setting or tensor.
        name: String,
    },
    /// Something is there that the optimizer has no use for.
    #[error("the optimizer state holds {name:?}, which this optimizer does not have")]
    Unknown {
        /// The name of the setting or tensor.
        name: String,
    },
    /// A setting is out of range.
    #[error("{name} {rule}, got {value}")]
    Option {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range.
        rule: &'static str,
    },
    /// Settings contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// What is remembered of one parameter has different shapes.
    #[error("the optimizer state holds {name:?} in shape {found:?}, where {expected:?} is expected")]
    Shape {
        /// The name of the tensor.
        name: String,
        /// The shape of the parameter's other tensors.
        expected: Vec<usize>,
        /// The shape of this one.
        found: Vec<usize>,
    },
}
