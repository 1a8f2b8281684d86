//! [`Linear`], the dense layer: `y = x W^T + b`.
//!
//! | | |
//! |---|---|
//! | shapes | `x [.., in]` -> `y [.., out]` |
//! | parameters | `weight [out, in]`, `bias [out]` |
//! | initialization | both uniform on `(-1/sqrt(in), 1/sqrt(in))`: Kaiming for a leaky slope of `sqrt(5)`, PyTorch's default |

use crate::init::{self, Fan, Nonlinearity};
use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Rng, Shape, Tensor};
use std::marker::PhantomData;

/// A dense layer: every output is a weighted sum of all inputs plus a bias.
///
/// ```
/// use chainrule_layers::Linear;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: Linear = Linear::new(4, 3, &mut rng);
/// assert_eq!(layer.forward(&Tensor::ones([2, 4])).shape(), &[2, 3]);
/// let unbiased: Linear = Linear::builder(4, 3).bias(false).build(&mut rng);
/// assert!(unbiased.bias.is_none());
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Linear<T: Real = f32> {
    /// `[out, in]`.
    pub weight: Param<T>,
    /// `[out]`.
    pub bias: Option<Param<T>>,
}

impl<T: Real> Linear<T> {
    /// A layer with a bias, in PyTorch's default initialization.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        Self::builder(inputs, outputs).build(rng)
    }

    /// A layer to be configured: [`LinearBuilder`].
    pub fn builder(inputs: usize, outputs: usize) -> LinearBuilder<T> {
        LinearBuilder { inputs, outputs, bias: true, real: PhantomData }
    }

    /// `x W^T + b` over the last dimension.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of inputs.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.linear(&self.weight, self.bias.as_deref())
    }

    /// [`forward`](Linear::forward), then a ReLU, in one pass over the output.
    ///
    /// # Panics
    /// As `forward`.
    #[track_caller]
    pub fn forward_relu(&self, x: &Tensor<T>) -> Tensor<T> {
        x.linear_relu(&self.weight, self.bias.as_deref())
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.weight.shape()[1]
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl<T: Real> Layer<T> for Linear<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn call_relu(&self, x: Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward_relu(&x)
    }
    fn describe(&self) -> String {
        let bias = if self.bias.is_some() { "" } else { ", bias=false" };
        format!("Linear({}, {}{bias})", self.inputs(), self.outputs())
    }
}

/// Settings of a [`Linear`].
#[derive(Clone, Copy, Debug)]
pub struct LinearBuilder<T: Real = f32> {
    inputs: usize,
    outputs: usize,
    bias: bool,
    real: PhantomData<T>,
}

impl<T: Real> LinearBuilder<T> {
    /// Whether there is a bias. True unless said.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        LinearBuilder { bias, ..self }
    }

    /// The layer, in PyTorch's default initialization.
    pub fn build(self, rng: &mut Rng) -> Linear<T> {
        let (weight, bias) = torch_default([self.outputs, self.inputs], self.bias.then_some(self.outputs), rng);
        Linear { weight, bias }
    }
}

/// A weight `[out, in, ..]` and a bias of some outputs as PyTorch initializes dense layers and convolutions.
pub(crate) fn torch_default<T: Real>(
    shape: impl Into<Shape>,
    bias: Option<usize>,
    rng: &mut Rng,
) -> (Param<T>, Option<Param<T>>) {
    let shape = shape.into();
    let (fan_in, _) = init::fans(&shape);
    let gain = Nonlinearity::LeakyRelu(5f64.sqrt()).gain();
    let weight = Param::new(init::kaiming_uniform(&shape, Fan::In, gain, rng));
    // Without inputs there is nothing to break the symmetry of: PyTorch leaves the bias at 0.
    let bound = if fan_in > 0 { 1.0 / (fan_in as f64).sqrt() } else { 0.0 };
    (weight, bias.map(|outputs| Param::new(init::symmetric(outputs, bound, rng))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    #[test]
    fn computes_the_affine_map() {
        let layer = Linear {
            weight: Param::new(Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]])),
            bias: Some(Param::new([0.5, 0.0, -0.5].into())),
        };
        assert_eq!(layer.forward(&[[1.0, -1.0], [0.0, 2.0]].into()).to_vec(), [-0.5, -1.0, -1.5, 4.5, 8.0, 11.5]);
        assert_eq!(layer.forward(&Tensor::ones([4, 5, 2])).shape(), &[4, 5, 3]);
        assert_eq!(layer.describe(), "Linear(2, 3)");
    }

    #[test]
    fn starts_within_the_bounds_of_pytorch() {
        let layer: Linear<f64> = Linear::new(100, 400, &mut Rng::seed_from_u64(2));
        for param in layer.parameters() {
            let largest = param.to_vec().iter().fold(0f64, |m, x| m.max(x.abs()));
            assert!((0.098..0.1).contains(&largest), "{largest}");
        }
        assert_eq!(layer.num_parameters(), 40_400);
    }

    #[test]
    fn the_bias_can_be_left_out() {
        let layer: Linear = Linear::builder(3, 2).bias(false).build(&mut Rng::seed_from_u64(1));
        assert_eq!(layer.named_parameters().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["weight"]);
        assert_eq!(layer.describe(), "Linear(3, 2, bias=false)");
        assert_eq!(layer.forward(&Tensor::zeros([1, 3])).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn without_inputs_the_bias_starts_at_zero() {
        let layer: Linear = Linear::new(0, 3, &mut Rng::seed_from_u64(1));
        assert_eq!(layer.forward(&Tensor::zeros([2, 0])).to_vec(), [0.0; 6]);
    }

    #[test]
    fn gradients_reach_both_parameters() {
        let layer: Linear = Linear::new(2, 2, &mut Rng::seed_from_u64(1));
        let grads = layer.forward(&[[1.0, 2.0], [3.0, 4.0]].into()).sum().backward();
        assert_eq!(grads.get(&layer.weight).unwrap().to_vec(), [4.0, 6.0, 4.0, 6.0]);
        assert_eq!(grads.get(layer.bias.as_ref().unwrap()).unwrap().to_vec(), [2.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "linear: input [1, 4], weight [2, 3]")]
    fn the_number_of_inputs_must_match() {
        Linear::<f32>::new(3, 2, &mut Rng::seed_from_u64(1)).forward(&Tensor::zeros([1, 4]));
    }
}
