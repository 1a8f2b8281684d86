//! Root-mean-square normalization: each sample, along its last dimensions, is divided by its length.
//!
//! | | |
//! |---|---|
//! | equation | `y = z w`, `z = x r`, `r = 1 / sqrt(mean(x^2) + eps)`; the mean is over the last dimensions |
//! | derivative | `x' = r (g - z mean(g z))` with `g = y' w`; `w' = sum of y' z` |
//! | shapes | `x [.., D..]`, `w [D..]` -> `y` as `x` |
//! | saved | `x`, `w` and `r` |
//! | source | B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019 |
//!
//! Derivation of `x'`: `x` reaches the loss through `z` directly (`r g`) and through `r`, whose derivative by `x_i` is
//! `-r^3 x_i / n` and which meets `sum of g x = sum of g z / r`.

use super::layer_norm::{extent, last_dims};
use crate::{Inputs, Op, OpInfo, Shape, Tensor};
use chainrule_kernels::{Buffer, Real, norm};

pub(super) static INFO: OpInfo = OpInfo {
    name: "rms_norm",
    equation: "y = x / sqrt(mean(x^2) + eps) w",
    derivative: "x' = r (g - z mean(g z)) with g = y' w, w' = sum of y' z",
    torch: "torch.nn.functional.rms_norm",
};

#[derive(Debug)]
struct RmsNorm<T: Real> {
    x: Tensor<T>,
    weight: Option<Tensor<T>>,
    inv_rms: Tensor<T>,
    /// How many of the last dimensions are normalized together.
    dims: usize,
    eps: f64,
}

impl<T: Real> Op<T> for RmsNorm<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        if inputs.is_tracked() {
            let along = last_dims(&self.x, self.dims);
            let r = ((&self.x * &self.x).mean_dim(along.clone(), true) + T::from_f64(self.eps)).powf(-0.5);
            let z = &self.x * &r;
            if self.weight.is_some() {
                // The engine sums over the leading dimensions.
                inputs.add(1, || &grad * &z);
            }
            inputs.add(0, || {
                let g = self.weight.as_ref().map_or(grad.clone(), |weight| &grad * weight);
                let projection = (&g * &z).mean_dim(along, true);
                (&g - z * projection) * r
            });
            return;
        }
        let shape = Shape::from(&self.x.shape()[self.x.rank() - self.dims..]);
        let cols = shape.numel();
        let wanted = inputs.len() > 1 && inputs.needs(1);
        let mut dw = Buffer::zeroed(if wanted { cols } else { 0 });
        let dx = Tensor::build(self.x.shape().clone(), |dx| {
            let weight = self.weight.as_ref().map(Tensor::to_slice);
            let (x, g) = (self.x.to_slice(), grad.to_slice());
            let dw = wanted.then_some(&mut dw[..]);
            norm::rms_norm_backward(&x, &g, cols, &self.inv_rms.to_slice(), weight.as_deref(), dx, dw);
        });
        inputs.add(0, || dx);
        if wanted {
            inputs.add(1, || Tensor::from_buffer(dw, shape));
        }
    }
}

impl<T: Real> Tensor<T> {
    /// Divides the elements along the last dimensions, whose sizes are `normalized`, by the root of their mean square,
    /// then scales them. Without a weight the scale is 1, without an `eps` that is the type's [`Number::EPSILON`](crate::Number::EPSILON).
    ///
    /// # Panics
    /// If the last dimensions have other sizes, `normalized` is empty, or `weight` has another shape.
    #[track_caller]
    pub fn rms_norm(&self, normalized: impl Into<Shape>, weight: Option<&Self>, eps: Option<f64>) -> Self {
        let normalized = normalized.into();
        let (rows, cols) = extent(INFO.name, self, &normalized, &[("weight", weight)]);
        let eps = eps.unwrap_or(T::EPSILON.to_f64());
        let mut inv_rms = Buffer::zeroed(rows);
        let value = Self::build(self.shape().clone(), |y| {
            let weight = weight.map(Tensor::to_slice);
            norm::rms_norm(&self.to_slice(), cols, eps, weight.as_deref(), y, &mut inv_rms);
        });
        let inputs: Vec<&Self> = [Some(self), weight].into_iter().flatten().collect();
        Self::from_op(&INFO, value, &inputs, || RmsNorm {
            x: self.clone(),
            weight: weight.cloned(),
            inv_rms: Self::from_buffer(inv_rms, rows.into()),
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
        // The root of the mean square of 1 and 7 is 5.
        let x = Tensor::from([[1.0f64, 7.0], [-7.0, 1.0]]);
        let y = x.rms_norm([2], Some(&Tensor::from([5.0, 10.0])), Some(0.0)).to_vec();
        assert!(y.iter().zip([1.0, 14.0, -7.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-14), "{y:?}");
        assert_eq!(Tensor::<f32>::zeros([3]).rms_norm([3], None, None).to_vec(), [0.0; 3]);
    }

    #[test]
    fn gradcheck() {
        let w = check::random([4], 0.5, 1.5);
        for shape in [&[3, 4][..], &[4], &[2, 3, 4], &[0, 4]] {
            let x = check::random(shape, -1.0, 1.0);
            check::gradients(|x| x[0].rms_norm([4], Some(&x[1]), Some(1e-2)), &[&x, &w]);
            check::gradients(|x| x[0].rms_norm([4], None, Some(1e-2)), &[&x]);
        }
        let x = check::random([4, 3], -1.0, 1.0);
        check::gradients(|x| x[0].t().rms_norm([4], Some(&x[1]), Some(1e-2)), &[&x, &w]);
        check::gradients(|x| x[0].broadcast_to([2, 4, 3]).rms_norm([4, 3], None, Some(1e-2)), &[&x]);
        check::gradients(|x| x[0].slice(0, 0, 3, 2).rms_norm([3], None, Some(1e-2)), &[&x]);
        check::gradients(|x| x[0].rms_norm([1], None, Some(1e-2)), &[&check::random([1], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "rms_norm: the weight of shape [2] must have the normalized shape [3]")]
    fn parameters_must_match() {
        let _ = Tensor::<f32>::zeros([2, 3]).rms_norm([3], Some(&Tensor::zeros([2])), None);
    }
}
