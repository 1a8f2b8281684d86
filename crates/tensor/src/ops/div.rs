//! Division, element by element: `c = a / b`.
//!
//! | | |
//! |---|---|
//! | equation | `c_i = a_i / b_i` |
//! | derivative | `a' = c' / b`, `b' = -c' c / b` |
//! | shapes | `a`, `b` broadcast; `c` has the broadcast shape |
//! | saved | `b`; `c` if `b` is tracked |

use super::elementwise::{map2, map2_owned};
use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo =
    OpInfo { name: "div", equation: "c = a / b", derivative: "a' = c' / b, b' = -c' c / b", torch: "torch.div" };

#[derive(Debug)]
struct Div<T: Real> {
    b: Tensor<T>,
    c: Option<SavedOutput<T>>,
}

impl<T: Real> Op<T> for Div<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let over_b = grad / &self.b;
        if let Some(c) = &self.c {
            let c = c.get(inputs);
            inputs.add(1, || -(&over_b * c));
        }
        inputs.add(0, || over_b);
    }
}

binary!(broadcast Formula(self, a: T, b) = a / b);

impl<T: Real> Tensor<T> {
    /// The quotient `self / other`, element by element. The operator `/` does the same.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn div(&self, other: &Self) -> Self {
        let value = map2(INFO.name, Formula {}, self, other);
        let c = other.is_tracked().then(|| SavedOutput::new(&value));
        Self::from_op(&INFO, value, &[self, other], || Div { b: other.clone(), c })
    }

    #[track_caller]
    pub(super) fn div_owned(self, other: &Self) -> Self {
        let edges = edges_of(&[&self, other]);
        let value = map2_owned(INFO.name, Formula {}, self, other);
        let c = other.is_tracked().then(|| SavedOutput::new(&value));
        Self::from_edges(&INFO, value, edges, || Div { b: other.clone(), c })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        assert_eq!(Tensor::from([5.0f32, 7.0]).div(&Tensor::from([2.0, -1.0])).to_vec(), [2.5, -7.0]);
    }

    #[test]
    fn gradcheck() {
        check::binary(|a, b| a.div(b), 0.5, 1.5);
        check::binary(|a, b| a.clone() / b, 0.5, 1.5);
    }

    #[test]
    #[should_panic(expected = "div: shapes [3] and [2] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]) / Tensor::zeros([2]);
    }
}
