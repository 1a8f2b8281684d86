//! [`WeightNorm`]: a layer whose weight is trained as a length and a direction.
//!
//! | | |
//! |---|---|
//! | equation | `weight = g v / norm(v)`, a norm for each output, over all its weights |
//! | shapes | as the layer's; `g` has the weight's shape with all sizes 1 but that of the outputs |
//! | parameters | `parametrizations.weight.original0` (`g`), `parametrizations.weight.original1` (`v`), and the layer's others |
//! | initialization | `v` is the layer's weight, `g` its norms: the layer starts as it was |
//!
//! Names and values are those of PyTorch's `torch.nn.utils.parametrizations.weight_norm`.
//!
//! Source: T. Salimans, D. Kingma, "Weight normalization", NeurIPS 2016.

use crate::module::{Entry, EntryMut, Path};
use crate::{Layer, Mode, Module, Param, Weighted};
use chainrule_tensor::{Real, Tensor, no_grad};

/// A layer with its weight's lengths and directions as parameters of their own.
///
/// ```
/// use chainrule_layers::{Layer, Linear, Mode, Module, WeightNorm};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let layer: WeightNorm<Linear> = WeightNorm::new(Linear::new(4, 3, &mut Rng::seed_from_u64(1)));
/// assert_eq!(layer.call(&Tensor::ones([2, 4]), &mut Mode::Eval).shape(), &[2, 3]);
/// let names: Vec<String> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]);
/// ```
#[derive(Clone, Debug)]
pub struct WeightNorm<L, T: Real = f32> {
    /// The layer, whose own weight is `v`.
    layer: L,
    g: Param<T>,
    dim: Option<usize>,
}

impl<T: Real, L: Weighted<T>> WeightNorm<L, T> {
    /// The layer with a norm for each entry of its weight's first dimension: for most layers, each output.
    pub fn new(layer: L) -> Self {
        Self::along(layer, Some(0))
    }

    /// The layer with a norm for each entry of another dimension of its weight, or one norm for the whole weight.
    ///
    /// # Panics
    /// If the weight has no such dimension.
    #[track_caller]
    pub fn along(layer: L, dim: Option<usize>) -> Self {
        let rank = layer.weight().rank();
        assert!(dim.is_none_or(|dim| dim < rank), "WeightNorm: a weight of {rank} dimensions has no {dim:?}");
        let g = no_grad(|| norm(layer.weight(), dim));
        WeightNorm { layer, g: Param::new(g), dim }
    }

    /// The weight that the layer works with: of length `g`, in the direction of `v`.
    pub fn weight(&self) -> Tensor<T> {
        let v: &Tensor<T> = self.layer.weight();
        v * (&*self.g / norm(v, self.dim))
    }

    /// The plain layer with the weight as it is now.
    pub fn into_layer(mut self) -> L {
        let weight = no_grad(|| self.weight());
        self.layer.weight_mut().set(&weight);
        self.layer
    }
}

/// The norm over all dimensions but one, which stay with size 1; over all for none.
fn norm<T: Real>(v: &Tensor<T>, dim: Option<usize>) -> Tensor<T> {
    let others: Vec<usize> = (0..v.rank()).filter(|&d| Some(d) != dim).collect();
    (v * v).sum_dim(others, dim.is_some()).sqrt()
}

impl<T: Real, L: Weighted<T>> Module<T> for WeightNorm<L, T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        let v = self.layer.weight();
        self.layer.visit(path, &mut |path, entry| match entry {
            Entry::Param(param) if std::ptr::eq(param, v) => {}
            other => visitor(path, other),
        });
        let path = path.field("parametrizations");
        let path = path.field("weight");
        visitor(&path.field("original0"), Entry::Param(&self.g));
        visitor(&path.field("original1"), Entry::Param(v));
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        let place: *const Param<T> = self.layer.weight();
        let mut v = None;
        self.layer.visit_mut(path, &mut |path, entry| match entry {
            EntryMut::Param(param) if std::ptr::eq(param, place) => v = Some(param),
            other => visitor(path, other),
        });
        let path = path.field("parametrizations");
        let path = path.field("weight");
        visitor(&path.field("original0"), EntryMut::Param(&mut self.g));
        visitor(&path.field("original1"), EntryMut::Param(v.expect("a layer visits its weight")));
    }
}

impl<T: Real, L: Weighted<T>> Layer<T> for WeightNorm<L, T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.layer.call_with(&self.weight(), x, mode)
    }
    fn describe(&self) -> String {
        format!("WeightNorm({})", self.layer.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Linear};
    use chainrule_tensor::Rng;

    #[test]
    fn starts_as_the_layer_was() {
        let mut rng = Rng::seed_from_u64(1);
        let conv: Conv2d<f64> = Conv2d::new(2, 3, 3, &mut rng);
        let x = Tensor::randn([1, 2, 4, 4], &mut rng);
        let y = conv.forward(&x).to_vec();
        for dim in [Some(0), Some(1), Some(3), None] {
            let wrapped = WeightNorm::along(conv.clone(), dim);
            let same = wrapped.call(&x, &mut Mode::Eval).to_vec();
            assert!(y.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-14));
            assert_eq!(wrapped.into_layer().forward(&x).to_vec(), same);
        }
        assert_eq!(WeightNorm::new(conv).g.shape(), &[3, 1, 1, 1]);
    }

    #[test]
    fn lengths_and_directions_are_trained() {
        let linear = Linear { weight: Param::new(Tensor::from([[3.0f64, 4.0], [0.0, 2.0]])), bias: None };
        let layer = WeightNorm::new(linear);
        let grads = layer.call(&Tensor::from([[1.0, 1.0]]), &mut Mode::Eval).sum().backward();
        let parameters = layer.parameters();
        // The slope of the length is the direction; that of the direction is at right angles to it.
        let g = grads.get(parameters[0]).expect("a length").to_vec();
        assert!((g[0] - 1.4).abs() < 1e-14 && (g[1] - 1.0).abs() < 1e-14);
        let v = grads.get(parameters[1]).expect("a direction").to_vec();
        assert!((3.0 * v[0] + 4.0 * v[1]).abs() < 1e-14 && v[3].abs() < 1e-14);
    }

    #[test]
    fn frozen_directions_get_no_gradient() {
        let mut layer: WeightNorm<Linear> = WeightNorm::new(Linear::new(2, 2, &mut Rng::seed_from_u64(1)));
        layer.parameters_mut().pop().expect("v").freeze();
        let grads = layer.call(&Tensor::ones([1, 2]), &mut Mode::Eval).sum().backward();
        assert_eq!(grads.len(), 2);
    }
}
