//! What the poolings share: windows, and the two ways to make one number of each.
//!
//! A mean is linear: spreading the gradients over the windows is its transpose, and each is the other's derivative. A maximum
//! is linear once the winners are known: gradients are *scattered* to where the maxima stood, and the derivative of that
//! *gathers* from there, which is the other's derivative again.
//!
//! In one dimension a plane has one row. A sample without a batch is a batch of one.

use super::convolution::{layout, of_dims, planar, resized, samples};
use super::{adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_max_pool1d, adaptive_max_pool2d};
use super::{avg_pool1d, avg_pool2d, max_pool1d, max_pool2d};
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::pool::{self, Adaptive2d, Places, Pool2d};
use std::sync::Arc;

/// How a window moves over `D` dimensions, in their order (`[height, width]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions<const D: usize = 2> {
    /// Size of the window.
    pub kernel: [usize; D],
    /// Distance between neighboring windows. Default: the window's size.
    pub stride: [usize; D],
    /// Padding on either side, at most half a window. Default 0.
    pub padding: [usize; D],
    /// Distance between neighboring elements of a window. Default 1.
    pub dilation: [usize; D],
    /// Round the number of windows up instead of down. Default false.
    pub ceil_mode: bool,
}

impl<const D: usize> From<[usize; D]> for PoolOptions<D> {
    fn from(kernel: [usize; D]) -> Self {
        PoolOptions { kernel, stride: kernel, padding: [0; D], dilation: [1; D], ceil_mode: false }
    }
}
impl<const D: usize> From<usize> for PoolOptions<D> {
    fn from(kernel: usize) -> Self {
        [kernel; D].into()
    }
}

/// How an averaging window moves over `D` dimensions, in their order (`[height, width]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPoolOptions<const D: usize = 2> {
    /// Size of the window.
    pub kernel: [usize; D],
    /// Distance between neighboring windows. Default: the window's size.
    pub stride: [usize; D],
    /// Zeros added on either side, at most half a window. Default 0.
    pub padding: [usize; D],
    /// Round the number of windows up instead of down. Default false.
    pub ceil_mode: bool,
    /// Whether padding counts in the mean. Default true.
    pub count_include_pad: bool,
    /// What the sums are divided by instead of the size of their windows. Default none.
    pub divisor_override: Option<usize>,
}

impl<const D: usize> From<[usize; D]> for AvgPoolOptions<D> {
    fn from(kernel: [usize; D]) -> Self {
        let PoolOptions { stride, padding, ceil_mode, .. } = kernel.into();
        AvgPoolOptions { kernel, stride, padding, ceil_mode, count_include_pad: true, divisor_override: None }
    }
}
impl<const D: usize> From<usize> for AvgPoolOptions<D> {
    fn from(kernel: usize) -> Self {
        [kernel; D].into()
    }
}

/// The windows of a pooling.
#[derive(Clone, Debug)]
enum Windows {
    Moving(Pool2d),
    Adaptive(Adaptive2d),
}

/// A pooling's windows, and the shapes of its input and its output.
#[derive(Clone, Debug)]
struct Geometry {
    windows: Windows,
    input: Shape,
    output: Shape,
}

impl Geometry {
    /// Windows that move by a stride.
    #[track_caller]
    fn moving<const D: usize>(op: &str, x: &Shape, options: PoolOptions<D>) -> Self {
        let PoolOptions { kernel, stride, padding, dilation, ceil_mode } = options;
        let positive = |sizes: [usize; D]| sizes.iter().all(|&n| n > 0);
        assert!(
            positive(kernel) && positive(stride) && positive(dilation),
            "{op}: kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must be positive"
        );
        assert!(
            (0..D).all(|d| padding[d] * 2 <= kernel[d]),
            "{op}: padding {padding:?} must be at most half of the window {kernel:?}"
        );
        let pool = Pool2d {
            planes: 0,
            input: [0, 0],
            kernel: planar(kernel, 1),
            stride: planar(stride, 1),
            padding: planar(padding, 0),
            dilation: planar(dilation, 1),
            ceil_mode,
            count_include_pad: true,
            divisor: None,
        };
        Self::of_windows(op, D, x, pool)
    }

    #[track_caller]
    fn of_windows(op: &str, dims: usize, x: &Shape, pool: Pool2d) -> Self {
        let (batch, channels, input) = images(op, dims, x);
        let pool = Pool2d { planes: batch * channels, input, ..pool };
        let Some(output) = pool.checked_output() else {
            let [kernel, input, padding] = [&pool.kernel, &input, &pool.padding].map(|pair| &pair[2 - dims..]);
            let images = if dims == 1 { "sequences" } else { "images" };
            panic!("{op}: a window of {kernel:?} does not fit into {images} of {input:?} with padding {padding:?}")
        };
        Geometry { windows: Windows::Moving(pool), input: x.clone(), output: resized(x, dims, channels, output) }
    }

