//! Initial values of parameters, scaled so that signals keep their size from layer to layer.
//!
//! | | standard deviation | keeps |
//! |---|---|---|
//! | Kaiming | `gain / sqrt(fan)` | the variance of the signals (fan in) or of the gradients (fan out) |
//! | Xavier | `gain * sqrt(2 / (fan_in + fan_out))` | a compromise between both |
//! | orthogonal | | lengths: rows or columns are at right angles to each other and of length `gain` |
//! | truncated normal | as given | the tails out: no draw lies beyond the bounds |
//!
//! The uniform variants of the first two draw from `(-b, b)` with `b = sqrt(3) * std`, which has the same deviation.
//!
//! The *fan in* of a weight is the number of inputs that each output sums over, the *fan out* the number of outputs that
//! each input contributes to. For a shape `[out, in, k..]`, with `k` the product of the sizes after the second, they are
//! `in * k` and `out * k` (as PyTorch computes them: for a grouped convolution `out` counts all groups).
//!
//! Values go into a parameter by [`Param::set`](crate::Param::set):
//!
//! ```
//! use chainrule_layers::{Linear, init};
//! use chainrule_tensor::Rng;
//!
//! let mut rng = Rng::seed_from_u64(1);
//! let mut layer: Linear = Linear::new(4, 3, &mut rng);
//! layer.weight.set(&init::orthogonal([3, 4], 1.0, &mut rng));
//! ```
//!
//! Sources: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
//! 2010; K. He et al., "Delving deep into rectifiers", ICCV 2015; A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the
//! nonlinear dynamics of learning in deep linear neural networks", ICLR 2014.

use chainrule_tensor::{Number, Real, Rng, Shape, Tensor};

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
    /// The scaled exponential linear unit: gain 3/4.
    Selu,
}

