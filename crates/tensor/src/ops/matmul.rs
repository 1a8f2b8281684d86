//! Matrix product, of batches of matrices too.
//!
//! | | |
//! |---|---|
//! | equation | `c[i, j] = sum over p of a[i, p] b[p, j]` |
//! | derivative | `a' = c' b^T`, `b' = a^T c'` |
//! | shapes | `[.., m, k] x [.., k, n] -> [.., m, n]`; leading dimensions broadcast; a vector is a row on the left, a column on the right, and that dimension disappears |
//! | saved | `b` if `a` is tracked, `a` if `b` is |

use crate::graph::Saved;
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::gemm::{Epilogue, Mat, Mats, MatsMut, gemm, gemm_batched};
use chainrule_kernels::{Accum, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "matmul",
    equation: "c[i, j] = sum over p of a[i, p] b[p, j]",
    derivative: "a' = c' b^T, b' = a^T c'",
    torch: "torch.matmul",
};

#[derive(Debug)]
struct Matmul<T: Real> {
    a: Saved<T>,
    b: Saved<T>,
}

impl<T: Real> Op<T> for Matmul<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.matmul(&self.b.get().t()));
        inputs.add(1, || self.a.get().t().matmul(&grad));
    }
}

/// The last two dimensions of a tensor as a matrix: the first one of a batch.
pub(super) fn matrix<T: Real>(x: &Tensor<T>) -> Mat<'_, T> {
    let d = x.rank() - 2;
    Mat::new(x.as_view().data(), x.shape()[d], x.shape()[d + 1], x.strides()[d], x.strides()[d + 1])
}

/// The product of tensors of at least two dimensions.
#[track_caller]
fn product<T: Real>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let value = if a.rank() == 2 && b.rank() == 2 {
        Tensor::build([a.shape()[0], b.shape()[1]].into(), |out| {
            gemm(matrix(a), matrix(b), out, Epilogue::plain(Accum::Replace));
        })
    } else {
        products(a, b)
    };
    Tensor::from_op(&INFO, value, &[a, b], || Matmul { a: Saved::for_input(b, a), b: Saved::for_input(a, b) })
}

/// The products of batches of matrices, untracked.
#[track_caller]
fn products<T: Real>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let (a_batch, b_batch) = (Shape::from(&a.shape()[..a.rank() - 2]), Shape::from(&b.shape()[..b.rank() - 2]));
    let batch = a_batch.broadcast(&b_batch).unwrap_or_else(|| {
        panic!("matmul: the leading dimensions of {} and {} do not broadcast", a.shape(), b.shape())
    });
    let (m, n) = (a.shape()[a.rank() - 2], b.shape()[b.rank() - 1]);
    let shape = batch.iter().copied().chain([m, n]).collect();
    let (a_strides, b_strides) = (batch_strides(a, &batch), batch_strides(b, &batch));
    let out_strides: Shape = batch.row_major().iter().map(|stride| stride * m * n).collect();
    Tensor::build(shape, |out| {
        // An empty batch has no first matrix.
        if out.is_empty() {
            return;
        }
        let (a, b) = (Mats::new(matrix(a), &batch, &a_strides), Mats::new(matrix(b), &batch, &b_strides));
        let mut c = MatsMut::new(out, (m, n), n, &batch, &out_strides);
        gemm_batched(a, b, &mut c, Epilogue::plain(Accum::Replace));
    })
}

/// The strides with which the leading dimensions of a tensor are read as if they were `batch`.
fn batch_strides<T: Real>(x: &Tensor<T>, batch: &Shape) -> Shape {
    let extra = batch.rank() - (x.rank() - 2);
    let stride = |d: usize| match d.checked_sub(extra) {
        Some(own) if x.shape()[own] == batch[d] => x.strides()[own],
        _ => 0,
    };
    (0..batch.rank()).map(stride).collect()
}

