//! Rectified linear unit: `y = max(x, 0)`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = x_i` where `x_i > 0`, else 0 (NaN stays NaN) |
//! | derivative | `x' = y'` where `y > 0`, else 0 (`y'` where `y` is NaN) |
//! | shapes | any |
//! | saved | a bit for each element: where `y` is positive |
//!
//! The backward rule is linear in the gradient and constant in `y`, so it is an operation whose rule is itself.

use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real, relu};
use std::sync::Arc;

pub(super) static INFO: OpInfo =
    OpInfo { name: "relu", equation: "y = max(x, 0)", derivative: "x' = y' where y > 0, else 0", torch: "torch.relu" };

static GATE: OpInfo = OpInfo {
    name: "relu_backward",
    equation: "x' = y' where y > 0, else 0",
    derivative: "y'' = x'' where y > 0, else 0",
    torch: "",
};

/// Serves both: the gradient of `relu` and the gradient of that gradient pass the same gate.
#[derive(Debug)]
struct Relu {
    /// A bit for each element, in row-major order.
    open: Arc<Buffer<u32>>,
}

impl<T: Real> Op<T> for Relu {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || {
            let edges = edges_of(&[&grad]);
            let shape = grad.shape().clone();
            let mut gated = grad.with_node(None);
            match gated.unique_slice() {
                Some(data) => relu::gate(data, &self.open),
                None => {
                    gated = Tensor::build(shape, |out| {
                        out.copy_from_slice(&gated.to_slice());
                        relu::gate(out, &self.open);
                    });
                }
            }
            Tensor::from_edges(&GATE, gated, edges, || Relu { open: self.open.clone() })
        });
    }
}

impl<T: Real> Tensor<T> {
    /// The larger of 0 and every element.
    #[track_caller]
    pub fn relu(&self) -> Self {
        let mut open = Buffer::unspecified(relu::bits_len(self.numel()));
        let value = Self::build(self.shape().clone(), |y| relu::forward(&self.to_slice(), y, &mut open));
        Self::from_op(&INFO, value, &[self], || Relu { open: Arc::new(open) })
    }

    /// [`relu`](Tensor::relu) of a tensor that is not needed any more: it is overwritten, if nobody else holds its memory
    /// and the rule of the operation it came from does not read it.
    ///
    /// ```
    /// use chainrule_tensor::Tensor;
    /// let x = Tensor::from([1.0f32, -3.0]);
    /// assert_eq!((&x * 2.0).relu_().to_vec(), [2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn relu_(mut self) -> Self {
        let edges = edges_of(&[&self]);
        let mut open = Buffer::unspecified(relu::bits_len(self.numel()));
        let Some(data) = self.unique_slice() else { return self.relu() };
        relu::forward_in_place(data, &mut open);
        Self::from_edges(&INFO, self.with_node(None), edges, || Relu { open: Arc::new(open) })
    }

    /// What already is `max(x, 0)`, because the kernel of an operation took it there, and has the operation's node: as if
    /// a ReLU had followed.
    #[track_caller]
    pub(super) fn behind_relu(self) -> Self {
        let Some(edges) = edges_of(&[&self]) else { return self };
        let mut open = Buffer::unspecified(relu::bits_len(self.numel()));
        relu::open(&self.to_slice(), &mut open);
        Self::from_edges(&INFO, self.with_node(None), Some(edges), || Relu { open: Arc::new(open) })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([-1.0f32, 0.0, 2.0, f32::NAN]).relu().to_vec();
        assert_eq!(y[..3], [0.0, 0.0, 2.0]);
        assert!(y[3].is_nan());
    }

    #[test]
    fn overwrites_what_nobody_else_holds() {
        let x = Tensor::from([-1.0f32, 2.0]).requires_grad();
        let y = (&x * 3.0).relu_();
        assert_eq!(y.to_vec(), [0.0, 6.0]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 3.0]);
        let held = &x * 1.0;
        assert_eq!((held.clone().relu_().to_vec(), held.to_vec()), (vec![0.0, 2.0], vec![-1.0, 2.0]));
        // What tanh saved for its own rule stays as it was.
        let y = x.tanh().relu_();
        let slope = 1.0 - 2f32.tanh().powi(2);
        approx::assert_relative_eq!(y.sum().backward().get(&x).unwrap().to_vec()[..], [0.0, slope][..], epsilon = 1e-6);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| (x * 2.0).relu_(), -1.0, 1.0);
        check::unary(|x| x.relu(), -1.0, 1.0);
        check::unary(|x| (x * x).relu() * x, -1.0, 1.0);
    }
}
