//! The smaller of two elements: `c = min(a, b)`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = min(a_i, b_i)`; NaN if either is |
//! | derivative | `a' = c'` where `a < b`, else 0; `b'` likewise; halves where they are equal |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `a` and `b` |

use super::elementwise::map2;
use super::maximum::Extremum;
use crate::{OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "minimum",
    equation: "c = min(a, b)",
    derivative: "a' = c' where a < b, b' = c' where b < a, halves where equal",
    torch: "torch.minimum",
};

binary!(broadcast Formula(self, a: T, b) = a.minimum(b));

impl<T: Real> Tensor<T> {
    /// The smaller of each element and that of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(&self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let value = map2(INFO.name, Formula {}, self, &other);
        let rule = || Extremum { a: self.detach(), b: other.detach(), loses: |a, b| a.gt(b) };
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
        let c = a.minimum(&b);
        assert_eq!(c.to_vec(), [1.0, 4.0, 2.0]);
        let grads = c.sum().backward();
        assert_eq!(grads.get(&a).unwrap().to_vec(), [1.0, 0.0, 0.5]);
        assert_eq!(grads.get(&b).unwrap().to_vec(), [0.0, 1.0, 0.5]);
        assert_eq!(a.minimum(2.0).to_vec(), [1.0, 2.0, 2.0]);
        assert!(a.minimum(f32::NAN).to_vec().iter().all(|x| x.is_nan()));
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| (a + 0.01).minimum(b) * b, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "minimum: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).minimum(Tensor::zeros([2]));
    }
}
