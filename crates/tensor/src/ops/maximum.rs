//! The larger of two elements: `c = max(a, b)`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = max(a_i, b_i)`; NaN if either is |
//! | derivative | `a' = c'` where `a > b`, else 0; `b'` likewise; halves where they are equal |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `a` and `b` |

use super::elementwise::map2;
use crate::{Inputs, Mask, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "maximum",
    equation: "c = max(a, b)",
    derivative: "a' = c' where a > b, b' = c' where b > a, halves where equal",
    torch: "torch.maximum",
};

/// Shared with the minimum.
#[derive(Debug)]
pub(super) struct Extremum<T: Real> {
    pub(super) a: Tensor<T>,
    pub(super) b: Tensor<T>,
    /// Where the first of two is not the extremum.
    pub(super) loses: fn(&Tensor<T>, &Tensor<T>) -> Mask,
}

impl<T: Real> Op<T> for Extremum<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Extremum { a, b, loses } = self;
        let zero = || Tensor::scalar(T::ZERO);
        // All of it, or half of it where they are equal; a NaN passes the gradient to both.
        let share = Tensor::where_(&a.eq(b), &grad * T::from_f64(0.5), &grad);
        inputs.add(0, || Tensor::where_(&loses(a, b), zero(), &share));
        inputs.add(1, || Tensor::where_(&loses(b, a), zero(), share));
    }
}

binary!(broadcast Formula(self, a: T, b) = a.maximum(b));

impl<T: Real> Tensor<T> {
    /// The larger of each element and that of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn maximum(&self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let value = map2(INFO.name, Formula {}, self, &other);
        let rule = || Extremum { a: self.detach(), b: other.detach(), loses: |a, b| a.lt(b) };
        Self::from_op(&INFO, value, &[self, &other], rule)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let a = Tensor::from([1.0f32, 5.0, 2.0]).requires_grad();
        let b = Tensor::from([3.0, 4.0, 2.0]).requires_grad();
        let c = a.maximum(&b);
        assert_eq!(c.to_vec(), [3.0, 5.0, 2.0]);
        let grads = c.sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [0.0, 1.0, 0.5]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [1.0, 0.0, 0.5]);
        assert_eq!(a.maximum(2.0).to_vec(), [2.0, 5.0, 2.0]);
        assert!(a.maximum(f32::NAN).to_vec().iter().all(|x| x.is_nan()));
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| (a + 0.01).maximum(b) * b, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "maximum: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).maximum(Tensor::zeros([2]));
    }
}
