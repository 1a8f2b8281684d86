//! [`Rows`]: the elements of a gradient as the kernels want them.

use chainrule_tensor::{Real, Tensor};
use std::ops::Deref;

/// A tensor's elements in row-major order: lent, or a packed copy where they lie otherwise (transposed, broadcast).
pub(crate) enum Rows<'a, T: Real> {
    Lent(&'a [T]),
    Packed(Tensor<T>),
}

impl<'a, T: Real> Rows<'a, T> {
    pub(crate) fn of(tensor: &'a Tensor<T>) -> Self {
        match tensor.as_slice() {
            Some(slice) => Rows::Lent(slice),
            None => {
                let mut copy = tensor.detach();
                copy.make_mut();
                Rows::Packed(copy)
            }
        }
    }
}

impl<T: Real> Deref for Rows<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Rows::Lent(slice) => slice,
            Rows::Packed(copy) => copy.as_slice().expect("make_mut packs"),
        }
    }
}
