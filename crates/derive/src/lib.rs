//! `#[derive(Module)]`: names the parameters of a layer or net by its fields.
//!
//! ```text
//! #[derive(Module)]                   impl Module<f32> for Net {
//! struct Net {                            fn visit(&self, path, visitor) {
//!     conv: Conv2d,            gives          Module::visit(&self.conv, &path.field("conv"), visitor);
//!     fc: Linear,                             Module::visit(&self.fc, &path.field("fc"), visitor);
//! }                                       }
//!                                         // and visit_mut likewise
//!                                     }
//! ```
//!
//! Fields are visited in their order: named fields under their names, the fields of a tuple under their index. Of an
//! enum the active variant's fields are visited; the variant's name is no part of their names.
//!
//! # The number type
//!
//! `Module<T>` is implemented for the type parameter that is bounded by `Real`, and for `f32` if there is none;
//! `#[module(real = f64)]` on the type says otherwise. Every other type parameter that occurs in a visited field has to be a
//! `Module` itself.
//!
//! # Attributes
//!
//! | where | attribute | effect |
//! |---|---|---|
//! | type | `#[module(real = f64)]` | the number type of the parameters |
//! | type | `#[module(crate = path)]` | where the layers crate is; `::chainrule::layers` unless said |
//! | field | `#[module(skip)]` | the field holds no parameters and need not be a `Module` |
//! | field | `#[module(rename = "gamma")]` | another name than the field's |
//! | field | `#[module(flatten)]` | the names inside the field stand without the field's name in front |

#![forbid(unsafe_code)]

mod attributes;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Module` field by field. See the [crate's page](crate) for the rules and the `#[module(..)]` attributes.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
