//! Addition: `c = a + b`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i + b_i` |
//! | derivative | `a' = c'`, `b' = c'` |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | nothing |

use super::elementwise::{map2, map2_owned};
use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "add", equation: "c = a + b", derivative: "a' = c', b' = c'", torch: "torch.add" };

#[derive(Debug)]
struct Add;

impl<T: Real> Op<T> for Add {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        // The last reader gets the gradient itself, so that its memory can be reused.
        if inputs.needs(1) {
            inputs.add(0, || grad.clone());
            inputs.add(1, || grad);
        } else {
            inputs.add(0, || grad);
        }
    }
}

binary!(broadcast Formula(self, a: T, b) = a + b);

impl<T: Real> Tensor<T> {
    /// The sum `self + other`, element by element. The operator `+` does the same.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn add(&self, other: &Self) -> Self {
        Self::from_op(&INFO, map2(INFO.name, Formula {}, self, other), &[self, other], || Add)
    }

    #[track_caller]
    pub(super) fn add_owned(self, other: &Self) -> Self {
        let edges = edges_of(&[&self, other]);
        Self::from_edges(&INFO, map2_owned(INFO.name, Formula {}, self, other), edges, || Add)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let c = Tensor::from([1.0f32, 2.0]).add(&Tensor::from([[10.0], [20.0]]));
        assert_eq!(c.to_array(), ndarray::array![[11.0, 12.0], [21.0, 22.0]].into_dyn());
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| a.add(b), -1.0, 1.0);
        check::binary(|a, b| a.clone() + b, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "add: shapes [2, 3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([2, 3]) + Tensor::zeros([2]);
    }
}
