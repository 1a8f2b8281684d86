//! [`RmsNorm`]: each sample is divided by the root of its mean square along its last dimensions, then scaled.
//!
//! | | |
//! |---|---|
//! | equation | `y = x / sqrt(mean(x^2) + eps) * weight`; the mean is over the last dimensions |
//! | shapes | `x [.., D..]` -> `y [.., D..]` |
//! | parameters | `weight [D..]`, optional |
//! | initialization | weight 1 |
//! | defaults | eps: the number type's epsilon, as in PyTorch |
//!
//! Source: B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.

use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Shape, Tensor};

/// Divides each sample by its length along the last dimensions.
///
/// ```
/// use chainrule_layers::RmsNorm;
/// use chainrule_tensor::Tensor;
///
/// let layer: RmsNorm<f64> = RmsNorm { eps: Some(0.0), ..RmsNorm::new(2) };
/// let y = layer.forward(&Tensor::from([1.0, 7.0])).to_vec();
/// assert!((y[0] - 0.2).abs() < 1e-15 && (y[1] - 1.4).abs() < 1e-15);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct RmsNorm<T: Real = f32> {
    /// `[D..]`: the size of each element of the output.
    pub weight: Option<Param<T>>,
    /// Added to the mean square, against division by 0; the number type's epsilon if not said.
    #[module(skip)]
    pub eps: Option<f64>,
    /// The sizes of the dimensions that are normalized together.
    #[module(skip)]
    pub normalized_shape: Shape,
}

impl<T: Real> RmsNorm<T> {
    /// A layer for samples whose last dimensions have these sizes.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn new(normalized: impl Into<Shape>) -> Self {
        let shape = normalized.into();
        assert!(shape.rank() > 0, "RmsNorm: there must be a dimension to normalize");
        RmsNorm { weight: Some(Param::new(Tensor::ones(&shape))), eps: None, normalized_shape: shape }
    }

    /// The layer without a weight.
    #[must_use]
    pub fn without_affine(self) -> Self {
        RmsNorm { weight: None, ..self }
    }

    /// The normalized samples.
    ///
    /// # Panics
    /// If the last dimensions of `x` are not the layer's.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.rms_norm(&self.normalized_shape, self.weight.as_deref(), self.eps)
    }
}

impl<T: Real> Layer<T> for RmsNorm<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let eps = self.eps.map_or("None".into(), |eps| format!("{eps:?}"));
        format!("RMSNorm({}, eps={eps})", self.normalized_shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_and_scales() {
        let mut layer: RmsNorm<f64> = RmsNorm { eps: Some(0.0), ..RmsNorm::new(2) };
        layer.weight.as_mut().unwrap().set(&[5.0, 10.0].into());
        let y = layer.forward(&Tensor::from([[1.0, 7.0]])).to_vec();
        assert!((y[0] - 1.0).abs() < 1e-14 && (y[1] - 14.0).abs() < 1e-14, "{y:?}");
        assert_eq!(layer.describe(), "RMSNorm([2], eps=0.0)");
        assert_eq!(layer.state_dict().names().collect::<Vec<_>>(), ["weight"]);
        assert!(layer.without_affine().parameters().is_empty());
    }

    #[test]
    #[should_panic(expected = "rms_norm: the last dimensions of an input of shape [2, 3] must be [4]")]
    fn sizes_must_match() {
        RmsNorm::<f32>::new(4).forward(&Tensor::zeros([2, 3]));
    }
}
