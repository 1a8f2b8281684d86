//! [`Softmax`] as a layer: `y = e^x / sum of e^x` along one dimension.
//!
//! Shapes are kept; there are no parameters. A net that is trained with `cross_entropy` ends *before* its softmax: the loss
//! takes the logits.

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Positive numbers that sum to 1 along one dimension, which counts from the back if negative.
///
/// ```
/// use chainrule_layers::Softmax;
/// use chainrule_tensor::Tensor;
///
/// assert_eq!(Softmax(-1).forward(&Tensor::<f32>::zeros([2, 4])).to_vec(), [0.25; 8]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax(
    /// The dimension.
    pub isize,
);

no_parameters!(Softmax);

impl Softmax {
    /// [`Tensor::softmax`].
    ///
    /// # Panics
    /// If `x` has no such dimension.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.softmax(self.0)
    }
}

impl<T: Real> Layer<T> for Softmax {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        format!("Softmax(dim={})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_to_one_along_its_dimension() {
        let x = Tensor::<f64>::arange(6).reshape([2, 3]);
        let y = Softmax(0).call(&x, &mut Mode::Eval);
        let quotient = 3f64.exp();
        for (i, y) in y.to_vec().into_iter().enumerate() {
            let expected = if i < 3 { 1.0 } else { quotient } / (1.0 + quotient);
            assert!((y - expected).abs() < 1e-12, "{y} instead of {expected}");
        }
        assert_eq!(Layer::<f64>::describe(&Softmax(-1)), "Softmax(dim=-1)");
    }
}
