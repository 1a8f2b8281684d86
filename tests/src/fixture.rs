//! Reads what PyTorch computed for operations: see `generate/common.py` for the format and for how to make the files anew.

use chainrule_tensor::{Real, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One call of an operation, and everything that is known of its result.
pub struct Case {
    /// The operation and a number, `matmul/3`.
    pub name: String,
    /// The operation.
    pub op: String,
    /// Its parameters.
    pub params: Params,
    /// Its inputs.
    pub inputs: Vec<Array>,
    /// The shape of its value.
    pub output: Vec<usize>,
    /// The shapes of the untracked results it has besides.
    pub others: Vec<Vec<usize>>,
    /// The results by name, without those that are zero everywhere.
    results: BTreeMap<String, Array>,
}

/// Numbers in row-major order, with a shape.
#[derive(Clone)]
pub struct Array {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f64>,
}

impl Array {
    /// These numbers, rounded to another type.
    pub fn tensor<T: Real>(&self) -> Tensor<T> {
        let values: Vec<T> = self.values.iter().map(|&x| T::from_f64(x)).collect();
        Tensor::from_vec(values, self.shape.as_slice())
    }
}

impl Case {
    /// What PyTorch computed under this name; zeros of the given shape if the file does not have it.
    pub fn result(&self, name: &str, shape: &[usize]) -> Array {
        let zeros = || Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] };
        self.results.get(name).cloned().unwrap_or_else(zeros)
    }
}

/// The parameters of an operation. The getters panic where a parameter is missing: the fixture is at fault.
#[derive(Deserialize, Debug)]
#[serde(transparent)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// A parameter that may be missing.
    pub fn find<V: for<'a> Deserialize<'a>>(&self, name: &str) -> Option<V> {
        self.0.contains_key(name).then(|| self.get(name))
    }

    /// Whether there is such a parameter.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A parameter of any type that JSON can hold.
    pub fn get<V: for<'a> Deserialize<'a>>(&self, name: &str) -> V {
        let value = self.0.get(name).unwrap_or_else(|| panic!("the fixture lacks the parameter {name}: {self:?}"));
        V::deserialize(value).unwrap_or_else(|error| panic!("the parameter {name} is {value}: {error}"))
    }
}

#[derive(Deserialize)]
struct Manifest<E> {
    cases: Vec<E>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    op: String,
    params: Params,
    inputs: Vec<Vec<usize>>,
    output: Vec<usize>,
    others: Vec<Vec<usize>>,
    results: Vec<String>,
}

/// The files of a folder in `tests/fixtures`, in alphabetical order.
///
/// # Panics
/// If the folder cannot be read.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let folder = crate::tree::root().join("tests/fixtures").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder that stays as it is").path()).collect();
    files.sort();
    files
}

/// All cases of a fixture file.
///
/// # Panics
/// If the file cannot be read or is not as `generate/common.py` writes it.
pub fn read(path: &Path) -> Vec<Case> {
    read_with(path, case)
}

/// Makes something of each case in a file.
pub(crate) fn read_with<E: DeserializeOwned, C>(path: &Path, make: impl Fn(E, &SafeTensors<'_>) -> C) -> Vec<C> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let manifest = &header.metadata().as_ref().expect("metadata")["manifest"];
    let Manifest { cases } = serde_json::from_str(manifest).expect("a list of cases");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    cases.into_iter().map(|entry| make(entry, &tensors)).collect()
}

fn case(entry: Entry, tensors: &SafeTensors<'_>) -> Case {
    let Entry { name, op, params, inputs, output, others, results } = entry;
    let shape_of = |result: &String| match (&result[..1], result[1..].parse::<usize>()) {
        ("g" | "h", Ok(input)) => inputs[input].clone(),
        ("y", Ok(other)) => others[other - 1].clone(),
        _ => output.clone(),
    };
    let shapes: Vec<Vec<usize>> = results.iter().map(shape_of).collect();
    let results = results.into_iter().zip(split(tensors, &format!("{name}/y"), &shapes)).collect();
    let inputs = split(tensors, &format!("{name}/x"), &inputs);
    Case { name, op, params, inputs, output, others, results }
}

/// Cuts a stored list of numbers into arrays.
pub(crate) fn split(tensors: &SafeTensors<'_>, name: &str, shapes: &[Vec<usize>]) -> Vec<Array> {
    let stored = tensors.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let numbers: Vec<f64> = match stored.dtype() {
        Dtype::F32 => stored.data().chunks_exact(4).map(|b| f32::read_le(b).into()).collect(),
        Dtype::F64 => stored.data().chunks_exact(8).map(f64::read_le).collect(),
        other => panic!("{name}: unexpected type {other:?}"),
    };
    let mut rest = numbers.as_slice();
    let arrays = shapes.iter().map(|shape| {
        let (values, tail) = rest.split_at(shape.iter().product());
        rest = tail;
        Array { shape: shape.clone(), values: values.to_vec() }
    });
    let arrays = arrays.collect();
    assert!(rest.is_empty(), "{name}: {} numbers too many", rest.len());
    arrays
}
