//! [`OptimizerState`]: an optimizer taken apart into names, numbers and tensors, ready for a file.

use chainrule_layers::{Metadata, StateDict, StateError, load_safetensors, save_safetensors};
use chainrule_tensor::{Real, Tensor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

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

/// The key of the optimizer's kind in a file's metadata.
const KIND: &str = "optimizer";
/// What the keys of settings and of step counts begin with there.
const OPTION: &str = "option.";
const STEP: &str = "step.";

impl<T: Real> OptimizerState<T> {
    /// Writes the state to a safetensors file, exactly: the tensors as tensors, settings and step counts in the metadata.
    /// The file appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StateError> {
        let mut metadata = Metadata::from([(KIND.to_string(), self.kind.clone())]);
        metadata.extend(self.options.iter().map(|(name, value)| (format!("{OPTION}{name}"), value.to_string())));
        metadata.extend(self.steps.iter().map(|(name, steps)| (format!("{STEP}{name}"), steps.to_string())));
        let tensors: StateDict<T> = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        save_safetensors(path, &tensors, &metadata)
    }

    /// Reads what [`save`](OptimizerState::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StateError> {
        let path = path.as_ref();
        let fail = |problem: String| StateError::File { path: path.into(), problem };
        let (tensors, metadata) = load_safetensors::<T>(path)?;
        let tensors = tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        let mut state =
            OptimizerState { kind: String::new(), options: BTreeMap::new(), steps: BTreeMap::new(), tensors };
        for (key, value) in metadata {
            let number = |_: String| fail(format!("{key} is {value:?}, no number"));
            if key == KIND {
                state.kind = value;
            } else if let Some(name) = key.strip_prefix(OPTION) {
                state
                    .options
                    .insert(name.into(), value.parse().map_err(|e: std::num::ParseFloatError| number(e.to_string()))?);
            } else if let Some(name) = key.strip_prefix(STEP) {
                state
                    .steps
                    .insert(name.into(), value.parse().map_err(|e: std::num::ParseIntError| number(e.to_string()))?);
            }
        }
        if state.kind.is_empty() { Err(fail("it holds no optimizer's state".into())) } else { Ok(state) }
    }

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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OptimError {
    /// It is another optimizer's.
    Kind {
        /// The optimizer that was to load it.
        expected: &'static str,
        /// The optimizer that saved it.
        found: String,
    },
    /// Something is not there.
    Missing {
        /// The name of the setting or tensor.
        name: String,
    },
    /// Something is there that the optimizer has no use for.
    Unknown {
        /// The name of the setting or tensor.
        name: String,
    },
    /// A setting is out of range.
    Option {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range.
        rule: &'static str,
    },
    /// Settings contradict each other.
    Contradiction(&'static str),
    /// What is remembered of one parameter has different shapes.
    Shape {
        /// The name of the tensor.
        name: String,
        /// The shape of the parameter's other tensors.
        expected: Vec<usize>,
        /// The shape of this one.
        found: Vec<usize>,
    },
}

impl fmt::Display for OptimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptimError::Kind { expected, found } => {
                write!(f, "the optimizer state is that of {found:?}, not of {expected:?}")
            }
            OptimError::Missing { name } => write!(f, "the optimizer state lacks {name:?}"),
            OptimError::Unknown { name } => {
                write!(f, "the optimizer state holds {name:?}, which this optimizer does not have")
            }
            OptimError::Option { name, value, rule } => write!(f, "{name} {rule}, got {value}"),
            OptimError::Contradiction(it) => write!(f, "{it}"),
            OptimError::Shape { name, expected, found } => {
                write!(f, "the optimizer state holds {name:?} in shape {found:?}, where {expected:?} is expected")
            }
        }
    }
}

impl std::error::Error for OptimError {}

#[cfg(test)]
mod tests {
    use super::OptimizerState;
    use crate::{Adam, Optimizer, Sgd};
    use chainrule_layers::{Linear, Module};
    use chainrule_tensor::{Rng, Tensor};

    #[test]
    fn a_file_goes_on_with_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optimizer.safetensors");
        let optimizers: [fn() -> Box<dyn Optimizer>; 2] =
            [|| Box::new(Sgd::new(0.1).momentum(0.9)), || Box::new(Adam::new(1e-3 / 3.0).amsgrad(true))];
        for make in optimizers {
            let mut rng = Rng::seed_from_u64(3);
            let mut net: Linear = Linear::new(3, 2, &mut rng);
            let x = Tensor::randn([5, 3], &mut rng);
            let step = |net: &mut Linear, optimizer: &mut dyn Optimizer| {
                let grads = net.forward(&x).tanh().sum().backward();
                optimizer.step(net, &grads);
            };
            let mut optimizer = make();
            (0..3).for_each(|_| step(&mut net, &mut *optimizer));
            optimizer.state().save(&path).unwrap();
            let mut resumed = make();
            resumed.load_state(&OptimizerState::load(&path).unwrap()).unwrap();
            let mut copy = net.clone();
            (0..3).for_each(|_| step(&mut net, &mut *optimizer));
            (0..3).for_each(|_| step(&mut copy, &mut *resumed));
            let bits =
                |net: &Linear| net.parameters().iter().flat_map(|p| p.to_vec()).map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(&net), bits(&copy));
        }
    }

    #[test]
    fn other_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let net: Linear = Linear::new(3, 2, &mut Rng::seed_from_u64(3));
        net.save(&path).unwrap();
        let error = OptimizerState::<f32>::load(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: it holds no optimizer's state", path.display()));
    }
}
