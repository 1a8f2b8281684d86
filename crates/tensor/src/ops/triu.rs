//! The upper triangle of a matrix, or of each matrix of a batch.
//!
//! | | |
//! |---|---|
//! | equation | `y[i, j] = x[i, j]` where `j - i >= k`, else 0 |
//! | derivative | `x' = triu(y', k)` |
//! | shapes | `[.., n, m]`, kept |
//! | saved | `k` |
//!
//! What is cut off is replaced, not multiplied: NaN and infinities below the diagonal disappear.

use super::tril::without;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "triu",
    equation: "y[i, j] = x[i, j] where j - i >= k, else 0",
    derivative: "x' = triu(y', k)",
    torch: "torch.triu",
};

#[derive(Debug)]
struct Triu {
    diagonal: isize,
}

impl<T: Real> Op<T> for Triu {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.triu(self.diagonal));
    }
}

impl<T: Real> Tensor<T> {
    /// The upper triangle of the last two dimensions, the rest 0. Kept are the main diagonal, without the `diagonal` first
    /// ones (or with `-diagonal` ones below it), and all that is above.
    ///
    /// # Panics
    /// If there are fewer than two dimensions.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Self {
        let value = without(INFO.name, self, diagonal.saturating_sub(1), |after| 0..after);
        Self::from_op(&INFO, value, &[self], || Triu { diagonal })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(x.triu(0).to_vec(), [1., 2., 3., 0., 5., 6.]);
        assert_eq!(x.triu(2).to_vec(), [0., 0., 3., 0., 0., 0.]);
        assert_eq!(x.triu(-1).to_vec(), x.to_vec());
        assert_eq!(x.triu(isize::MAX).to_vec(), [0.; 6]);
        assert_eq!(x.triu(isize::MIN).to_vec(), x.to_vec());
        // The two triangles that meet make the whole.
        assert_eq!((x.tril(0) + x.triu(1)).to_vec(), x.to_vec());
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| if x.rank() > 1 { x.triu(0).powf(2.0) } else { x.clone() }, -1.0, 1.0);
        let x = check::random([2, 3, 2], -1.0, 1.0);
        check::gradients(|x| x[0].triu(-1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().triu(1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].triu(1).powf(2.0), &[&check::random([1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "triu: shape [] has no rows and columns")]
    fn a_number_has_no_triangle() {
        let _ = Tensor::<f32>::zeros([]).triu(0);
    }
}
