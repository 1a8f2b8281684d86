//! Pooling.

use super::Results;
use chainrule_tensor::ops::{AvgPoolOptions, PoolOptions};
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;
use serde::de::DeserializeOwned;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let output = || p.get("output");
    let y = match op {
        "adaptive_avg_pool1d" => x[0].adaptive_avg_pool1d(p.get("output")),
        "adaptive_avg_pool2d" => x[0].adaptive_avg_pool2d(output()),
        "adaptive_max_pool1d" => x[0].adaptive_max_pool1d(p.get("output")),
        "adaptive_max_pool1d_with_indices" => return places(x[0].adaptive_max_pool1d_with_indices(p.get("output"))),
        "adaptive_max_pool2d" => x[0].adaptive_max_pool2d(output()),
        "adaptive_max_pool2d_with_indices" => return places(x[0].adaptive_max_pool2d_with_indices(output())),
        "avg_pool1d" => x[0].avg_pool1d(mean_options(p)),
        "avg_pool2d" => x[0].avg_pool2d(mean_options(p)),
        "max_pool1d" => x[0].max_pool1d(options(p)),
        "max_pool1d_with_indices" => return places(x[0].max_pool1d_with_indices(options(p))),
        "max_pool2d" => x[0].max_pool2d(options(p)),
        "max_pool2d_with_indices" => return places(x[0].max_pool2d_with_indices(options(p))),
        _ => return None,
    };
    Some((y, Vec::new()))
}

/// Places as the further result that they are in PyTorch.
fn places<T: Real>((y, places): (Tensor<T>, Vec<usize>)) -> Option<Results<T>> {
    let places = Tensor::from_fn(y.shape(), |i| T::from_usize(places[i]));
    Some((y, vec![places]))
}

fn options<const D: usize>(p: &Params) -> PoolOptions<D>
where
    [usize; D]: DeserializeOwned,
{
    PoolOptions {
        kernel: p.get("kernel"),
        stride: p.get("stride"),
        padding: p.get("padding"),
        dilation: p.get("dilation"),
        ceil_mode: p.get("ceil_mode"),
    }
}

fn mean_options<const D: usize>(p: &Params) -> AvgPoolOptions<D>
where
    [usize; D]: DeserializeOwned,
{
    AvgPoolOptions {
        kernel: p.get("kernel"),
        stride: p.get("stride"),
        padding: p.get("padding"),
        ceil_mode: p.get("ceil_mode"),
        count_include_pad: p.get("count_include_pad"),
        divisor_override: p.find("divisor_override"),
    }
}
