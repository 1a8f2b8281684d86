//! [`InstanceNorm1d`] and [`InstanceNorm2d`]: every channel of every sample is brought to mean 0 and variance 1.
//!
//! | | |
//! |---|---|
//! | equation | `y = (x - mean) / sqrt(var + eps) * weight + bias`, with `mean` and (biased) `var` of each channel of each sample |
//! | shapes | `x [N, C, L]` (1d), `[N, C, H, W]` (2d) -> `y` as `x`; the batch may be missing |
//! | parameters | none, unless affine: `weight [C]`, `bias [C]`; unless tracked: buffers `running_mean [C]`, `running_var [C]` |
//! | initialization | weight and running variance 1, bias and running mean 0 |
//! | defaults | eps `1e-5`, momentum `0.1`, not affine, no running estimates |
//!
//! Running estimates move towards the mean over the batch of the samples' means and unbiased variances, and take their place in
//! evaluation. All as PyTorch does it. Source: D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization",
//! arXiv:1607.08022 (2016).

use crate::batch_norm::normalize_by;
use crate::{Buffer, Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Tensor, no_grad};

/// Normalizes each channel of each sequence `[N, C, L]`.
pub type InstanceNorm1d<T = f32> = InstanceNorm<1, T>;

/// Normalizes each channel of each image `[N, C, H, W]`.
///
/// ```
/// use chainrule_layers::{InstanceNorm2d, Mode};
/// use chainrule_tensor::Tensor;
///
/// let layer: InstanceNorm2d = InstanceNorm2d { eps: 0.0, ..InstanceNorm2d::new(1) };
/// let y = layer.forward(&Tensor::from([[[1.0, 3.0]]]), &mut Mode::Eval);
/// assert_eq!(y.to_vec(), [-1.0, 1.0]);
/// ```
pub type InstanceNorm2d<T = f32> = InstanceNorm<2, T>;

/// Instance normalization over `D` dimensions: [`InstanceNorm1d`] or [`InstanceNorm2d`].
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct InstanceNorm<const D: usize, T: Real = f32> {
    /// `[C]`: the deviation of each channel of the output.
    pub weight: Option<Param<T>>,
    /// `[C]`: the mean of each channel of the output.
    pub bias: Option<Param<T>>,
    /// `[C]`: the estimate of each channel's mean.
    pub running_mean: Option<Buffer<T>>,
    /// `[C]`: the estimate of each channel's variance (unbiased).
    pub running_var: Option<Buffer<T>>,
    /// Added to the variance, against division by 0.
    pub eps: f64,
    /// The share of the newest batch in the running estimates.
    pub momentum: f64,
    /// The number of channels.
    pub num_features: usize,
}

impl<const D: usize, T: Real> InstanceNorm<D, T> {
    /// A layer for this many channels, without parameters and running estimates.
    pub fn new(channels: usize) -> Self {
        let (weight, bias, running_mean, running_var) = (None, None, None, None);
        InstanceNorm { weight, bias, running_mean, running_var, eps: 1e-5, momentum: 0.1, num_features: channels }
    }

    /// The layer with a weight and a bias. PyTorch's `affine=True`.
    #[must_use]
    pub fn with_affine(self) -> Self {
        let (ones, zeros) = (Tensor::ones(self.num_features), Tensor::zeros(self.num_features));
        InstanceNorm { weight: Some(Param::new(ones)), bias: Some(Param::new(zeros)), ..self }
    }

    /// The layer with running estimates, which evaluation takes. PyTorch's `track_running_stats=True`.
    #[must_use]
    pub fn with_running_stats(self) -> Self {
        let (ones, zeros) = (Tensor::ones(self.num_features), Tensor::zeros(self.num_features));
        InstanceNorm { running_mean: Some(Buffer::new(zeros)), running_var: Some(Buffer::new(ones)), ..self }
    }

