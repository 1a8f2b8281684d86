//! Negation: `y = -x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = -x_i` |
//! | derivative | `x' = -y'` |
//! | shapes | any |
//! | saved | nothing |

use super::elementwise::{map1, map1_owned};
use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, unary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "neg", equation: "y = -x", derivative: "x' = -y'", torch: "torch.neg" };

#[derive(Debug)]
struct Neg;

impl<T: Real> Op<T> for Neg {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || -grad);
    }
}

unary!(Formula(self, x: T) = -x);

impl<T: Real> Tensor<T> {
    /// The negative of every element. The operator `-` does the same.
    #[track_caller]
    pub fn neg(&self) -> Self {
        Self::from_op(&INFO, map1(Formula {}, self), &[self], || Neg)
    }

    #[track_caller]
    pub(super) fn neg_owned(self) -> Self {
        let edges = edges_of(&[&self]);
        Self::from_edges(&INFO, map1_owned(Formula {}, self), edges, || Neg)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([1.0f32, -2.0]).neg().to_vec(), [-1.0, 2.0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.neg(), -1.0, 1.0);
        check::unary(|x| -x.clone(), -1.0, 1.0);
    }
}
