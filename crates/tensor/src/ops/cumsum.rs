//! The running sum along a dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y_t = x_0 + .. + x_t` |
//! | derivative | `x'_t = y'_t + .. + y'_(n-1)`: the running sum from the end |
//! | shapes | any |
//! | saved | the dimension and the direction |
//!
//! Totals are kept in double precision.

use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, scan};

pub(super) static INFO: OpInfo = OpInfo {
    name: "cumsum",
    equation: "y_t = x_0 + .. + x_t",
    derivative: "x'_t = y'_t + y'_(t+1) + ..",
    torch: "torch.cumsum",
};

#[derive(Debug)]
struct Cumsum {
    dim: usize,
    reverse: bool,
}

impl<T: Real> Op<T> for Cumsum {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || running(&grad, self.dim, !self.reverse));
    }
}

/// The size of a dimension and the number of elements behind it: how kernels see the lines along it.
pub(super) fn lines<T: Real>(x: &Tensor<T>, dim: usize) -> (usize, usize) {
    (x.shape()[dim], x.shape()[dim + 1..].iter().product())
}

#[track_caller]
fn running<T: Real>(x: &Tensor<T>, dim: usize, reverse: bool) -> Tensor<T> {
    let (n, inner) = lines(x, dim);
    let value = Tensor::build(x.shape().clone(), |out| scan::cumsum(&x.to_slice(), n, inner, reverse, out));
    Tensor::from_op(&INFO, value, &[x], || Cumsum { dim, reverse })
}

impl<T: Real> Tensor<T> {
    /// The running sum along one dimension. A tensor without dimensions counts as one of one element.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn cumsum(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.rank() == 0 { self.clone() } else { running(self, dim, false) }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.cumsum(1).to_vec(), [0., 1., 3., 3., 7., 12.]);
        assert_eq!(x.cumsum(0).to_vec(), [0., 1., 2., 3., 5., 7.]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).cumsum(1).shape(), &[2, 0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.cumsum(-1).powf(2.0), -1.0, 1.0);
        let x = check::random([2, 3, 2], -1.0, 1.0);
        check::gradients(|x| x[0].cumsum(1).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "cumsum: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).cumsum(2);
    }
}
