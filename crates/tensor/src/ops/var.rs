//! Variance over dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = sum over j of (x[i, j] - m[i])^2 / (n - c)`, `m` the mean, `n` the number of `j`, `c` the correction |
//! | derivative | `x'[i, j] = y'[i] 2 (x[i, j] - m[i]) / (n - c)` |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | `x` |
//! | source | T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979) |
//!
//! With `c = 1` (Bessel's correction) it estimates the variance of what `x` is a sample of. Two passes over each block keep
//! it accurate however large the mean.

use super::sum::{kept, reduce_dims};
use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, moments};

pub(super) static INFO: OpInfo = OpInfo {
    name: "var",
    equation: "y[i] = sum over j of (x[i, j] - mean)^2 / (n - c)",
    derivative: "x' = y' 2 (x - mean) / (n - c)",
    torch: "torch.var",
};

#[derive(Debug)]
struct Var<T: Real> {
    x: Tensor<T>,
    dims: Vec<usize>,
    correction: usize,
}

impl<T: Real> Op<T> for Var<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Var { x, dims, correction } = self;
        inputs.add(0, || {
            let n: usize = dims.iter().map(|&d| x.shape()[d]).product();
            // As in the value, a number of no degree of freedom is 0, not negative.
            let factor = T::from_f64(2.0 / n.saturating_sub(*correction) as f64);
            (x - x.mean_dim(dims, true)) * (grad * factor).reshape(kept(x.shape(), dims))
        });
    }
}

impl<T: Real> Tensor<T> {
    /// The variance of all elements, with Bessel's correction: the sum of squared deviations divided by their number less 1.
    #[track_caller]
    pub fn var(&self) -> Self {
        let all: Vec<usize> = (0..self.rank()).collect();
        self.var_dim(all, 1, false)
    }

    /// The variance over some dimensions: the sum of squared deviations divided by their number less `correction`. The
    /// dimensions disappear, or stay with size 1 if `keepdim` is true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn var_dim(&self, dims: impl Into<Dims>, correction: usize, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let value =
            reduce_dims(self, &dims, keepdim, |x, kept, out| moments::variance(x, kept, correction as f64, out));
        Self::from_op(&INFO, value, &[self], || Var { x: self.clone(), dims: dims.to_vec(), correction })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f64, 2.0, 6.0], [5.0, 5.0, 5.0]]);
        assert_eq!(x.var_dim(1, 1, false).to_vec(), [7.0, 0.0]);
        assert_eq!(x.var_dim(0, 0, true).to_vec(), [4.0, 2.25, 0.25]);
        assert_eq!(x.var().item(), 4.0);
        assert!(Tensor::from([1.0f32]).var().item().is_nan());
        // More correction than elements: infinite, and so is the slope.
        let x = Tensor::from([1.0f32, 3.0]).requires_grad();
        let y = x.var_dim(0, 3, false);
        assert_eq!(y.item(), f32::INFINITY);
        assert!(y.backward().get(&x).unwrap().to_vec().iter().all(|slope| slope.is_infinite()));
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].var(), &[&x]);
        check::gradients(|x| x[0].var_dim([0, 2], 0, true), &[&x]);
        check::gradients(|x| x[0].t().slice(1, 0, 4, 3).var_dim(-2, 1, false), &[&x]);
        check::gradients(|x| x[0].var_dim(0, 0, false), &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].broadcast_to([3, 4]).var_dim(1, 1, false), &[&check::random([3, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].var_dim(1, 1, false), &[&check::random([0, 3], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "var: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).var_dim(2, 1, false);
    }
}
