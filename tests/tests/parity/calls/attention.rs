//! Layer normalization, embeddings, attention.

use super::Results;
use chainrule_tensor::ops::AttentionOptions;
use chainrule_tensor::{Mask, Real, Tensor};
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
        "scaled_dot_product_attention" => {
            let keep = p.get::<Option<Vec<bool>>>("keep");
            let keep = keep.map(|keep| Mask::from_vec(keep, p.get::<Vec<usize>>("keep_shape")));
            let mask = if p.get("add") { Some((&x[3]).into()) } else { keep.as_ref().map(Into::into) };
            let (is_causal, past, scale) = (p.get("causal"), p.get("past"), p.get("scale"));
            let options = AttentionOptions { mask, is_causal, past, scale, dropout: None };
            x[0].scaled_dot_product_attention(&x[1], &x[2], options)
        }
        _ => return None,
    };
    Some((y, Vec::new()))
}
