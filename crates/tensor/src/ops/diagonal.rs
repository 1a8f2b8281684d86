//! The diagonals of matrices.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., i] = x[.., i, i + k]`, for a diagonal `k` above the main one |
//! | derivative | `x'[.., i, i + k] = y'[.., i]`, 0 elsewhere |
//! | shapes | the two dimensions disappear, the diagonal is the last one of `y` |
//! | saved | the dimensions, `k` and the input's shape |
//!
//! The diagonal is a view. It and the matrix with a given diagonal are each other's derivative.

use crate::{Dims, Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real, index};

pub(super) static INFO: OpInfo = OpInfo {
    name: "diagonal",
    equation: "y[.., i] = x[.., i, i + k]",
    derivative: "x'[.., i, i + k] = y'[.., i], 0 elsewhere",
    torch: "torch.diagonal",
};

static EMBED: OpInfo = OpInfo {
    name: "diagonal_backward",
    equation: "x[.., i, i + k] = y[.., i], 0 elsewhere",
    derivative: "y'[.., i] = x'[.., i, i + k]",
    torch: "torch.ops.aten.diagonal_backward",
};

/// The `offset`-th diagonal of two dimensions of a tensor of shape `full`.
#[derive(Debug, Clone)]
struct Line {
    full: Shape,
    dims: (usize, usize),
    offset: isize,
}

#[derive(Debug)]
struct Diagonal(Line);

impl<T: Real> Op<T> for Diagonal {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            inputs.add(0, || self.0.embed(&grad));
        } else {
            inputs.add_part(0, |sum| self.0.add_to(sum, &grad));
        }
    }
}

#[derive(Debug)]
struct Embed(Line);

impl<T: Real> Op<T> for Embed {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.cut(&grad));
    }
}

impl Line {
    /// The dimensions besides the two.
    fn others(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.full.rank()).filter(|&d| d != self.dims.0 && d != self.dims.1)
    }

    /// The length of the diagonal, and where in memory with the given strides it begins.
    fn extent(&self, strides: &[usize]) -> (usize, usize) {
        let (rows, cols) = (self.full[self.dims.0], self.full[self.dims.1]);
        let skipped = self.offset.unsigned_abs();
        let (length, start) = if self.offset >= 0 {
            (rows.min(cols.saturating_sub(skipped)), skipped.checked_mul(strides[self.dims.1]))
        } else {
            (cols.min(rows.saturating_sub(skipped)), skipped.checked_mul(strides[self.dims.0]))
        };
        // Where there are no elements there is no place for a diagonal to begin, however long it is.
        (length, start.filter(|_| length > 0 && self.full.numel() > 0).unwrap_or(0))
    }

    #[track_caller]
    fn cut<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let (length, start) = self.extent(x.strides());
        let step = x.strides()[self.dims.0] + x.strides()[self.dims.1];
        let shape = self.others().map(|d| self.full[d]).chain([length]).collect();
        let strides = self.others().map(|d| x.strides()[d]).chain([step]).collect();
        Tensor::from_op(&INFO, x.window(shape, strides, x.offset() + start), &[x], || Diagonal(self.clone()))
    }

    fn add_to<T: Real>(&self, sum: &mut [T], part: &Tensor<T>) {
        let strides = self.full.row_major();
        let (length, start) = self.extent(&strides);
        let step = strides[self.dims.0] + strides[self.dims.1];
        let table = |d: usize| (0..self.full[d]).map(|i| i * strides[d]).collect();
        let diagonal = (0..length).map(|i| start + i * step).collect();
        let tables: Vec<Vec<usize>> = self.others().map(table).chain([diagonal]).collect();
        index::put_add(&part.to_slice(), &tables, sum);
    }

    #[track_caller]
    fn embed<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let mut buffer = Buffer::zeroed(self.full.numel());
        self.add_to(&mut buffer, y);
        Tensor::from_op(&EMBED, Tensor::from_buffer(buffer, self.full.clone()), &[y], || Embed(self.clone()))
    }
}

impl<T: Real> Tensor<T> {
    /// The diagonal of two dimensions, as the last dimension: the main one for `offset` 0, above it for positive ones.
    ///
    /// # Panics
    /// If the dimensions do not exist or are the same.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: impl Into<Dims>, dim2: impl Into<Dims>) -> Self {
        let one = |dim: Dims| dim.resolve_one(INFO.name, self.rank());
        let dims = (one(dim1.into()), one(dim2.into()));
        assert!(dims.0 != dims.1, "diagonal: dimension {} has no diagonal with itself", dims.0);
        Line { full: self.shape().clone(), dims, offset }.cut(self)
    }

    /// The `offset`-th diagonal of a matrix, or the matrix with a vector on that diagonal and zeros elsewhere.
    ///
    /// # Panics
    /// If there are not one or two dimensions.
    #[track_caller]
    pub fn diag(&self, offset: isize) -> Self {
        assert!((1..=2).contains(&self.rank()), "diag: shape {} is neither a vector nor a matrix", self.shape());
        if self.rank() == 2 {
            return self.diagonal(offset, 0, 1);
        }
        let size = self.numel() + offset.unsigned_abs();
        Line { full: [size, size].into(), dims: (0, 1), offset }.embed(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, 3]);
        assert_eq!(x.diagonal(0, 0, 1).to_vec(), [0., 4.]);
        assert_eq!(x.diagonal(1, 0, 1).to_vec(), [1., 5.]);
        assert_eq!(x.diagonal(-1, 0, 1).to_vec(), [3.]);
        assert_eq!(x.diagonal(1, -1, -2).to_vec(), [3.]);
        assert_eq!(x.diagonal(7, 0, 1).shape(), &[0]);
        assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).diagonal(0, 0, 2).shape(), &[3, 2]);
        assert_eq!(Tensor::from([1.0f32, 2.0]).diag(0).to_vec(), [1., 0., 0., 2.]);
        assert_eq!(Tensor::from([5.0f32]).diag(-1).to_vec(), [0., 0., 5., 0.]);
        assert_eq!(x.diag(1).to_vec(), [1., 5.]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([3, 4, 3], -1.0, 1.0);
        check::gradients(|x| x[0].diagonal(0, 0, 2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().diagonal(-1, -1, 1).powf(2.0), &[&x]);
        check::gradients(|x| x[0].slice(1, 0, 4, 2).diagonal(1, 1, 2).powf(2.0), &[&x]);
        check::gradients(|x| x[0].broadcast_to([3, 3]).diagonal(0, 0, 1).powf(2.0), &[&check::random([1, 3], -1.0, 1.0)]);
        check::gradients(|x| x[0].diagonal(5, 0, 1), &[&x]);
        check::gradients(|x| x[0].diagonal(-3, 1, 0), &[&check::random([1, 4, 0], -1.0, 1.0)]);
        check::gradients(|x| x[0].diag(1).powf(2.0), &[&check::random([3], -1.0, 1.0)]);
        check::gradients(|x| x[0].diagonal(0, 0, 1), &[&check::random([1, 1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "diagonal: dimension 1 has no diagonal with itself")]
    fn two_dimensions() {
        let _ = Tensor::<f32>::zeros([2, 3]).diagonal(0, 1, -1);
    }
}
