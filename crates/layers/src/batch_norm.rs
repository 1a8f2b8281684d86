//! [`BatchNorm1d`] and [`BatchNorm2d`]: every channel of a batch is brought to mean 0 and variance 1, then scaled and shifted.
//!
//! | | |
//! |---|---|
//! | equation | `y = (x - mean) / sqrt(var + eps) * weight + bias`, each `[C]` along the channels |
//! | training | `mean` and (biased) `var` are those of the batch, over all but the channels; gradients flow through them |
//! | | the running estimates move: `running = (1 - momentum) * running + momentum * batch`, with the unbiased variance |
//! | evaluation | `mean` and `var` are the running estimates; where there are none, those of the batch |
//! | shapes | `x [N, C]` or `[N, C, L]` (1d), `[N, C, H, W]` (2d) -> `y` as `x` |
//! | parameters | `weight [C]`, `bias [C]`, optional; buffers `running_mean [C]`, `running_var [C]`, optional |
//! | initialization | weight and running variance 1, bias and running mean 0 |
//! | defaults | eps `1e-5`, momentum `0.1` |
//!
//! An empty batch gives an empty result and moves no estimate. All as PyTorch does it. Source: S. Ioffe, C. Szegedy, "Batch
//! normalization", ICML 2015.

use crate::{Buffer, Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Tensor, no_grad};

/// Normalizes each channel of vectors `[N, C]` or sequences `[N, C, L]` over the batch.
pub type BatchNorm1d<T = f32> = BatchNorm<1, T>;

/// Normalizes each channel of images `[N, C, H, W]` over the batch.
///
/// ```
/// use chainrule_layers::{BatchNorm2d, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: BatchNorm2d = BatchNorm2d { momentum: 0.01, ..BatchNorm2d::new(3) };
/// let y = layer.forward(&(Tensor::randn([8, 3, 5, 5], &mut rng) + 2.0), &mut Mode::Train(&mut rng));
/// assert!(y.mean().item().abs() < 1e-5);
/// let (mean, _) = layer.running_estimates().expect("they are kept unless said otherwise");
/// assert!(mean.to_vec()[0] > 0.01);
/// ```
pub type BatchNorm2d<T = f32> = BatchNorm<2, T>;

/// Batch normalization of samples with up to `D` dimensions: [`BatchNorm1d`] or [`BatchNorm2d`].
///
/// Running estimates are updated by every training pass, through a shared reference; an evaluation changes nothing.
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct BatchNorm<const D: usize, T: Real = f32> {
    /// `[C]`: the deviation of each channel of the output.
    pub weight: Option<Param<T>>,
    /// `[C]`: the mean of each channel of the output.
    pub bias: Option<Param<T>>,
    /// `[C]`: the estimate of each channel's mean.
    pub running_mean: Option<Buffer<T>>,
    /// `[C]`: the estimate of each channel's variance (unbiased).
    pub running_var: Option<Buffer<T>>,
    /// How many batches the running estimates have seen, if they are plain averages over all of them.
    pub num_batches_tracked: Option<Buffer<T>>,
    /// Added to the variance, against division by 0.
    pub eps: f64,
    /// The share of the newest batch in the running estimates.
    pub momentum: f64,
    /// The number of channels.
    pub num_features: usize,
}

impl<const D: usize, T: Real> BatchNorm<D, T> {
    /// A layer for this many channels.
    pub fn new(channels: usize) -> Self {
        BatchNorm {
            weight: Some(Param::new(Tensor::ones(channels))),
            bias: Some(Param::new(Tensor::zeros(channels))),
            running_mean: Some(Buffer::new(Tensor::zeros(channels))),
            running_var: Some(Buffer::new(Tensor::ones(channels))),
            num_batches_tracked: None,
            eps: 1e-5,
            momentum: 0.1,
            num_features: channels,
        }
    }

    /// The layer without a weight and a bias: it normalizes and nothing else. PyTorch's `affine=False`.
    #[must_use]
    pub fn without_affine(self) -> Self {
        BatchNorm { weight: None, bias: None, ..self }
    }

    /// The layer without running estimates: evaluation, too, takes the batch's. PyTorch's `track_running_stats=False`.
    #[must_use]
    pub fn without_running_stats(self) -> Self {
        BatchNorm { running_mean: None, running_var: None, num_batches_tracked: None, ..self }
    }

    /// The layer with running estimates that are the plain averages over all batches. PyTorch's `momentum=None`. Without
    /// running estimates there is nothing to count.
    #[must_use]
    pub fn with_cumulative_average(self) -> Self {
        let count = self.running_mean.is_some().then(|| Buffer::new(Tensor::scalar(T::ZERO)));
        BatchNorm { num_batches_tracked: count, ..self }
    }

