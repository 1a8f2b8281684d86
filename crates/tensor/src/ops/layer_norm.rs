//! Layer normalization: each sample, along its last dimensions, by itself.
//!
//! | | |
//! |---|---|
//! | equation | `y = z w + b`, `z = (x - m) r`, `r = 1 / sqrt(v + eps)`; `m`, `v` mean and variance over the last dimensions |
//! | derivative | `x' = r (g - mean(g) - z mean(g z))` with `g = y' w`; `w' = sum of y' z`, `b' = sum of y'` |
//! | shapes | `x [.., D..]`, `w`, `b [D..]` -> `y` as `x` |
//! | saved | `x`, `w`, `m` and `r` |
//! | source | J. Ba, J. Kiros, G. Hinton, "Layer normalization", arXiv:1607.06450 (2016) |
//!
//! The variance divides by the number of elements. `x'` is derived as in batch normalization, along other dimensions.

use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real, norm};

pub(super) static INFO: OpInfo = OpInfo {
    name: "layer_norm",
    equation: "y = (x - mean) / sqrt(var + eps) w + b",
    derivative: "x' = r (g - mean(g) - z mean(g z)) with g = y' w, w' = sum of y' z, b' = sum of y'",
    torch: "torch.nn.functional.layer_norm",
};

#[derive(Debug)]
struct LayerNorm<T: Real> {
    x: Tensor<T>,
    weight: Option<Tensor<T>>,
    mean: Tensor<T>,
    inv_std: Tensor<T>,
    /// How many of the last dimensions are normalized together.
    dims: usize,
    eps: f64,
}

impl<T: Real> Op<T> for LayerNorm<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let bias_at = 1 + usize::from(self.weight.is_some());
        let has_bias = inputs.len() > bias_at;
        if inputs.is_tracked() {
            let along = last_dims(&self.x, self.dims);
            let centered = &self.x - self.x.mean_dim(along.clone(), true);
            let r = ((&centered * &centered).mean_dim(along.clone(), true) + T::from_f64(self.eps)).powf(-0.5);
            let z = centered * &r;
            // The engine sums over the leading dimensions.
            if self.weight.is_some() {
                inputs.add(1, || &grad * &z);
            }
            if has_bias {
                inputs.add(bias_at, || grad.clone());
            }
            inputs.add(0, || {
                let g = self.weight.as_ref().map_or(grad.clone(), |weight| &grad * weight);
                let projection = (&g * &z).mean_dim(along.clone(), true);
                (&g - g.mean_dim(along, true) - z * projection) * r
            });
            return;
        }
        let shape = Shape::from(&self.x.shape()[self.x.rank() - self.dims..]);
        let cols = shape.numel();
        let wanted = (1..inputs.len()).any(|i| inputs.needs(i));
        let size = if wanted { cols } else { 0 };
        let (mut dw, mut db) = (Buffer::zeroed(size), Buffer::zeroed(size));
        let dx = Tensor::build(self.x.shape().clone(), |dx| {
            let weight = self.weight.as_ref().map(Tensor::to_slice);
            let (mean, inv_std) = (self.mean.to_slice(), self.inv_std.to_slice());
            let (x, g) = (self.x.to_slice(), grad.to_slice());
            let affine = wanted.then_some((&mut dw[..], &mut db[..]));
            norm::layer_norm_backward(&x, &g, cols, &mean, &inv_std, weight.as_deref(), dx, affine);
        });
        inputs.add(0, || dx);
        if self.weight.is_some() {
            inputs.add(1, || Tensor::from_buffer(dw, shape.clone()));
        }
        if has_bias {
            inputs.add(bias_at, || Tensor::from_buffer(db, shape));
        }
    }
}

/// The last `dims` dimensions.
pub(super) fn last_dims<T: Real>(x: &Tensor<T>, dims: usize) -> Vec<usize> {
    (x.rank() - dims..x.rank()).collect()
}

/// The number of rows and columns of a tensor whose last dimensions have these sizes.
///
/// # Panics
/// If it has not, or if one of the parameters has another shape.
#[track_caller]
pub(super) fn extent<T: Real>(
    op: &str,
    x: &Tensor<T>,
    normalized: &Shape,
    parameters: &[(&str, Option<&Tensor<T>>)],
) -> (usize, usize) {
    let dims = normalized.rank();
    assert!(
        dims > 0 && x.rank() >= dims && x.shape()[x.rank() - dims..] == normalized[..],
        "{op}: the last dimensions of an input of shape {} must be {normalized}",
        x.shape()
    );
    for (name, parameter) in parameters {
        if let Some(parameter) = parameter {
            assert!(
                parameter.shape() == normalized,
                "{op}: the {name} of shape {} must have the normalized shape {normalized}",
                parameter.shape()
            );
        }
    }
    (x.shape()[..x.rank() - dims].iter().product(), normalized.numel())
}

