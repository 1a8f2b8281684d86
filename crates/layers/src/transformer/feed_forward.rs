//! What stands beside attention in a transformer's layer: its settings, its activation, and [`SwiGlu`].

use crate::{Linear, Module};
use chainrule_tensor::{Real, Rng, Tensor};

/// The nonlinearity between the two dense layers of a transformer's layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FeedForwardActivation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// The exact Gaussian error linear unit.
    Gelu,
}

impl FeedForwardActivation {
    /// The activation of every element.
    pub fn apply<T: Real>(self, x: &Tensor<T>) -> Tensor<T> {
        match self {
            FeedForwardActivation::Relu => x.relu(),
            FeedForwardActivation::Gelu => x.gelu(),
        }
    }
}

/// Settings of a transformer's layer. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerOptions {
    /// Features between the two dense layers. Default 2048.
    pub dim_feedforward: usize,
    /// The probability of dropout: of weights, of the dense layers' inner features, of each part's result. Default 0.1.
    pub dropout: f64,
    /// Default ReLU.
    pub activation: FeedForwardActivation,
    /// Normalize before each part instead of after it. Default false.
    pub norm_first: bool,
    /// Added to the variance in normalization. Default `1e-5`.
    pub layer_norm_eps: f64,
    /// Whether dense layers, attention and normalization have biases. Default true.
    pub bias: bool,
}

impl Default for TransformerOptions {
    fn default() -> Self {
        TransformerOptions {
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: FeedForwardActivation::Relu,
            norm_first: false,
            layer_norm_eps: 1e-5,
            bias: true,
        }
    }
}

/// A feed-forward net with a gate: `y = (silu(x W_gate^T) * x W_up^T) W_down^T`, `silu(x) = x / (1 + e^-x)`.
///
/// Without biases, under the names that Llama's weights have. Source: N. Shazeer, "GLU variants improve transformer",
/// arXiv:2002.05202 (2020).
///
/// ```
/// use chainrule_layers::SwiGlu;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let layer: SwiGlu = SwiGlu::new(4, 10, &mut Rng::seed_from_u64(1));
/// assert_eq!(layer.forward(&Tensor::ones([2, 3, 4])).shape(), &[2, 3, 4]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct SwiGlu<T: Real = f32> {
    /// `[hidden, features]`.
    pub gate_proj: Linear<T>,
    /// `[hidden, features]`.
    pub up_proj: Linear<T>,
    /// `[features, hidden]`.
    pub down_proj: Linear<T>,
}

impl<T: Real> SwiGlu<T> {
    /// A net from `features` to `features` through `hidden`.
    pub fn new(features: usize, hidden: usize, rng: &mut Rng) -> Self {
        let mut linear = |inputs, outputs| Linear::builder(inputs, outputs).bias(false).build(rng);
        SwiGlu {
            gate_proj: linear(features, hidden),
            up_proj: linear(features, hidden),
            down_proj: linear(hidden, features),
        }
    }

    /// `x [.., features]` -> `y [.., features]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not the number of features.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        let gate = self.gate_proj.forward(x);
        self.down_proj.forward(&(gate.sigmoid() * gate * self.up_proj.forward(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Param;

    #[test]
    fn the_gate_opens_and_closes() {
        let weight = |x: f64| Linear { weight: Param::new([[x]].into()), bias: None };
        let layer = SwiGlu { gate_proj: weight(1.0), up_proj: weight(2.0), down_proj: weight(3.0) };
        let y = layer.forward(&Tensor::from([[0.0], [100.0], [-1.0]])).to_vec();
        assert_eq!(y[..2], [0.0, 60_000.0]);
        assert!((y[2] - 6.0 / (1.0 + 1f64.exp())).abs() < 1e-12);
        let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["gate_proj.weight", "up_proj.weight", "down_proj.weight"]);
    }
}
