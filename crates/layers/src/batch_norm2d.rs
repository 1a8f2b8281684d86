//! [`BatchNorm2d`]: every channel of a batch of images is brought to mean 0 and variance 1, then scaled and shifted.
//!
//! | | |
//! |---|---|
//! | equation | `y = (x - mean) / sqrt(var + eps) * weight + bias`, each `[C]` along the channels |
//! | training | `mean` and (biased) `var` are those of the batch, over `N`, `H` and `W`; gradients flow through them |
//! | | the running estimates move: `running = (1 - momentum) * running + momentum * batch`, with the unbiased variance |
//! | evaluation | `mean` and `var` are the running estimates |
//! | shapes | `x [N, C, H, W]` -> `y [N, C, H, W]` |
//! | parameters | `weight [C]`, `bias [C]`; buffers `running_mean [C]`, `running_var [C]` |
//! | initialization | weight and running variance 1, bias and running mean 0 |
//! | defaults | eps `1e-5`, momentum `0.1` |
//!
//! All as PyTorch does it. Source: S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.

use crate::{Buffer, Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Tensor, no_grad};

/// Normalizes each channel of images over the batch.
///
/// Running estimates are updated by every training pass, through a shared reference; an evaluation changes nothing.
///
/// ```
/// use chainrule_layers::{BatchNorm2d, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: BatchNorm2d = BatchNorm2d { momentum: 0.01, ..BatchNorm2d::new(3) };
/// let y = layer.forward(&(Tensor::randn([8, 3, 5, 5], &mut rng) + 2.0), &mut Mode::Train(&mut rng));
/// assert!(y.mean().item().abs() < 1e-5);
/// assert!(layer.running_mean.get().to_vec()[0] > 0.01);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct BatchNorm2d<T: Real = f32> {
    /// `[C]`: the deviation of each channel of the output.
    pub weight: Param<T>,
    /// `[C]`: the mean of each channel of the output.
    pub bias: Param<T>,
    /// `[C]`: the estimate of each channel's mean.
    pub running_mean: Buffer<T>,
    /// `[C]`: the estimate of each channel's variance (unbiased).
    pub running_var: Buffer<T>,
    /// Added to the variance, against division by 0.
    pub eps: f64,
    /// The share of the newest batch in the running estimates.
    pub momentum: f64,
}

impl<T: Real> BatchNorm2d<T> {
    /// A layer for this many channels.
    pub fn new(channels: usize) -> Self {
        BatchNorm2d {
            weight: Param::new(Tensor::ones(channels)),
            bias: Param::new(Tensor::zeros(channels)),
            running_mean: Buffer::new(Tensor::zeros(channels)),
            running_var: Buffer::new(Tensor::ones(channels)),
            eps: 1e-5,
            momentum: 0.1,
        }
    }

    /// The normalized images.
    ///
    /// # Panics
    /// If `x` is not `[N, C, H, W]`, or in training a channel has fewer than two elements: its variance would be unknown.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let channels = self.weight.numel();
        assert!(
            x.rank() == 4 && x.shape()[1] == channels,
            "BatchNorm2d: input {} must be [N, {channels}, H, W]",
            x.shape()
        );
        if mode.is_train() { self.train(x) } else { self.eval(x) }
    }

    #[track_caller]
    fn train(&self, x: &Tensor<T>) -> Tensor<T> {
        let count = x.shape()[0] * x.shape()[2] * x.shape()[3];
        assert!(count > 1, "BatchNorm2d: input {} has {count} values per channel, training needs two", x.shape());
        let (y, mean, var) = x.batch_norm(Some(&self.weight), Some(&self.bias), self.eps);
        no_grad(|| {
            let (momentum, keep) = (T::from_f64(self.momentum), T::from_f64(1.0 - self.momentum));
            let unbiased = T::from_f64(count as f64 / (count - 1) as f64);
            self.running_mean.set(&(self.running_mean.get() * keep + mean * momentum));
            self.running_var.set(&(self.running_var.get() * keep + var * unbiased * momentum));
        });
        y
    }

    /// The estimates are constants here, so that the layer is one affine map: `x * scale + shift`.
    #[track_caller]
    fn eval(&self, x: &Tensor<T>) -> Tensor<T> {
        let inv_std = (self.running_var.get() + T::from_f64(self.eps)).powf(-0.5);
        let scale = &*self.weight * inv_std;
        let shift = &*self.bias - self.running_mean.get() * &scale;
        let along_channels = [1, self.weight.numel(), 1, 1];
        x * scale.reshape(along_channels) + shift.reshape(along_channels)
    }
}

impl<T: Real> Layer<T> for BatchNorm2d<T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("BatchNorm2d({}, eps={:?}, momentum={})", self.weight.numel(), self.eps, self.momentum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use chainrule_tensor::Rng;

    fn train(layer: &BatchNorm2d<f64>, x: &Tensor<f64>) -> Tensor<f64> {
        layer.forward(x, &mut Mode::Train(&mut Rng::seed_from_u64(1)))
    }

    /// One sample with two channels of two values each.
    fn x() -> Tensor<f64> {
        Tensor::from([[[1.0, 3.0]], [[0.0, 8.0]]]).unsqueeze(0)
    }

    #[test]
    fn training_normalizes_and_moves_the_estimates() {
        let mut layer = BatchNorm2d { eps: 0.0, ..BatchNorm2d::new(2) };
        layer.weight.set(&[2.0, 3.0].into());
        layer.bias.set(&[0.0, 10.0].into());
        assert_eq!(train(&layer, &x()).to_vec(), [-2.0, 2.0, 7.0, 13.0]);
        // Means 2 and 4; unbiased variances 2 and 32.
        let estimates =
            |layer: &BatchNorm2d<f64>| [layer.running_mean.get(), layer.running_var.get()].map(|t| t.to_vec());
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
        let mut layer = BatchNorm2d { eps: 0.25, ..BatchNorm2d::new(2) };
        layer.running_mean.set(&[1.0, 4.0].into());
        layer.running_var.set(&[3.75, 0.0].into());
        layer.weight.set(&[2.0, 1.0].into());
        layer.bias.set(&[0.5, 0.0].into());
        let y = layer.forward(&x(), &mut Mode::Eval);
        assert_eq!(y.to_vec(), [0.5, 2.5, -8.0, 8.0]);
        assert_eq!(layer.running_mean.get().to_vec(), [1.0, 4.0]);
        // Gradients flow to the parameters also when the estimates are fixed.
        let grads = y.sum().backward();
        assert_eq!(grads.get(&layer.weight).unwrap().to_vec(), [1.0, 0.0]);
        assert_eq!(grads.get(&layer.bias).unwrap().to_vec(), [2.0, 2.0]);
    }

    #[test]
    fn names_are_those_of_pytorch() {
        let layer: BatchNorm2d = BatchNorm2d::new(3);
        let mut names = Vec::new();
        layer.visit(&crate::Path::ROOT, &mut |path, _| names.push(path.to_string()));
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
    #[should_panic(expected = "BatchNorm2d: input [1, 2, 1, 2] must be [N, 3, H, W]")]
    fn channels_must_match() {
        BatchNorm2d::new(3).forward(&x(), &mut Mode::Eval);
    }
}
