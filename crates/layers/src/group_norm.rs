//! [`GroupNorm`]: every group of channels of every sample is brought to mean 0 and variance 1, then scaled and shifted.
//!
//! | | |
//! |---|---|
//! | equation | `y = (x - mean) / sqrt(var + eps) * weight + bias`, with `mean` and (biased) `var` of each group of each sample |
//! | shapes | `x [N, C, ..]` -> `y` as `x` |
//! | parameters | `weight [C]`, `bias [C]`, both optional |
//! | initialization | weight 1, bias 0 |
//! | defaults | eps `1e-5` |
//!
//! Source: Y. Wu, K. He, "Group normalization", arXiv:1803.08494 (2018).

use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Tensor};

/// Normalizes groups of channels of each sample. It does not look at the batch: training and evaluation are the same.
///
/// ```
/// use chainrule_layers::GroupNorm;
/// use chainrule_tensor::Tensor;
///
/// let layer: GroupNorm = GroupNorm { eps: 0.0, ..GroupNorm::new(2, 4) };
/// assert_eq!(layer.forward(&Tensor::from([[1.0, 3.0, 8.0, 4.0]])).to_vec(), [-1.0, 1.0, 1.0, -1.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct GroupNorm<T: Real = f32> {
    /// `[C]`: the deviation of each channel of the output.
    pub weight: Option<Param<T>>,
    /// `[C]`: the mean of each channel of the output.
    pub bias: Option<Param<T>>,
    /// Added to the variance, against division by 0.
    pub eps: f64,
    /// The number of groups.
    pub num_groups: usize,
    /// The number of channels.
    pub num_channels: usize,
}

impl<T: Real> GroupNorm<T> {
    /// A layer for this many channels in this many groups.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Self {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "GroupNorm: {groups} groups do not divide {channels} channels"
        );
        let (weight, bias) = (Param::new(Tensor::ones(channels)), Param::new(Tensor::zeros(channels)));
        GroupNorm { weight: Some(weight), bias: Some(bias), eps: 1e-5, num_groups: groups, num_channels: channels }
    }

    /// The layer without a weight and a bias: it normalizes and nothing else. PyTorch's `affine=False`.
    #[must_use]
    pub fn without_affine(self) -> Self {
        GroupNorm { weight: None, bias: None, ..self }
    }

    /// The normalized samples.
    ///
    /// # Panics
    /// If `x` is not `[N, C, ..]`.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        assert!(
            x.rank() >= 2 && x.shape()[1] == self.num_channels,
            "GroupNorm: input {} must be [N, {}, ..]",
            x.shape(),
            self.num_channels
        );
        x.group_norm(self.num_groups, self.weight.as_deref(), self.bias.as_deref(), self.eps)
    }
}

impl<T: Real> Layer<T> for GroupNorm<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let affine = if self.weight.is_some() { "" } else { ", affine=false" };
        format!("GroupNorm({}, {}, eps={:?}{affine})", self.num_groups, self.num_channels, self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_channels() {
        let mut layer: GroupNorm<f64> = GroupNorm { eps: 0.0, ..GroupNorm::new(1, 2) };
        layer.weight.as_mut().unwrap().set(&[2.0, 3.0].into());
        layer.bias.as_mut().unwrap().set(&[0.0, 10.0].into());
        assert_eq!(layer.forward(&Tensor::from([[1.0, 3.0]])).to_vec(), [-2.0, 13.0]);
        assert_eq!(layer.state_dict().names().collect::<Vec<_>>(), ["weight", "bias"]);
        assert_eq!(layer.describe(), "GroupNorm(1, 2, eps=0.0)");
        let plain = layer.without_affine();
        assert!(plain.parameters().is_empty());
        assert_eq!(plain.describe(), "GroupNorm(1, 2, eps=0.0, affine=false)");
    }

    #[test]
    #[should_panic(expected = "GroupNorm: 3 groups do not divide 4 channels")]
    fn groups_must_divide_the_channels() {
        GroupNorm::<f32>::new(3, 4);
    }

    #[test]
    #[should_panic(expected = "GroupNorm: input [2, 3] must be [N, 4, ..]")]
    fn channels_must_match() {
        GroupNorm::<f32>::new(2, 4).forward(&Tensor::zeros([2, 3]));
    }
}
