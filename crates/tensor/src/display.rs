//! How tensors are printed.

use crate::Tensor;
use chainrule_kernels::Real;
use std::fmt;

impl<T: Real> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl<T: Real> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}> {}", T::NAME, self.shape())?;
        if let Some(node) = self.node() {
            write!(f, " from {}", node.info().name)?;
        }
        write!(f, " {}", self.view())
    }
}
