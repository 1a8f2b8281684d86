//! [`Weighted`]: layers whose weight can be computed anew for each pass.

use crate::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Layer, Linear, Mode, Param};
use chainrule_tensor::{Real, Tensor};

/// A layer with one weight in the place of which another tensor can stand for a pass: what
/// [`WeightNorm`](crate::WeightNorm) and [`SpectralNorm`](crate::SpectralNorm) can wrap.
pub trait Weighted<T: Real = f32>: Layer<T> {
    /// The weight.
    fn weight(&self) -> &Param<T>;

    /// The weight, to change it.
    fn weight_mut(&mut self) -> &mut Param<T>;

    /// [`call`](Layer::call) with another weight of the same shape. Gradients flow to whatever it was computed from.
    ///
    /// # Panics
    /// If the shape of `x` does not suit the layer.
    fn call_with(&self, weight: &Tensor<T>, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T>;

    /// The dimension of the weight that counts the outputs.
    fn output_dim(&self) -> usize {
        0
    }
}

/// Implements the trait for a layer with a field `weight`; the last part is the output for another weight.
macro_rules! weighted {
    ($Layer:ident, $output_dim:literal, |$layer:ident, $weight:ident, $x:ident| $output:expr) => {
        impl<T: Real> Weighted<T> for $Layer<T> {
            fn weight(&self) -> &Param<T> {
                &self.weight
            }
            fn weight_mut(&mut self) -> &mut Param<T> {
                &mut self.weight
            }
            fn call_with(&self, $weight: &Tensor<T>, $x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
                let $layer = self;
                $output
            }
            fn output_dim(&self) -> usize {
                $output_dim
            }
        }
    };
}

weighted!(Linear, 0, |layer, weight, x| x.linear(weight, layer.bias.as_deref()));
weighted!(Conv1d, 0, |layer, weight, x| layer.forward_with(weight, x));
weighted!(Conv2d, 0, |layer, weight, x| layer.forward_with(weight, x));
weighted!(ConvTranspose1d, 1, |layer, weight, x| layer.forward_with(weight, x));
weighted!(ConvTranspose2d, 1, |layer, weight, x| layer.forward_with(weight, x));
