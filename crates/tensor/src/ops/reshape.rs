//! The same elements in another shape, in row-major order.
//!
//! | | |
//! |---|---|
//! | equation | `y = x`, renumbered |
//! | derivative | `x' = y'`, renumbered back |
//! | shapes | any two with the same number of elements |
//! | saved | the input's shape |
//!
//! A view where the elements lie in order already, a copy where they do not.

use crate::{Dims, Inputs, Op, OpInfo, Shape, Sizes, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "reshape",
    equation: "y = x in another shape",
    derivative: "x' = y' in the shape of x",
    torch: "torch.reshape",
};

#[derive(Debug)]
struct Reshape {
    from: Shape,
}

impl<T: Real> Op<T> for Reshape {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.reshape(&self.from));
    }
}

impl<T: Real> Tensor<T> {
    /// The same elements in another shape. One size may be -1: it is inferred.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, sizes: impl Into<Sizes>) -> Self {
        let shape = sizes.into().resolve(INFO.name, self.shape());
        if &shape == self.shape() {
            return self.clone();
        }
        let source = self.to_row_major();
        let value = source.window(shape.clone(), shape.row_major(), source.offset());
        Self::from_op(&INFO, value, &[self], || Reshape { from: self.shape().clone() })
    }

    /// All dimensions from `start` on as one.
    ///
    /// # Panics
    /// If there is no dimension `start`.
    #[track_caller]
    pub fn flatten(&self, start: usize) -> Self {
        assert!(start < self.rank().max(1), "flatten: dimension {start} is out of range for {} dimensions", self.rank());
        let tail: usize = self.shape()[start.min(self.rank())..].iter().product();
        let shape: Vec<usize> = self.shape()[..start].iter().copied().chain([tail]).collect();
        self.reshape(shape)
    }

    /// Without a dimension of size 1; unchanged if its size is another.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn squeeze(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one("squeeze", self.rank());
        if self.shape()[dim] != 1 {
            return self.clone();
        }
        let mut shape = self.shape().to_vec();
        shape.remove(dim);
        self.reshape(shape)
    }

    /// With a new dimension of size 1 at `dim`; `-1` puts it last.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one("unsqueeze", self.rank() + 1);
        let mut shape = self.shape().to_vec();
        shape.insert(dim, 1);
        self.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, -1]);
        assert_eq!(x.shape(), &[2, 3]);
        assert_eq!(x.t().reshape([6]).to_vec(), [0., 3., 1., 4., 2., 5.]);
        assert_eq!(x.flatten(0).shape(), &[6]);
        assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).flatten(1).shape(), &[2, 12]);
        assert_eq!(Tensor::<f32>::zeros([]).flatten(0).shape(), &[1]);
        assert_eq!(x.unsqueeze(0).shape(), &[1, 2, 3]);
        assert_eq!(x.unsqueeze(-1).shape(), &[2, 3, 1]);
        assert_eq!(x.unsqueeze(1).squeeze(1).shape(), &[2, 3]);
        assert_eq!(x.squeeze(0).shape(), &[2, 3]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.reshape([x.numel()]), -1.0, 1.0);
        let x = check::random([2, 6], -1.0, 1.0);
        check::gradients(|x| x[0].reshape([3, 4]).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "reshape: a tensor of shape [2, 3] has 6 elements, which [4, 2] cannot hold")]
    fn elements_must_fit() {
        let _ = Tensor::<f32>::zeros([2, 3]).reshape([4, 2]);
    }
}
