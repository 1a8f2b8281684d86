//! [`Gradients`]: what a backward pass found.

use crate::Tensor;
use chainrule_kernels::Real;
use std::collections::BTreeMap;

/// The gradients of a loss with respect to the leaves of its graph, by leaf.
#[derive(Debug, Clone, Default)]
pub struct Gradients<T: Real = f32> {
    by_leaf: BTreeMap<u64, Tensor<T>>,
}

impl<T: Real> Gradients<T> {
    pub(super) fn new() -> Self {
        Gradients { by_leaf: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, id: u64, gradient: Tensor<T>) {
        self.by_leaf.insert(id, gradient);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Tensor<T>> {
        self.by_leaf.remove(&id)
    }

    /// The gradient with respect to a leaf; `None` if the loss does not depend on it.
    pub fn get(&self, leaf: &Tensor<T>) -> Option<&Tensor<T>> {
        self.by_leaf.get(&leaf.node()?.id)
    }

    /// Takes a gradient out, to change it in place without a copy.
    pub fn take(&mut self, leaf: &Tensor<T>) -> Option<Tensor<T>> {
        self.by_leaf.remove(&leaf.node()?.id)
    }

    /// Puts a gradient in, in place of what was there.
    ///
    /// # Panics
    /// If `leaf` is untracked or its shape is not the gradient's.
    #[track_caller]
    pub fn insert(&mut self, leaf: &Tensor<T>, gradient: Tensor<T>) {
        assert!(
            leaf.shape() == gradient.shape(),
            "Gradients::insert: a tensor of shape {} cannot have a gradient of shape {}",
            leaf.shape(),
            gradient.shape()
        );
        let node = leaf.node().unwrap_or_else(|| panic!("Gradients::insert: the tensor is untracked"));
        self.by_leaf.insert(node.id, gradient);
    }

    /// How many leaves have a gradient.
    pub fn len(&self) -> usize {
        self.by_leaf.len()
    }

    /// Whether no leaf has a gradient.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    /// The gradients, in the order in which their leaves were made.
    pub fn iter(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.by_leaf.values()
    }

    /// The gradients, in the order in which their leaves were made, to be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.by_leaf.values_mut()
    }

    /// Adds other gradients to these, leaf by leaf: what accumulation over several batches needs.
    pub fn accumulate(&mut self, other: Self) {
        crate::no_grad(|| {
            for (id, gradient) in other.by_leaf {
                let sum = match self.by_leaf.remove(&id) {
                    Some(mine) => mine + gradient,
                    None => gradient,
                };
                self.by_leaf.insert(id, sum);
            }
        });
    }
}
