//! The lower triangle of a matrix, or of each matrix of a batch.
//!
//! | | |
//! |---|---|
//! | equation | `y[i, j] = x[i, j]` where `j - i <= k`, else 0 |
//! | derivative | `x' = tril(y', k)` |
//! | shapes | `[.., n, m]`, kept |
//! | saved | `k` |
//!
//! What is cut off is replaced, not multiplied: NaN and infinities above the diagonal disappear.

use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "tril",
    equation: "y[i, j] = x[i, j] where j - i <= k, else 0",
    derivative: "x' = tril(y', k)",
    torch: "torch.tril",
};

#[derive(Debug)]
struct Tril {
    diagonal: isize,
}

impl<T: Real> Op<T> for Tril {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.tril(self.diagonal));
    }
}

/// The matrices with some columns of each row set to 0: `zeroed` maps the column after the `k`-th diagonal to them.
#[track_caller]
pub(super) fn without<T: Real>(
    op: &str,
    x: &Tensor<T>,
    diagonal: isize,
    zeroed: impl Fn(usize) -> std::ops::Range<usize>,
) -> Tensor<T> {
    assert!(x.rank() >= 2, "{op}: shape {} has no rows and columns: it needs at least two dimensions", x.shape());
    let (rows, cols) = (x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]);
    let mut buffer = Buffer::from_slice(&x.to_slice());
    for (i, row) in buffer.chunks_mut(cols.max(1)).enumerate() {
        let after = ((i % rows) as isize).saturating_add(diagonal).clamp(-1, cols as isize - 1) + 1;
        row[zeroed(after as usize)].fill(T::ZERO);
    }
    Tensor::from_buffer(buffer, x.shape().clone())
}

impl<T: Real> Tensor<T> {
    /// The lower triangle of the last two dimensions, the rest 0. Kept are the main diagonal, the `diagonal` ones above it
    /// (or without `-diagonal` ones below it), and all that is below.
    ///
    /// # Panics
    /// If there are fewer than two dimensions.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Self {
        let cols = self.shape().last().copied().unwrap_or(0);
        let value = without(INFO.name, self, diagonal, |after| after..cols);
        Self::from_op(&INFO, value, &[self], || Tril { diagonal })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::ones([2, 3, 4]) * f32::NAN;
        let kept = |diagonal| -> Vec<usize> {
            let y = x.tril(diagonal).to_vec();
            y.chunks(4).map(|row| row.iter().filter(|y| y.is_nan()).count()).collect()
        };
        assert_eq!(kept(0), [1, 2, 3, 1, 2, 3]);
        assert_eq!(kept(1), [2, 3, 4, 2, 3, 4]);
        assert_eq!(kept(-2), [0, 0, 1, 0, 0, 1]);
        assert_eq!(kept(isize::MAX), [4; 6]);
        assert_eq!(kept(isize::MIN), [0; 6]);
        assert_eq!(Tensor::<f32>::zeros([3, 0]).tril(0).shape(), &[3, 0]);
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| if x.rank() > 1 { x.tril(0).powf(2.0) } else { x.clone() }, -1.0, 1.0);
        let x = check::random([2, 3, 2], -1.0, 1.0);
        check::gradients(|x| x[0].tril(-1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().tril(1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].tril(0).powf(2.0), &[&check::random([1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "tril: shape [3] has no rows and columns")]
    fn a_vector_has_no_triangle() {
        let _ = Tensor::<f32>::zeros([3]).tril(0);
    }
}
