//! From the description of a net, in the words of PyTorch's classes, to our layers.

use crate::activations;
use chainrule_layers::{AvgPool2d, BatchNorm2d, Conv2d, Flatten, Layer, Linear, MaxPool2d, Pair, Sequential};
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
    fn size(&self, name: &str) -> usize {
        self.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.0))
    }
    /// A number or `[height, width]`.
    fn pair(&self, name: &str) -> Option<Pair> {
        Some(if self.0.get(name)?.is_array() { self.get::<[usize; 2]>(name)?.into() } else { self.size(name).into() })
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
    let ceil_mode = a.get("ceil_mode").unwrap_or(false);
    // What is not said keeps our default, which has to be PyTorch's.
    match a.get::<String>("layer").expect("a class").as_str() {
        "Linear" => Box::new(Linear::builder(a.size("in_features"), a.size("out_features")).bias(bias).build(rng)),
        "Conv2d" => {
            let kernel = a.pair("kernel_size").expect("a kernel");
            let mut conv = Conv2d::builder(a.size("in_channels"), a.size("out_channels"), kernel).bias(bias);
            conv = if let Some(stride) = a.pair("stride") { conv.stride(stride) } else { conv };
            conv = if let Some(padding) = a.pair("padding") { conv.padding(padding) } else { conv };
            conv = if let Some(dilation) = a.pair("dilation") { conv.dilation(dilation) } else { conv };
            conv = if let Some(groups) = a.get("groups") { conv.groups(groups) } else { conv };
            Box::new(conv.build(rng))
        }
        "MaxPool2d" => {
            let mut pool = MaxPool2d::new(a.pair("kernel_size").expect("a kernel")).ceil_mode(ceil_mode);
            pool = if let Some(stride) = a.pair("stride") { pool.stride(stride) } else { pool };
            pool = if let Some(padding) = a.pair("padding") { pool.padding(padding) } else { pool };
            Box::new(if let Some(dilation) = a.pair("dilation") { pool.dilation(dilation) } else { pool })
        }
        "AvgPool2d" => {
            let mut pool = AvgPool2d::new(a.pair("kernel_size").expect("a kernel")).ceil_mode(ceil_mode);
            pool = if let Some(stride) = a.pair("stride") { pool.stride(stride) } else { pool };
            pool = if let Some(padding) = a.pair("padding") { pool.padding(padding) } else { pool };
            Box::new(if let Some(count) = a.get("count_include_pad") { pool.count_include_pad(count) } else { pool })
        }
        "BatchNorm2d" => {
            let mut norm = BatchNorm2d::new(a.size("num_features"));
            norm.eps = a.get("eps").unwrap_or(norm.eps);
            norm.momentum = a.get("momentum").unwrap_or(norm.momentum);
            Box::new(norm)
        }
        "Flatten" => Box::new(a.get("start_dim").map_or(Flatten::new(), |start| Flatten { start })),
        other => activations::build(other, a).unwrap_or_else(|| panic!("unknown layer {other}")),
    }
}
