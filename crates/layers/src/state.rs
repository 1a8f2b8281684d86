//! [`StateDict`]: the values of a module by name, and what can be wrong with them.
//!
//! Loading is all or nothing: every name and shape is checked before the first value changes.

use crate::module::{Entry, EntryMut, Path};
use crate::safetensors::is_batch_count;
use chainrule_tensor::{Real, Shape, Tensor};
use std::collections::{HashMap, HashSet};

use std::path::{Path as FilePath, PathBuf};
use std::{fmt, io};

/// Tensors by name, in a fixed order.
///
/// ```
/// use chainrule_layers::{Linear, Module};
/// use chainrule_tensor::Rng;
///
/// let mut rng = Rng::seed_from_u64(1);
/// let (trained, mut other): (Linear, Linear) = (Linear::new(4, 3, &mut rng), Linear::new(4, 3, &mut rng));
/// let state = trained.state_dict();
/// assert_eq!(state.names().collect::<Vec<_>>(), ["weight", "bias"]);
/// other.load_state_dict(&state)?;
/// assert_eq!(other.weight.to_vec(), trained.weight.to_vec());
/// # Ok::<(), chainrule_layers::StateError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StateDict<T: Real = f32> {
    entries: Vec<(String, Tensor<T>)>,
    positions: HashMap<String, usize>,
}

impl<T: Real> StateDict<T> {
    /// The empty dict.
    pub fn new() -> Self {
        StateDict { entries: Vec::new(), positions: HashMap::new() }
    }

    /// Adds a tensor at the end, or replaces the one of this name and returns it. No gradient flows through either.
    pub fn insert(&mut self, name: impl Into<String>, tensor: &Tensor<T>) -> Option<Tensor<T>> {
        let (name, tensor) = (name.into(), tensor.detach());
        if let Some(&position) = self.positions.get(&name) {
            return Some(std::mem::replace(&mut self.entries[position].1, tensor));
        }
        self.positions.insert(name.clone(), self.entries.len());
        self.entries.push((name, tensor));
        None
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor<T>> {
        self.positions.get(name).map(|&position| &self.entries[position].1)
    }

    /// The names and tensors in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor<T>)> {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The names in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T: Real> Default for StateDict<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> FromIterator<(String, Tensor<T>)> for StateDict<T> {
    fn from_iter<I: IntoIterator<Item = (String, Tensor<T>)>>(entries: I) -> Self {
        let mut state = Self::new();
        entries.into_iter().for_each(|(name, tensor)| {
            state.insert(name, &tensor);
        });
        state
    }
}

/// Runs a visitor over a module. The functions below take it instead of the module, which may be unsized.
type Visitor<'v, 'a, T> = &'v mut dyn FnMut(&Path<'_>, Entry<'a, T>);

/// The values that `visit` finds.
#[track_caller]
pub(crate) fn collect<'a, T: Real>(visit: impl FnOnce(Visitor<'_, 'a, T>)) -> StateDict<T> {
    let mut state = StateDict::new();
    let mut twice = None;
    visit(&mut |path, entry| {
        let name = path.to_string();
        if state.insert(name.as_str(), &value(entry)).is_some() {
            twice = Some(name);
        }
    });
    assert!(twice.is_none(), "state_dict: two parameters are named {}", twice.unwrap_or_default());
    state
}

/// Whether a state has exactly the names and shapes that `visit` finds; it may count batches for a module that does not.
pub(crate) fn check<'a, T: Real>(
    visit: impl FnOnce(Visitor<'_, 'a, T>),
    state: &StateDict<T>,
) -> Result<(), StateError> {
    let mut misfit = Misfit::default();
    let mut known = HashSet::new();
    visit(&mut |path, entry| {
        let name = path.to_string();
        match state.get(&name) {
            None => misfit.missing.push(name.clone()),
            Some(found) => {
                let expected = value(entry).shape().clone();
                if *found.shape() != expected {
                    misfit.mismatched.push((name.clone(), expected, found.shape().clone()));
                }
            }
        }
        known.insert(name);
    });
    let unexpected = state.names().filter(|&name| !known.contains(name) && !is_batch_count(name));
    misfit.unexpected = unexpected.map(String::from).collect();
    if misfit == Misfit::default() { Ok(()) } else { Err(StateError::Misfit(misfit)) }
}

/// Takes over one value of a state that was checked.
pub(crate) fn assign<T: Real>(path: &Path<'_>, entry: EntryMut<'_, T>, state: &StateDict<T>) {
    let value = state.get(&path.to_string()).expect("every name was checked");
    match entry {
        EntryMut::Param(param) => param.set(value),
        EntryMut::Buffer(buffer) => buffer.set(value),
    }
}

fn value<T: Real>(entry: Entry<'_, T>) -> Tensor<T> {
    match entry {
        Entry::Param(param) => param.detach(),
        Entry::Buffer(buffer) => buffer.get(),
    }
}

