//! Products of matrices.

use super::Results;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, _: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "linear" => x[0].linear(&x[1], x.get(2)),
        "matmul" => x[0].matmul(&x[1]),
        _ => return None,
    };
    Some((y, Vec::new()))
}
