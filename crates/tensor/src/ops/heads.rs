//! Attention heads as matrices: where they lie in a tensor, and where results go.

use crate::{Shape, Tensor};
use chainrule_kernels::gemm::{Mat, Mats, MatsMut};
use chainrule_kernels::{Buffer, Real};

/// How a result `[batch.., rows, cols]` lies in memory: its dimensions but the last in the order of another tensor's, so that
/// heads which were cut out of `[N, L, H * E]` go back there without a copy.
pub(super) struct Layout {
    pub(super) shape: Shape,
    strides: Shape,
}

impl Layout {
    pub(super) fn like<T: Real>(x: &Tensor<T>, batch: &Shape, rows: usize, cols: usize) -> Self {
        let shape: Shape = batch.iter().copied().chain([rows, cols]).collect();
        let last = shape.rank() - 1;
        let mut order: Vec<usize> = (0..last).collect();
        if x.rank() == shape.rank() {
            order.sort_by_key(|&d| std::cmp::Reverse(x.strides()[d]));
        }
        let mut strides = shape.clone();
        let mut next = cols.max(1);
        strides.0[last] = 1;
        for d in order.into_iter().rev() {
            strides.0[d] = next;
            next *= shape[d].max(1);
        }
        Layout { shape, strides }
    }

    pub(super) fn mats<'a, T: Real>(&'a self, data: &'a mut [T]) -> MatsMut<'a, T> {
        let d = self.shape.rank() - 2;
        let size = (self.shape[d], self.shape[d + 1]);
        MatsMut::new(data, size, self.strides[d], &self.shape[..d], &self.strides[..d])
    }

    pub(super) fn tensor<T: Real>(self, data: Buffer<T>) -> Tensor<T> {
        let flat = data.len().into();
        Tensor::from_buffer(data, flat).window(self.shape, self.strides, 0)
    }
}

/// The last two dimensions of a tensor as matrices, one for each head of the batch.
pub(super) fn heads<'a, T: Real>(x: &'a Tensor<T>, batch: &'a Shape, strides: &'a Shape) -> Mats<'a, T> {
    let d = batch.rank();
    let (rows, cols) = (x.shape()[x.rank() - 2], x.size(-1));
    Mats::new(Mat::new(x.as_view().data(), rows, cols, strides[d], strides[d + 1]), batch, &strides[..d])
}
