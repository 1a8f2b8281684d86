//! [`Memory`]: what an optimizer remembers of each parameter, in the model's order.
//!
//! A record per parameter holds up to `N` arrays of the parameter's shape, made when its first gradient comes: frozen
//! parameters cost nothing. Names are written down once, on the first step; later steps compare only number and shapes.

use crate::rows::Rows;
use crate::{OptimError, OptimizerState};
use chainrule_kernels::Buffer;
use chainrule_layers::{Module, Param};
use chainrule_tensor::{Gradients, Real, Shape, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The records of all parameters.
#[derive(Clone, Debug)]
pub(crate) struct Memory<T: Real, const N: usize> {
    /// The optimizer's name, for messages and files.
    kind: &'static str,
    /// What the arrays are called in files.
    arrays: [&'static str; N],
    records: Vec<Record<T, N>>,
    /// Whether the records stand in the model's order. Those from a file stand in that of their names until the next step.
    ordered: bool,
}

/// What is remembered of one parameter.
#[derive(Clone)]
pub(crate) struct Record<T: Real, const N: usize> {
    name: String,
    /// Unknown if it came from a file without arrays.
    shape: Option<Shape>,
    /// How many gradients went into the arrays.
    pub(crate) steps: u64,
    arrays: [Option<Buffer<T>>; N],
}

/// A parameter that is about to change.
pub(crate) struct Change<'a, T: Real, const N: usize> {
    pub(crate) param: &'a mut Param<T>,
    pub(crate) grad: Rows<'a, T>,
    pub(crate) record: &'a mut Record<T, N>,
}

impl<T: Real, const N: usize> Record<T, N> {
    /// The arrays that `wanted` names, for `len` elements; zeros at first.
    pub(crate) fn arrays(&mut self, len: usize, wanted: [bool; N]) -> [Option<&mut [T]>; N] {
        let mut arrays = self.arrays.each_mut().into_iter();
        wanted.map(|wanted| {
            let array = arrays.next().filter(|_| wanted)?;
            Some(&mut array.get_or_insert_with(|| Buffer::zeroed(len))[..])
        })
    }
}

impl<T: Real, const N: usize> Memory<T, N> {
    pub(crate) fn new(kind: &'static str, arrays: [&'static str; N]) -> Self {
        Memory { kind, arrays, records: Vec::new(), ordered: false }
    }

    /// The parameters that have a gradient, each with its record.
    #[track_caller]
    pub(crate) fn changes<'a>(
        &'a mut self,
        model: &'a mut dyn Module<T>,
        grads: &'a Gradients<T>,
    ) -> Vec<Change<'a, T, N>> {
        if !self.ordered {
            self.meet(model);
        }
        let kind = self.kind;
        let params = model.parameters_mut();
        assert!(
            params.len() == self.records.len(),
            "{kind}: the model has {} parameters, but had {} in the first step; one optimizer serves one model",
            params.len(),
            self.records.len()
        );
        let mut changes = Vec::with_capacity(params.len());
        for (param, record) in params.into_iter().zip(&mut self.records) {
            assert!(
                record.shape.as_ref() == Some(param.shape()),
                "{kind}: parameter {:?} has shape {}, but had {} in the first step; one optimizer serves one model",
                record.name,
                param.shape(),
                record.shape.as_ref().expect("known since the first step")
            );
            if let Some(grad) = grads.get(param).map(Rows::of) {
                changes.push(Change { param, grad, record });
            }
        }
        changes
    }

    /// The first step: makes the records of the model's parameters, or puts those from a file in the model's order.
    #[track_caller]
    fn meet(&mut self, model: &dyn Module<T>) {
        let kind = self.kind;
        let params = model.named_parameters();
        let mut place = BTreeMap::new();
        for (i, (name, _)) in params.iter().enumerate() {
            assert!(place.insert(name.as_str(), i).is_none(), "{kind}: two parameters are named {name:?}");
        }
        if self.records.is_empty() {
            let record = |(name, _): &(String, _)| Record {
                name: name.clone(),
                shape: None,
                steps: 0,
                arrays: [const { None }; N],
            };
            self.records = params.iter().map(record).collect();
        }
        let mut known = BTreeSet::new();
        for Record { name, .. } in &self.records {
            assert!(
                place.contains_key(name.as_str()),
                "{kind}: the loaded state has a parameter {name:?}, the model none"
            );
            known.insert(name.as_str());
        }
        for name in place.keys() {
            assert!(known.contains(name), "{kind}: the model has a parameter {name:?}, the loaded state none");
        }
        self.records.sort_by_key(|record| place[record.name.as_str()]);
        for (record, (name, param)) in self.records.iter_mut().zip(&params) {
            let shape = record.shape.get_or_insert_with(|| param.shape().clone());
            assert!(
                shape == param.shape(),
                "{kind}: parameter {name:?} has shape {}, but {shape} in the loaded state",
                param.shape()
            );
        }
        self.ordered = true;
    }

    /// A copy, by name, with the optimizer's settings.
    pub(crate) fn state(&self, options: &[(&str, f64)]) -> OptimizerState<T> {
        let mut tensors = BTreeMap::new();
        for record in &self.records {
            for (array, what) in record.arrays.iter().zip(self.arrays) {
                if let (Some(array), Some(shape)) = (array, &record.shape) {
                    tensors.insert(format!("{}.{what}", record.name), Tensor::from_vec(&array[..], shape));
                }
            }
        }
        OptimizerState {
            kind: self.kind.into(),
            options: options.iter().map(|&(name, value)| (name.into(), value)).collect(),
            steps: self.records.iter().map(|r| (r.name.clone(), r.steps)).collect(),
            tensors,
        }
    }

    /// The memory that a state holds. A parameter that has taken a step must have the arrays that are `needed`.
    pub(crate) fn restored(&self, state: &OptimizerState<T>, needed: [bool; N]) -> Result<Self, OptimError> {
        let mut memory = Memory::new(self.kind, self.arrays);
        let mut used = BTreeSet::new();
        for (name, &steps) in &state.steps {
            let mut record = Record { name: name.clone(), shape: None, steps, arrays: [const { None }; N] };
            for (i, what) in self.arrays.into_iter().enumerate() {
                let name = format!("{name}.{what}");
                let Some(tensor) = state.tensors.get(&name) else {
                    if steps > 0 && needed[i] {
                        return Err(OptimError::Missing { name });
                    }
                    continue;
                };
                let expected = record.shape.get_or_insert_with(|| tensor.shape().clone());
                if expected != tensor.shape() {
                    let (expected, found) = (expected.to_vec(), tensor.shape().to_vec());
                    return Err(OptimError::Shape { name, expected, found });
                }
                record.arrays[i] = Some(Buffer::from_slice(&Rows::of(tensor)));
                used.insert(name);
            }
            memory.records.push(record);
        }
        match state.tensors.keys().find(|name| !used.contains(*name)) {
            Some(name) => Err(OptimError::Unknown { name: name.clone() }),
            None => Ok(memory),
        }
    }
}

/// Without the numbers, which may be millions.
impl<T: Real, const N: usize> fmt::Debug for Record<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { name, shape, steps, .. } = self;
        f.debug_struct("Record").field("name", name).field("shape", shape).field("steps", steps).finish_non_exhaustive()
    }
}
