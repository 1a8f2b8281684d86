//! Initial values of parameters, scaled so that signals keep their size from layer to layer.
//!
//! | | standard deviation | keeps |
//! |---|---|---|
//! | Kaiming | `gain / sqrt(fan)` | the variance of the signals (fan in) or of the gradients (fan out) |
//! | Xavier | `gain * sqrt(2 / (fan_in + fan_out))` | a compromise between both |
//!
//! The uniform variants draw from `(-b, b)` with `b = sqrt(3) * std`, which has the same deviation.
//!
//! The *fan in* of a weight is the number of inputs that each output sums over, the *fan out* the number of outputs that
//! each input contributes to. For a shape `[out, in, k..]`, with `k` the product of the sizes after the second, they are
//! `in * k` and `out * k` (as PyTorch computes them: for a grouped convolution `out` counts all groups).
//!
//! Sources: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
//! 2010; K. He et al., "Delving deep into rectifiers", ICCV 2015.

use chainrule_tensor::{Real, Rng, Shape, Tensor};

/// What a Kaiming initialization keeps at its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fan {
    /// The signals of the forward pass.
    #[default]
    In,
    /// The gradients of the backward pass.
    Out,
}

/// The nonlinearity after a layer, which sets the gain: by how much the weights have to make up for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// None, or the softmax: gain 1.
    Linear,
    /// The logistic function: gain 1.
    Sigmoid,
    /// The hyperbolic tangent: gain 5/3.
    Tanh,
    /// `max(x, 0)`: gain `sqrt(2)`.
    Relu,
    /// `x` where positive, else this slope times `x`: gain `sqrt(2 / (1 + slope^2))`.
    LeakyRelu(f64),
}

impl Nonlinearity {
    /// The gain: PyTorch's `calculate_gain`.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2f64.sqrt(),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        }
    }
}

/// The fan in and the fan out of a weight of this shape.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn fans(shape: &[usize]) -> (usize, usize) {
    assert!(shape.len() >= 2, "fans: a weight of shape {shape:?} has no fan: it needs at least two dimensions");
    let window: usize = shape[2..].iter().product();
    (shape[1] * window, shape[0] * window)
}

/// Uniform draws after He et al.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn kaiming_uniform<T: Real>(shape: impl Into<Shape>, fan: Fan, gain: f64, rng: &mut Rng) -> Tensor<T> {
    let shape = shape.into();
    let std = kaiming_std(&shape, fan, gain);
    symmetric(shape, 3f64.sqrt() * std, rng)
}

/// Normal draws after He et al.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn kaiming_normal<T: Real>(shape: impl Into<Shape>, fan: Fan, gain: f64, rng: &mut Rng) -> Tensor<T> {
    let shape = shape.into();
    let std = kaiming_std(&shape, fan, gain);
    normal(shape, std, rng)
}

/// Uniform draws after Glorot and Bengio.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn xavier_uniform<T: Real>(shape: impl Into<Shape>, gain: f64, rng: &mut Rng) -> Tensor<T> {
    let shape = shape.into();
    let std = xavier_std(&shape, gain);
    symmetric(shape, 3f64.sqrt() * std, rng)
}

/// Normal draws after Glorot and Bengio.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn xavier_normal<T: Real>(shape: impl Into<Shape>, gain: f64, rng: &mut Rng) -> Tensor<T> {
    let shape = shape.into();
    let std = xavier_std(&shape, gain);
    normal(shape, std, rng)
}

/// Uniform draws between `-bound` and `bound`.
pub fn symmetric<T: Real>(shape: impl Into<Shape>, bound: f64, rng: &mut Rng) -> Tensor<T> {
    Tensor::uniform(shape, T::from_f64(-bound), T::from_f64(bound), rng)
}

/// Normal draws with mean 0.
pub fn normal<T: Real>(shape: impl Into<Shape>, std: f64, rng: &mut Rng) -> Tensor<T> {
    Tensor::from_fn(shape, |_| T::from_f64(std * rng.normal()))
}

/// Zeros.
pub fn zeros<T: Real>(shape: impl Into<Shape>) -> Tensor<T> {
    Tensor::zeros(shape)
}

