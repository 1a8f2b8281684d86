//! Logarithm of the softmax along one dimension: `y = x - ln sum e^x`.
//!
//! | | |
//! |---|---|
//! | equation | `y_i = (x_i - m) - ln sum over j of exp(x_j - m)`, `m = max x` |
//! | derivative | `x' = y' - exp(y) sum over j of y'_j` |
//! | shapes | any; each line along the dimension on its own |
//! | saved | `y` |

use super::softmax::{lines1, lines2, stands_apart};
use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, softmax};

pub(super) static INFO: OpInfo = OpInfo {
    name: "log_softmax",
    equation: "y_i = x_i - ln sum of exp(x_j)",
    derivative: "x' = y' - exp(y) sum of y'_j",
    torch: "torch.log_softmax",
};

#[derive(Debug)]
struct LogSoftmax<T: Real> {
    y: SavedOutput<T>,
    dim: usize,
}

impl<T: Real> Op<T> for LogSoftmax<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let y = self.y.get(inputs);
            inputs.add(0, || &grad - y.exp() * grad.sum_dim(self.dim, true));
        } else {
            let y = self.y.value();
            inputs.add(0, || lines2(y, &grad, self.dim, true, softmax::log_softmax_backward));
        }
    }
}

impl<T: Real> Tensor<T> {
    /// The logarithm of the softmax along one dimension, without the rounding that taking the logarithm of
    /// [`softmax`](Tensor::softmax) would bring.
    ///
    /// # Panics
    /// If there is no such dimension. (A tensor without dimensions counts as one of one element.)
    #[track_caller]
    pub fn log_softmax(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one(INFO.name, self.rank().max(1));
        if self.rank() == 0 {
            return self.unsqueeze(0).log_softmax(0).squeeze(0);
        }
        if dim + 1 != self.rank() && !stands_apart(self, dim) {
            return self.transpose(dim, -1).log_softmax(-1).transpose(dim, -1);
        }
        let value = lines1(self, dim, true, softmax::log_softmax);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || LogSoftmax { y, dim })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let y = Tensor::from([[0.0f64, 3f64.ln()], [1000.0, 0.0]]).log_softmax(1).to_vec();
        let expected = [0.25f64.ln(), 0.75f64.ln(), 0.0, -1000.0];
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{y:?}");
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| if x.rank() > 0 { x.log_softmax(-1) } else { x.clone() }, -1.0, 1.0);
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].log_softmax(1), &[&x]);
        let x = check::random([2, 3, 4, 5], -1.0, 1.0);
        check::gradients(|x| x[0].log_softmax(1), &[&x]);
    }

    #[test]
    #[should_panic(expected = "log_softmax: dimension 1 is out of range for 1 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([3]).log_softmax(1);
    }
}
