//! [`Prelu`]: a rectifier that learns its slope below 0.
//!
//! | | |
//! |---|---|
//! | equation | `y = x` above 0, `weight * x` below |
//! | shapes | `x [N, C, ..]` -> the same; with one weight, any shape |
//! | parameters | `weight [1]`, or `[C]` for a slope of each channel |
//! | initialization | 0.25 |
//!
//! Source: K. He et al., "Delving deep into rectifiers", arXiv:1502.01852 (2015).

use crate::{Layer, Mode, Module, Param};
use chainrule_tensor::{Real, Tensor};

/// A rectifier with a learned slope below 0: one for all, or one for each channel.
///
/// ```
/// use chainrule_layers::Prelu;
/// use chainrule_tensor::Tensor;
///
/// let layer: Prelu = Prelu::new(1);
/// assert_eq!(layer.forward(&Tensor::from([-4.0, 2.0])).to_vec(), [-1.0, 2.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Prelu<T: Real = f32> {
    /// `[1]` or `[C]`: the slopes.
    pub weight: Param<T>,
}

impl<T: Real> Prelu<T> {
    /// A layer with this many slopes: 1, or the number of channels.
    pub fn new(slopes: usize) -> Self {
        Prelu { weight: Param::new(Tensor::full(slopes, T::from_f64(0.25))) }
    }

    /// [`Tensor::prelu`].
    ///
    /// # Panics
    /// If there are several slopes and not as many channels.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>) -> Tensor<T> {
        x.prelu(&self.weight)
    }
}

impl<T: Real> Layer<T> for Prelu<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        format!("PReLU(num_parameters={})", self.weight.numel())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_channels_learn() {
        let layer: Prelu<f64> = Prelu::new(2);
        let x = Tensor::from([[-4.0, 2.0], [1.0, -8.0]]);
        let y = layer.call(&x, &mut Mode::Eval);
        assert_eq!(y.to_vec(), [-1.0, 2.0, 1.0, -2.0]);
        assert_eq!(y.sum().backward().get(&layer.weight).unwrap().to_vec(), [-4.0, -8.0]);
        assert_eq!(layer.describe(), "PReLU(num_parameters=2)");
        assert_eq!(layer.named_parameters()[0].0, "weight");
    }
}
