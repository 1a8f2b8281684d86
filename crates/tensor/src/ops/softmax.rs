//! Softmax along one dimension: `y = e^x / sum e^x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = exp(x_i - m) / sum over j of exp(x_j - m)`, `m = max x` |
//! | derivative | `x' = y (y' - sum over j of y'_j y_j)` |
//! | shapes | any; each line along the dimension on its own |
//! | saved | `y` |
//!
//! Subtracting the maximum changes nothing but keeps every exponent at most 0: it never overflows.

use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, softmax};

pub(super) static INFO: OpInfo = OpInfo {
    name: "softmax",
    equation: "y_i = exp(x_i) / sum of exp(x_j)",
    derivative: "x' = y (y' - sum of y'_j y_j)",
    torch: "torch.softmax",
};

#[derive(Debug)]
struct Softmax<T: Real> {
    y: SavedOutput<T>,
}

impl<T: Real> Op<T> for Softmax<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let y = self.y.get(inputs);
            inputs.add(0, || &y * (&grad - (&grad * &y).sum_dim(-1, true)));
        } else {
            let y = self.y.value();
            inputs.add(0, || rows2(y, &grad, softmax::softmax_backward));
        }
    }
}

/// Applies a row kernel to the last dimension, untracked.
pub(super) fn rows1<T: Real>(x: &Tensor<T>, kernel: impl Fn(&[T], usize, &mut [T])) -> Tensor<T> {
    let cols = x.shape()[x.rank() - 1];
    Tensor::build(x.shape().clone(), |out| {
        if cols > 0 {
            kernel(&x.to_slice(), cols, out);
        }
    })
}

/// Applies a row kernel of two inputs of one shape to the last dimension, untracked.
pub(super) fn rows2<T: Real>(a: &Tensor<T>, b: &Tensor<T>, kernel: impl Fn(&[T], &[T], usize, &mut [T])) -> Tensor<T> {
    rows1(a, |a, cols, out| kernel(a, &b.to_slice(), cols, out))
}

impl<T: Real> Tensor<T> {
    /// The softmax along one dimension: positive numbers that sum to 1.
    ///
    /// # Panics
    /// If there is no such dimension. (A tensor without dimensions counts as one of one element.)
    #[track_caller]
    pub fn softmax(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.rank() == 0 {
            return self.unsqueeze(0).softmax(0).squeeze(0);
        }
        if dim + 1 != self.rank() {
            return self.transpose(dim, -1).softmax(-1).transpose(dim, -1);
        }
        let value = rows1(self, softmax::softmax);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Softmax { y })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([[0.0f64, 3f64.ln()], [1000.0, 1000.0]]).softmax(1).to_vec();
        assert!(y.iter().zip([0.25, 0.75, 0.5, 0.5]).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| if x.rank() > 0 { x.softmax(-1) } else { x.clone() }, -1.0, 1.0);
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].softmax(1), &[&x]);
        check::gradients(|x| x[0].t().softmax(0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "softmax: dimension 1 is out of range for 1 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([3]).softmax(1);
    }
}
