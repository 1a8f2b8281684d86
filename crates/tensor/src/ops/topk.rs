//! The largest or smallest elements along a dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_(p(i))`, `p` the places of the `k` first in order |
//! | derivative | composed of `gather`: `x'_(p(i)) = y'_i`, 0 elsewhere |
//! | shapes | the dimension has size `k` |
//! | saved | `p` |
//!
//! The results come in order, the largest (or smallest) first. NaN counts as larger than every number, and of equal elements
//! the first ones are taken.

use super::sort::places;
use crate::{Dims, Indices, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "topk",
    equation: "y_i = x_(p(i)), p the places of the k largest",
    derivative: "composed of gather: x'_(p(i)) = y'_i, 0 elsewhere",
    torch: "torch.topk",
};

impl<T: Real> Tensor<T> {
    /// The `k` largest elements of each line along one dimension, or the `k` smallest, in order, and where they came from.
    ///
    /// # Panics
    /// If there is no such dimension, or it has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: impl Into<Dims>, largest: bool) -> (Self, Indices) {
        let (dim, places) = places(INFO.name, self, dim.into(), largest, Some(k));
        (self.gather(dim, &places), places)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[3.0f32, 1.0, 2.0, 3.0], [0.0, f32::NAN, -1.0, f32::INFINITY]]);
        let (values, places) = x.topk(2, 1, true);
        assert_eq!(places, [0, 3, 1, 3]);
        assert!(values.to_vec()[2].is_nan());
        assert_eq!(x.topk(1, 1, false).0.to_vec(), [1., -1.]);
        assert_eq!(x.narrow(1, 0, 3).topk(1, 0, true).0.shape(), &[1, 3]);
        assert_eq!(x.topk(0, 1, true).1.shape(), &[2, 0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.topk(1.min(x.shape().last().map_or(1, |&n| n)), -1, true).0.powf(2.0), -1.0, 1.0);
        let x = check::random([2, 4, 2], -1.0, 1.0);
        check::gradients(|x| x[0].topk(3, 1, false).0.powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "topk: dimension 1 of shape [2, 3] has no 4 elements")]
    fn there_must_be_enough() {
        let _ = Tensor::<f32>::zeros([2, 3]).topk(4, 1, true);
    }
}
