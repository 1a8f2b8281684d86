//! Operations along dimensions.

use super::Results;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "log_softmax" => x[0].log_softmax(p.get::<isize>("dim")),
        "mean" => x[0].mean_dim(p.get::<Vec<isize>>("dims"), p.get("keepdim")),
        "softmax" => x[0].softmax(p.get::<isize>("dim")),
        "sum" => x[0].sum_dim(p.get::<Vec<isize>>("dims"), p.get("keepdim")),
        _ => return None,
    };
    Some((y, Vec::new()))
}