/// One value everywhere.
pub fn constant<T: Real>(shape: impl Into<Shape>, value: f64) -> Tensor<T> {
    Tensor::full(shape, T::from_f64(value))
}

#[track_caller]
fn kaiming_std(shape: &[usize], fan: Fan, gain: f64) -> f64 {
    let (fan_in, fan_out) = fans(shape);
    let fan = match fan {
        Fan::In => fan_in,
        Fan::Out => fan_out,
    };
    // A weight without elements has no fan, and needs no finite one.
    gain / (fan.max(1) as f64).sqrt()
}

#[track_caller]
fn xavier_std(shape: &[usize], gain: f64) -> f64 {
    let (fan_in, fan_out) = fans(shape);
    gain * (2.0 / (fan_in + fan_out).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A convolution's weight with fan in 16 * 9 and fan out 64 * 9.
    const SHAPE: [usize; 4] = [64, 16, 3, 3];

    /// The mean, the standard deviation and the largest absolute value.
    fn moments(x: Tensor<f64>) -> (f64, f64, f64) {
        let (x, n) = (x.to_vec(), x.numel() as f64);
        let mean = x.iter().sum::<f64>() / n;
        let std = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        (mean, std, x.iter().fold(0.0, |m, x| x.abs().max(m)))
    }

    #[test]
    fn fans_are_those_of_pytorch() {
        assert_eq!(fans(&[5, 3]), (3, 5));
        assert_eq!(fans(&SHAPE), (144, 576));
    }

    #[test]
    fn deviations_and_bounds_are_right() {
        let gain = Nonlinearity::Relu.gain();
        let mut rng = Rng::seed_from_u64(5);
        let rng = &mut rng;
        let (fan_in, fan_out, both) = ((2.0f64 / 144.0).sqrt(), (2.0f64 / 576.0).sqrt(), (2.0f64 / 720.0).sqrt());
        for (uniform, x, expected) in [
            (true, kaiming_uniform(SHAPE, Fan::In, gain, rng), fan_in),
            (true, kaiming_uniform(SHAPE, Fan::Out, gain, rng), fan_out),
            (true, xavier_uniform(SHAPE, 1.0, rng), both),
            (false, kaiming_normal(SHAPE, Fan::In, gain, rng), fan_in),
            (false, kaiming_normal(SHAPE, Fan::Out, gain, rng), fan_out),
            (false, xavier_normal(SHAPE, 1.0, rng), both),
        ] {
            let (mean, std, max) = moments(x);
            // 9216 draws: the mean deviates by about std / 96, the deviation by about 1 %.
            assert!(mean.abs() < expected / 20.0, "mean {mean}");
            assert!((std / expected - 1.0).abs() < 0.04, "deviation {std} instead of {expected}");
            let bound = 3f64.sqrt() * expected;
            assert_eq!(max <= bound, uniform, "largest {max}, bound {bound}");
            assert!(max > 0.99 * bound);
        }
    }

    #[test]
    fn gains_are_those_of_pytorch() {
        assert_eq!(Nonlinearity::Tanh.gain(), 5.0 / 3.0);
        assert_eq!(Nonlinearity::LeakyRelu(0.0).gain(), Nonlinearity::Relu.gain());
        // sqrt(2 / (1 + 5)) = 1 / sqrt(3): PyTorch's default for dense layers and convolutions.
        assert!((Nonlinearity::LeakyRelu(5f64.sqrt()).gain() - 3f64.sqrt().recip()).abs() < 1e-15);
    }

    #[test]
    fn constants_are_constant() {
        assert_eq!(zeros::<f32>([2, 2]).to_vec(), [0.0; 4]);
        assert_eq!(constant::<f32>(3, 0.5).to_vec(), [0.5; 3]);
        assert_eq!(kaiming_uniform::<f32>([0, 4], Fan::Out, 1.0, &mut Rng::seed_from_u64(1)).numel(), 0);
    }

    #[test]
    #[should_panic(expected = "fans: a weight of shape [3] has no fan")]
    fn a_vector_has_no_fan() {
        xavier_normal::<f32>(3, 1.0, &mut Rng::seed_from_u64(1));
    }
}