    /// The running mean and the running (unbiased) variance of each channel.
    pub fn running_estimates(&self) -> Option<(Tensor<T>, Tensor<T>)> {
        Some((self.running_mean.as_ref()?.get(), self.running_var.as_ref()?.get()))
    }

    /// The normalized batch.
    ///
    /// # Panics
    /// If `x` has another number of channels or of dimensions, or the statistics of a batch are needed and there is only one
    /// value per channel: its variance would be unknown.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let channels = self.num_features;
        let (fits, shapes) = match D {
            1 => (matches!(x.rank(), 2 | 3), "[N, C] or [N, C, L]"),
            _ => (x.rank() == 4, "[N, C, H, W]"),
        };
        assert!(
            fits && x.shape()[1] == channels,
            "BatchNorm{D}d: input {} must be {shapes} with {channels} channels",
            x.shape()
        );
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        match self.running_estimates() {
            Some(estimates) if !mode.is_train() => normalize_by(x, &estimates, weight, bias, self.eps),
            estimates => {
                let count = x.numel() / channels.max(1);
                assert!(count != 1, "BatchNorm{D}d: input {} has 1 values per channel, training needs two", x.shape());
                let (y, mean, var) = x.batch_norm(weight, bias, self.eps);
                if let (Some(estimates), true) = (estimates, mode.is_train()) {
                    no_grad(|| self.update(estimates, count, mean, var));
                }
                y
            }
        }
    }

    /// Moves the running estimates towards a batch of `count` values per channel.
    fn update(&self, (old_mean, old_var): (Tensor<T>, Tensor<T>), count: usize, mean: Tensor<T>, var: Tensor<T>) {
        let momentum = match &self.num_batches_tracked {
            Some(seen) => {
                let batches = seen.get() + T::ONE;
                seen.set(&batches);
                1.0 / batches.item().to_f64()
            }
            None => self.momentum,
        };
        if let (Some(running_mean), Some(running_var), true) = (&self.running_mean, &self.running_var, count > 0) {
            let (momentum, keep) = (T::from_f64(momentum), T::from_f64(1.0 - momentum));
            let unbiased = T::from_f64(count as f64 / (count - 1) as f64);
            running_mean.set(&(old_mean * keep + mean * momentum));
            running_var.set(&(old_var * keep + var * unbiased * momentum));
        }
    }
}

