//! Sequences and images brought to another size.
//!
//! | | |
//! |---|---|
//! | equation | nearest: `y[.., i, j] = x[.., near(i), near(j)]`; linear: the weighted mean of the two elements around along each dimension |
//! | derivative | `x' = A^T y'`, where `A` is the linear map `y = A x` |
//! | shapes | `x [N, C, L]` -> `y [N, C, OL]`, `x [N, C, H, W]` -> `y [N, C, OH, OW]` |
//! | saved | the map |
//!
//! With `f` the factor (`OH / H`, or as given), output `i` comes from the place `i / f`, rounded down (nearest), or lies between the
//! two elements around the place `(i + 1/2) / f - 1/2`, at least 0: the edges of both images are the same. With
//! `align_corners` the centers of the outer elements are: the place is `i (H - 1) / (OH - 1)`. The map and its transpose
//! are each other's derivative.

use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::resample::{self, Axis};
use std::sync::Arc;

pub(super) static INFO: OpInfo = OpInfo {
    name: "interpolate",
    equation: "y = A x, each element the nearest of x or a mean of those around",
    derivative: "x' = A^T y'",
    torch: "torch.nn.functional.interpolate",
};

static TRANSPOSE: OpInfo = OpInfo {
    name: "interpolate_backward",
    equation: "x = A^T y",
    derivative: "y' = A x'",
    torch: "torch.ops.aten.upsample_bilinear2d_backward",
};

/// Where the elements of an interpolation come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest element, rounded down: PyTorch's `nearest`.
    Nearest,
    /// The mean of the elements around, weighted by their distances: PyTorch's `linear` for sequences, `bilinear` for images.
    Linear {
        /// Whether the centers of the corners stay where they are, rather than the edges.
        align_corners: bool,
    },
}

/// What size an interpolation makes: whole numbers are sizes, others are factors. One number stands for all dimensions.
#[derive(Clone, Debug, PartialEq)]
pub enum Resize {
    /// These sizes.
    To(Vec<usize>),
    /// The sizes times these factors, rounded down.
    By(Vec<f64>),
}

impl From<usize> for Resize {
    fn from(size: usize) -> Self {
        Resize::To(vec![size])
    }
}
impl<const D: usize> From<[usize; D]> for Resize {
    fn from(sizes: [usize; D]) -> Self {
        Resize::To(sizes.to_vec())
    }
}
impl From<f64> for Resize {
    fn from(factor: f64) -> Self {
        Resize::By(vec![factor])
    }
}
impl<const D: usize> From<[f64; D]> for Resize {
    fn from(factors: [f64; D]) -> Self {
        Resize::By(factors.to_vec())
    }
}

/// The linear map.
#[derive(Clone)]
struct Map {
    axes: Arc<[Axis; 2]>,
    input: Shape,
    output: Shape,
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.input, self.output)
    }
}

#[derive(Debug)]
struct Interpolate(Map);

impl<T: Real> Op<T> for Interpolate {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.transposed(&grad));
    }
}

#[derive(Debug)]
struct Transpose(Map);

impl<T: Real> Op<T> for Transpose {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || self.0.apply(&grad));
    }
}

impl Map {
    #[track_caller]
    fn apply<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.output.clone(), |out| resample::forward(&self.axes, &x.to_slice(), out));
        Tensor::from_op(&INFO, value, &[x], || Interpolate(self.clone()))
    }

    fn transposed<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        let value = Tensor::build(self.input.clone(), |out| resample::backward(&self.axes, &y.to_slice(), out));
        Tensor::from_op(&TRANSPOSE, value, &[y], || Transpose(self.clone()))
    }
}

