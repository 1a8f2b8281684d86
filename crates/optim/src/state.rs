//! [`OptimizerState`]: an optimizer taken apart into names, numbers and tensors, ready for a file. The state of a schedule
//! and that of an average of the weights can travel with it.

use crate::schedule::ScheduleState;
use crate::{Scheduler, WeightAverage};
use chainrule_layers::{Metadata, StateDict, StateError, load_safetensors, save_safetensors};
use chainrule_tensor::{Real, Tensor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What [`Optimizer::state`](crate::Optimizer::state) returns. All numbers are exact: `f64` survives its decimal notation in
/// Rust, and tensors are in the parameters' own precision.
///
/// ```
/// use chainrule_layers::Param;
/// use chainrule_optim::{Adam, Optimizer, OptimizerState, Scheduler, StepLr};
/// use chainrule_tensor::Tensor;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("chainrule-state-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let file = folder.join("run.safetensors");
/// let mut opt: Adam = Adam::new(1e-3);
/// let mut schedule = Scheduler::new(StepLr::new(10), &mut opt);
/// // .. training ..
/// opt.state().with_schedule(&schedule).save(&file)?;
///
/// let state = OptimizerState::load(&file)?;
/// opt.load_state(&state)?;
/// schedule = Scheduler::resume(StepLr::new(10), state.schedule.as_ref().expect("it was saved"))?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OptimizerState<T: Real = f32> {
    /// Whose state it is: `"Sgd"`, `"Adam"`.
    pub kind: String,
    /// The settings of each group by name, such as `lr`. Yes is 1 and no is 0.
    pub groups: Vec<BTreeMap<String, f64>>,
    /// The group of each parameter that is not in group 0.
    pub members: BTreeMap<String, usize>,
    /// For each parameter of the model, by name, how many gradients went into its tensors here. Empty before the first step.
    pub steps: BTreeMap<String, u64>,
    /// Numbers that are remembered: under the parameter's name, a dot, and PyTorch's name for it, `fc.weight.mu_product`.
    pub numbers: BTreeMap<String, f64>,
    /// Tensors that are remembered, named likewise: `fc.weight.exp_avg`.
    pub tensors: BTreeMap<String, Tensor<T>>,
    /// A schedule's state, if one was put in.
    pub schedule: Option<ScheduleState>,
    /// The state of an average of the weights, if one was put in.
    pub average: Option<AverageState<T>>,
}

/// What [`WeightAverage::state`] returns.
#[derive(Clone, Debug)]
pub struct AverageState<T: Real = f32> {
    /// The settings and the number of updates, by name.
    pub numbers: BTreeMap<String, f64>,
    /// The averages under the parameters' names.
    pub tensors: BTreeMap<String, Tensor<T>>,
}

/// What the keys in a file's metadata begin with.
mod key {
    pub(super) const KIND: &str = "optimizer";
    pub(super) const OPTION: &str = "option.";
    pub(super) const GROUP: &str = "group.";
    pub(super) const MEMBER: &str = "member.";
    pub(super) const STEP: &str = "step.";
    pub(super) const NUMBER: &str = "number.";
    pub(super) const SCHEDULE: &str = "schedule";
    pub(super) const SCHEDULE_NUMBER: &str = "schedule.";
    pub(super) const AVERAGE_NUMBER: &str = "average.";
    /// The tensors of an average; `:` stands in no name of the other tensors' array.
    pub(super) const AVERAGE: &str = "average:";
}

impl<T: Real> OptimizerState<T> {
    /// Settings alone.
    pub(crate) fn new(kind: &str, groups: Vec<BTreeMap<String, f64>>) -> Self {
        OptimizerState {
            kind: kind.into(),
            groups,
            members: BTreeMap::new(),
            steps: BTreeMap::new(),
            numbers: BTreeMap::new(),
            tensors: BTreeMap::new(),
            schedule: None,
            average: None,
        }
    }

    /// The same with a schedule's state.
    #[must_use]
    pub fn with_schedule(self, scheduler: &Scheduler) -> Self {
        OptimizerState { schedule: Some(scheduler.state()), ..self }
    }

    /// The same with the state of an average of the weights.
    #[must_use]
    pub fn with_average(self, average: &WeightAverage<T>) -> Self {
        OptimizerState { average: Some(average.state()), ..self }
    }

