//! [`Flatten`]: the dimensions from one on become one, as between convolutions and dense layers.
//!
//! | | |
//! |---|---|
//! | shapes | `x [N, d1, d2, ..]` -> `y [N, d1 * d2 * ..]` |
//! | parameters | none |
//! | defaults | from dimension 1 on: the batch stays |

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Makes one dimension of all from `start` on.
///
/// ```
/// use chainrule_layers::Flatten;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::<f32>::zeros([8, 16, 5, 5]);
/// assert_eq!(Flatten::new().forward(&x).shape(), &[8, 400]);
/// assert_eq!(Flatten { start: 2 }.forward(&x).shape(), &[8, 16, 25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flatten {
    /// The first dimension that is merged.
    pub start: usize,
}

no_parameters!(Flatten);

impl Flatten {
    /// Flattens each sample of a batch: from dimension 1 on.
    pub fn new() -> Self {
        Flatten { start: 1 }
    }

    /// [`Tensor::flatten`].
    ///
    /// # Panics
    /// If `x` has no dimension `start`.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.flatten(self.start)
    }
}

impl Default for Flatten {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for Flatten {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        format!("Flatten(start_dim={})", self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_the_elements() {
        let x = Tensor::<f32>::arange(12).reshape([2, 3, 2]);
        let y = Flatten::default().call(&x, &mut Mode::Eval);
        assert_eq!(y.shape(), &[2, 6]);
        assert_eq!(y.to_vec(), x.to_vec());
        assert_eq!(Layer::<f32>::describe(&Flatten::new()), "Flatten(start_dim=1)");
    }
}
