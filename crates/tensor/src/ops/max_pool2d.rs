//! Maximum over windows of an image.
//!
//! | | |
//! |---|---|
//! | equation | `y[n,c,i,j] = max over u,v of x[n, c, i s + u d - p, j s + v d - p]` |
//! | derivative | `x'[argmax] += y'`: each gradient goes to the element that won |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, OH, OW]` |
//! | saved | where each maximum stands |
//!
//! Of equal elements the first wins; NaN wins over all. Padding never wins. The backward rule is linear in `y'`, and its own
//! derivative picks the winners out again.

use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::pool::{self, Pool2d};
use chainrule_kernels::{Buffer, Real};
use std::sync::Arc;

pub(super) static INFO: OpInfo = OpInfo {
    name: "max_pool2d",
    equation: "y = max of x over each window",
    derivative: "x' = y' where x won, else 0",
    torch: "torch.nn.functional.max_pool2d",
};

static SCATTER: OpInfo = OpInfo {
    name: "max_pool2d_backward",
    equation: "x' = y' where x won, else 0",
    derivative: "y'' = x'' where x won",
    torch: "torch.ops.aten.max_pool2d_with_indices_backward",
};

static GATHER: OpInfo = OpInfo {
    name: "max_pool2d_gather",
    equation: "y = x where x won",
    derivative: "x' = y' where x won, else 0",
    torch: "",
};

/// How a pooling window moves over an image. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighboring windows. Default: the window's size.
    pub stride: [usize; 2],
    /// Padding on either side, at most half a window. Default 0.
    pub padding: [usize; 2],
    /// Distance between neighboring elements of a window. Default 1.
    pub dilation: [usize; 2],
    /// Round the number of windows up instead of down. Default false.
    pub ceil_mode: bool,
}

impl From<[usize; 2]> for PoolOptions {
    fn from(kernel: [usize; 2]) -> Self {
        PoolOptions { kernel, stride: kernel, padding: [0, 0], dilation: [1, 1], ceil_mode: false }
    }
}
impl From<usize> for PoolOptions {
    fn from(kernel: usize) -> Self {
        [kernel, kernel].into()
    }
}

/// Checks what both poolings share, and gives the geometry and the output's shape.
#[track_caller]
pub(super) fn geometry<T: Real>(op: &str, x: &Tensor<T>, options: PoolOptions, include_pad: bool) -> (Pool2d, Shape) {
    let PoolOptions { kernel, stride, padding, dilation, ceil_mode } = options;
    let &[batch, channels, height, width] = &x.shape()[..] else {
        panic!("{op}: input {} must be [N, C, H, W]", x.shape())
    };
    let positive = |pair: [usize; 2]| pair[0] > 0 && pair[1] > 0;
    assert!(
        positive(kernel) && positive(stride) && positive(dilation),
        "{op}: kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must be positive"
    );
    assert!(
        (0..2).all(|d| padding[d] * 2 <= kernel[d]),
        "{op}: padding {padding:?} must be at most half of the window {kernel:?}"
    );
    let pool = Pool2d {
        planes: batch * channels,
        input: [height, width],
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode,
        count_include_pad: include_pad,
    };
    let Some([oh, ow]) = pool.checked_output() else {
        panic!("{op}: a window of {kernel:?} does not fit into images of [{height}, {width}] with padding {padding:?}")
    };
    (pool, [batch, channels, oh, ow].into())
}

/// Where each maximum stands.
#[derive(Debug, Clone)]
struct Winners {
    pool: Pool2d,
    input: Shape,
    output: Shape,
    argmax: Arc<Buffer<u32>>,
}

impl Winners {
    fn scatter<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.input.clone(), |out| {
            pool::max_backward(&self.pool, &y.to_slice(), &self.argmax, out);
        });
        Tensor::from_op(&SCATTER, value, &[y], || Scatter(self.clone()))
    }

    fn gather<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.output.clone(), |out| {
            pool::gather(&self.pool, &x.to_slice(), &self.argmax, out);
        });
        Tensor::from_op(&GATHER, value, &[x], || MaxPool2d(self.clone()))
    }
}

/// Serves both the pooling and the gather: each passes gradients to the winners.
#[derive(Debug)]
struct MaxPool2d(Winners);

impl<T: Real> Op<T> for MaxPool2d {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.scatter(&grad));
    }
}

#[derive(Debug)]
struct Scatter(Winners);

impl<T: Real> Op<T> for Scatter {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.gather(&grad));
    }
}

impl<T: Real> Tensor<T> {
    /// The maximum of each window of these images `[N, C, H, W]`. A number stands for a square window that moves by its size.
    ///
    /// # Panics
    /// If this is no batch of images, a size is 0, the padding is more than half a window, or no window fits.
    #[track_caller]
    pub fn max_pool2d(&self, options: impl Into<PoolOptions>) -> Self {
        let (pool, output) = geometry(INFO.name, self, options.into(), true);
        let mut argmax = Buffer::unspecified(output.numel());
        let value = Self::build(output.clone(), |out| {
            pool::max_forward(&pool, &self.to_slice(), out, &mut argmax);
        });
        Self::from_op(&INFO, value, &[self], || {
            MaxPool2d(Winners { pool, input: self.shape().clone(), output, argmax: Arc::new(argmax) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PoolOptions;
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
        assert_eq!(x.max_pool2d(2).to_vec(), [5.0, 7.0, 13.0, 15.0]);
        let overlapping = PoolOptions { stride: [1, 2], padding: [1, 0], ..PoolOptions::from([3, 2]) };
        assert_eq!(x.max_pool2d(overlapping).shape(), &[1, 1, 4, 2]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 2, 5, 4], -1.0, 1.0);
        check::gradients(|x| x[0].max_pool2d(2), &[&x]);
        let options =
            PoolOptions { stride: [1, 2], padding: [1, 1], dilation: [1, 2], ceil_mode: true, ..PoolOptions::from(2) };
        check::gradients(|x| x[0].max_pool2d(options).powf(2.0), &[&x]);
        check::gradients(|x| x[0].permute([1, 0, 3, 2]).max_pool2d([1, 3]), &[&x]);
        check::gradients(|x| x[0].max_pool2d(2), &[&check::random([0, 1, 4, 4], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "max_pool2d: a window of [5, 5] does not fit into images of [4, 4]")]
    fn windows_must_fit() {
        let _ = Tensor::<f32>::zeros([1, 1, 4, 4]).max_pool2d(5);
    }
}
