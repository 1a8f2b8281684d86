//! Reads what PyTorch computed with layers and optimizers: see `generate/common.py` for the format and for how to make
//! the files anew.

use crate::compare::Tolerance;
use crate::fixture::{Array, Params, read_with, split};
use chainrule_layers::StateDict;
use chainrule_tensor::{Real, Tensor};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Tensors of ours, under the names of the results that they are to be compared with.
pub type Results<T> = Vec<(String, Tensor<T>)>;

/// One run of a module, and what PyTorch made of it.
pub struct Record {
    /// The kind and a number, `layer/3`.
    pub name: String,
    /// What was done.
    pub kind: String,
    /// What else is known.
    pub params: Params,
    given: Vec<(String, Array)>,
    results: Vec<(String, Array)>,
}

impl Record {
    /// The inputs in their order.
    pub fn inputs<T: Real>(&self) -> Vec<Tensor<T>> {
        self.given.iter().filter(|(name, _)| !name.starts_with("state.")).map(|(_, x)| x.tensor()).collect()
    }

    /// The module's state under PyTorch's names.
    pub fn state<T: Real>(&self) -> StateDict<T> {
        let state = self.given.iter().filter_map(|(name, x)| Some((name.strip_prefix("state.")?.into(), x.tensor())));
        state.collect()
    }

    /// What is wrong with our results: each has to be close to PyTorch's (zero where PyTorch's is not stored), and none may
    /// be left out.
    pub fn compare<T: Real>(&self, ours: &Results<T>, tolerance: &Tolerance) -> Vec<String> {
        let zeros = |x: &Tensor<T>| Array { shape: x.shape().to_vec(), values: vec![0.0; x.numel()] };
        let mut complaints = Vec::new();
        for (name, x) in ours {
            let theirs = self.results.iter().find(|(other, _)| other == name);
            let compared = match theirs {
                Some((_, theirs)) => tolerance.compare(x, theirs),
                None => tolerance.compare(x, &zeros(x)),
            };
            complaints.extend(compared.err().map(|message| format!("{name}: {message}")));
        }
        let compared: BTreeSet<&String> = ours.iter().map(|(name, _)| name).collect();
        let left = self.results.iter().filter(|(name, _)| !compared.contains(name));
        complaints.extend(left.map(|(name, _)| format!("{name} was not computed")));
        complaints
    }
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    kind: String,
    params: Params,
    given: Vec<(String, Vec<usize>)>,
    results: Vec<(String, Vec<usize>)>,
}

/// All records of a file.
///
/// # Panics
/// If the file cannot be read or is not as `generate/common.py` writes it.
pub fn read(path: &Path) -> Vec<Record> {
    read_with(path, |Entry { name, kind, params, given, results }, tensors| {
        let arrays = |list: Vec<(String, Vec<usize>)>, part: &str| {
            let (names, shapes): (Vec<_>, Vec<_>) = list.into_iter().unzip();
            names.into_iter().zip(split(tensors, &format!("{name}/{part}"), &shapes)).collect()
        };
        let (given, results) = (arrays(given, "x"), arrays(results, "y"));
        Record { name, kind, params, given, results }
    })
}
