//! Convolutions.

use super::Results;
use chainrule_tensor::ops::{ConvOptions, ConvTransposeOptions};
use chainrule_tensor::{Real, Tensor};
use chainrule_tests::fixture::Params;
use serde::de::DeserializeOwned;

pub(super) fn call<T: Real>(op: &str, p: &Params, x: &[Tensor<T>]) -> Option<Results<T>> {
    let y = match op {
        "conv1d" => x[0].conv1d(&x[1], x.get(2), options(p)),
        "conv2d" => x[0].conv2d(&x[1], x.get(2), options(p)),
        "conv_transpose1d" => x[0].conv_transpose1d(&x[1], x.get(2), transposed_options(p)),
        "conv_transpose2d" => x[0].conv_transpose2d(&x[1], x.get(2), transposed_options(p)),
        _ => return None,
    };
    Some((y, Vec::new()))
}

fn options<const D: usize>(p: &Params) -> ConvOptions<D>
where
    [usize; D]: DeserializeOwned,
{
    let (stride, padding) = (p.get("stride"), p.get("padding"));
    ConvOptions { stride, padding, dilation: p.get("dilation"), groups: p.get("groups") }
}

fn transposed_options<const D: usize>(p: &Params) -> ConvTransposeOptions<D>
where
    [usize; D]: DeserializeOwned,
{
    let ConvOptions { stride, padding, dilation, groups } = options(p);
    ConvTransposeOptions { stride, padding, output_padding: p.get("output_padding"), dilation, groups }
}
