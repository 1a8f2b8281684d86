//! [`Sequential`]: layers one after the other, `y = f_n(.. f_2(f_1(x)))`.
//!
//! Parameters are named by the layer's position, as in PyTorch: `0.weight`, `0.bias`, `2.weight`. Layers without
//! parameters count.

use crate::{Layer, Mode, Module};
use chainrule_tensor::{Real, Tensor};

/// A chain of layers, each fed with the output of the one before.
///
/// ```
/// use chainrule_layers::{Layer, Linear, Mode, Relu, Sequential};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let net: Sequential = Sequential::new().add(Linear::new(4, 8, &mut rng)).add(Relu);
/// assert_eq!(net.forward(&Tensor::ones([5, 4]), &mut Mode::Eval).shape(), &[5, 8]);
/// let lines: Vec<String> = net.iter().map(|layer| layer.describe()).collect();
/// assert_eq!(lines, ["Linear(4, 8)", "ReLU"]);
/// ```
#[derive(Debug, Module)]
#[module(crate = crate)]
pub struct Sequential<T: Real = f32> {
    // The list's own index is the name: there is no field name in front of it.
    #[module(flatten)]
    layers: Vec<Box<dyn Layer<T>>>,
}

impl<T: Real> Sequential<T> {
    /// The empty chain, which returns its input.
    pub fn new() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// The chain with one more layer at its end.
    #[expect(clippy::should_implement_trait, reason = "a chain is no number: nobody expects `+`")]
    #[must_use]
    pub fn add(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.push(Box::new(layer));
        self
    }

    /// Puts one more layer at the end.
    pub fn push(&mut self, layer: Box<dyn Layer<T>>) {
        self.layers.push(layer);
    }

    /// The output of the last layer.
    ///
    /// # Panics
    /// If the shape of a layer's input does not suit it.
    pub fn forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.layers.iter().fold(x.clone(), |x, layer| layer.call(&x, mode))
    }

    /// The layers in their order, for summaries.
    pub fn iter(&self) -> std::slice::Iter<'_, Box<dyn Layer<T>>> {
        self.layers.iter()
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl<T: Real> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T: Real> IntoIterator for &'a Sequential<T> {
    type Item = &'a Box<dyn Layer<T>>;
    type IntoIter = std::slice::Iter<'a, Box<dyn Layer<T>>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Real> FromIterator<Box<dyn Layer<T>>> for Sequential<T> {
    fn from_iter<I: IntoIterator<Item = Box<dyn Layer<T>>>>(layers: I) -> Self {
        Sequential { layers: layers.into_iter().collect() }
    }
}

impl<T: Real> Layer<T> for Sequential<T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("Sequential({})", self.iter().map(|layer| layer.describe()).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Linear, Relu};
    use chainrule_tensor::Rng;

    fn net() -> Sequential {
        let mut rng = Rng::seed_from_u64(3);
        Sequential::new()
            .add(Linear::new(3, 4, &mut rng))
            .add(Relu)
            .add(Sequential::new().add(Linear::builder(4, 2).bias(false).build(&mut rng)))
    }

    #[test]
    fn names_are_positions() {
        let net = net();
        let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.0.weight"]);
        assert_eq!(net.describe(), "Sequential(Linear(3, 4), ReLU, Sequential(Linear(4, 2, bias=false)))");
        assert_eq!((&net).into_iter().count(), net.len());
    }

    #[test]
    fn layers_run_in_order() {
        let net = net();
        let params = net.parameters();
        let x = Tensor::randn([5, 3], &mut Rng::seed_from_u64(1));
        let expected = x.linear(params[0], Some(params[1])).relu().linear(params[2], None);
        assert_eq!(net.forward(&x, &mut Mode::Eval).to_vec(), expected.to_vec());
        let empty = Sequential::default();
        assert!(empty.is_empty());
        assert_eq!(empty.forward(&x, &mut Mode::Eval).to_vec(), x.to_vec());
    }
}
