//! Normalization and dropout.

use super::Results;
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let affine: String = p.find("affine").unwrap_or_default();
    let parameter = |name| affine.find(name).map(|i| &x[1 + i]);
    let y = match op {
        "batch_norm" => {
            let (y, mean, var) = x[0].batch_norm(parameter('w'), parameter('b'), p.get("eps"));
            return Some((y, vec![mean, var]));
        }
        "dropout" => x[0].dropout(p.get("p"), &mut Rng::seed_from_u64(1)),
        "group_norm" => x[0].group_norm(p.get("groups"), parameter('w'), parameter('b'), p.get("eps")),
        "instance_norm" => x[0].instance_norm(parameter('w'), parameter('b'), p.get("eps")),
        _ => return None,
    };
    Some((y, Vec::new()))
}
