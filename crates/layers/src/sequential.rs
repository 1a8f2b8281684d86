//! [`Sequential`]: layers one after the other, `y = f_n(.. f_2(f_1(x)))`.
//!
//! Parameters are named by the layer's position, as in PyTorch: `0.weight`, `0.bias`, `2.weight` (layers without parameters
//! count), or by the name that the layer was given: `conv1.weight`.

use crate::{Entry, EntryMut, Layer, Mode, Module, Path};
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
/// let lines: Vec<String> = net.iter().map(|(_, layer)| layer.describe()).collect();
/// assert_eq!(lines, ["Linear(4, 8)", "ReLU"]);
/// ```
#[derive(Debug)]
pub struct Sequential<T: Real = f32> {
    layers: Vec<(String, Box<dyn Layer<T>>)>,
}

impl<T: Real> Sequential<T> {
    /// The empty chain, which returns its input.
    pub fn new() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// The chain with one more layer at its end, named by its position.
    #[expect(clippy::should_implement_trait, reason = "a chain is no number: nobody expects `+`")]
    #[must_use]
    pub fn add(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.push(Box::new(layer));
        self
    }

    /// The chain with one more layer at its end, under a name of its own.
    ///
    /// # Panics
    /// If another layer has this name.
    #[track_caller]
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, layer: impl Layer<T> + 'static) -> Self {
        let name = name.into();
        assert!(self.layers.iter().all(|(other, _)| *other != name), "Sequential: two layers are named {name}");
        self.layers.push((name, Box::new(layer)));
        self
    }

    /// Puts one more layer at the end, named by its position.
    pub fn push(&mut self, layer: Box<dyn Layer<T>>) {
        self.layers.push((self.layers.len().to_string(), layer));
    }

    /// The output of the last layer.
    ///
    /// # Panics
    /// If the shape of a layer's input does not suit it.
    pub fn forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let mut layers = self.layers.iter().map(|(_, layer)| layer).peekable();
        let mut x = x.clone();
        while let Some(layer) = layers.next() {
            let relu = layers.next_if(|next| next.is_relu()).is_some();
            x = if relu { layer.call_relu(x, mode) } else { layer.call_owned(x, mode) };
        }
        x
    }

    /// The layers with their names, in their order, for summaries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Layer<T>)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), &**layer))
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

impl<T: Real> Module<T> for Sequential<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.layers.iter().for_each(|(name, layer)| layer.visit(&path.field(name), visitor));
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.layers.iter_mut().for_each(|(name, layer)| layer.visit_mut(&path.field(name), visitor));
    }
}

impl<T: Real> FromIterator<Box<dyn Layer<T>>> for Sequential<T> {
    fn from_iter<I: IntoIterator<Item = Box<dyn Layer<T>>>>(layers: I) -> Self {
        layers.into_iter().fold(Self::new(), |mut chain, layer| {
            chain.push(layer);
            chain
        })
    }
}

impl<T: Real> Layer<T> for Sequential<T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x, mode)
    }
    fn describe(&self) -> String {
        format!("Sequential({})", self.iter().map(|(_, layer)| layer.describe()).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Linear, Relu};
    use chainrule_tensor::Rng;
    use chainrule_tensor::ops::Conv2dOptions;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    }

    #[test]
    fn boxed_layers_can_be_added_and_named() {
        let boxed: Box<dyn Layer> = Box::new(Linear::new(3, 2, &mut Rng::seed_from_u64(1)));
        let net = Sequential::new().named("fc", boxed).add(Box::new(Relu));
        assert_eq!(net.describe(), "Sequential(Linear(3, 2), ReLU)");
        assert_eq!(net.named_parameters()[0].0, "fc.weight");
        assert_eq!(net.forward(&Tensor::zeros([1, 3]), &mut Mode::Eval).shape(), &[1, 2]);
    }

    #[test]
    fn a_relu_joins_the_layer_before_it() {
        #[derive(Debug)]
        struct Counts(AtomicUsize);
        crate::module::no_parameters!(Counts);
        impl Layer for Counts {
            fn call(&self, x: &Tensor, _: &mut Mode<'_>) -> Tensor {
                x.clone()
            }
            fn call_relu(&self, x: Tensor, _: &mut Mode<'_>) -> Tensor {
                self.0.fetch_add(1, Ordering::Relaxed);
                x.relu()
            }
            fn describe(&self) -> String {
                format!("Counts({})", self.0.load(Ordering::Relaxed))
            }
        }
        let mut rng = Rng::seed_from_u64(3);
        let net = Sequential::new()
            .add(Relu)
            .add(Counts(0.into()))
            .add(Box::new(Relu))
            .add(Relu)
            .add(Conv2d::builder(1, 2, [2, 2]).same_padding().build(&mut rng))
            .add(Relu)
            .add(Counts(0.into()));
        let x = Tensor::randn([3, 1, 4, 4], &mut rng);
        let (params, options) = (net.parameters(), Conv2dOptions { padding: [1, 1], ..Default::default() });
        let y = x.relu().conv2d(params[0], Some(params[1]), options).relu().narrow(2, 1, 4).narrow(3, 1, 4);
        for _ in 0..2 {
            assert_eq!(net.forward(&x, &mut Mode::Eval).to_vec(), y.to_vec());
        }
        let lines: Vec<String> = net.iter().map(|(_, layer)| layer.describe()).collect();
        assert_eq!((&lines[1][..], &lines[6][..]), ("Counts(2)", "Counts(0)"));
        // The graph is what it would be without that.
        let (grads, same) = (net.forward(&x, &mut Mode::Eval).sum().backward(), y.sum().backward());
        for param in params {
            assert_eq!(grads.get(param).unwrap().to_vec(), same.get(param).unwrap().to_vec());
        }
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
