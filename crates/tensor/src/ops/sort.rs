//! The elements along a dimension in order.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_(p(i))`, where `p` orders the line |
//! | derivative | composed of `gather`: `x'_(p(i)) = y'_i` |
//! | shapes | any |
//! | saved | `p` |
//!
//! NaN counts as larger than every number, as in PyTorch. Equal elements keep their order, in both directions.

use super::cumsum::lines;
use crate::{Dims, Indices, OpInfo, Shape, Tensor};
use chainrule_kernels::{Real, sort};

pub(super) static INFO: OpInfo = OpInfo {
    name: "sort",
    equation: "y_i = x_(p(i)), p orders the line",
    derivative: "composed of gather: x'_(p(i)) = y'_i",
    torch: "torch.sort",
};

/// The places of the first `k` elements of each line in order. A tensor without dimensions counts as one of one element.
///
/// # Panics
/// If there is no such dimension, or it has fewer than `k` elements.
#[track_caller]
pub(super) fn places<T: Real>(
    op: &str,
    x: &Tensor<T>,
    dim: Dims,
    descending: bool,
    k: Option<usize>,
) -> (usize, Indices) {
    let dim = dim.resolve_one(op, x.rank().max(1));
    let ((n, inner), mut shape) = if x.rank() == 0 { ((1, 1), Shape::default()) } else { (lines(x, dim), x.shape().clone()) };
    let k = k.unwrap_or(n);
    assert!(k <= n, "{op}: dimension {dim} of shape {} has no {k} elements", x.shape());
    if x.rank() > 0 {
        shape.0[dim] = k;
    }
    let mut order = vec![0; if x.rank() == 0 { k } else { shape.numel() }];
    sort::argsort(&x.to_slice(), n, inner, k, descending, &mut order);
    let shape = if order.is_empty() && x.rank() == 0 { 0.into() } else { shape };
    (dim, Indices::new(order, shape))
}

impl<T: Real> Tensor<T> {
    /// The elements of each line along one dimension in ascending or descending order, and where they came from.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn sort(&self, dim: impl Into<Dims>, descending: bool) -> (Self, Indices) {
        let (dim, places) = places(INFO.name, self, dim.into(), descending, None);
        (self.gather(dim, &places), places)
    }

    /// The places of the elements of each line along one dimension, in the elements' ascending or descending order.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn argsort(&self, dim: impl Into<Dims>, descending: bool) -> Indices {
        places("argsort", self, dim.into(), descending, None).1
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[3.0f32, 1.0, 2.0, 1.0], [0.0, f32::NAN, -0.0, f32::NEG_INFINITY]]);
        let (values, places) = x.sort(1, false);
        assert_eq!((&values.to_vec()[..4], &places[..]), (&[1., 1., 2., 3.][..], &[1, 3, 2, 0, 3, 0, 2, 1][..]));
        assert!(values.to_vec()[7].is_nan());
        assert_eq!(x.argsort(-1, true), [0, 2, 1, 3, 1, 0, 2, 3]);
        assert_eq!(x.narrow(1, 0, 1).argsort(0, false), [1, 0]);
        assert_eq!(Tensor::scalar(2.0f32).sort(0, false).0.shape(), &[0usize; 0]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).sort(1, false).1.shape(), &[2, 0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.sort(-1, false).0.powf(2.0), -1.0, 1.0);
        let x = check::random([2, 4, 2], -1.0, 1.0);
        check::gradients(|x| x[0].sort(1, true).0.powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "sort: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).sort(2, false);
    }
}