impl<T: Real> Tensor<T> {
    /// The matrix product. Vectors count as a row on the left and as a column on the right; leading dimensions are a batch
    /// and broadcast.
    ///
    /// # Panics
    /// If an operand has no dimension, the inner sizes differ, or the batches do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        assert!(
            self.rank() > 0 && other.rank() > 0,
            "matmul: shapes {} and {}: both need at least one dimension",
            self.shape(),
            other.shape()
        );
        let inner = (self.size(-1), other.size(if other.rank() == 1 { -1 } else { -2 }));
        assert!(
            inner.0 == inner.1,
            "matmul: shapes {} and {}: the inner sizes {} and {} differ; the last dimension on the left must equal the one before the last on the right",
            self.shape(),
            other.shape(),
            inner.0,
            inner.1
        );
        match (self.rank(), other.rank()) {
            (1, 1) => product(&self.unsqueeze(0), &other.unsqueeze(1)).reshape([0usize; 0]),
            (1, _) => product(&self.unsqueeze(0), other).squeeze(-2),
            (_, 1) => product(self, &other.unsqueeze(1)).squeeze(-1),
            // One matrix on the right serves all rows on the left at once.
            (rank, 2) if rank > 2 && self.is_contiguous() => {
                let rows = self.reshape([self.shape()[..rank - 1].iter().product(), inner.0]);
                let shape: Shape = self.shape()[..rank - 1].iter().copied().chain([other.shape()[1]]).collect();
                product(&rows, other).reshape(shape)
            }
            _ => product(self, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]), Tensor::from([[5.0f32, 6.0], [7.0, 8.0]]));
        assert_eq!(a.matmul(&b).to_vec(), [19., 22., 43., 50.]);
        assert_eq!(a.matmul(&b.t()).to_vec(), [17., 23., 39., 53.]);
        let v = Tensor::from([1.0f32, -1.0]);
        assert_eq!(a.matmul(&v).to_vec(), [-1., -1.]);
        assert_eq!(v.matmul(&a).to_vec(), [-2., -2.]);
        assert_eq!(v.matmul(&v).shape(), &[0usize; 0]);
        assert_eq!(v.matmul(&v).item(), 2.0);
    }

    #[test]
    fn shapes() {
        let shape = |a: &[usize], b: &[usize]| {
            Tensor::<f32>::ones(a).matmul(&Tensor::ones(b)).shape().to_vec()
        };
        assert_eq!(shape(&[5, 1, 2, 3], &[4, 3, 6]), [5, 4, 2, 6]);
        assert_eq!(shape(&[5, 2, 3], &[3, 6]), [5, 2, 6]);
        assert_eq!(shape(&[3], &[5, 3, 6]), [5, 6]);
        assert_eq!(shape(&[5, 2, 3], &[3]), [5, 2]);
        assert_eq!(shape(&[2, 0], &[0, 3]), [2, 3]);
        assert_eq!(shape(&[0, 3], &[3, 2]), [0, 2]);
        assert_eq!(shape(&[0, 2, 3], &[0, 3, 4]), [0, 2, 4]);
        assert_eq!(shape(&[0, 2, 3], &[1, 3, 4]), [0, 2, 4]);
        assert_eq!(Tensor::<f32>::ones([2, 0]).matmul(&Tensor::ones([0, 3])).to_vec(), [0.0; 6]);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([3, 4], -1.0, 1.0), check::random([4, 2], -1.0, 1.0));
        check::gradients(|x| x[0].matmul(&x[1]), &[&a, &b]);
        check::gradients(|x| x[1].t().matmul(&x[0].t()), &[&a, &b]);
        check::gradients(|x| x[0].matmul(&x[0].t()), &[&a]);
        let batch = check::random([2, 1, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].matmul(&x[1].broadcast_to([5, 4, 2])), &[&batch, &b]);
        check::gradients(|x| x[0].matmul(&x[1]), &[&batch, &b]);
        let v = check::random([4], -1.0, 1.0);
        check::gradients(|x| x[0].matmul(&x[1]), &[&batch, &v]);
        check::gradients(|x| x[0].matmul(&x[1]), &[&v, &b]);
        check::gradients(|x| x[0].matmul(&x[0]), &[&v]);
    }

    #[test]
    #[should_panic(expected = "matmul: shapes [2, 3] and [4, 5]: the inner sizes 3 and 4 differ")]
    fn inner_sizes_must_agree() {
        let _ = Tensor::<f32>::zeros([2, 3]).matmul(&Tensor::zeros([4, 5]));
    }
}
