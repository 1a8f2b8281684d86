//! Layer normalization, embeddings, attention.

use super::Results;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let normalized = || p.get::<Vec<usize>>("normalized");
    let y = match op {
        "layer_norm" => {
            let affine: String = p.get("affine");
            let parameter = |name| affine.find(name).map(|i| &x[1 + i]);
            x[0].layer_norm(normalized(), parameter('w'), parameter('b'), p.get("eps"))
        }
        "rms_norm" => x[0].rms_norm(normalized(), x.get(1), p.get("eps")),
        "embedding" => x[0].embedding(&p.get::<Vec<usize>>("indices"), p.get("padding_idx")),
        _ => return None,
    };
    Some((y, Vec::new()))
}
