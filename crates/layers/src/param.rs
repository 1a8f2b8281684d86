//! [`Param`] and [`Buffer`]: what a layer owns.

use crate::module::{Entry, EntryMut, Module, Path};
use chainrule_tensor::{Real, Tensor};
use std::ops::Deref;
use std::sync::Mutex;

/// A tensor that is trained: a leaf of every graph it takes part in. It derefs to [`Tensor`].
#[derive(Debug)]
pub struct Param<T: Real = f32> {
    tensor: Tensor<T>,
}

impl<T: Real> Clone for Param<T> {
    /// A parameter of its own with the same values: gradients tell the two apart. The memory is shared until one changes.
    fn clone(&self) -> Self {
        let tensor = if self.is_trainable() { self.tensor.requires_grad() } else { self.tensor.clone() };
        Param { tensor }
    }
}

impl<T: Real> Param<T> {
    /// A parameter with these initial values.
    pub fn new(values: Tensor<T>) -> Self {
        Param { tensor: values.requires_grad() }
    }

    /// Whether gradients flow to it. True until [`freeze`](Param::freeze).
    pub fn is_trainable(&self) -> bool {
        self.tensor.is_tracked()
    }

    /// No gradient flows to it from now on, and optimizers leave it alone.
    pub fn freeze(&mut self) {
        self.tensor = self.tensor.detach();
    }

    /// Makes it trainable again.
    pub fn unfreeze(&mut self) {
        if !self.is_trainable() {
            self.tensor = self.tensor.requires_grad();
        }
    }

    /// Other values of the same shape, in the same state of training.
    ///
    /// # Panics
    /// If the shape differs.
    #[track_caller]
    pub fn set(&mut self, values: &Tensor<T>) {
        let shape = self.tensor.shape();
        assert!(shape == values.shape(), "Param::set: shape {shape} cannot take values of shape {}", values.shape());
        // In place, so that the parameter stays the same leaf.
        self.tensor.make_mut().copy_from_slice(&values.to_vec());
    }

    /// The values in row-major order, for an update in place. Who shares them keeps the old ones.
    pub fn values_mut(&mut self) -> &mut [T] {
        self.tensor.make_mut()
    }
}

impl<T: Real> Deref for Param<T> {
    type Target = Tensor<T>;
    fn deref(&self) -> &Tensor<T> {
        &self.tensor
    }
}

impl<T: Real> Module<T> for Param<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        visitor(path, Entry::Param(self));
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        visitor(path, EntryMut::Param(self));
    }
}

/// A tensor that belongs to a layer's state but is not trained, such as a running mean. A training pass, which only
/// borrows the layer, may replace it.
#[derive(Debug)]
pub struct Buffer<T: Real = f32> {
    tensor: Mutex<Tensor<T>>,
}

impl<T: Real> Buffer<T> {
    /// A buffer with these values.
    pub fn new(values: Tensor<T>) -> Self {
        Buffer { tensor: Mutex::new(values.detach()) }
    }

    /// The values now. Copies nothing.
    pub fn get(&self) -> Tensor<T> {
        self.tensor.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Replaces the values.
    ///
    /// # Panics
    /// If the shape differs.
    #[track_caller]
    pub fn set(&self, values: &Tensor<T>) {
        let mut tensor = self.tensor.lock().unwrap_or_else(|e| e.into_inner());
        let shape = tensor.shape();
        assert!(shape == values.shape(), "Buffer::set: shape {shape} cannot take values of shape {}", values.shape());
        *tensor = values.detach();
    }
}

impl<T: Real> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer::new(self.get())
    }
}

impl<T: Real> Module<T> for Buffer<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        visitor(path, Entry::Buffer(self));
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        visitor(path, EntryMut::Buffer(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_leaves_of_their_own() {
        let mut a = Param::new(Tensor::from([1.0f32, 2.0]));
        let b = a.clone();
        let grads = (&*a * 2.0 + &*b * 3.0).sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [2.0, 2.0]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [3.0, 3.0]);
        a.values_mut()[0] = 7.0;
        assert_eq!((a.to_vec(), b.to_vec()), (vec![7.0, 2.0], vec![1.0, 2.0]));
        a.freeze();
        assert!(!a.clone().is_trainable());
    }
}
