//! Subtraction: `c = a - b`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i - b_i` |
//! | derivative | `a' = c'`, `b' = -c'` |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | nothing |

use super::elementwise::{map2, map2_owned};
use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "sub", equation: "c = a - b", derivative: "a' = c', b' = -c'", torch: "torch.sub" };

#[derive(Debug)]
struct Sub;

impl<T: Real> Op<T> for Sub {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.clone());
        inputs.add(1, || -grad);
    }
}

binary!(broadcast Formula(self, a: T, b) = a - b);

impl<T: Real> Tensor<T> {
    /// The difference `self - other`, element by element. The operator `-` does the same.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn sub(&self, other: &Self) -> Self {
        Self::from_op(&INFO, map2(INFO.name, Formula {}, self, other), &[self, other], || Sub)
    }

    #[track_caller]
    pub(super) fn sub_owned(self, other: &Self) -> Self {
        let edges = edges_of(&[&self, other]);
        Self::from_edges(&INFO, map2_owned(INFO.name, Formula {}, self, other), edges, || Sub)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([5.0f32, 7.0]).sub(&Tensor::from([1.0, 9.0])).to_vec(), [4.0, -2.0]);
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| a.sub(b), -1.0, 1.0);
        check::binary(|a, b| a.clone() - b, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "sub: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]) - Tensor::zeros([2]);
    }
}
