//! Pooling.

use super::Results;
use chainrule_tensor::ops::{AvgPoolOptions, PoolOptions};
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "avg_pool2d" => x[0].avg_pool2d(AvgPoolOptions {
            kernel: p.get("kernel"),
            stride: p.get("stride"),
            padding: p.get("padding"),
            ceil_mode: p.get("ceil_mode"),
            count_include_pad: p.get("count_include_pad"),
        }),
        "max_pool2d" => x[0].max_pool2d(PoolOptions {
            kernel: p.get("kernel"),
            stride: p.get("stride"),
            padding: p.get("padding"),
            dilation: p.get("dilation"),
            ceil_mode: p.get("ceil_mode"),
        }),
        _ => return None,
    };
    Some((y, Vec::new()))
}
