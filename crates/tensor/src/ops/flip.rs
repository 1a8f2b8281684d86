//! The order of elements reversed along dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i, ..] = x[.., n - 1 - i, ..]` |
//! | derivative | `x' = flip(y')` along the same dimensions |
//! | shapes | any |
//! | saved | the dimensions |

use super::take::Positions;
use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "flip",
    equation: "y[.., i, ..] = x[.., n - 1 - i, ..]",
    derivative: "x' = y' flipped",
    torch: "torch.flip",
};

#[derive(Debug)]
struct Flip {
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for Flip {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.flip(&self.dims));
    }
}

impl<T: Real> Tensor<T> {
    /// The elements in reverse order along the given dimensions.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn flip(&self, dims: impl Into<Dims>) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank()).to_vec();
        let all = Positions::all(self.shape());
        let flipped = dims.iter().fold(all, |all, &dim| all.along(dim, (0..self.shape()[dim]).rev()));
        Self::from_op(&INFO, flipped.read(self), &[self], || Flip { dims })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.flip(0).to_vec(), [3., 4., 5., 0., 1., 2.]);
        assert_eq!(x.flip([0, -1]).to_vec(), [5., 4., 3., 2., 1., 0.]);
        assert_eq!(x.t().flip(0).to_vec(), [2., 5., 1., 4., 0., 3.]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| if x.rank() > 0 { x.flip(-1).powf(2.0) } else { x.clone() }, -1.0, 1.0);
        check::gradients(|x| x[0].flip([0, 2]).powf(2.0), &[&check::random([3, 2, 2], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "flip: dimension 1 is named twice in [1, -1]")]
    fn dimensions_are_named_once() {
        let _ = Tensor::<f32>::zeros([2, 3]).flip([1, -1]);
    }
}
