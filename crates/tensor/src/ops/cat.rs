//! Tensors side by side along one dimension.
//!
//! | | |
//! |---|---|
//! | equation | `y = [x_0, x_1, ..]` along the dimension |
//! | derivative | `x_k'` = the part of `y'` where `x_k` stands |
//! | shapes | equal but for the dimension, whose sizes add up |
//! | saved | the dimension and the sizes along it |

use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::place::{Put, Range, place};

pub(super) static INFO: OpInfo = OpInfo {
    name: "cat",
    equation: "y = [x_0, x_1, ..]",
    derivative: "x_k' = the part of y' where x_k stands",
    torch: "torch.cat",
};

#[derive(Debug)]
struct Cat {
    dim: usize,
    /// `None` for a tensor of shape `[0]` among larger ones.
    sizes: Vec<Option<usize>>,
}

impl<T: Real> Op<T> for Cat {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let mut start = 0;
        for (i, size) in self.sizes.iter().enumerate() {
            inputs.add(i, || size.map_or_else(|| Tensor::zeros(0), |size| grad.narrow(self.dim, start, size)));
            start += size.unwrap_or(0);
        }
    }
}

impl<T: Real> Tensor<T> {
    /// The tensors side by side along an existing dimension.
    ///
    /// As in PyTorch, a tensor of shape `[0]` goes with every shape and adds nothing.
    ///
    /// # Panics
    /// If there is no tensor, the dimension does not exist, or the other sizes differ.
    #[track_caller]
    pub fn cat(tensors: &[&Self], dim: impl Into<Dims>) -> Self {
        let Some(first) = tensors.iter().find(|x| x.shape() != &[0]).or(tensors.first()) else {
            panic!("cat: there is nothing to put together")
        };
        let nothing = |x: &Self| x.shape() == &[0] && first.rank() != 1;
        let dim = dim.into().resolve_one(INFO.name, first.rank());
        for other in tensors.iter().filter(|x| !nothing(x)) {
            let fits = other.rank() == first.rank()
                && (0..first.rank()).all(|d| d == dim || first.shape()[d] == other.shape()[d]);
            assert!(
                fits,
                "cat: shapes {} and {} differ elsewhere than in dimension {dim}",
                first.shape(),
                other.shape()
            );
        }
        let sizes: Vec<Option<usize>> = tensors.iter().map(|x| (!nothing(x)).then(|| x.shape()[dim])).collect();
        let mut shape = first.shape().clone();
        shape.0[dim] = sizes.iter().flatten().sum();
        let value = Self::build(shape.clone(), |out| {
            let mut ranges: Vec<Range> = shape.iter().map(|&n| Range::all(n)).collect();
            for (tensor, &size) in tensors.iter().zip(&sizes) {
                if let Some(count) = size {
                    ranges[dim].count = count;
                    place(&tensor.to_slice(), &ranges, Put::Alone, out);
                    ranges[dim].start += count;
                }
            }
        });
        Self::from_op(&INFO, value, tensors, || Cat { dim, sizes })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([[1.0f32], [2.0]]), Tensor::from([[3.0f32, 4.0], [5.0, 6.0]]));
        assert_eq!(Tensor::cat(&[&a, &b], 1).to_vec(), [1., 3., 4., 2., 5., 6.]);
        assert_eq!(Tensor::cat(&[&a.t(), &b], 0).to_vec(), [1., 2., 3., 4., 5., 6.]);
        assert_eq!(Tensor::cat(&[&a, &Tensor::zeros([2, 0])], 1).to_vec(), [1., 2.]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([2, 3], -1.0, 1.0), check::random([4, 2], -1.0, 1.0));
        check::gradients(|x| Tensor::cat(&[&x[0], &x[1].t()], 1).powf(2.0), &[&a, &b]);
        check::gradients(|x| Tensor::cat(&[&x[0], &x[0]], 0).powf(2.0), &[&a]);
        check::gradients(|x| Tensor::cat(&[&x[0], &x[1]], 1), &[&a, &check::random([0], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "cat: shapes [2, 3] and [3, 3] differ elsewhere than in dimension 1")]
    fn other_sizes_must_agree() {
        let _ = Tensor::cat(&[&Tensor::<f32>::zeros([2, 3]), &Tensor::zeros([3, 3])], 1);
    }
}