impl Nonlinearity {
    /// The gain: PyTorch's `calculate_gain`.
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2f64.sqrt(),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
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

/// Uniform draws from `[low, high)`.
pub fn uniform<T: Real>(shape: impl Into<Shape>, low: f64, high: f64, rng: &mut Rng) -> Tensor<T> {
    Tensor::uniform(shape, T::from_f64(low), T::from_f64(high), rng)
}

/// Normal draws with the given mean and standard deviation, drawn anew until they lie within `[low, high]`.
///
/// # Panics
/// If the interval is empty, or so far out that next to no draw would fall into it.
#[track_caller]
pub fn truncated_normal<T: Real>(
    shape: impl Into<Shape>,
    mean: f64,
    std: f64,
    low: f64,
    high: f64,
    rng: &mut Rng,
) -> Tensor<T> {
    let below = |x: f64| 0.5 * (1.0 + Number::erf((x - mean) / (std * std::f64::consts::SQRT_2)));
    assert!(
        low < high && below(high) - below(low) > 1e-4,
        "truncated_normal: next to no draws of mean {mean} and deviation {std} lie between {low} and {high}"
    );
    let mut draws = std::iter::repeat_with(|| mean + std * rng.normal()).filter(|x| (low..=high).contains(x));
    // Rounding to a shorter type may not leave the bounds.
    let (least, most) = (T::from_f64(low), T::from_f64(high));
    Tensor::from_fn(shape, |_| T::from_f64(draws.next().expect("draws without end")).maximum(least).minimum(most))
}

/// A random matrix with orthogonal rows, or columns if it has more rows, of length `gain`. Further dimensions count as columns.
///
/// The Q of a QR decomposition of normal draws, with the signs that make it uniform among all.
///
/// # Panics
/// If the shape has fewer than two dimensions.
#[track_caller]
pub fn orthogonal<T: Real>(shape: impl Into<Shape>, gain: f64, rng: &mut Rng) -> Tensor<T> {
    let shape = shape.into();
    assert!(shape.rank() >= 2, "orthogonal: a weight of shape {shape} is no matrix: it needs at least two dimensions");
    let (rows, cols) = (shape[0], shape[1..].iter().product::<usize>());
    // `short` vectors of length `long`, each made orthogonal to those before it.
    let (short, long) = (rows.min(cols), rows.max(cols));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(short);
    while vectors.len() < short {
        let mut vector: Vec<f64> = (0..long).map(|_| rng.normal()).collect();
        // Twice is enough: what the first pass leaves by rounding, the second takes away.
        for _ in 0..2 {
            for other in &vectors {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let length = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        // A draw within the span of the others would leave nothing but rounding errors.
        if length > 1e-8 {
            vector.iter_mut().for_each(|a| *a /= length);
            vectors.push(vector);
        }
    }
    let entry = |row: usize, col: usize| if rows <= cols { vectors[row][col] } else { vectors[col][row] };
    Tensor::from_fn(shape, |i| T::from_f64(gain * entry(i / cols, i % cols)))
}

/// Ones on the diagonal of a matrix, zeros elsewhere: a dense layer that hands its input on.
///
/// # Panics
/// If the shape has not two dimensions.
#[track_caller]
pub fn eye<T: Real>(shape: impl Into<Shape>) -> Tensor<T> {
    let shape = shape.into();
    assert!(shape.rank() == 2, "eye: a weight of shape {shape} is no matrix");
    let cols = shape[1];
    Tensor::from_fn(shape, |i| if i / cols == i % cols { T::ONE } else { T::ZERO })
}

/// A convolution that hands its channels on: within each group, output `i` has a one in the middle of the window of input `i`.
///
/// # Panics
/// If the shape has fewer than three dimensions, or the outputs do not fall into `groups`.
#[track_caller]
pub fn dirac<T: Real>(shape: impl Into<Shape>, groups: usize) -> Tensor<T> {
    let shape = shape.into();
    assert!(
        shape.rank() >= 3 && groups > 0 && shape[0].is_multiple_of(groups),
        "dirac: a weight of shape {shape} is no convolution of {groups} groups"
    );
    let window: usize = shape[2..].iter().product();
    let middle = shape[2..].iter().fold(0, |at, n| at * n + n / 2);
    let (inputs, outputs) = (shape[1], shape[0] / groups);
    Tensor::from_fn(shape, |i| {
        let (output, input) = (i / window / inputs % outputs, i / window % inputs);
        if output == input && i % window == middle { T::ONE } else { T::ZERO }
    })
}

/// Zeros.
pub fn zeros<T: Real>(shape: impl Into<Shape>) -> Tensor<T> {
    Tensor::zeros(shape)
}

/// Ones.
pub fn ones<T: Real>(shape: impl Into<Shape>) -> Tensor<T> {
    Tensor::ones(shape)
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
        assert_eq!((Nonlinearity::Tanh.gain(), Nonlinearity::Selu.gain()), (5.0 / 3.0, 0.75));
        assert_eq!(Nonlinearity::LeakyRelu(0.0).gain(), Nonlinearity::Relu.gain());
        // sqrt(2 / (1 + 5)) = 1 / sqrt(3): PyTorch's default for dense layers and convolutions.
        assert!((Nonlinearity::LeakyRelu(5f64.sqrt()).gain() - 3f64.sqrt().recip()).abs() < 1e-15);
    }

    #[test]
    fn orthogonal_vectors_are_at_right_angles() {
        let mut rng = Rng::seed_from_u64(2);
        for shape in
            [Shape::from([3, 5]), [5, 3].into(), [4, 4].into(), [4, 2, 3, 2].into(), [1, 1].into(), [0, 2].into()]
        {
            let weight = orthogonal::<f64>(&shape, 2.0, &mut rng);
            assert_eq!(weight.shape(), &shape);
            let matrix = weight.reshape([shape[0], shape[1..].iter().product()]);
            let product = if matrix.shape()[0] <= matrix.shape()[1] {
                matrix.matmul(&matrix.t())
            } else {
                matrix.t().matmul(&matrix)
            };
            let error = product - Tensor::eye(matrix.shape()[0].min(matrix.shape()[1])) * 4.0;
            assert!(error.to_vec().iter().all(|e| e.abs() < 1e-13), "{shape}");
        }
    }

    #[test]
    fn truncated_draws_stay_inside() {
        let mut rng = Rng::seed_from_u64(2);
        let x = truncated_normal::<f64>([20_000], 1.0, 2.0, -1.0, 3.0, &mut rng);
        let (mean, std, _) = moments(x.clone());
        // Between one deviation on either side the variance is 0.2911 of the whole.
        assert!((mean - 1.0).abs() < 0.03 && (std - 2.0 * 0.2911f64.sqrt()).abs() < 0.02, "{mean} {std}");
        assert!(x.to_vec().iter().all(|x| (-1.0..=3.0).contains(x)));
        let narrow = truncated_normal::<f32>([100], 0.0, 1.0, 0.1, 0.2, &mut rng);
        assert!(narrow.to_vec().iter().all(|x| (0.1..=0.2).contains(x)));
    }

    #[test]
    #[should_panic(expected = "truncated_normal: next to no draws of mean 0 and deviation 1 lie between 9 and 10")]
    fn truncation_must_leave_something() {
        truncated_normal::<f32>([2], 0.0, 1.0, 9.0, 10.0, &mut Rng::seed_from_u64(1));
    }

    #[test]
    fn identities_hand_their_input_on() {
        assert_eq!(eye::<f32>([2, 3]).to_vec(), [1., 0., 0., 0., 1., 0.]);
        let x = Tensor::<f32>::arange(32).reshape([1, 2, 4, 4]);
        let same = chainrule_tensor::ops::Conv2dOptions { padding: [1, 1], ..Default::default() };
        assert_eq!(x.conv2d(&dirac([2, 2, 3, 3], 1), None, same).to_vec(), x.to_vec());
        let grouped = chainrule_tensor::ops::Conv2dOptions { groups: 2, ..same };
        assert_eq!(x.conv2d(&dirac([2, 1, 3, 3], 2), None, grouped).to_vec(), x.to_vec());
        assert_eq!(dirac::<f32>([1, 2, 4], 1).to_vec(), [0., 0., 1., 0., 0., 0., 0., 0.]);
    }

    #[test]
    fn constants_are_constant() {
        assert_eq!(zeros::<f32>([2, 2]).to_vec(), [0.0; 4]);
        assert_eq!(ones::<f32>([2, 2]).to_vec(), [1.0; 4]);
        let x = uniform::<f64>([1000], 2.0, 3.0, &mut Rng::seed_from_u64(1)).to_vec();
        assert!(x.iter().all(|x| (2.0..3.0).contains(x)));
        assert_eq!(constant::<f32>(3, 0.5).to_vec(), [0.5; 3]);
        assert_eq!(kaiming_uniform::<f32>([0, 4], Fan::Out, 1.0, &mut Rng::seed_from_u64(1)).numel(), 0);
    }

    #[test]
    #[should_panic(expected = "fans: a weight of shape [3] has no fan")]
    fn a_vector_has_no_fan() {
        xavier_normal::<f32>(3, 1.0, &mut Rng::seed_from_u64(1));
    }
}
