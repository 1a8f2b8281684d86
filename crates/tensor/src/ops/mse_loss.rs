//! Mean squared error: `y = mean of (a - b)^2`.
//!
//! | | |
//! |---|---|
//! | equation | `y = 1/n sum over i of (a_i - b_i)^2` |
//! | derivative | `a' = y' 2 (a - b) / n`, `b' = -a'` |
//! | shapes | `a` and `b` equal; `y` has no dimension |
//! | saved | `a` and `b` |

use super::elementwise::map2;
use super::mean::mean_value;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "mse_loss",
    equation: "y = mean of (a - b)^2",
    derivative: "a' = y' 2 (a - b) / n, b' = -a'",
    torch: "torch.nn.functional.mse_loss",
};

#[derive(Debug)]
struct MseLoss<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
}

impl<T: Real> Op<T> for MseLoss<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let n = T::from_usize(self.a.numel());
        let slope = (&self.a - &self.b) * (grad * (T::from_f64(2.0) / n));
        inputs.add(1, || -&slope);
        inputs.add(0, || slope);
    }
}

binary!(Square(self, a: T, b) = (a - b) * (a - b));

impl<T: Real> Tensor<T> {
    /// The mean of the squared differences to `target`, as a tensor without dimensions.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn mse_loss(&self, target: &Self) -> Self {
        assert!(
            self.shape() == target.shape(),
            "mse_loss: input {} and target {} must have the same shape",
            self.shape(),
            target.shape()
        );
        let value = mean_value(&map2(INFO.name, Square {}, self, target));
        Self::from_op(&INFO, value, &[self, target], || MseLoss { a: self.clone(), b: target.clone() })
    }

    /// Half the mean of the squared differences to `target`: its gradient is the mean difference itself.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn half_mse_loss(&self, target: &Self) -> Self {
        self.mse_loss(target) * T::from_f64(0.5)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0, 5.0]));
        assert_eq!((a.mse_loss(&b).item(), a.half_mse_loss(&b).item()), (6.5, 3.25));
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 3], -1.0, 1.0));
        check::gradients(|x| x[0].mse_loss(&x[1].t()), &[&a, &b]);
        check::gradients(|x| x[0].half_mse_loss(&x[0].powf(2.0)), &[&b]);
    }

    #[test]
    #[should_panic(expected = "mse_loss: input [4, 1] and target [4] must have the same shape")]
    fn shapes_must_agree() {
        let _ = Tensor::<f32>::zeros([4, 1]).mse_loss(&Tensor::zeros([4]));
    }
}
