//! The same elements with the dimensions in another order.
//!
//! | | |
//! |---|---|
//! | equation | `y[i_p(0), i_p(1), ..] = x[i_0, i_1, ..]` |
//! | derivative | `x' = y'` permuted by the inverse of `p` |
//! | shapes | `y.shape[k] = x.shape[p(k)]` |
//! | saved | the permutation |
//!
//! Always a view: only the strides change.

use crate::short::Short;
use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "permute",
    equation: "y = x with dimensions reordered",
    derivative: "x' = y' with dimensions ordered back",
    torch: "torch.permute",
};

#[derive(Debug)]
struct Permute {
    inverse: Vec<usize>,
}

impl<T: Real> Op<T> for Permute {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.permute(&self.inverse));
    }
}

impl<T: Real> Tensor<T> {
    /// The dimensions in another order: dimension `k` of the result is dimension `dims[k]` of this tensor.
    ///
    /// # Panics
    /// If `dims` does not name every dimension once.
    #[track_caller]
    pub fn permute(&self, dims: impl Into<Dims>) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        assert!(
            dims.len() == self.rank(),
            "permute: a tensor of shape {} has {} dimensions, {:?} names {}",
            self.shape(),
            self.rank(),
            &dims[..],
            dims.len()
        );
        self.permuted(&dims)
    }

    /// The dimensions in another order, each of which is named once.
    #[track_caller]
    fn permuted(&self, dims: &[usize]) -> Self {
        let shape = dims.iter().map(|&d| self.shape()[d]).collect();
        let strides = dims.iter().map(|&d| self.strides()[d]).collect();
        Self::from_op(&INFO, self.window(shape, strides, self.offset()), &[self], || {
            let mut inverse = vec![0; dims.len()];
            dims.iter().enumerate().for_each(|(k, &d)| inverse[d] = k);
            Permute { inverse }
        })
    }

    /// Two dimensions exchanged.
    ///
    /// # Panics
    /// If one of them does not exist.
    #[track_caller]
    pub fn transpose(&self, a: impl Into<Dims>, b: impl Into<Dims>) -> Self {
        let (a, b) = (a.into(), b.into());
        self.exchanged(a.resolve_one("transpose", self.rank()), b.resolve_one("transpose", self.rank()))
    }

    #[track_caller]
    fn exchanged(&self, a: usize, b: usize) -> Self {
        let mut dims: Short<usize, 4> = (0..self.rank()).collect();
        dims.swap(a, b);
        self.permuted(&dims)
    }

    /// The last two dimensions exchanged: the transpose of a matrix, or of each matrix of a batch.
    ///
    /// A tensor of fewer than two dimensions is returned as it is.
    #[track_caller]
    pub fn t(&self) -> Self {
        if self.rank() < 2 { self.clone() } else { self.exchanged(self.rank() - 2, self.rank() - 1) }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(24).reshape([2, 3, 4]);
        let y = x.permute([2, 0, 1]);
        assert_eq!(y.shape(), &[4, 2, 3]);
        assert_eq!(y.view()[[3, 1, 2]], x.view()[[1, 2, 3]]);
        assert_eq!(x.transpose(0, -1).shape(), &[4, 3, 2]);
        assert_eq!(x.t().shape(), &[2, 4, 3]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].permute([1, 2, 0]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 2, 3, 4]).permute([3, 0, 2, 1]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t(), &[&check::random([0, 3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "permute: a tensor of shape [2, 3] has 2 dimensions, [1] names 1")]
    fn every_dimension_is_named() {
        let _ = Tensor::<f32>::zeros([2, 3]).permute([1]);
    }
}