/// A failure to save, read or accept the values of a module. The message is one line and holds its cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateError {
    /// The names and shapes are not those of the module.
    Misfit(Misfit),
    /// The system would not open or read a file.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The system would not write a file.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file was read, but what it holds is damaged or not what was expected.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Misfit(it) => write!(f, "the state does not fit the module: {it}"),
            StateError::Read { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            StateError::Write { path, cause } => write!(f, "cannot write {}: {cause}", path.display()),
            StateError::File { path, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl std::error::Error for StateError {}

impl StateError {
    /// Says which file does not fit, where the error does not name one.
    #[must_use]
    pub fn at(self, path: &FilePath) -> Self {
        match self {
            StateError::Misfit(_) => StateError::File { path: path.into(), problem: self.to_string() },
            other => other,
        }
    }
}

/// How a state differs from what a module needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfit {
    /// Names that the module has and the state has not.
    pub missing: Vec<String>,
    /// Names that the state has and the module has not.
    pub unexpected: Vec<String>,
    /// Names with the shape that the module needs and the one that the state has.
    pub mismatched: Vec<(String, Shape, Shape)>,
}

/// One line. Of a long list the first names are shown: the fields hold all.
impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mismatched =
            self.mismatched.iter().map(|(name, expected, found)| format!("{name} is {found} instead of {expected}"));
        let parts = [
            list("missing ", self.missing.iter().map(|name| name.escape_debug().to_string()).collect()),
            list("unexpected ", self.unexpected.iter().map(|name| name.escape_debug().to_string()).collect()),
            list("", mismatched.collect()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

/// The heading and the first items, or nothing if there are none.
fn list(heading: &str, items: Vec<String>) -> Option<String> {
    const SHOWN: usize = 10;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => None,
        n if n <= SHOWN => Some(format!("{heading}{shown}")),
        n => Some(format!("{heading}{shown} and {} more", n - SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm2d, Linear, Module, Param, Relu, Sequential};
    use chainrule_tensor::Rng;

    fn net(seed: u64) -> Sequential {
        let mut rng = Rng::seed_from_u64(seed);
        Sequential::new().add(Linear::new(2, 3, &mut rng)).add(Relu).add(BatchNorm2d::new(2))
    }

    fn values(net: &Sequential) -> Vec<(String, Vec<f32>)> {
        net.state_dict().iter().map(|(name, tensor)| (name.into(), tensor.to_vec())).collect()
    }

    #[test]
    fn state_travels_between_modules() {
        let (mut one, two) = (net(1), net(2));
        assert_eq!(
            two.state_dict().names().collect::<Vec<_>>(),
            ["0.weight", "0.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var"]
        );
        let mut state = two.state_dict();
        state.insert("2.running_mean", &Tensor::from([3.0, 4.0]));
        one.load_state_dict(&state).unwrap();
        assert_eq!(one.state_dict().get("2.running_mean").unwrap().to_vec(), [3.0, 4.0]);
        assert_eq!(values(&one)[..4], values(&two)[..4]);
    }

    #[test]
    fn a_state_dict_keeps_its_values_while_the_module_changes() {
        let mut net = net(1);
        let before = values(&net);
        let state = net.state_dict();
        net.parameters_mut().into_iter().for_each(|param| param.values_mut().fill(0.0));
        assert_eq!(state.get("0.weight").unwrap().to_vec(), before[0].1);
        net.load_state_dict(&state).unwrap();
        net.parameters_mut().into_iter().for_each(|param| param.values_mut().fill(0.0));
        assert_eq!(state.get("0.weight").unwrap().to_vec(), before[0].1);
    }

    #[test]
    fn a_misfit_changes_nothing_and_says_all() {
        let mut net = net(1);
        let before = values(&net);
        let mut state: StateDict = (net.state_dict().iter())
            .filter(|(name, _)| !name.ends_with("bias"))
            .map(|(name, tensor)| (name.to_string(), Tensor::zeros_like(tensor)))
            .collect();
        state.insert("2.running_mean", &Tensor::zeros(3));
        state.insert("2.num\nbatches", &Tensor::zeros(1));
        let error = net.load_state_dict(&state).unwrap_err().to_string();
        assert_eq!(
            error,
            "the state does not fit the module: missing 0.bias, 2.bias; unexpected 2.num\\nbatches; \
             2.running_mean is [3] instead of [2]"
        );
        assert_eq!(values(&net), before);
    }

    #[test]
    fn long_lists_are_cut() {
        let mut net: Vec<Param> = (0..12).map(|_| Param::new(Tensor::zeros(1))).collect();
        let error = net.load_state_dict(&StateDict::new()).unwrap_err();
        assert!(error.to_string().ends_with("missing 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"), "{error}");
        assert!(matches!(error, StateError::Misfit(misfit) if misfit.missing.len() == 12));
    }

    #[test]
    fn frozen_parameters_are_loaded_and_stay_frozen() {
        let mut layer: Linear = Linear::new(1, 1, &mut Rng::seed_from_u64(1));
        layer.weight.freeze();
        let mut state = layer.state_dict();
        state.insert("weight", &Tensor::from([[7.0]]));
        layer.load_state_dict(&state).unwrap();
        assert_eq!(layer.weight.item(), 7.0);
        assert!(!layer.weight.is_trainable() && layer.bias.unwrap().is_trainable());
    }

    #[test]
    #[should_panic(expected = "state_dict: two parameters are named weight")]
    fn names_are_unique() {
        #[derive(Module)]
        #[module(crate = crate)]
        struct Clash {
            weight: Param,
            #[module(flatten)]
            inner: Linear,
        }
        let inner = Linear::new(1, 1, &mut Rng::seed_from_u64(1));
        Clash { weight: Param::new(Tensor::zeros(1)), inner }.state_dict();
    }
}
