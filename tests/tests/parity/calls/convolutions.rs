//! Convolutions.

use super::Results;
use chainrule_tensor::ops::Conv2dOptions;
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "conv2d" => {
            let (stride, padding) = (p.get("stride"), p.get("padding"));
            let options = Conv2dOptions { stride, padding, dilation: p.get("dilation"), groups: p.get("groups") };
            x[0].conv2d(&x[1], x.get(2), options)
        }
        _ => return None,
    };
    Some((y, Vec::new()))
}