    /// Windows that divide the input into `output` parts.
    #[track_caller]
    fn adaptive<const D: usize>(op: &str, x: &Shape, output: [usize; D]) -> Self {
        let (batch, channels, input) = images(op, D, x);
        let output = planar(output, 1);
        assert!(!input.contains(&0), "{op}: input {x} has nothing to pool");
        let windows = Windows::Adaptive(Adaptive2d { planes: batch * channels, input, output });
        Geometry { windows, input: x.clone(), output: resized(x, D, channels, output) }
    }

    /// By what means divide.
    fn with_divisor(mut self, include_pad: bool, divisor: Option<usize>) -> Self {
        if let Windows::Moving(pool) = &mut self.windows {
            (pool.count_include_pad, pool.divisor) = (include_pad, divisor);
        }
        self
    }

    fn planes(&self) -> usize {
        match &self.windows {
            Windows::Moving(pool) => pool.planes,
            Windows::Adaptive(pool) => pool.planes,
        }
    }
}

#[track_caller]
fn images(op: &str, dims: usize, x: &Shape) -> (usize, usize, [usize; 2]) {
    samples(x, dims).unwrap_or_else(|| panic!("{op}: input {x} must be {}", layout(dims)))
}

static SPREAD: OpInfo = OpInfo {
    name: "avg_pool_backward",
    equation: "x' = y' spread over each window",
    derivative: "y'' = mean of x'' over each window",
    torch: "torch.ops.aten.avg_pool2d_backward",
};

#[derive(Debug)]
struct Mean {
    info: &'static OpInfo,
    geometry: Geometry,
}

impl<T: Real> Op<T> for Mean {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || spread(self.info, &self.geometry, &grad));
    }
}

#[derive(Debug)]
struct Spread {
    info: &'static OpInfo,
    geometry: Geometry,
}

impl<T: Real> Op<T> for Spread {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || mean(self.info, &self.geometry, &grad));
    }
}

/// The mean over each window, as the operation `info`.
#[track_caller]
fn mean<T: Real>(info: &'static OpInfo, geometry: &Geometry, x: &Tensor<T>) -> Tensor<T> {
    let value = Tensor::build(geometry.output.clone(), |out| match &geometry.windows {
        Windows::Moving(pool) => pool::avg_forward(pool, &x.to_slice(), out),
        Windows::Adaptive(pool) => pool::adaptive_avg_forward(pool, &x.to_slice(), out),
    });
    Tensor::from_op(info, value, &[x], || Mean { info, geometry: geometry.clone() })
}

fn spread<T: Real>(info: &'static OpInfo, geometry: &Geometry, y: &Tensor<T>) -> Tensor<T> {
    let value = Tensor::build(geometry.input.clone(), |out| match &geometry.windows {
        Windows::Moving(pool) => pool::avg_backward(pool, &y.to_slice(), out),
        Windows::Adaptive(pool) => pool::adaptive_avg_backward(pool, &y.to_slice(), out),
    });
    Tensor::from_op(&SPREAD, value, &[y], || Spread { info, geometry: geometry.clone() })
}

static SCATTER: OpInfo = OpInfo {
    name: "max_pool_backward",
    equation: "x' = y' where x won, else 0",
    derivative: "y'' = x'' where x won",
    torch: "torch.ops.aten.max_pool2d_with_indices_backward",
};

static GATHER: OpInfo = OpInfo {
    name: "max_pool_gather",
    equation: "y = x where x won",
    derivative: "x' = y' where x won, else 0",
    torch: "",
};

/// Where each maximum stands.
#[derive(Debug, Clone)]
struct Winners {
    planes: usize,
    input: Shape,
    output: Shape,
    places: Arc<Places>,
}

impl Winners {
    fn scatter<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.input.clone(), |out| {
            pool::scatter(self.planes, &y.to_slice(), &self.places, out);
        });
        Tensor::from_op(&SCATTER, value, &[y], || Scatter(self.clone()))
    }

    fn gather<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.output.clone(), |out| {
            pool::gather(self.planes, &x.to_slice(), &self.places, out);
        });
        Tensor::from_op(&GATHER, value, &[x], || Max(self.clone()))
    }

    /// The places within their planes, row by row; `usize::MAX` for a window that holds nothing but padding.
    fn indices(&self) -> Vec<usize> {
        self.places.indices(self.planes)
    }
}

