//! Normalization and dropout.

use super::Results;
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "batch_norm" => {
            let affine: String = p.get("affine");
            let parameter = |name| affine.find(name).map(|i| &x[1 + i]);
            let (y, mean, var) = x[0].batch_norm(parameter('w'), parameter('b'), p.get("eps"));
            return Some((y, vec![mean, var]));
        }
        "dropout" => x[0].dropout(p.get("p"), &mut Rng::seed_from_u64(1)),
        _ => return None,
    };
    Some((y, Vec::new()))
}