/// Normalizes by estimates, which are constants, so that the layer is one affine map: `x * scale + shift`.
#[track_caller]
pub(crate) fn normalize_by<T: Real>(
    x: &Tensor<T>,
    (mean, var): &(Tensor<T>, Tensor<T>),
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> Tensor<T> {
    let inv_std = (var + T::from_f64(eps)).powf(-0.5);
    let scale = weight.map_or(inv_std.clone(), |weight| weight * inv_std);
    let center = mean * &scale;
    let shift = bias.map_or_else(|| -&center, |bias| bias - &center);
    let along_channels: Vec<usize> = (1..x.rank()).map(|d| if d == 1 { mean.numel() } else { 1 }).collect();
    x * scale.reshape(&along_channels) + shift.reshape(&along_channels)
}

impl<const D: usize, T: Real> Layer<T> for BatchNorm<D, T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        let momentum = if self.num_batches_tracked.is_some() { "none".into() } else { self.momentum.to_string() };
        let affine = if self.weight.is_some() { "" } else { ", affine=false" };
        let tracked = if self.running_mean.is_some() { "" } else { ", track_running_stats=false" };
        format!("BatchNorm{D}d({}, eps={:?}, momentum={momentum}{affine}{tracked})", self.num_features, self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use chainrule_tensor::Rng;

    fn train<const D: usize>(layer: &BatchNorm<D, f64>, x: &Tensor<f64>) -> Tensor<f64> {
        layer.forward(x, &mut Mode::Train(&mut Rng::seed_from_u64(1)))
    }

    /// One sample with two channels of two values each.
    fn x() -> Tensor<f64> {
        Tensor::from([[[1.0, 3.0]], [[0.0, 8.0]]]).unsqueeze(0)
    }

    fn with_affine(mut layer: BatchNorm2d<f64>, weight: [f64; 2], bias: [f64; 2]) -> BatchNorm2d<f64> {
        layer.weight.as_mut().unwrap().set(&weight.into());
        layer.bias.as_mut().unwrap().set(&bias.into());
        layer
    }

    fn estimates<const D: usize>(layer: &BatchNorm<D, f64>) -> [Vec<f64>; 2] {
        let (mean, var) = layer.running_estimates().unwrap();
        [mean.to_vec(), var.to_vec()]
    }

    #[test]
    fn training_normalizes_and_moves_the_estimates() {
        let layer = with_affine(BatchNorm2d { eps: 0.0, ..BatchNorm2d::new(2) }, [2.0, 3.0], [0.0, 10.0]);
        assert_eq!(train(&layer, &x()).to_vec(), [-2.0, 2.0, 7.0, 13.0]);
        // Means 2 and 4; unbiased variances 2 and 32.
        let [mean, var] = estimates(&layer);
        assert_relative_eq!(mean[..], [0.2, 0.4]);
        assert_relative_eq!(var[..], [0.9 + 0.2, 0.9 + 3.2]);
        train(&layer, &x());
        let [mean, var] = estimates(&layer);
        assert_relative_eq!(mean[..], [0.38, 0.76]);
        assert_relative_eq!(var[..], [0.9 * 1.1 + 0.2, 0.9 * 4.1 + 3.2]);
    }

    #[test]
    fn evaluation_uses_the_estimates_and_changes_nothing() {
        let layer = with_affine(BatchNorm2d { eps: 0.25, ..BatchNorm2d::new(2) }, [2.0, 1.0], [0.5, 0.0]);
        layer.running_mean.as_ref().unwrap().set(&[1.0, 4.0].into());
        layer.running_var.as_ref().unwrap().set(&[3.75, 0.0].into());
        let y = layer.forward(&x(), &mut Mode::Eval);
        assert_eq!(y.to_vec(), [0.5, 2.5, -8.0, 8.0]);
        assert_eq!(estimates(&layer)[0], [1.0, 4.0]);
        // Gradients flow to the parameters also when the estimates are fixed.
        let grads = y.sum().backward();
        assert_eq!(grads.get(layer.weight.as_ref().unwrap()).unwrap().to_vec(), [1.0, 0.0]);
        assert_eq!(grads.get(layer.bias.as_ref().unwrap()).unwrap().to_vec(), [2.0, 2.0]);
    }

    #[test]
    fn estimates_can_be_plain_averages() {
        let layer: BatchNorm1d<f64> = BatchNorm1d::new(1).with_cumulative_average();
        for batch in [[1.0, 3.0], [4.0, 4.0], [0.0, 8.0]] {
            train(&layer, &Tensor::from(batch).unsqueeze(1));
        }
        let [mean, var] = estimates(&layer);
        assert_relative_eq!(mean[0], 10.0 / 3.0, max_relative = 1e-14);
        assert_relative_eq!(var[0], 34.0 / 3.0, max_relative = 1e-14);
        assert_eq!(layer.state_dict().get("num_batches_tracked").unwrap().item(), 3.0);
        assert_eq!(layer.describe(), "BatchNorm1d(1, eps=1e-5, momentum=none)");
    }

    #[test]
    fn without_estimates_evaluation_takes_the_batch() {
        let layer: BatchNorm2d<f64> = BatchNorm2d { eps: 0.0, ..BatchNorm2d::new(2) }.without_affine();
        let layer = layer.without_running_stats().with_cumulative_average();
        assert_eq!(layer.forward(&x(), &mut Mode::Eval).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
        assert!(layer.state_dict().is_empty());
        assert_eq!(layer.describe(), "BatchNorm2d(2, eps=0.0, momentum=0.1, affine=false, track_running_stats=false)");
    }

    #[test]
    fn an_empty_batch_moves_nothing() {
        let layer: BatchNorm1d<f64> = BatchNorm1d::new(2);
        let y = train(&layer, &Tensor::zeros([0, 2]));
        assert_eq!(y.shape(), &[0, 2]);
        assert_eq!(estimates(&layer), [vec![0.0; 2], vec![1.0; 2]]);
        let grads = y.sum().backward();
        assert_eq!(grads.get(layer.weight.as_ref().unwrap()).unwrap().to_vec(), [0.0; 2]);
    }

    #[test]
    fn names_are_those_of_pytorch() {
        let layer: BatchNorm2d = BatchNorm2d::new(3);
        let names: Vec<String> = layer.state_dict().names().map(String::from).collect();
        assert_eq!(names, ["weight", "bias", "running_mean", "running_var"]);
        assert_eq!(layer.num_parameters(), 6);
        assert_eq!(layer.describe(), "BatchNorm2d(3, eps=1e-5, momentum=0.1)");
    }

    #[test]
    #[should_panic(expected = "BatchNorm2d: input [1, 2, 1, 1] has 1 values per channel, training needs two")]
    fn one_value_has_no_variance() {
        train(&BatchNorm2d::new(2), &Tensor::zeros([1, 2, 1, 1]));
    }

    #[test]
    #[should_panic(expected = "BatchNorm2d: input [1, 2, 1, 2] must be [N, C, H, W] with 3 channels")]
    fn channels_must_match() {
        BatchNorm2d::new(3).forward(&x(), &mut Mode::Eval);
    }
}
