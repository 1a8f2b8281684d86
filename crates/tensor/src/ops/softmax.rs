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
use chainrule_kernels::softmax::{self, columns};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "softmax",
    equation: "y_i = exp(x_i) / sum of exp(x_j)",
    derivative: "x' = y (y' - sum of y'_j y_j)",
    torch: "torch.softmax",
};

#[derive(Debug)]
struct Softmax<T: Real> {
    y: SavedOutput<T>,
    dim: usize,
}

impl<T: Real> Op<T> for Softmax<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let y = self.y.get(inputs);
            inputs.add(0, || &y * (&grad - (&grad * &y).sum_dim(self.dim, true)));
        } else {
            let y = self.y.value();
            inputs.add(0, || lines2(y, &grad, self.dim, false, softmax::softmax_backward));
        }
    }
}

/// Whether lines along a dimension stand side by side such that kernels of columns are faster than turned copies.
pub(super) fn stands_apart<T: Real>(x: &Tensor<T>, dim: usize) -> bool {
    x.shape()[dim + 1..].iter().product::<usize>() >= columns::LEAST_COLUMNS
}

/// A softmax, or its logarithm, along a dimension which is the last or [`stands_apart`], untracked.
pub(super) fn lines1<T: Real>(
    x: &Tensor<T>,
    dim: usize,
    log: bool,
    of_rows: impl Fn(&[T], usize, &mut [T]),
) -> Tensor<T> {
    let (len, cols) = extent(x, dim);
    Tensor::build(x.shape().clone(), |out| match cols {
        _ if out.is_empty() => {}
        1 => of_rows(&x.to_slice(), len, out),
        _ => columns::softmax(log, &x.to_slice(), len, cols, out),
    })
}

/// The gradient of [`lines1`]'s input, from its output `y` and the gradient of that, untracked.
pub(super) fn lines2<T: Real>(
    y: &Tensor<T>,
    grad: &Tensor<T>,
    dim: usize,
    log: bool,
    of_rows: impl Fn(&[T], &[T], usize, &mut [T]),
) -> Tensor<T> {
    let (len, cols) = extent(y, dim);
    Tensor::build(y.shape().clone(), |out| match cols {
        _ if out.is_empty() => {}
        1 => of_rows(&y.to_slice(), &grad.to_slice(), len, out),
        _ => columns::softmax_backward(log, &y.to_slice(), &grad.to_slice(), len, cols, out),
    })
}

/// The length of a line along a dimension, and how many stand side by side.
fn extent<T: Real>(x: &Tensor<T>, dim: usize) -> (usize, usize) {
    (x.shape()[dim], x.shape()[dim + 1..].iter().product())
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
        if dim + 1 != self.rank() && !stands_apart(self, dim) {
            return self.transpose(dim, -1).softmax(-1).transpose(dim, -1);
        }
        let value = lines1(self, dim, false, softmax::softmax);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Softmax { y, dim })
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
        let x = check::random([2, 3, 4, 5], -1.0, 1.0);
        check::gradients(|x| x[0].softmax(1), &[&x]);
    }

    #[test]
    #[should_panic(expected = "softmax: dimension 1 is out of range for 1 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([3]).softmax(1);
    }
}
