//! Products of vectors, and sums of products.

use super::Results;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "bilinear" => x[0].bilinear(&x[1], &x[2], x.get(3)),
        "dot" => x[0].dot(&x[1]),
        "einsum" => Tensor::einsum(&p.get::<String>("equation"), &x.iter().collect::<Vec<_>>()),
        "outer" => x[0].outer(&x[1]),
        _ => return None,
    };
    Some((y, Vec::new()))
}
