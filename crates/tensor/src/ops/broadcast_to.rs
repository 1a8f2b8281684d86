//! Repetition along dimensions of size 1 and along new leading ones, without a copy.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i, ..] = x[.., 0, ..]` along a repeated dimension |
//! | derivative | `x' = y'` summed over the repeated dimensions |
//! | shapes | `x.shape` broadcasts to `y.shape` |
//! | saved | nothing: the engine undoes every broadcast the same way |

use super::elementwise::broadcast_strides;
use crate::{Inputs, Op, OpInfo, Shape, Sizes, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "broadcast_to",
    equation: "y = x repeated",
    derivative: "x' = sum of y' over the repeated dimensions",
    torch: "torch.broadcast_to",
};

#[derive(Debug)]
struct BroadcastTo;

impl<T: Real> Op<T> for BroadcastTo {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad);
    }
}

impl<T: Real> Tensor<T> {
    /// This tensor as if it had a larger shape: dimensions of size 1 and missing leading ones are repeated.
    ///
    /// # Panics
    /// If the shape does not broadcast to the larger one, or that has more elements than `usize` can count.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert!(
            self.shape().broadcast(&shape).as_ref() == Some(&shape),
            "broadcast_to: {} does not broadcast to {shape}: from the last dimension on, sizes must agree or be 1",
            self.shape()
        );
        // Nothing else counts what takes no memory.
        shape.numel();
        let strides = broadcast_strides(self.shape(), self.strides(), &shape);
        Self::from_op(&INFO, self.window(shape, strides, self.offset()), &[self], || BroadcastTo)
    }

    /// [`broadcast_to`](Tensor::broadcast_to) where -1 stands for a size that stays.
    ///
    /// # Panics
    /// If the shape does not broadcast to the larger one, or a new dimension has size -1.
    #[track_caller]
    pub fn expand(&self, sizes: impl Into<Sizes>) -> Self {
        let sizes = sizes.into();
        let extra = sizes.len().saturating_sub(self.rank());
        let size = |(i, n): (usize, isize)| match usize::try_from(n) {
            Ok(n) => n,
            Err(_) if n == -1 && i >= extra => self.shape().get(i - extra).copied().unwrap_or(0),
            Err(_) => panic!("expand: size {n} in place {i} for a tensor of shape {}: -1 keeps a size that is there", self.shape()),
        };
        let shape: Shape = sizes.iter().enumerate().map(size).collect();
        self.broadcast_to(shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([[1.0f32], [2.0]]).broadcast_to([2, 2, 3]);
        assert_eq!(y.to_vec(), [1., 1., 1., 2., 2., 2., 1., 1., 1., 2., 2., 2.]);
        let y = Tensor::from([[1.0f32], [2.0]]).expand([4, -1, 3]);
        assert_eq!((y.shape().to_vec(), y.to_vec()[3]), (vec![4, 2, 3], 2.0));
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 1, 3], -1.0, 1.0);
        check::gradients(|x| x[0].broadcast_to([4, 2, 5, 3]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().broadcast_to([2, 3, 2]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([0, 2]), &[&check::random([1, 2], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "broadcast_to: [2, 3] does not broadcast to [2, 4]")]
    fn sizes_must_agree() {
        let _ = Tensor::<f32>::zeros([2, 3]).broadcast_to([2, 4]);
    }

    #[test]
    #[should_panic(expected = "expand: size -1 in place 0 for a tensor of shape [3]")]
    fn new_sizes_are_given() {
        let _ = Tensor::<f32>::zeros([3]).expand([-1, 3]);
    }
}