    /// Writes the state to a safetensors file, exactly: the tensors as tensors, all else in the metadata. The file appears
    /// whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StateError> {
        let mut metadata = Metadata::from([(key::KIND.to_string(), self.kind.clone())]);
        let mut write = |prefix: &str, name: &str, value: String| _ = metadata.insert(format!("{prefix}{name}"), value);
        for (i, group) in self.groups.iter().enumerate() {
            let prefix = if i == 0 { key::OPTION.into() } else { format!("{}{i}.", key::GROUP) };
            group.iter().for_each(|(name, value)| write(&prefix, name, value.to_string()));
        }
        self.members.iter().for_each(|(name, group)| write(key::MEMBER, name, group.to_string()));
        self.steps.iter().for_each(|(name, steps)| write(key::STEP, name, steps.to_string()));
        self.numbers.iter().for_each(|(name, value)| write(key::NUMBER, name, value.to_string()));
        let mut tensors: StateDict<T> = StateDict::new();
        self.tensors.iter().for_each(|(name, tensor)| _ = tensors.insert(name, tensor));
        if let Some(schedule) = &self.schedule {
            write(key::SCHEDULE, "", schedule.kind.clone());
            schedule.numbers.iter().for_each(|(name, value)| write(key::SCHEDULE_NUMBER, name, value.to_string()));
        }
        if let Some(average) = &self.average {
            average.numbers.iter().for_each(|(name, value)| write(key::AVERAGE_NUMBER, name, value.to_string()));
            average.tensors.iter().for_each(|(name, t)| _ = tensors.insert(format!("{}{name}", key::AVERAGE), t));
        }
        save_safetensors(path, &tensors, &metadata)
    }

    /// Reads what [`save`](OptimizerState::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StateError> {
        let path = path.as_ref();
        let (tensors, metadata) = load_safetensors::<T>(path)?;
        Self::read(&tensors, metadata).map_err(|problem| StateError::File { path: path.into(), problem })
    }

    fn read(tensors: &StateDict<T>, metadata: Metadata) -> Result<Self, String> {
        let mut state = OptimizerState::new("", vec![BTreeMap::new()]);
        let (mut averages, mut average_tensors) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in tensors.iter() {
            match name.strip_prefix(key::AVERAGE) {
                Some(name) => average_tensors.insert(name.into(), tensor.clone()),
                None => state.tensors.insert(name.into(), tensor.clone()),
            };
        }
        let (mut schedule, mut schedule_numbers) = (None, BTreeMap::new());
        let mut groups = BTreeMap::new();
        for (key, value) in metadata {
            if key == key::KIND {
                state.kind = value;
            } else if key == key::SCHEDULE {
                schedule = Some(value);
            } else if let Some(name) = key.strip_prefix(key::OPTION) {
                state.groups[0].insert(name.into(), number(&key, &value)?);
            } else if let Some(name) = key.strip_prefix(key::MEMBER) {
                state.members.insert(name.into(), number(&key, &value)?);
            } else if let Some(name) = key.strip_prefix(key::STEP) {
                state.steps.insert(name.into(), number(&key, &value)?);
            } else if let Some(name) = key.strip_prefix(key::NUMBER) {
                state.numbers.insert(name.into(), number(&key, &value)?);
            } else if let Some(name) = key.strip_prefix(key::SCHEDULE_NUMBER) {
                schedule_numbers.insert(name.into(), number(&key, &value)?);
            } else if let Some(name) = key.strip_prefix(key::AVERAGE_NUMBER) {
                averages.insert(name.into(), number(&key, &value)?);
            } else if let Some((group, name)) = key.strip_prefix(key::GROUP).and_then(|rest| rest.split_once('.')) {
                let group: usize = number(&key, group)?;
                groups.entry(group).or_insert_with(BTreeMap::new).insert(name.into(), number(&key, &value)?);
            }
        }
        // Groups count on from 1; a file that leaves one out is damaged.
        for (i, (group, values)) in groups.into_iter().enumerate() {
            if group != i + 1 {
                return Err(format!("it has a group {group}, but no group {}", i + 1));
            }
            state.groups.push(values);
        }
        state.schedule = schedule.map(|kind| ScheduleState { kind, numbers: schedule_numbers });
        state.average = (!averages.is_empty()).then_some(AverageState { numbers: averages, tensors: average_tensors });
        if state.kind.is_empty() { Err("it holds no optimizer's state".into()) } else { Ok(state) }
    }

    /// A number that is remembered.
    pub(crate) fn number(&self, name: &str) -> Result<f64, OptimError> {
        self.numbers.get(name).copied().ok_or_else(|| OptimError::Missing { name: name.into() })
    }

    /// That the state is of this optimizer.
    pub(crate) fn check(&self, kind: &'static str) -> Result<(), OptimError> {
        if self.kind == kind {
            Ok(())
        } else {
            Err(OptimError::Kind { expected: kind.into(), found: self.kind.clone() })
        }
    }
}

fn number<N: FromStr>(key: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{key} is {value:?}, no number of its kind"))
}

/// Why a state cannot be loaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OptimError {
    /// It is another optimizer's.
    Kind {
        /// The optimizer that was to load it.
        expected: String,
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
    /// The numbers of groups differ, and it is not known which parameter belongs to which.
    Groups {
        /// How many groups the optimizer has.
        expected: usize,
        /// How many there are in the state.
        found: usize,
    },
    /// A parameter is in a group that does not exist.
    Group {
        /// The parameter.
        name: String,
        /// The number of its group.
        group: usize,
        /// How many groups there are.
        groups: usize,
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
            OptimError::Groups { expected, found } => {
                write!(f, "the optimizer state has {found} groups, the optimizer {expected}")
            }
            OptimError::Group { name, group, groups } => {
                write!(f, "the optimizer state has {name:?} in group {group}, but {groups} groups")
            }
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
