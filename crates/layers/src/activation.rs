//! Activations as layers, for a [`Sequential`](crate::Sequential). None has parameters ([`Prelu`](crate::Prelu) does);
//! elsewhere the methods of [`Tensor`] (`x.relu()`) say the same with less.
//!
//! | layer | equation |
//! |---|---|
//! | [`Relu`] | `max(x, 0)` |
//! | [`Relu6`] | `min(max(x, 0), 6)` |
//! | [`LeakyRelu`] | `x` above 0, `negative_slope * x` below |
//! | [`Elu`], [`Celu`], [`Selu`] | `x` above 0, an exponential below that tends to a constant |
//! | [`Gelu`], [`GeluTanh`] | `x * Phi(x)`, with `Phi` the normal distribution function: exact, and by an approximation |
//! | [`Silu`] | `x / (1 + e^-x)` |
//! | [`Mish`] | `x * tanh(ln(1 + e^x))` |
//! | [`Softplus`] | `ln(1 + e^x)` |
//! | [`Softsign`] | `x / (1 + abs(x))` |
//! | [`Sigmoid`], [`LogSigmoid`] | `1 / (1 + e^-x)`, and its logarithm |
//! | [`Tanh`] | `(e^x - e^-x) / (e^x + e^-x)` |
//! | [`Hardtanh`], [`Hardsigmoid`], [`Hardswish`] | the same in straight pieces |
//!
//! Shapes are kept. Settings are public fields with PyTorch's names and defaults.

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Each line: documentation, the layer's name, its settings with their defaults, the method, PyTorch's name.
macro_rules! activations {
    ($($(#[$doc:meta])* $Name:ident $({ $($(#[$fdoc:meta])* $field:ident = $default:literal),+ })?: $method:ident $(or in place $in_place:ident)?, $torch:literal;)*) => { $(
        activations!(@struct $(#[$doc])* $Name $({ $($(#[$fdoc])* $field = $default),+ })?);

        no_parameters!($Name);

        impl $Name {
            #[doc = concat!("[`Tensor::", stringify!($method), "`].")]
            #[track_caller]
            pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method($($(self.$field),+)?)
            }
        }

        impl<T: Real> Layer<T> for $Name {
            fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
                self.forward(x)
            }
            $(
                fn call_owned(&self, x: Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
                    x.$in_place()
                }
                fn is_relu(&self) -> bool {
                    true
                }
            )?
            fn describe(&self) -> String {
                #[allow(unused_mut)]
                let mut settings: Vec<String> = Vec::new();
                $($(settings.push(format!("{}={:?}", stringify!($field), self.$field));)+)?
                if settings.is_empty() { $torch.into() } else { format!("{}({})", $torch, settings.join(", ")) }
            }
        }
    )* };
    (@struct $(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $Name;
    };
    (@struct $(#[$doc:meta])* $Name:ident { $($(#[$fdoc:meta])* $field:ident = $default:literal),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $Name {
            $(
                $(#[$fdoc])*
                #[doc = concat!(" Default: ", $default, ".")]
                pub $field: f64,
            )+
        }

        impl Default for $Name {
            fn default() -> Self {
                $Name { $($field: $default),+ }
            }
        }
    };
}

activations! {
    /// `x` above 0, `alpha * (e^(x / alpha) - 1)` below: smooth.
    Celu {
        /// What it tends to, less the sign, and how soon.
        alpha = 1.0
    }: celu, "CELU";
    /// `x` above 0, `alpha * (e^x - 1)` below.
    Elu {
        /// What it tends to, less the sign.
        alpha = 1.0
    }: elu, "ELU";
    /// `x * Phi(x)`, with `Phi` the normal distribution function.
    Gelu: gelu, "GELU";
    /// [`Gelu`], approximated by a hyperbolic tangent.
    GeluTanh: gelu_tanh, "GELU(approximate='tanh')";
    /// The logistic function in straight pieces: `min(max(x + 3, 0), 6) / 6`.
    Hardsigmoid: hardsigmoid, "Hardsigmoid";
    /// [`Silu`] in pieces: `x * hardsigmoid(x)`.
    Hardswish: hardswish, "Hardswish";
    /// `min(max(x, min_val), max_val)`.
    Hardtanh {
        /// The lower bound.
        min_val = -1.0,
        /// The upper bound.
        max_val = 1.0
    }: hardtanh, "Hardtanh";
    /// `x` above 0, `negative_slope * x` below.
    LeakyRelu {
        /// The slope below 0.
        negative_slope = 0.01
    }: leaky_relu, "LeakyReLU";
    /// The logarithm of the logistic function.
    LogSigmoid: logsigmoid, "LogSigmoid";
    /// `x * tanh(ln(1 + e^x))`.
    Mish: mish, "Mish";
    /// `max(x, 0)`.
    Relu: relu or in place relu_, "ReLU";
    /// `min(max(x, 0), 6)`.
    Relu6: relu6, "ReLU6";
    /// `scale * x` above 0, `scale * alpha * (e^x - 1)` below, with the constants that keep mean and variance.
    Selu: selu, "SELU";
    /// `1 / (1 + e^-x)`.
    Sigmoid: sigmoid, "Sigmoid";
    /// `x / (1 + e^-x)`.
    Silu: silu, "SiLU";
    /// `ln(1 + e^(beta x)) / beta`.
    Softplus {
        /// How sharp the bend is.
        beta = 1.0,
        /// The value of `beta x` above which the layer returns `x`.
        threshold = 20.0
    }: softplus, "Softplus";
    /// `x / (1 + abs(x))`.
    Softsign: softsign, "Softsign";
    /// The hyperbolic tangent.
    Tanh: tanh, "Tanh";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    #[test]
    fn layers_compute_what_the_methods_do() {
        let x = Tensor::from([[-1.0f32, 0.0, 2.0]]);
        let cases: [(Box<dyn Layer>, Tensor, &str); 9] = [
            (Box::new(Relu), x.relu(), "ReLU"),
            (Box::new(Sigmoid), x.sigmoid(), "Sigmoid"),
            (Box::new(Tanh), x.tanh(), "Tanh"),
            (Box::new(Gelu), x.gelu(), "GELU"),
            (Box::new(GeluTanh), x.gelu_tanh(), "GELU(approximate='tanh')"),
            (Box::new(LeakyRelu::default()), x.leaky_relu(0.01), "LeakyReLU(negative_slope=0.01)"),
            (Box::new(Elu { alpha: 2.0 }), x.elu(2.0), "ELU(alpha=2.0)"),
            (Box::new(Hardtanh::default()), x.clamp(-1.0, 1.0), "Hardtanh(min_val=-1.0, max_val=1.0)"),
            (Box::new(Softplus::default()), x.softplus(1.0, 20.0), "Softplus(beta=1.0, threshold=20.0)"),
        ];
        for (layer, expected, line) in cases {
            assert_eq!(layer.call(&x, &mut Mode::Eval).to_vec(), expected.to_vec());
            assert_eq!(layer.describe(), line);
            assert!(layer.parameters().is_empty());
        }
    }
}
