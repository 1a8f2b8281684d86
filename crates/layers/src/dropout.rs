//! [`Dropout`]: a random part of the signals is silenced while training. [`Dropout1d`] and [`Dropout2d`] silence whole
//! channels.
//!
//! | | |
//! |---|---|
//! | equation | training: `y = 0` with probability `p`, else `x / (1 - p)`; evaluation: `y = x` |
//! | shapes | kept; channels are those of `[N, C, ..]` (a sequence without a batch is `[C, L]`) |
//! | parameters | none |
//!
//! Neighbors in an image say much the same: to silence one of them silences nothing, but a whole channel does.
//!
//! Sources: J. Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015; N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Silences each signal with probability `p` while training, and scales the others up so that the mean stays.
///
/// ```
/// use chainrule_layers::{Dropout, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let (layer, x) = (Dropout::new(0.5), Tensor::<f32>::ones(8));
/// assert_eq!(layer.forward(&x, &mut Mode::Eval).to_vec(), [1.0; 8]);
/// let y = layer.forward(&x, &mut Mode::Train(&mut Rng::seed_from_u64(1)));
/// assert!(y.to_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

no_parameters!(Dropout);

impl Dropout {
    /// A layer that silences with probability `p`.
    ///
    /// # Panics
    /// If `p` is not in `[0, 1]`.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout: {p} is no probability in [0, 1]");
        Dropout { p }
    }

    /// The probability.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// `x` with some elements silenced while training, `x` itself in evaluation.
    pub fn forward<T: Real>(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        match mode {
            Mode::Train(rng) => x.dropout(self.p, rng),
            Mode::Eval => x.clone(),
        }
    }
}

impl<T: Real> Layer<T> for Dropout {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("Dropout(p={})", self.p)
    }
}

/// Silences each channel of each sequence `[N, C, L]` or `[C, L]` with probability `p` while training.
pub type Dropout1d = ChannelDropout<1>;

/// Silences each channel of each image `[N, C, H, W]` with probability `p` while training.
///
/// ```
/// use chainrule_layers::{Dropout2d, Mode};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let y = Dropout2d::new(0.5).forward(&Tensor::<f32>::ones([1, 8, 2, 2]), &mut Mode::Train(&mut Rng::seed_from_u64(1)));
/// assert!(y.to_vec().chunks(4).all(|channel| channel == [0.0; 4] || channel == [2.0; 4]));
/// ```
pub type Dropout2d = ChannelDropout<2>;

/// Silences whole channels: [`Dropout1d`] or [`Dropout2d`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelDropout<const D: usize> {
    p: f64,
}

no_parameters!(for<D> ChannelDropout<D>);

impl<const D: usize> ChannelDropout<D> {
    /// A layer that silences with probability `p`.
    ///
    /// # Panics
    /// If `p` is not in `[0, 1]`.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Dropout{D}d: {p} is no probability in [0, 1]");
        ChannelDropout { p }
    }

    /// `x` with some channels silenced while training, `x` itself in evaluation.
    ///
    /// # Panics
    /// If `x` has fewer than two dimensions.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        assert!(x.rank() >= 2, "Dropout{D}d: input {} must be [N, C, ..]", x.shape());
        let Mode::Train(rng) = mode else { return x.clone() };
        // One number for each channel; only a sequence can be recognized by its shape as one without a batch.
        let channels = if x.rank() == 2 { 1 } else { 2 };
        let sizes = x.shape().iter().enumerate().map(|(d, &n)| if d < channels { n } else { 1 });
        x * Tensor::ones(sizes.collect::<Vec<_>>()).dropout(self.p, rng)
    }
}

impl<const D: usize, T: Real> Layer<T> for ChannelDropout<D> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("Dropout{D}d(p={})", self.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;

    #[test]
    fn the_mode_decides() {
        let x = Tensor::<f64>::ones(10_000);
        let train = |p, seed| Dropout::new(p).forward(&x, &mut Mode::Train(&mut Rng::seed_from_u64(seed))).to_vec();
        let y = train(0.2, 1);
        let silent = y.iter().filter(|&&y| y == 0.0).count();
        assert!((1_900..2_100).contains(&silent), "{silent}");
        assert!(y.iter().all(|&y| y == 0.0 || (y - 1.25).abs() < 1e-12));
        assert_eq!(y, train(0.2, 1));
        assert_ne!(y, train(0.2, 2));
        assert_eq!(train(0.0, 1), x.to_vec());
        assert_eq!(train(1.0, 1), vec![0.0; 10_000]);
        assert_eq!(Dropout::new(0.2).forward(&x, &mut Mode::Eval).to_vec(), x.to_vec());
        assert_eq!(Layer::<f32>::describe(&Dropout::new(0.5)), "Dropout(p=0.5)");
    }

    #[test]
    fn channels_are_silenced_as_a_whole() {
        let channels = |x: &Tensor<f64>, size: usize| {
            let y = Dropout2d::new(0.25).forward(x, &mut Mode::Train(&mut Rng::seed_from_u64(3)));
            assert_eq!(y.shape(), x.shape());
            let y = y.to_vec();
            assert!(y.chunks(size).all(|channel| channel.iter().all(|&v| v == channel[0])));
            y.chunks(size).filter(|channel| channel[0] == 0.0).count()
        };
        assert!((200..300).contains(&channels(&Tensor::ones([20, 50, 2, 3]), 6)));
        assert!((200..300).contains(&channels(&Tensor::ones([20, 50, 3]), 3)));
        assert!((200..300).contains(&channels(&Tensor::ones([1000, 3]), 3)));
        let x = Tensor::<f64>::ones([3, 4]);
        assert_eq!(Dropout1d::new(0.5).forward(&x, &mut Mode::Eval).to_vec(), x.to_vec());
        assert_eq!(Layer::<f32>::describe(&Dropout1d::new(0.5)), "Dropout1d(p=0.5)");
    }

    #[test]
    #[should_panic(expected = "Dropout: 1.5 is no probability in [0, 1]")]
    fn p_is_a_probability() {
        Dropout::new(1.5);
    }
}
