//! Standard deviation over dimensions: `y = sqrt(var x)`.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = sqrt(sum over j of (x[i, j] - m[i])^2 / (n - c))`, as in [`var`](Tensor::var) |
//! | derivative | `x'[i, j] = y'[i] (x[i, j] - m[i]) / ((n - c) y[i])`, 0 where `y` is 0 |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | `x` and `y` |

use super::sum::{kept, reduce_dims};
use crate::{Dims, Inputs, Op, OpInfo, SavedOutput, Tensor};
use chainrule_kernels::{Real, moments};

pub(super) static INFO: OpInfo = OpInfo {
    name: "std",
    equation: "y[i] = sqrt(sum over j of (x[i, j] - mean)^2 / (n - c))",
    derivative: "x' = y' (x - mean) / ((n - c) y), 0 where y is 0",
    torch: "torch.std",
};

#[derive(Debug)]
struct Std<T: Real> {
    x: Tensor<T>,
    y: SavedOutput<T>,
    dims: Vec<usize>,
    correction: usize,
}

impl<T: Real> Op<T> for Std<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let y = self.y.get(inputs);
        let Std { x, dims, correction, .. } = self;
        inputs.add(0, || {
            let n: usize = dims.iter().map(|&d| x.shape()[d]).product();
            // Where nothing deviates there is no direction; 0 / 0 must not get into the second derivative either.
            let still = y.eq(Tensor::scalar(T::ZERO));
            let y = Tensor::where_(&still, Tensor::scalar(T::ONE), y);
            let each = Tensor::where_(&still, Tensor::scalar(T::ZERO), grad) / y;
            let each = (each / T::from_usize(n.saturating_sub(*correction))).reshape(kept(x.shape(), dims));
            (x - x.mean_dim(dims, true)) * each
        });
    }
}

impl<T: Real> Tensor<T> {
    /// The standard deviation of all elements: the square root of [`var`](Tensor::var).
    #[track_caller]
    pub fn std(&self) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.std_dim(all, 1, false)
    }

    /// The standard deviation over some dimensions: the square root of [`var_dim`](Tensor::var_dim).
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Dims>, correction: usize, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let value = reduce_dims(self, &dims, keepdim, |x, kept, out| {
            moments::variance(x, kept, correction as f64, out);
            out.iter_mut().for_each(|y| *y = y.sqrt());
        });
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[self], || Std { x: self.clone(), y, dims: dims.to_vec(), correction })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f64, 5.0], [3.0, 3.0]]).requires_grad();
        let y = x.std_dim(1, 0, false);
        assert_eq!(y.to_vec(), [2.0, 0.0]);
        assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [-0.5, 0.5, 0.0, 0.0]);
        assert_eq!(Tensor::from([1.0f64, 2.0, 6.0]).std().item(), 7f64.sqrt());
        // More correction than elements, as in PyTorch.
        let slopes = x.std_dim(1, 3, false).sum().backward().get(&x).unwrap().to_vec();
        assert!(slopes.iter().all(|slope| slope.is_nan()));
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].std(), &[&x]);
        check::gradients(|x| x[0].std_dim([0, 2], 0, true), &[&x]);
        check::gradients(|x| x[0].t().slice(1, 0, 4, 2).std_dim(-2, 1, false), &[&x]);
        check::gradients(|x| x[0].std_dim(1, 1, false), &[&check::random([0, 3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "std: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).std_dim(2, 1, false);
    }
}