impl<T: Real> Tensor<T> {
    /// Brings the elements along the last dimensions, whose sizes are `normalized`, to mean 0 and variance 1, then scales
    /// and shifts them. Without a weight the scale is 1, without a bias the shift is 0.
    ///
    /// # Panics
    /// If the last dimensions have other sizes, `normalized` is empty, or `weight` or `bias` has another shape.
    #[track_caller]
    pub fn layer_norm(
        &self,
        normalized: impl Into<Shape>,
        weight: Option<&Self>,
        bias: Option<&Self>,
        eps: f64,
    ) -> Self {
        let normalized = normalized.into();
        let (rows, cols) = extent(INFO.name, self, &normalized, &[("weight", weight), ("bias", bias)]);
        let (mut mean, mut inv_std) = (Buffer::zeroed(rows), Buffer::zeroed(rows));
        let value = Self::build(self.shape().clone(), |y| {
            let (weight, bias) = (weight.map(Tensor::to_slice), bias.map(Tensor::to_slice));
            let x = self.to_slice();
            norm::layer_norm(&x, cols, eps, weight.as_deref(), bias.as_deref(), y, &mut mean, &mut inv_std);
        });
        let inputs: Vec<&Self> = [Some(self), weight, bias].into_iter().flatten().collect();
        Self::from_op(&INFO, value, &inputs, || LayerNorm {
            x: self.clone(),
            weight: weight.cloned(),
            mean: Self::from_buffer(mean, rows.into()),
            inv_std: Self::from_buffer(inv_std, rows.into()),
            dims: normalized.rank(),
            eps,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f64, 3.0], [5.0, 5.0]]);
        let y = x.layer_norm([2], Some(&Tensor::from([2.0, 1.0])), Some(&Tensor::from([0.0, 10.0])), 0.0);
        assert_eq!(y.to_vec()[..2], [-2.0, 11.0]);
        // A constant row has no deviation: 0 / sqrt(eps).
        assert_eq!(x.layer_norm([2], None, None, 1e-5).select(0, 1).to_vec(), [0.0, 0.0]);
        assert_eq!(Tensor::from([[-1.0f64, 1.0], [1.0, -1.0]]).layer_norm([2, 2], None, None, 0.0).to_vec(), [-1., 1., 1., -1.]);
    }

    #[test]
    fn gradcheck() {
        let (w, b) = (check::random([4], 0.5, 1.5), check::random([4], -1.0, 1.0));
        for shape in [&[3, 4][..], &[4], &[2, 3, 4], &[0, 4]] {
            let x = check::random(shape, -1.0, 1.0);
            check::gradients(|x| x[0].layer_norm([4], Some(&x[1]), Some(&x[2]), 1e-2), &[&x, &w, &b]);
            check::gradients(|x| x[0].layer_norm([4], Some(&x[1]), None, 1e-2), &[&x, &w]);
            check::gradients(|x| x[0].layer_norm([4], None, Some(&x[1]), 1e-2), &[&x, &b]);
            check::gradients(|x| x[0].layer_norm([4], None, None, 1e-2), &[&x]);
        }
        let x = check::random([4, 3], -1.0, 1.0);
        check::gradients(|x| x[0].t().layer_norm([4], Some(&x[1]), Some(&x[2]), 1e-2), &[&x, &w, &b]);
        check::gradients(|x| x[0].broadcast_to([2, 4, 3]).layer_norm([4, 3], None, None, 1e-2), &[&x]);
        check::gradients(|x| x[0].slice(0, 0, 3, 2).layer_norm([3], None, None, 1e-2), &[&x]);
        check::gradients(|x| x[0].layer_norm([1], None, None, 1e-2), &[&check::random([1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "layer_norm: the last dimensions of an input of shape [2, 3] must be [4]")]
    fn sizes_must_match() {
        let _ = Tensor::<f32>::zeros([2, 3]).layer_norm([4], None, None, 1e-5);
    }

    #[test]
    #[should_panic(expected = "layer_norm: the bias of shape [2] must have the normalized shape [3]")]
    fn parameters_must_match() {
        let _ = Tensor::<f32>::zeros([2, 3]).layer_norm([3], None, Some(&Tensor::zeros([2])), 1e-5);
    }
}
