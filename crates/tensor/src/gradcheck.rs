//! Derivatives compared with finite differences, in `f64`.
//!
//! The function's output is contracted with a fixed pseudo-random tensor, so that one backward pass gives a number for
//! each input element. The difference quotient is the five-point stencil
//! `(f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)) / 12h`, whose error is of the order `h^4`.

use crate::{CreateGraph, Rng, Shape, Tensor, grad};
use std::fmt;

/// How close is close enough: `|analytic - numeric| <= atol + rtol * |numeric|`.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// The step `h` of the difference quotient.
    pub step: f64,
    /// The absolute tolerance.
    pub atol: f64,
    /// The relative tolerance.
    pub rtol: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { step: 1e-4, atol: 1e-7, rtol: 1e-6 }
    }
}

/// A derivative that does not match its difference quotient.
#[derive(Clone, Debug, PartialEq)]
pub struct GradcheckError {
    /// Which input.
    pub input: usize,
    /// The input's shape.
    pub shape: Shape,
    /// Which of its elements, in row-major order.
    pub element: usize,
    /// What backward says.
    pub analytic: f64,
    /// What the difference quotient says.
    pub numeric: f64,
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradcheckError { input, shape, element, analytic, numeric } = self;
        write!(
            f,
            "gradient of input {input} (shape {shape}), element {element}: backward gives {analytic:e}, finite differences {numeric:e}"
        )
    }
}

impl std::error::Error for GradcheckError {}

/// Compares the gradients of `f` at `inputs` with finite differences.
///
/// `f` gets tracked copies of the inputs and may return a tensor of any shape.
///
/// # Errors
/// The first element that differs by more than the default [`Tolerance`].
pub fn gradcheck(f: impl Fn(&[Tensor<f64>]) -> Tensor<f64>, inputs: &[&Tensor<f64>]) -> Result<(), GradcheckError> {
    gradcheck_with(Tolerance::default(), f, inputs)
}

/// Compares the second derivatives of `f` at `inputs` with finite differences of the first ones.
///
/// # Errors
/// The first element that differs by more than the default [`Tolerance`]. The input after the last one is the gradient
/// that flows into the output of `f`.
pub fn gradgradcheck(f: impl Fn(&[Tensor<f64>]) -> Tensor<f64>, inputs: &[&Tensor<f64>]) -> Result<(), GradcheckError> {
    gradgradcheck_with(Tolerance::default(), f, inputs)
}

/// [`gradcheck`] with another tolerance.
///
/// # Errors
/// The first element that differs by more than the tolerance.
pub fn gradcheck_with(
    tolerance: Tolerance,
    f: impl Fn(&[Tensor<f64>]) -> Tensor<f64>,
    inputs: &[&Tensor<f64>],
) -> Result<(), GradcheckError> {
    let contracted = |inputs: &[Tensor<f64>]| {
        let output = f(inputs);
        let weights = weights(output.shape(), 17);
        (output * weights).sum()
    };
    let leaves: Vec<_> = inputs.iter().map(|x| x.requires_grad()).collect();
    let grads = contracted(&leaves).backward();
    for (i, leaf) in leaves.iter().enumerate() {
        let analytic = grads.get(leaf).map_or_else(|| vec![0.0; leaf.numel()], Tensor::to_vec);
        let values = leaf.to_vec();
        for (element, &analytic) in analytic.iter().enumerate() {
            let at = |offset: f64| {
                let mut moved = values.clone();
                moved[element] += offset * tolerance.step;
                let mut inputs = leaves.clone();
                inputs[i] = Tensor::from_vec(moved, leaf.shape()).requires_grad();
                contracted(&inputs).item()
            };
            let numeric = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * tolerance.step);
            // Written so that NaN fails.
            let close = (analytic - numeric).abs() <= tolerance.atol + tolerance.rtol * numeric.abs();
            if !close {
                return Err(GradcheckError { input: i, shape: leaf.shape().clone(), element, analytic, numeric });
            }
        }
    }
    Ok(())
}

/// [`gradgradcheck`] with another tolerance.
///
/// # Errors
/// The first element that differs by more than the tolerance.
pub fn gradgradcheck_with(
    tolerance: Tolerance,
    f: impl Fn(&[Tensor<f64>]) -> Tensor<f64>,
    inputs: &[&Tensor<f64>],
) -> Result<(), GradcheckError> {
    let output_shape = f(&inputs.iter().map(|&x| x.clone()).collect::<Vec<_>>()).shape().clone();
    let seed = weights(&output_shape, 29);
    let first = |all: &[Tensor<f64>]| {
        let (seed, inputs) = all.split_last().expect("the seed is the last input");
        let output = (f(inputs) * seed).sum();
        let wrt: Vec<_> = inputs.iter().collect();
        let gradients = if output.is_tracked() { grad(&output, &wrt, CreateGraph) } else { Vec::new() };
        let parts = gradients.iter().enumerate().map(|(i, g)| (g * weights(g.shape(), 31 + i as u64)).sum());
        parts.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::scalar(0.0))
    };
    let mut all = inputs.to_vec();
    all.push(&seed);
    gradcheck_with(tolerance, first, &all)
}

/// Fixed pseudo-random numbers in `+-[0.5, 1.5]`.
fn weights(shape: &Shape, seed: u64) -> Tensor<f64> {
    let mut rng = Rng::seed_from_u64(seed);
    Tensor::from_fn(shape, |_| {
        let x = rng.uniform() * 2.0 - 1.0;
        x + 0.5 * x.signum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_derivatives_pass() {
        let x = Tensor::from([0.3, -1.2, 2.0]);
        gradcheck(|x| &x[0] * &x[0] * &x[0], &[&x]).unwrap();
        gradgradcheck(|x| &x[0] * &x[0] * &x[0], &[&x]).unwrap();
    }

    #[test]
    fn wrong_derivatives_are_named() {
        // The derivative through the detached factor is lost.
        let error = gradcheck(|x| &x[0] * x[0].detach(), &[&Tensor::from([3.0])]).unwrap_err();
        assert_eq!((error.input, error.element), (0, 0));
        assert!((error.numeric / error.analytic - 2.0).abs() < 1e-6);
        assert!(error.to_string().contains("gradient of input 0 (shape [1]), element 0"));
    }

    #[test]
    fn untracked_results_are_wrong_unless_constant() {
        assert!(gradcheck(|x| x[0].detach(), &[&Tensor::from([3.0])]).is_err());
        gradcheck(|x| x[0].detach() * 0.0, &[&Tensor::from([3.0])]).unwrap();
    }
}
