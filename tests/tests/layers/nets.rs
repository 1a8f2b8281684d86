//! From the description of a net, in the words of PyTorch's classes, to our layers.

use crate::{activations, vision};
use chainrule_layers::{Layer, Linear, Sequential};
use chainrule_tensor::{Real, Rng};
use serde::Deserialize;
use serde_json::Value;

/// The arguments of a class.
pub(crate) struct Arguments<'a>(&'a Value);

impl Arguments<'_> {
    pub(crate) fn get<V: for<'a> Deserialize<'a>>(&self, name: &str) -> Option<V> {
        let value = self.0.get(name)?;
        Some(V::deserialize(value).unwrap_or_else(|error| panic!("the argument {name} is {value}: {error}")))
    }
    pub(crate) fn size(&self, name: &str) -> usize {
        self.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.0))
    }
    /// Whether an argument that is there is a list.
    pub(crate) fn is_list(&self, name: &str) -> Option<bool> {
        self.0.get(name).map(Value::is_array)
    }
    /// An argument that is a word.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

/// The net, in our own initialization.
///
/// # Panics
/// If a class or one of its arguments is unknown.
pub(crate) fn build<T: Real>(net: &Value, rng: &mut Rng) -> Box<dyn Layer<T>> {
    if let Value::Array(layers) = net {
        return Box::new(layers.iter().map(|layer| build(layer, rng)).collect::<Sequential<T>>());
    }
    if let Some(Value::Array(layers)) = net.get("named") {
        let mut chain = Sequential::new();
        for layer in layers {
            chain = chain.named(layer[0].as_str().expect("a name"), build(&layer[1], rng));
        }
        return Box::new(chain);
    }
    build_layer(&Arguments(net), rng)
}

fn build_layer<T: Real>(a: &Arguments<'_>, rng: &mut Rng) -> Box<dyn Layer<T>> {
    let bias = a.get("bias").unwrap_or(true);
    // What is not said keeps our default, which has to be PyTorch's.
    match a.get::<String>("layer").expect("a class").as_str() {
        "Linear" => Box::new(Linear::builder(a.size("in_features"), a.size("out_features")).bias(bias).build(rng)),
        other => {
            let layer = vision::build(other, a, rng).or_else(|| activations::build(other, a));
            layer.unwrap_or_else(|| panic!("unknown layer {other}"))
        }
    }
}