    /// The normalized samples.
    ///
    /// # Panics
    /// If `x` has another number of channels or of dimensions, or the statistics of samples are needed and there is only one
    /// value per channel: its variance would be unknown.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let (channels, shape) = (self.num_features, x.shape());
        assert!(
            [D + 1, D + 2].contains(&x.rank()) && shape[x.rank() - D - 1] == channels,
            "InstanceNorm{D}d: input {shape} must be [N, C, ..] or [C, ..] with {D} dimensions behind {channels} channels"
        );
        if x.rank() == D + 1 {
            return self.forward(&x.unsqueeze(0), mode).squeeze(0);
        }
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let Some((running_mean, running_var)) = self.running_mean.as_ref().zip(self.running_var.as_ref()) else {
            self.check_positions(x);
            return x.instance_norm(weight, bias, self.eps);
        };
        if !mode.is_train() {
            return normalize_by(x, &(running_mean.get(), running_var.get()), weight, bias, self.eps);
        }
        self.check_positions(x);
        if x.numel() > 0 {
            no_grad(|| {
                let x = x.detach().flatten(2);
                let means = x.mean_dim(2, true);
                let squares = (&x - &means).powf(2.0).sum_dim(2, false);
                let vars = squares / T::from_usize(x.shape()[2] - 1);
                let (momentum, keep) = (T::from_f64(self.momentum), T::from_f64(1.0 - self.momentum));
                running_mean.set(&(running_mean.get() * keep + means.squeeze(2).mean_dim(0, false) * momentum));
                running_var.set(&(running_var.get() * keep + vars.mean_dim(0, false) * momentum));
            });
        }
        x.instance_norm(weight, bias, self.eps)
    }

    #[track_caller]
    fn check_positions(&self, x: &Tensor<T>) {
        let positions: usize = x.shape()[2..].iter().product();
        assert!(positions != 1, "InstanceNorm{D}d: input {} has 1 values per channel, it needs two", x.shape());
    }
}

impl<const D: usize, T: Real> Layer<T> for InstanceNorm<D, T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        let affine = if self.weight.is_some() { ", affine=true" } else { "" };
        let tracked = if self.running_mean.is_some() { ", track_running_stats=true" } else { "" };
        format!(
            "InstanceNorm{D}d({}, eps={:?}, momentum={}{affine}{tracked})",
            self.num_features, self.eps, self.momentum
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use chainrule_tensor::Rng;

    #[test]
    fn estimates_average_over_the_samples() {
        let layer: InstanceNorm1d<f64> = InstanceNorm1d::new(1).with_affine().with_running_stats();
        let x = Tensor::from([[[1.0, 3.0]], [[0.0, 8.0]]]);
        let y = layer.forward(&x, &mut Mode::Train(&mut Rng::seed_from_u64(1)));
        assert_relative_eq!(y.to_vec()[..], [-1.0, 1.0, -1.0, 1.0], max_relative = 1e-5);
        // Means 2 and 4; unbiased variances 2 and 32.
        let state = layer.state_dict();
        assert_eq!(state.names().collect::<Vec<_>>(), ["weight", "bias", "running_mean", "running_var"]);
        assert_relative_eq!(state.get("running_mean").unwrap().item(), 0.3);
        assert_relative_eq!(state.get("running_var").unwrap().item(), 0.9 + 1.7);
        let y = layer.forward(&x, &mut Mode::Eval);
        assert_relative_eq!(y.to_vec()[0], 0.7 / (2.6f64 + 1e-5).sqrt());
        assert_eq!(
            layer.describe(),
            "InstanceNorm1d(1, eps=1e-5, momentum=0.1, affine=true, track_running_stats=true)"
        );
    }

    #[test]
    fn modes_agree_without_estimates() {
        let layer: InstanceNorm2d = InstanceNorm2d::new(3);
        let mut rng = Rng::seed_from_u64(2);
        let x = Tensor::randn([3, 4, 5], &mut rng);
        let y = layer.forward(&x, &mut Mode::Eval);
        assert_eq!((y.shape(), y.to_vec()), (x.shape(), layer.forward(&x, &mut Mode::Train(&mut rng)).to_vec()));
        assert!(layer.state_dict().is_empty());
        assert_eq!(layer.describe(), "InstanceNorm2d(3, eps=1e-5, momentum=0.1)");
    }

    #[test]
    #[should_panic(expected = "InstanceNorm1d: input [2, 3, 1] has 1 values per channel, it needs two")]
    fn one_value_has_no_variance() {
        let layer: InstanceNorm1d = InstanceNorm1d::new(3);
        layer.forward(&Tensor::zeros([2, 3, 1]), &mut Mode::Eval);
    }
}
