//! Activations by the names of PyTorch's classes.

use crate::nets::Arguments;
use chainrule_layers::{
    Celu, Elu, Gelu, GeluTanh, Hardsigmoid, Hardswish, Hardtanh, Layer, LeakyRelu, LogSigmoid, Mish, Prelu, Relu,
    Relu6, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Tanh,
};
use chainrule_tensor::Real;

/// The activation, if the class is one. What is not said keeps our default, which has to be PyTorch's.
pub(crate) fn build<T: Real>(class: &str, a: &Arguments<'_>) -> Option<Box<dyn Layer<T>>> {
    let number = |name: &str, default: f64| a.get(name).unwrap_or(default);
    Some(match class {
        "CELU" => Box::new(Celu { alpha: number("alpha", Celu::default().alpha) }),
        "ELU" => Box::new(Elu { alpha: number("alpha", Elu::default().alpha) }),
        "GELU" if a.get::<String>("approximate").is_some() => Box::new(GeluTanh),
        "GELU" => Box::new(Gelu),
        "Hardsigmoid" => Box::new(Hardsigmoid),
        "Hardswish" => Box::new(Hardswish),
        "Hardtanh" => {
            let Hardtanh { min_val, max_val } = Hardtanh::default();
            Box::new(Hardtanh { min_val: number("min_val", min_val), max_val: number("max_val", max_val) })
        }
        "LeakyReLU" => {
            let slope = number("negative_slope", LeakyRelu::default().negative_slope);
            Box::new(LeakyRelu { negative_slope: slope })
        }
        "LogSigmoid" => Box::new(LogSigmoid),
        "Mish" => Box::new(Mish),
        "PReLU" => Box::new(Prelu::<T>::new(a.get("num_parameters").unwrap_or(1))),
        "ReLU" => Box::new(Relu),
        "ReLU6" => Box::new(Relu6),
        "SELU" => Box::new(Selu),
        "Sigmoid" => Box::new(Sigmoid),
        "SiLU" => Box::new(Silu),
        "Softmax" => Box::new(Softmax(a.get("dim").expect("a dimension"))),
        "Softplus" => {
            let Softplus { beta, threshold } = Softplus::default();
            Box::new(Softplus { beta: number("beta", beta), threshold: number("threshold", threshold) })
        }
        "Softsign" => Box::new(Softsign),
        "Tanh" => Box::new(Tanh),
        _ => return None,
    })
}