/// Serves both the maximum and the gather: each passes gradients to the winners.
#[derive(Debug)]
struct Max(Winners);

impl<T: Real> Op<T> for Max {
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

#[track_caller]
fn winners<T: Real>(info: &'static OpInfo, geometry: &Geometry, x: &Tensor<T>) -> (Tensor<T>, Winners) {
    let mut places = None;
    let value = Tensor::build(geometry.output.clone(), |out| {
        places = Some(match &geometry.windows {
            Windows::Moving(pool) => pool::max_forward(pool, &x.to_slice(), out),
            Windows::Adaptive(pool) => pool::adaptive_max_forward(pool, &x.to_slice(), out),
        });
    });
    let places = Arc::new(places.expect("`build` has computed the numbers"));
    let (input, output) = (geometry.input.clone(), geometry.output.clone());
    let winners = Winners { planes: geometry.planes(), input, output, places };
    (Tensor::from_op(info, value, &[x], || Max(winners.clone())), winners)
}

impl<T: Real> Tensor<T> {
    /// [`max_pool1d`](Tensor::max_pool1d) or [`max_pool2d`](Tensor::max_pool2d), as the options say.
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn max_pool<const D: usize>(&self, options: impl Into<PoolOptions<D>>) -> Self {
        max_pool(self, options.into()).0
    }

    /// [`avg_pool1d`](Tensor::avg_pool1d) or [`avg_pool2d`](Tensor::avg_pool2d), as the options say.
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn avg_pool<const D: usize>(&self, options: impl Into<AvgPoolOptions<D>>) -> Self {
        let info = of_dims::<D, _>(&avg_pool1d::INFO, &avg_pool2d::INFO);
        let AvgPoolOptions { kernel, stride, padding, ceil_mode, count_include_pad, divisor_override } = options.into();
        assert!(divisor_override != Some(0), "{}: the divisor must be positive", info.name);
        let options = PoolOptions { stride, padding, ceil_mode, ..kernel.into() };
        let geometry = Geometry::moving(info.name, self.shape(), options);
        mean(info, &geometry.with_divisor(count_include_pad, divisor_override), self)
    }

    /// [`adaptive_max_pool1d`](Tensor::adaptive_max_pool1d) or [`adaptive_max_pool2d`](Tensor::adaptive_max_pool2d).
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn adaptive_max_pool<const D: usize>(&self, output: [usize; D]) -> Self {
        adaptive_max_pool(self, output).0
    }

    /// [`adaptive_avg_pool1d`](Tensor::adaptive_avg_pool1d) or [`adaptive_avg_pool2d`](Tensor::adaptive_avg_pool2d).
    ///
    /// # Panics
    /// As they do.
    #[track_caller]
    pub fn adaptive_avg_pool<const D: usize>(&self, output: [usize; D]) -> Self {
        let info = of_dims::<D, _>(&adaptive_avg_pool1d::INFO, &adaptive_avg_pool2d::INFO);
        mean(info, &Geometry::adaptive(info.name, self.shape(), output), self)
    }
}

#[track_caller]
fn max_pool<T: Real, const D: usize>(x: &Tensor<T>, options: PoolOptions<D>) -> (Tensor<T>, Winners) {
    let info = of_dims::<D, _>(&max_pool1d::INFO, &max_pool2d::INFO);
    winners(info, &Geometry::moving(info.name, x.shape(), options), x)
}

#[track_caller]
fn adaptive_max_pool<T: Real, const D: usize>(x: &Tensor<T>, output: [usize; D]) -> (Tensor<T>, Winners) {
    let info = of_dims::<D, _>(&adaptive_max_pool1d::INFO, &adaptive_max_pool2d::INFO);
    winners(info, &Geometry::adaptive(info.name, x.shape(), output), x)
}

/// The maximum of each window, and where it stands.
#[track_caller]
pub(super) fn max_with_indices<T: Real, const D: usize>(
    x: &Tensor<T>,
    options: PoolOptions<D>,
) -> (Tensor<T>, Vec<usize>) {
    let (value, winners) = max_pool(x, options);
    (value, winners.indices())
}

/// The maximum of each of the windows that divide `x`, and where it stands.
#[track_caller]
pub(super) fn adaptive_max_with_indices<T: Real, const D: usize>(
    x: &Tensor<T>,
    output: [usize; D],
) -> (Tensor<T>, Vec<usize>) {
    let (value, winners) = adaptive_max_pool(x, output);
    (value, winners.indices())
}
