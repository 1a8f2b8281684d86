//! [`LayerNorm`]: each sample is brought to mean 0 and variance 1 along its last dimensions, then scaled and shifted.
//!
//! | | |
//! |---|---|
//! | equation | `y = (x - mean) / sqrt(var + eps) * weight + bias`; mean and (biased) variance over the last dimensions |
//! | shapes | `x [.., D..]` -> `y [.., D..]` |
//! | parameters | `weight [D..]`, `bias [D..]`, both optional |
//! | initialization | weight 1, bias 0 |
//! | defaults | eps `1e-5` |
//!
//! Source: J. Ba, J. Kiros, G. Hinton, "Layer normalization", arXiv:1607.06450 (2016).

use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Shape, Tensor};

/// Normalizes each sample along its last dimensions.
///
/// ```
/// use chainrule_layers::LayerNorm;
/// use chainrule_tensor::Tensor;
///
/// let layer: LayerNorm = LayerNorm { eps: 0.0, ..LayerNorm::new(2) };
/// assert_eq!(layer.forward(&Tensor::from([[1.0, 3.0], [7.0, 5.0]])).to_vec(), [-1.0, 1.0, 1.0, -1.0]);
/// let plain: LayerNorm = LayerNorm::new([4, 4]).without_bias();
/// assert!(plain.weight.is_some() && plain.bias.is_none());
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct LayerNorm<T: Real = f32> {
    /// `[D..]`: the deviation of each element of the output.
    pub weight: Option<Param<T>>,
    /// `[D..]`: the mean of each element of the output.
    pub bias: Option<Param<T>>,
    /// Added to the variance, against division by 0.
    pub eps: f64,
    /// The sizes of the dimensions that are normalized together.
    #[module(skip)]
    pub normalized_shape: Shape,
}

impl<T: Real> LayerNorm<T> {
    /// A layer for samples whose last dimensions have these sizes.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn new(normalized: impl Into<Shape>) -> Self {
        let shape = normalized.into();
        assert!(shape.rank() > 0, "LayerNorm: there must be a dimension to normalize");
        LayerNorm {
            weight: Some(Param::new(Tensor::ones(&shape))),
            bias: Some(Param::new(Tensor::zeros(&shape))),
            eps: 1e-5,
            normalized_shape: shape,
        }
    }

    /// The layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        LayerNorm { bias: None, ..self }
    }

    /// The layer without a weight and a bias: it normalizes and nothing else.
    #[must_use]
    pub fn without_affine(self) -> Self {
        LayerNorm { weight: None, bias: None, ..self }
    }

    /// The normalized samples.
    ///
    /// # Panics
    /// If the last dimensions of `x` are not the layer's.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.layer_norm(&self.normalized_shape, self.weight.as_deref(), self.bias.as_deref(), self.eps)
    }
}

impl<T: Real> Layer<T> for LayerNorm<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let affine = if self.weight.is_none() { ", elementwise_affine=false" } else { "" };
        format!("LayerNorm({}, eps={:?}{affine})", self.normalized_shape, self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_scales_and_shifts() {
        let mut layer: LayerNorm<f64> = LayerNorm { eps: 0.0, ..LayerNorm::new(2) };
        layer.weight.as_mut().unwrap().set(&[2.0, 3.0].into());
        layer.bias.as_mut().unwrap().set(&[0.0, 10.0].into());
        assert_eq!(layer.forward(&Tensor::from([[1.0, 3.0], [8.0, 0.0]])).to_vec(), [-2.0, 13.0, 2.0, 7.0]);
        assert_eq!(layer.describe(), "LayerNorm([2], eps=0.0)");
        let plain = layer.without_affine();
        assert!(plain.parameters().is_empty());
        assert_eq!(plain.forward(&Tensor::from([1.0, 3.0])).to_vec(), [-1.0, 1.0]);
        assert_eq!(plain.describe(), "LayerNorm([2], eps=0.0, elementwise_affine=false)");
    }

    #[test]
    fn names_are_those_of_pytorch() {
        let names = |layer: LayerNorm| layer.state_dict().names().map(String::from).collect::<Vec<_>>();
        assert_eq!(names(LayerNorm::new([2, 3])), ["weight", "bias"]);
        assert_eq!(names(LayerNorm::new(3).without_bias()), ["weight"]);
    }

    #[test]
    #[should_panic(expected = "layer_norm: the last dimensions of an input of shape [2, 3] must be [4]")]
    fn sizes_must_match() {
        LayerNorm::<f32>::new(4).forward(&Tensor::zeros([2, 3]));
    }
}
