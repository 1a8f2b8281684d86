//! [`Bilinear`], a layer of two inputs: `y_o = a^T W_o b + c_o`.
//!
//! | | |
//! |---|---|
//! | shapes | `a [.., in1]`, `b [.., in2]` -> `y [.., out]` |
//! | parameters | `weight [out, in1, in2]`, `bias [out]` |
//! | initialization | both uniform on `(-1/sqrt(in1), 1/sqrt(in1))`, PyTorch's default |

use crate::{Module, Param, init};
use chainrule_tensor::{Real, Rng, Tensor};

/// Every output is a weighted sum of the products of all pairs of elements of two inputs, plus a bias.
///
/// ```
/// use chainrule_layers::Bilinear;
/// use chainrule_tensor::{Rng, Tensor};
///
/// let layer: Bilinear = Bilinear::new(4, 3, 2, true, &mut Rng::seed_from_u64(1));
/// assert_eq!(layer.forward(&Tensor::ones([5, 4]), &Tensor::ones([5, 3])).shape(), &[5, 2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Bilinear<T: Real = f32> {
    /// `[out, in1, in2]`.
    pub weight: Param<T>,
    /// `[out]`.
    pub bias: Option<Param<T>>,
}

impl<T: Real> Bilinear<T> {
    /// A layer in PyTorch's default initialization, with or without a bias.
    pub fn new(inputs1: usize, inputs2: usize, outputs: usize, bias: bool, rng: &mut Rng) -> Self {
        let bound = 1.0 / (inputs1.max(1) as f64).sqrt();
        let weight = Param::new(init::symmetric([outputs, inputs1, inputs2], bound, rng));
        Bilinear { weight, bias: bias.then(|| Param::new(init::symmetric(outputs, bound, rng))) }
    }

    /// The map of two inputs, whose leading dimensions are the same.
    ///
    /// # Panics
    /// If they are not, or the last dimensions are not the numbers of inputs.
    #[track_caller]
    pub fn forward(&self, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        a.bilinear(b, &self.weight, self.bias.as_deref())
    }

    /// One line for a summary: `Bilinear(in1, in2, out)`.
    pub fn describe(&self) -> String {
        let (shape, bias) = (self.weight.shape(), if self.bias.is_some() { "" } else { ", bias=false" });
        format!("Bilinear({}, {}, {}{bias})", shape[1], shape[2], shape[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_bilinear_map() {
        let mut layer: Bilinear<f64> = Bilinear::new(2, 2, 1, true, &mut Rng::seed_from_u64(1));
        let bound = 0.5f64.sqrt();
        assert!(layer.weight.to_vec().iter().all(|w| w.abs() < bound));
        layer.weight.set(&[[[1.0, 2.0], [3.0, 4.0]]].into());
        layer.bias.as_mut().expect("a bias").set(&[0.5].into());
        let y = layer.forward(&[[1.0, 2.0]].into(), &[[3.0, -1.0]].into());
        // 1 (3 - 2) + 2 (9 - 4) + 0.5
        assert_eq!(y.to_vec(), [11.5]);
        assert_eq!(layer.describe(), "Bilinear(2, 2, 1)");
        assert_eq!(Bilinear::<f32>::new(2, 3, 4, false, &mut Rng::seed_from_u64(1)).parameters().len(), 1);
    }
}
