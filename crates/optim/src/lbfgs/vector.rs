//! A model's parameters, and their gradients, as one vector.

use super::{Memory, NAME};
use crate::rows::Rows;
use chainrule_kernels::{Buffer, update};
use chainrule_layers::Module;
use chainrule_tensor::{Gradients, Real};
use std::fmt;

/// The gradients in the parameters' order; zeros for those without.
pub(super) fn flatten<T: Real>(model: &dyn Module<T>, grads: &Gradients<T>, negated: bool) -> Buffer<T> {
    let params = model.parameters();
    let mut flat = Buffer::zeroed(params.iter().map(|param| param.numel()).sum());
    let mut start = 0;
    for param in params {
        if let Some(grad) = grads.get(param) {
            flat[start..start + param.numel()].copy_from_slice(&Rows::of(grad));
        }
        start += param.numel();
    }
    if negated {
        update::scale(&mut [&mut flat], -T::ONE);
    }
    flat
}

/// The parameters' values.
pub(super) fn read_model<T: Real>(model: &dyn Module<T>) -> Buffer<T> {
    let params = model.parameters();
    let mut flat = Buffer::zeroed(params.iter().map(|param| param.numel()).sum());
    let mut start = 0;
    for param in params {
        flat[start..start + param.numel()].copy_from_slice(&Rows::of(param));
        start += param.numel();
    }
    flat
}

/// Puts values back.
pub(super) fn write_model<T: Real>(model: &mut dyn Module<T>, flat: &[T]) {
    for_each_trainable(model, flat, |values, flat| values.copy_from_slice(flat));
}

/// Adds `t` times a vector.
pub(super) fn add_to_model<T: Real>(model: &mut dyn Module<T>, t: f64, flat: &[T]) {
    for_each_trainable(model, flat, |values, flat| update::add_scaled(&mut [(values, flat)], T::from_f64(t)));
}

/// Calls `change` for each parameter's values and its part of a vector; what is frozen stays alone.
fn for_each_trainable<T: Real>(model: &mut dyn Module<T>, flat: &[T], change: impl Fn(&mut [T], &[T])) {
    let mut rest = flat;
    for param in model.parameters_mut() {
        let (part, tail) = rest.split_at(param.numel());
        rest = tail;
        if param.is_trainable() {
            change(param.values_mut(), part);
        }
    }
}

/// The sum of the absolute values.
pub(super) fn sum_abs<T: Real>(vector: &[T]) -> f64 {
    vector.iter().map(|x| x.abs().to_f64()).sum()
}

impl<T: Real> Memory<T> {
    /// That the vectors are of this length.
    #[track_caller]
    pub(super) fn check(&self, len: usize) {
        let before = self.direction.len();
        let same = self.iterations == 0 || before == len;
        assert!(same, "{NAME}: the model has {len} numbers, but had {before}; one optimizer serves one model");
    }
}

/// Without the numbers, which may be millions.
impl<T: Real> fmt::Debug for Memory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut memory = f.debug_struct("Memory");
        memory.field("iterations", &self.iterations).field("evaluations", &self.evaluations);
        memory.field("numbers", &self.direction.len()).field("history", &self.history.len()).finish_non_exhaustive()
    }
}
