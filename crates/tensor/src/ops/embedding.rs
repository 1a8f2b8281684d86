//! Embedding: rows of a table, picked by number; and its adjoint, which adds rows to where they were picked from.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = w[index_i]` |
//! | derivative | `w'[r] = sum of y'[i] over all i with index_i = r`; 0 for the padding row |
//! | shapes | `w [rows, features]`, `n` indices -> `y [n, features]` |
//! | saved | the indices |
//!
//! The gradient is a scatter with a fixed order of summation. The two are each other's derivative: a scatter's gradient
//! picks rows again, with zeros for those of the padding row.

use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::{Buffer, Real, rows};
use std::sync::Arc;

pub(super) static INFO: OpInfo = OpInfo {
    name: "embedding",
    equation: "y[i] = w[index_i]",
    derivative: "w'[r] = sum of y'[i] with index_i = r",
    torch: "torch.nn.functional.embedding",
};

static SCATTER: OpInfo = OpInfo {
    name: "embedding_backward",
    equation: "w[r] = sum of y[i] with index_i = r",
    derivative: "y'[i] = w'[index_i]",
    torch: "torch.ops.aten.embedding_dense_backward",
};

/// Which rows of a table of `height` rows are picked; `skip` is a row that gets no gradient.
#[derive(Clone, Debug)]
struct Picked {
    indices: Arc<[usize]>,
    height: usize,
    skip: Option<usize>,
}

#[derive(Debug)]
struct Gather(Picked);

impl<T: Real> Op<T> for Gather {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            inputs.add(0, || self.0.scatter(&grad));
        } else {
            // A table that is also the weight of a dense layer has a gradient already: it is added to in place.
            inputs.add_part(0, |sum| self.0.add_to(sum, &grad));
        }
    }
}

#[derive(Debug)]
struct Scatter(Picked);

impl<T: Real> Op<T> for Scatter {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.gather(&grad, self.0.skip));
    }
}

impl Picked {
    /// The picked rows; zeros in the place of row `hidden`.
    #[track_caller]
    fn gather<T: Real>(&self, table: &Tensor<T>, hidden: Option<usize>) -> Tensor<T> {
        let cols = table.shape()[1];
        let value = Tensor::build([self.indices.len(), cols].into(), |out| {
            rows::gather_rows(&table.to_slice(), cols, &self.indices, hidden, out);
        });
        Tensor::from_op(&INFO, value, &[table], || Gather(self.clone()))
    }

    fn scatter<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let mut sum = Buffer::zeroed(self.height * y.shape()[1]);
        self.add_to(&mut sum, y);
        let value = Tensor::from_buffer(sum, [self.height, y.shape()[1]].into());
        Tensor::from_op(&SCATTER, value, &[y], || Scatter(self.clone()))
    }

    fn add_to<T: Real>(&self, sum: &mut [T], y: &Tensor<T>) {
        rows::scatter_add_rows(&y.to_slice(), y.shape()[1], &self.indices, self.skip, sum);
    }
}

impl<T: Real> Tensor<T> {
    /// The rows of this table with these numbers. The row `padding_idx`, if any, gets no gradient.
    ///
    /// # Panics
    /// If this is no matrix, or a number is not below the number of rows.
    #[track_caller]
    pub fn embedding(&self, indices: &[usize], padding_idx: Option<usize>) -> Self {
        assert!(self.rank() == 2, "embedding: a table of shape {} must be [rows, features]", self.shape());
        let height = self.shape()[0];
        let all = indices.iter().copied().enumerate();
        if let Some((at, index)) = all.chain(padding_idx.map(|row| (0, row))).find(|&(_, index)| index >= height) {
            let what = if padding_idx == Some(index) { "padding_idx".into() } else { format!("index {at}") };
            panic!("embedding: {what} is {index}, but a table of shape {} has {height} rows", self.shape());
        }
        Picked { indices: indices.into(), height, skip: padding_idx }.gather(self, None)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let table = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]).requires_grad();
        let y = table.embedding(&[2, 0, 2], None);
        assert_eq!(y.to_vec(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert_eq!(y.sum().backward().get(&table).unwrap().to_vec(), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
        let padded = table.embedding(&[2, 0, 2], Some(2));
        assert_eq!(padded.to_vec(), y.to_vec());
        assert_eq!(padded.sum().backward().get(&table).unwrap().to_vec(), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let table = check::random([4, 3], -1.0, 1.0);
        let (picked, none): (&[usize], &[usize]) = (&[1, 3, 1, 0], &[]);
        check::gradients(|x| x[0].embedding(picked, None), &[&table]);
        check::gradients(|x| x[0].embedding(none, None), &[&table]);
        check::gradients(|x| x[0].t().embedding(&[2, 2, 0], None), &[&table]);
        check::gradients(|x| x[0].slice(1, 0, 3, 2).embedding(picked, None), &[&table]);
        check::gradients(|x| x[0].embedding(&[0, 0], None), &[&check::random([1, 1], -1.0, 1.0)]);
        check::gradients(|x| x[0].broadcast_to([5, 3]).embedding(picked, None), &[&check::random([3], -1.0, 1.0)]);
        // One table, read twice.
        check::gradients(|x| x[0].embedding(picked, None).matmul(&x[0].t()), &[&table]);
        check::layouts_agree(&table, |x| x.embedding(&[1, 3, 0], None));
    }

    #[test]
    #[should_panic(expected = "embedding: index 1 is 3, but a table of shape [3, 2] has 3 rows")]
    fn indices_must_be_rows() {
        let _ = Tensor::<f32>::zeros([3, 2]).embedding(&[0, 3], None);
    }
}