impl<T: Real> Tensor<T> {
    /// These sequences `[N, C, L]` or images `[N, C, H, W]` in another size. `size` is one number for all dimensions, or an array
    /// of them: whole numbers are sizes (`x.interpolate([8, 8], ..)`), others are factors (`x.interpolate(2.0, ..)`).
    ///
    /// # Panics
    /// If there are neither three nor four dimensions, `size` has another number of them, or a size is or becomes 0.
    #[track_caller]
    pub fn interpolate(&self, size: impl Into<Resize>, mode: Interpolation) -> Self {
        let (size, shape) = (size.into(), self.shape());
        assert!(matches!(shape.rank(), 3 | 4), "interpolate: input {shape} must be [N, C, L] or [N, C, H, W]");
        let (outer, inner) = shape.split_at(2);
        let one_or_each = |count: usize, d: usize| match count {
            1 => 0,
            _ if count == inner.len() => d,
            _ => panic!("interpolate: {size:?} has not as many numbers as input {shape} has dimensions behind [N, C]"),
        };
        let axes: Vec<Axis> = inner
            .iter()
            .enumerate()
            .map(|(d, &input)| {
                let (output, factor) = match &size {
                    Resize::To(sizes) => (sizes[one_or_each(sizes.len(), d)], None),
                    Resize::By(factors) => {
                        let factor = factors[one_or_each(factors.len(), d)];
                        ((input as f64 * factor) as usize, Some(factor))
                    }
                };
                assert!(input > 0 && output > 0, "interpolate: input {shape} to {size:?}: no size may be 0");
                match mode {
                    Interpolation::Nearest => Axis::nearest(input, output, factor),
                    Interpolation::Linear { align_corners } => Axis::linear(input, output, factor, align_corners),
                }
            })
            .collect();
        let output = outer.iter().copied().chain(axes.iter().map(Axis::output)).collect();
        let axes = match <[Axis; 2]>::try_from(axes) {
            Ok(axes) => axes,
            // A sequence is an image of one row.
            Err(mut axes) => [Axis::same(1), axes.remove(0)],
        };
        Map { axes: Arc::new(axes), input: shape.clone(), output }.apply(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Interpolation::{Linear, Nearest};
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[[1.0f32, 3.0]]]);
        assert_eq!(x.interpolate(4, Nearest).to_vec(), [1.0, 1.0, 3.0, 3.0]);
        assert_eq!(x.interpolate(2.0, Linear { align_corners: false }).to_vec(), [1.0, 1.5, 2.5, 3.0]);
        assert_eq!(x.interpolate(3, Linear { align_corners: true }).to_vec(), [1.0, 2.0, 3.0]);
        let x = Tensor::<f32>::arange(4).reshape([1, 1, 2, 2]);
        let y = x.interpolate([3, 3], Linear { align_corners: true });
        assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![1, 1, 3, 3], vec![0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 2.5, 3.0]));
        assert_eq!(x.interpolate([0.5, 1.5], Nearest).to_vec(), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn gradcheck() {
        for mode in [Nearest, Linear { align_corners: false }, Linear { align_corners: true }] {
            let x = check::random([2, 1, 3, 4], -1.0, 1.0);
            check::gradients(|x| x[0].interpolate([5, 2], mode).powf(2.0), &[&x]);
            check::gradients(|x| x[0].interpolate([0.7, 1.6], mode).powf(2.0), &[&x]);
            check::gradients(|x| x[0].transpose(2, 3).slice(2, 0, 4, 2).interpolate(2.0, mode), &[&x]);
            check::gradients(|x| x[0].broadcast_to([2, 2, 3, 4]).interpolate([3, 4], mode), &[&x]);
            check::gradients(|x| x[0].squeeze(1).interpolate(6, mode), &[&x]);
            check::gradients(|x| x[0].interpolate(3, mode), &[&check::random([1, 1, 1], -1.0, 1.0)]);
            check::gradients(|x| x[0].interpolate(3, mode), &[&check::random([0, 2, 2], -1.0, 1.0)]);
        }
    }

    #[test]
    #[should_panic(expected = "interpolate: input [1, 1, 4] to By([0.2]): no size may be 0")]
    fn something_must_be_left() {
        let _ = Tensor::<f32>::zeros([1, 1, 4]).interpolate(0.2, Nearest);
    }
}
