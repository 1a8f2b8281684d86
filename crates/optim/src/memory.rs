//! [`Memory`]: what an optimizer remembers of each parameter, in the model's order.
//!
//! A record per parameter holds up to three arrays of the parameter's shape, made when its first gradient comes: frozen
//! parameters cost nothing. Names and groups are written down once, on the first step; later steps compare only number and
//! shapes.

use crate::rows::Rows;
use crate::{OptimError, OptimizerState};
use chainrule_kernels::Buffer;
use chainrule_kernels::update::{ARRAYS, Arrays};
use chainrule_layers::{Module, Param};
use chainrule_tensor::{Gradients, Real, Shape, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The records of all parameters.
#[derive(Clone, Debug)]
pub(crate) struct Memory<T: Real> {
    /// The optimizer's name, for messages and files.
    kind: &'static str,
    /// What the arrays are called in files; nothing where there is none.
    arrays: [&'static str; ARRAYS],
    /// What the product is called in files, if there is one.
    product: Option<&'static str>,
    records: Vec<Record<T>>,
    /// Whether the records stand in the model's order. Those from a file stand in that of their names until the next step.
    ordered: bool,
}

/// What is remembered of one parameter.
#[derive(Clone)]
pub(crate) struct Record<T: Real> {
    name: String,
    /// Unknown if it came from a file without arrays.
    shape: Option<Shape>,
    /// Whose settings it has.
    pub(crate) group: usize,
    /// How many gradients went into the arrays.
    pub(crate) steps: u64,
    /// The rule's number besides ([`chainrule_kernels::update::Rule::product`]).
    pub(crate) product: f64,
    arrays: [Option<Buffer<T>>; ARRAYS],
}

/// A parameter that is about to change.
pub(crate) struct Change<'a, T: Real> {
    pub(crate) param: &'a mut Param<T>,
    pub(crate) grad: Rows<'a, T>,
    pub(crate) record: &'a mut Record<T>,
}

impl<T: Real> Record<T> {
    fn new(name: &str) -> Self {
        Record { name: name.into(), shape: None, group: 0, steps: 0, product: 1.0, arrays: [const { None }; ARRAYS] }
    }

    /// The arrays that `wanted` names, for `len` elements; `initial` everywhere at first.
    pub(crate) fn arrays(&mut self, len: usize, wanted: [bool; ARRAYS], initial: f64) -> Arrays<'_, T> {
        let mut arrays = self.arrays.each_mut().into_iter();
        wanted.map(|wanted| {
            let array = arrays.next().filter(|_| wanted)?;
            let array = array.get_or_insert_with(|| {
                let mut array = Buffer::lasting(len);
                if initial != 0.0 {
                    array.fill(T::from_f64(initial));
                }
                array
            });
            Some(&mut array[..])
        })
    }
}

impl<T: Real> Memory<T> {
    pub(crate) fn new(kind: &'static str, arrays: [&'static str; ARRAYS], product: Option<&'static str>) -> Self {
        Memory { kind, arrays, product, records: Vec::new(), ordered: false }
    }

    /// The parameters that have a gradient, each with its record. `group` sorts those that are new.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn changes<'a>(
        &'a mut self,
        model: &'a mut dyn Module<T>,
        grads: &'a Gradients<T>,
        group: &dyn Fn(&str, &Param<T>) -> usize,
    ) -> Vec<Change<'a, T>> {
        if !self.ordered {
            self.meet(model, group);
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
    #[inline(never)]
    #[track_caller]
    fn meet(&mut self, model: &dyn Module<T>, group: &dyn Fn(&str, &Param<T>) -> usize) {
        let kind = self.kind;
        let params = model.named_parameters();
        let mut place = BTreeMap::new();
        for (i, (name, _)) in params.iter().enumerate() {
            assert!(place.insert(name.as_str(), i).is_none(), "{kind}: two parameters are named {name:?}");
        }
        if self.records.is_empty() {
            let record =
                |(name, param): &(String, &Param<T>)| Record { group: group(name, param), ..Record::new(name) };
            self.records = params.iter().map(record).collect();
        }
        for Record { name, .. } in &self.records {
            assert!(
                place.contains_key(name.as_str()),
                "{kind}: the loaded state has a parameter {name:?}, the model none"
            );
        }
        // No name is twice among the records.
        if self.records.len() < place.len() {
            let known = |name: &str| self.records.iter().any(|record| record.name == name);
            let name = place.keys().find(|name| !known(name));
            panic!("{kind}: the model has a parameter {:?}, the loaded state none", name.unwrap_or(&""));
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

    /// Writes a copy into a state, by name.
    #[inline(never)]
    pub(crate) fn save(&self, state: &mut OptimizerState<T>) {
        for record in &self.records {
            let name = &record.name;
            for (array, what) in record.arrays.iter().zip(self.arrays) {
                if let (Some(array), Some(shape)) = (array, &record.shape) {
                    state.tensors.insert(format!("{name}.{what}"), Tensor::from_vec(&array[..], shape));
                }
            }
            if let Some(what) = self.product {
                state.numbers.insert(format!("{name}.{what}"), record.product);
            }
            if record.group > 0 {
                state.members.insert(name.clone(), record.group);
            }
            state.steps.insert(name.clone(), record.steps);
        }
    }

    /// The memory that a state holds. A parameter that has taken a step must have the arrays that its group needs.
    #[inline(never)]
    pub(crate) fn restored(
        &self,
        state: &OptimizerState<T>,
        needed: &dyn Fn(usize) -> [bool; ARRAYS],
    ) -> Result<Self, OptimError> {
        let mut memory = Memory::new(self.kind, self.arrays, self.product);
        let mut used = BTreeSet::new();
        for (name, &steps) in &state.steps {
            let mut record = Record { steps, ..Record::new(name) };
            if let Some(&group) = state.members.get(name) {
                if group >= state.groups.len() {
                    return Err(OptimError::Group { name: name.clone(), group, groups: state.groups.len() });
                }
                record.group = group;
            }
            let needed = needed(record.group);
            for (i, what) in self.arrays.into_iter().enumerate() {
                let name = format!("{name}.{what}");
                let Some(tensor) = state.tensors.get(&name).filter(|_| !what.is_empty()) else {
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
            if let Some(what) = self.product {
                let name = format!("{name}.{what}");
                record.product = state.number(&name)?;
                used.insert(name);
            }
            memory.records.push(record);
        }
        let stray = state.tensors.keys().chain(state.numbers.keys()).find(|name| !used.contains(*name));
        let stray = stray.or_else(|| state.members.keys().find(|name| !state.steps.contains_key(*name)));
        match stray {
            Some(name) => Err(OptimError::Unknown { name: name.clone() }),
            None => Ok(memory),
        }
    }
}

/// Without the numbers, which may be millions.
impl<T: Real> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { name, shape, group, steps, .. } = self;
        let mut record = f.debug_struct("Record");
        record.field("name", name).field("shape", shape).field("group", group).field("steps", steps);
        record.finish_non_exhaustive()
    }
}
