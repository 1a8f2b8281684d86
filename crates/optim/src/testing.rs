//! What the tests of several files share: a small regression problem, and gradients made by hand.

use crate::Optimizer;
use chainrule_layers::Param;
use chainrule_tensor::{Gradients, Number, Real, Shape, Tensor};

/// A linear regression with a weight `[2, 3]` and a bias `[3]`; the same one was trained by PyTorch for the numbers in
/// the tests.
pub(crate) struct Problem<T: Real> {
    pub(crate) net: Vec<Param<T>>,
    x: Tensor<T>,
    y: Tensor<T>,
}

fn matrix<T: Real>(values: &[f64], shape: impl Into<Shape>) -> Tensor<T> {
    Tensor::from_vec(values.iter().map(|&v| T::from_f64(v)).collect::<Vec<_>>(), shape)
}

impl<T: Real> Problem<T> {
    pub(crate) fn new() -> Self {
        let weight = matrix(&[0.5, -0.25, 0.125, 1.0, 0.75, -0.5], [2, 3]);
        let bias = matrix(&[0.1, -0.2, 0.3], [3]);
        Problem {
            net: vec![Param::new(weight), Param::new(bias)],
            x: matrix(&[1.0, 2.0, -1.0, 0.5, 0.25, -1.5, 2.0, -0.75], [4, 2]),
            y: matrix(&[1.0, 0.0, -1.0, 0.5, 2.0, 0.0, -1.0, 1.0, 0.25, 0.0, -2.0, 1.0], [4, 3]),
        }
    }

    pub(crate) fn loss(&self) -> Tensor<T> {
        (self.x.matmul(&self.net[0]) + &*self.net[1]).mse_loss(&self.y)
    }

    pub(crate) fn train(&mut self, optimizer: &mut dyn Optimizer<T>, steps: usize) {
        for _ in 0..steps {
            let grads = self.loss().backward();
            optimizer.step(&mut self.net, &grads);
        }
    }

    /// All parameters, exactly.
    pub(crate) fn values(&self) -> Vec<f64> {
        self.net.iter().flat_map(|p| p.to_vec()).map(Number::to_f64).collect()
    }
}

/// Five steps on the problem end, up to rounding, where they did in PyTorch, whose numbers are in `f64`.
pub(crate) fn ends_as_in_pytorch<T: Real>(mut optimizer: impl Optimizer<T>, torch: [f64; 9]) {
    let mut problem = Problem::<T>::new();
    problem.train(&mut optimizer, 5);
    let values = problem.values();
    let off = values.iter().zip(torch).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 2.0 * T::EPSILON.to_f64(), "{optimizer:?} is off by {off:e}: {values:?} instead of {torch:?}");
}

/// Gradients that differ from step to step and element to element, in `[-1, 1]` and exact in `f32`.
pub(crate) fn gradient(step: u64, i: usize) -> f64 {
    ((step as usize * 37 + i * 101) % 129) as f64 / 64.0 - 1.0
}

/// Those gradients for all parameters; the elements of a model count on from parameter to parameter.
pub(crate) fn gradients<T: Real>(net: &[Param<T>], step: u64) -> Gradients<T> {
    let mut grads = Gradients::default();
    let mut start = 0;
    for param in net {
        grads.insert(param, Tensor::from_fn(param.shape(), |i| T::from_f64(gradient(step, start + i))));
        start += param.numel();
    }
    grads
}

/// A net of parameters of these shapes, all ones.
pub(crate) fn ones<T: Real>(shapes: &[&[usize]]) -> Vec<Param<T>> {
    shapes.iter().map(|&shape| Param::new(Tensor::ones(shape))).collect()
}

/// Shapes with a scalar, nothing, a tail, and enough elements for threads.
pub(crate) const SHAPES: &[&[usize]] = &[&[3, 5], &[], &[0, 2], &[17], &[300, 250]];

/// Four steps with the made gradients do to each element what `reference(step, p, g, state)` says, where `state` starts at
/// zeros.
pub(crate) fn follows<T: Real>(
    mut optimizer: impl Optimizer<T>,
    tolerance: f64,
    reference: impl Fn(i32, &mut f64, f64, &mut [f64; 3]),
) {
    let mut net = ones::<T>(SHAPES);
    let numel: usize = net.iter().map(|p| p.numel()).sum();
    let mut want = vec![(1.0, [0.0; 3]); numel];
    for step in 1..=4 {
        let grads = gradients(&net, step);
        optimizer.step(&mut net, &grads);
        for (i, (p, state)) in want.iter_mut().enumerate() {
            reference(step as i32, p, gradient(step, i), state);
        }
    }
    let got = net.iter().flat_map(|p| p.to_vec());
    for (i, (got, (want, _))) in got.zip(want).enumerate() {
        assert!((got.to_f64() - want).abs() < tolerance, "{optimizer:?}, element {i}: {got} is not {want}");
    }
}
