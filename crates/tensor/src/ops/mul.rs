//! Multiplication, element by element: `c = a * b`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i b_i` |
//! | derivative | `a' = c' b`, `b' = c' a` |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `b` if `a` is tracked, `a` if `b` is |

use super::elementwise::{map2, map2_owned};
use crate::graph::{Saved, edges_of};
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "mul", equation: "c = a b", derivative: "a' = c' b, b' = c' a", torch: "torch.mul" };

#[derive(Debug)]
struct Mul<T: Real> {
    a: Saved<T>,
    b: Saved<T>,
}

impl<T: Real> Op<T> for Mul<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || &grad * self.b.get());
        inputs.add(1, || grad * self.a.get());
    }
}

binary!(broadcast Formula(self, a: T, b) = a * b);

impl<T: Real> Tensor<T> {
    /// The product `self * other`, element by element. The operator `*` does the same.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn mul(&self, other: &Self) -> Self {
        let value = map2(INFO.name, Formula {}, self, other);
        Self::from_op(&INFO, value, &[self, other], || Mul {
            a: Saved::for_input(other, self),
            b: Saved::for_input(self, other),
        })
    }

    #[track_caller]
    pub(super) fn mul_owned(self, other: &Self) -> Self {
        let edges = edges_of(&[&self, other]);
        // Saving first: what is saved is shared and will not be overwritten.
        let saved = Mul { a: Saved::for_input(other, &self), b: Saved::for_input(&self, other) };
        Self::from_edges(&INFO, map2_owned(INFO.name, Formula {}, self, other), edges, || saved)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([5.0f32, 7.0]).mul(&Tensor::from([2.0, -1.0])).to_vec(), [10.0, -7.0]);
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| a.mul(b), -1.0, 1.0);
        check::binary(|a, b| a.clone() * b, -1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "mul: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]) * Tensor::zeros([2]);
    }
}
