//! A dimension cut into pieces.
//!
//! | | |
//! |---|---|
//! | equation | `y_k = x[.., start_k .. start_k + size_k, ..]` |
//! | derivative | composed of `slice`: each `y_k'` goes where the piece was |
//! | shapes | the sizes of the pieces add up to that of the dimension |
//! | saved | what `slice` saves |
//!
//! The pieces are views: nothing is copied.

use crate::{Dims, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "split",
    equation: "y_k = x[start_k .. start_k + size_k]",
    derivative: "composed of slice: x'[start_k .. start_k + size_k] = y_k'",
    torch: "torch.split",
};

impl<T: Real> Tensor<T> {
    /// The dimension cut into pieces of `size`; the last one is smaller if that does not come out even.
    ///
    /// # Panics
    /// If the dimension does not exist, or `size` is 0 while the dimension's is not.
    #[track_caller]
    pub fn split(&self, size: usize, dim: impl Into<Dims>) -> Vec<Self> {
        let dim = dim.into().resolve_one(INFO.name, self.rank());
        let n = self.shape()[dim];
        assert!(size > 0 || n == 0, "split: dimension {dim} of shape {} does not fall into pieces of 0", self.shape());
        let pieces = n.div_ceil(size.max(1)).max(1);
        (0..pieces).map(|k| self.narrow(dim, k * size, size.min(n - k * size))).collect()
    }

    /// The dimension cut into pieces of the given sizes.
    ///
    /// # Panics
    /// If the dimension does not exist or the sizes do not add up to its own.
    #[track_caller]
    pub fn split_with_sizes(&self, sizes: &[usize], dim: impl Into<Dims>) -> Vec<Self> {
        let dim = dim.into().resolve_one("split_with_sizes", self.rank());
        assert!(
            sizes.iter().sum::<usize>() == self.shape()[dim],
            "split_with_sizes: the sizes {sizes:?} do not add up to dimension {dim} of shape {}",
            self.shape()
        );
        let starts = sizes.iter().scan(0, |start, size| Some(std::mem::replace(start, *start + size)));
        starts.zip(sizes).map(|(start, &size)| self.narrow(dim, start, size)).collect()
    }

    /// The dimension cut into at most `parts` parts, all of one size but the last, which may be smaller.
    ///
    /// As in PyTorch, fewer parts come out where that size, rounded up, fills the dimension earlier.
    ///
    /// # Panics
    /// If the dimension does not exist or `parts` is 0.
    #[track_caller]
    pub fn chunk(&self, parts: usize, dim: impl Into<Dims>) -> Vec<Self> {
        let dim = dim.into().resolve_one("chunk", self.rank());
        assert!(parts > 0, "chunk: shape {} does not fall into 0 parts", self.shape());
        match self.shape()[dim] {
            0 => vec![self.clone(); parts],
            n => self.split(n.div_ceil(parts), dim),
        }
    }

    /// The slices along one dimension, which disappears.
    ///
    /// # Panics
    /// If the dimension does not exist.
    #[track_caller]
    pub fn unbind(&self, dim: impl Into<Dims>) -> Vec<Self> {
        let dim = dim.into().resolve_one("unbind", self.rank());
        (0..self.shape()[dim]).map(|i| self.select(dim, i)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(10).reshape([2, 5]);
        let sizes = |pieces: Vec<Tensor>| -> Vec<usize> { pieces.iter().map(|piece| piece.size(-1)).collect() };
        assert_eq!(x.split(2, 1)[1].to_vec(), [2., 3., 7., 8.]);
        assert_eq!(sizes(x.split(2, 1)), [2, 2, 1]);
        assert_eq!(sizes(x.split(9, -1)), [5]);
        assert_eq!(sizes(x.split_with_sizes(&[1, 0, 4], 1)), [1, 0, 4]);
        assert_eq!(sizes(x.chunk(2, 1)), [3, 2]);
        // Three of two fill the five places before the fourth.
        assert_eq!(sizes(x.chunk(4, 1)), [2, 2, 1]);
        let empty = Tensor::<f32>::zeros([2, 0]);
        assert_eq!((sizes(empty.split(3, 1)), sizes(empty.split(0, 1)), sizes(empty.chunk(3, 1))), (vec![0], vec![0], vec![0; 3]));
        assert_eq!(x.unbind(0)[1].to_vec(), [5., 6., 7., 8., 9.]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([3, 5], -1.0, 1.0);
        check::gradients(|x| x[0].split(2, 1)[1].powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().chunk(2, 0)[1].powf(2.0), &[&x]);
        check::gradients(|x| x[0].unbind(0).iter().fold(Tensor::scalar(1.0), |product, row| product * row), &[&x]);
        check::gradients(|x| x[0].broadcast_to([2, 3, 5]).split_with_sizes(&[1, 1], 0)[0].powf(2.0), &[&x]);
        check::gradients(|x| x[0].split(1, 1)[0].clone(), &[&check::random([2, 0], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "split_with_sizes: the sizes [2, 2] do not add up to dimension 1 of shape [2, 5]")]
    fn sizes_must_add_up() {
        let _ = Tensor::<f32>::zeros([2, 5]).split_with_sizes(&[2, 2], 1);
    }
}
