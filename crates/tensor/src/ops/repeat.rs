//! Copies of a tensor side by side.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., k n + i, ..] = x[.., i, ..]` for each copy `k` of `n` elements |
//! | derivative | composed of `reshape` and `broadcast_to`: `x'[i]` sums `y'[k n + i]` over the copies |
//! | shapes | each size is multiplied by its count |
//! | saved | what those save |

use crate::{Dims, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "repeat",
    equation: "y[k n + i] = x[i] for each copy k of n elements",
    derivative: "composed of reshape and broadcast_to: x'[i] sums y'[k n + i]",
    torch: "torch.Tensor.repeat",
};

impl<T: Real> Tensor<T> {
    /// `counts[d]` copies side by side along each dimension `d`. More counts than dimensions add leading dimensions.
    ///
    /// # Panics
    /// If there are fewer counts than dimensions.
    #[track_caller]
    pub fn repeat(&self, counts: impl AsRef<[usize]>) -> Self {
        let counts = counts.as_ref();
        assert!(
            counts.len() >= self.rank(),
            "repeat: {counts:?} has fewer counts than shape {} has dimensions",
            self.shape()
        );
        let extra = counts.len() - self.rank();
        let sizes: Vec<usize> = std::iter::repeat_n(1, extra).chain(self.shape().iter().copied()).collect();
        // A dimension for the copies in front of each dimension.
        let apart: Shape = sizes.iter().flat_map(|&n| [1, n]).collect();
        let copies: Shape = sizes.iter().zip(counts).flat_map(|(&n, &count)| [count, n]).collect();
        let shape: Shape = sizes.iter().zip(counts).map(|(n, count)| n * count).collect();
        self.reshape(apart).broadcast_to(copies).reshape(shape)
    }

    /// Every element `count` times in a row along one dimension.
    ///
    /// # Panics
    /// If the dimension does not exist.
    #[track_caller]
    pub fn repeat_interleave(&self, count: usize, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one("repeat_interleave", self.rank());
        let mut copies = self.shape().clone();
        copies.0.insert(dim + 1, count);
        let mut shape = self.shape().clone();
        shape.0[dim] *= count;
        self.unsqueeze(dim + 1).broadcast_to(copies).reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0]]);
        assert_eq!(x.repeat([2, 2]).to_vec(), [1., 2., 1., 2., 1., 2., 1., 2.]);
        assert_eq!(x.repeat([3, 1, 2]).shape(), &[3, 1, 4]);
        assert_eq!(x.repeat([0, 2]).shape(), &[0, 4]);
        assert_eq!(x.repeat_interleave(2, 1).to_vec(), [1., 1., 2., 2.]);
        assert_eq!(x.repeat_interleave(0, 0).shape(), &[0, 2]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.repeat([2, 1, 3]).powf(2.0), -1.0, 1.0);
        let x = check::random([2, 3], -1.0, 1.0);
        check::gradients(|x| x[0].t().repeat_interleave(3, -1).powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "repeat: [2] has fewer counts than shape [2, 3] has dimensions")]
    fn every_dimension_has_a_count() {
        let _ = Tensor::<f32>::zeros([2, 3]).repeat([2]);
    }
}
