//! From the name of an operation and its parameters to the call: one file for each generator of fixtures.

mod attention;
mod convolutions;
mod elementwise;
mod indexing;
mod linear_algebra;
mod losses;
mod norms;
mod pools;
mod products;
mod recurrent;
mod reductions;
mod resize;
mod views;

use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

/// The value of an operation, and the untracked results it may have besides.
pub(crate) type Results<T> = (Tensor<T>, Vec<Tensor<T>>);

/// Calls an operation.
///
/// # Panics
/// If the operation is unknown.
pub(crate) fn call<T: Real>(op: &str, params: &Params, x: &[Tensor<T>]) -> Results<T> {
    let parts = [
        attention::call::<T>,
        convolutions::call::<T>,
        elementwise::call::<T>,
        linear_algebra::call::<T>,
        losses::call::<T>,
        norms::call::<T>,
        pools::call::<T>,
        products::call::<T>,
        recurrent::call::<T>,
        reductions::call::<T>,
        resize::call::<T>,
        views::call::<T>,
        indexing::call::<T>,
    ];
    let results = parts.iter().find_map(|part| part(op, params, x));
    results
        .unwrap_or_else(|| panic!("no test can call the operation {op} of the fixtures: see tests/tests/parity/calls"))
}
