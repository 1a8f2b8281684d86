//! Activations as layers, for a [`Sequential`](crate::Sequential). None has parameters; elsewhere the methods of
//! [`Tensor`] (`x.relu()`) say the same with less.
//!
//! | layer | equation |
//! |---|---|
//! | [`Relu`] | `max(x, 0)` |
//! | [`Sigmoid`] | `1 / (1 + e^-x)` |
//! | [`Tanh`] | `(e^x - e^-x) / (e^x + e^-x)` |
//! | [`Gelu`] | `x * Phi(x)`, with `Phi` the normal distribution function (exact, not the tanh approximation) |
//!
//! Shapes are kept.

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

macro_rules! activations {
    ($($(#[$doc:meta])* $Name:ident: $method:ident $(or in place $in_place:ident)?, $torch:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $Name;

        no_parameters!($Name);

        impl $Name {
            #[doc = concat!("[`Tensor::", stringify!($method), "`].")]
            #[track_caller]
            pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
                x.$method()
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
            )?
            fn describe(&self) -> String {
                $torch.into()
            }
        }
    )* };
}

activations! {
    /// `max(x, 0)`.
    Relu: relu or in place relu_, "ReLU";
    /// `1 / (1 + e^-x)`.
    Sigmoid: sigmoid, "Sigmoid";
    /// The hyperbolic tangent.
    Tanh: tanh, "Tanh";
    /// `x * Phi(x)`, with `Phi` the normal distribution function.
    Gelu: gelu, "GELU";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    #[test]
    fn layers_compute_what_the_methods_do() {
        let x = Tensor::from([[-1.0f32, 0.0, 2.0]]);
        let cases: [(Box<dyn Layer>, Tensor, &str); 4] = [
            (Box::new(Relu), x.relu(), "ReLU"),
            (Box::new(Sigmoid), x.sigmoid(), "Sigmoid"),
            (Box::new(Tanh), x.tanh(), "Tanh"),
            (Box::new(Gelu), x.gelu(), "GELU"),
        ];
        for (layer, expected, line) in cases {
            assert_eq!(layer.call(&x, &mut Mode::Eval).to_vec(), expected.to_vec());
            assert_eq!(layer.describe(), line);
            assert!(layer.parameters().is_empty());
        }
    }
}
