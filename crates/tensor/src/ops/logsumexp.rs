//! Logarithm of a sum of exponentials over dimensions: a smooth maximum.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = m[i] + ln(sum over j of exp(x[i, j] - m[i]))`, `m` the maximum |
//! | derivative | `x'[i, j] = y'[i] exp(x[i, j] - y[i])`, the softmax |
//! | shapes | the dimensions disappear, or stay with size 1 (`keepdim`) |
//! | saved | `x` and `m` |
//!
//! Subtracting the maximum keeps every exponent at most 0: it never overflows. Of nothing it is negative infinity.

use super::elementwise::{map1_owned, map2, map2_owned};
use super::sum::{reduce_dims, without};
use crate::{Dims, Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Real, binary, reduce, unary};

pub(super) static INFO: OpInfo = OpInfo {
    name: "logsumexp",
    equation: "y[i] = ln(sum over j of exp(x[i, j]))",
    derivative: "x' = y' exp(x - y)",
    torch: "torch.logsumexp",
};

#[derive(Debug)]
struct LogSumExp<T: Real> {
    x: Tensor<T>,
    /// The maximum, with the dimensions at size 1.
    shift: Tensor<T>,
    dims: Vec<usize>,
}

impl<T: Real> Op<T> for LogSumExp<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let LogSumExp { x, shift, dims } = self;
        if x.numel() == 0 {
            // The sum of nothing, by which to divide, is 0.
            return;
        }
        inputs.add(0, || {
            // exp(x - y) would lose what y = m + ln(..) has lost; the softmax does not.
            let e = (x - shift).exp();
            let each = grad.reshape(shift.shape()) / e.sum_dim(dims, true);
            e * each
        });
    }
}

// Infinity cannot be subtracted from itself; the largest number still makes all else vanish beside it.
unary!(Shift(self, m: T) = if m.is_finite() { m } else if m > T::ZERO { T::MAX } else { T::ZERO });
binary!(Exponential(self, x: T, m) = (x - m).exp());
binary!(Join(self, sum: T, m) = sum.ln() + m);

impl<T: Real> Tensor<T> {
    /// The logarithm of the sum of the exponentials over some dimensions. They disappear, or stay with size 1 if `keepdim` is
    /// true.
    ///
    /// # Panics
    /// If a dimension does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp(&self, dims: impl Into<Dims>, keepdim: bool) -> Self {
        let dims = dims.into().resolve(INFO.name, self.rank());
        let shift = map1_owned(Shift {}, reduce_dims(self, &dims, true, reduce::maximum));
        let sum = reduce_dims(&map2(INFO.name, Exponential {}, self, &shift), &dims, true, reduce::sum);
        let mut value = map2_owned(INFO.name, Join {}, sum, &shift);
        if !keepdim {
            value = without(value, &dims);
        }
        Self::from_op(&INFO, value, &[self], || LogSumExp { x: self.clone(), shift, dims: dims.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let inf = f64::INFINITY;
        let x = Tensor::from([[0.0, 3f64.ln()], [1000.0, 1000.0], [-1000.0, -inf], [-inf, -inf], [inf, 0.0]]);
        let y = x.logsumexp(1, false).to_vec();
        let expected = [4f64.ln(), 1000.0 + 2f64.ln(), -1000.0, -inf, inf];
        assert!(y.iter().zip(expected).all(|(&a, b)| a == b || (a - b).abs() < 1e-12), "{y:?}");
        // Beside infinity nothing has a part, however large.
        let x = Tensor::from([inf, 1e30, 0.0]).requires_grad();
        let slope = x.logsumexp(0, false).backward().get(&x).expect("tracked").to_vec();
        assert!(slope[0].is_nan() && slope[1..] == [0.0; 2]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).logsumexp(-1, true).to_vec(), [f32::NEG_INFINITY; 2]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.logsumexp([] as [usize; 0], false), -1.0, 1.0);
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].logsumexp([0, 1, 2], false), &[&x]);
        check::gradients(|x| x[0].logsumexp([0, 2], true), &[&x]);
        check::gradients(|x| x[0].t().slice(1, 0, 4, 3).logsumexp(-2, false), &[&x]);
    }

    #[test]
    #[should_panic(expected = "logsumexp: dimension 2 is out of range for 2 dimensions")]
    fn dimensions_must_exist() {
        let _ = Tensor::<f32>::zeros([2, 3]).logsumexp(2, false);
    }
}
