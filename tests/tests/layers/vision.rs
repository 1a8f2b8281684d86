//! Layers of images and sequences, from the names and arguments of PyTorch's classes.

use crate::nets::Arguments;
use chainrule_layers::{
    AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, BatchNorm, Conv, ConvTranspose, Dropout1d, Dropout2d, Extent, Flatten,
    GroupNorm, InstanceNorm, Layer, MaxPool, PixelShuffle, PixelUnshuffle, Unflatten, Upsample,
};
use chainrule_tensor::ops::{Interpolation, Resize};
use chainrule_tensor::{Real, Rng};
use serde::de::DeserializeOwned;

/// The layer, if it is one of these. What is not said keeps our default, which has to be PyTorch's.
pub(crate) fn build<T: Real>(class: &str, a: &Arguments<'_>, rng: &mut Rng) -> Option<Box<dyn Layer<T>>> {
    let layer: Box<dyn Layer<T>> = match class {
        "Conv1d" => conv::<1, T>(a, rng),
        "Conv2d" => conv::<2, T>(a, rng),
        "ConvTranspose1d" => conv_transpose::<1, T>(a, rng),
        "ConvTranspose2d" => conv_transpose::<2, T>(a, rng),
        "MaxPool1d" => max_pool::<1, T>(a),
        "MaxPool2d" => max_pool::<2, T>(a),
        "AvgPool1d" => avg_pool::<1, T>(a),
        "AvgPool2d" => avg_pool::<2, T>(a),
        "AdaptiveAvgPool1d" => Box::new(AdaptiveAvgPool::<1>::new(extent(a, "output_size")?)),
        "AdaptiveAvgPool2d" => Box::new(AdaptiveAvgPool::<2>::new(extent(a, "output_size")?)),
        "AdaptiveMaxPool1d" => Box::new(AdaptiveMaxPool::<1>::new(extent(a, "output_size")?)),
        "AdaptiveMaxPool2d" => Box::new(AdaptiveMaxPool::<2>::new(extent(a, "output_size")?)),
        "BatchNorm1d" => batch_norm::<1, T>(a),
        "BatchNorm2d" => batch_norm::<2, T>(a),
        "InstanceNorm1d" => instance_norm::<1, T>(a),
        "InstanceNorm2d" => instance_norm::<2, T>(a),
        "GroupNorm" => {
            let mut norm = GroupNorm::new(a.size("num_groups"), a.size("num_channels"));
            norm.eps = a.get("eps").unwrap_or(norm.eps);
            Box::new(if a.get("affine").unwrap_or(true) { norm } else { norm.without_affine() })
        }
        "Upsample" => Box::new(Upsample::new(resize(a), interpolation(a))),
        "PixelShuffle" => Box::new(PixelShuffle(a.size("upscale_factor"))),
        "PixelUnshuffle" => Box::new(PixelUnshuffle(a.size("downscale_factor"))),
        "Dropout1d" => Box::new(Dropout1d::new(a.get("p").unwrap_or(0.5))),
        "Dropout2d" => Box::new(Dropout2d::new(a.get("p").unwrap_or(0.5))),
        "Flatten" => {
            let Flatten { start, end } = Flatten::new();
            Box::new(Flatten { start: a.get("start_dim").unwrap_or(start), end: a.get("end_dim").unwrap_or(end) })
        }
        "Unflatten" => Box::new(Unflatten::new(a.get("dim")?, a.get::<Vec<usize>>("unflattened_size")?)),
        _ => return None,
    };
    Some(layer)
}

/// A number or a list.
fn extent<const D: usize>(a: &Arguments<'_>, name: &str) -> Option<Extent<D>>
where
    [usize; D]: DeserializeOwned,
{
    Some(if a.is_list(name)? { a.get::<[usize; D]>(name)?.into() } else { a.size(name).into() })
}

fn conv<const D: usize, T: Real>(a: &Arguments<'_>, rng: &mut Rng) -> Box<dyn Layer<T>>
where
    [usize; D]: DeserializeOwned,
{
    let kernel: Extent<D> = extent(a, "kernel_size").expect("a kernel");
    let mut conv = Conv::<D, T>::builder(a.size("in_channels"), a.size("out_channels"), kernel);
    conv = if let Some(stride) = extent(a, "stride") { conv.stride(stride) } else { conv };
    conv = match a.text("padding") {
        Some("same") => conv.same_padding(),
        Some(_) => conv, // "valid"
        None => extent(a, "padding").map_or(conv, |padding| conv.padding(padding)),
    };
    conv = if let Some(dilation) = extent(a, "dilation") { conv.dilation(dilation) } else { conv };
    conv = if let Some(groups) = a.get("groups") { conv.groups(groups) } else { conv };
    conv = if let Some(bias) = a.get("bias") { conv.bias(bias) } else { conv };
    Box::new(conv.build(rng))
}

fn conv_transpose<const D: usize, T: Real>(a: &Arguments<'_>, rng: &mut Rng) -> Box<dyn Layer<T>>
where
    [usize; D]: DeserializeOwned,
{
    let kernel: Extent<D> = extent(a, "kernel_size").expect("a kernel");
    let mut conv = ConvTranspose::<D, T>::builder(a.size("in_channels"), a.size("out_channels"), kernel);
    conv = if let Some(stride) = extent(a, "stride") { conv.stride(stride) } else { conv };
    conv = if let Some(padding) = extent(a, "padding") { conv.padding(padding) } else { conv };
    conv = if let Some(padding) = extent(a, "output_padding") { conv.output_padding(padding) } else { conv };
    conv = if let Some(dilation) = extent(a, "dilation") { conv.dilation(dilation) } else { conv };
    conv = if let Some(groups) = a.get("groups") { conv.groups(groups) } else { conv };
    conv = if let Some(bias) = a.get("bias") { conv.bias(bias) } else { conv };
    Box::new(conv.build(rng))
}

fn max_pool<const D: usize, T: Real>(a: &Arguments<'_>) -> Box<dyn Layer<T>>
where
    [usize; D]: DeserializeOwned,
{
    let kernel: Extent<D> = extent(a, "kernel_size").expect("a kernel");
    let mut pool = MaxPool::new(kernel).ceil_mode(a.get("ceil_mode").unwrap_or(false));
    pool = if let Some(stride) = extent(a, "stride") { pool.stride(stride) } else { pool };
    pool = if let Some(padding) = extent(a, "padding") { pool.padding(padding) } else { pool };
    Box::new(if let Some(dilation) = extent(a, "dilation") { pool.dilation(dilation) } else { pool })
}

fn avg_pool<const D: usize, T: Real>(a: &Arguments<'_>) -> Box<dyn Layer<T>>
where
    [usize; D]: DeserializeOwned,
{
    let kernel: Extent<D> = extent(a, "kernel_size").expect("a kernel");
    let mut pool = AvgPool::new(kernel).ceil_mode(a.get("ceil_mode").unwrap_or(false));
    pool = if let Some(stride) = extent(a, "stride") { pool.stride(stride) } else { pool };
    pool = if let Some(padding) = extent(a, "padding") { pool.padding(padding) } else { pool };
    pool = if let Some(divisor) = a.get("divisor_override") { pool.divisor_override(divisor) } else { pool };
    Box::new(if let Some(count) = a.get("count_include_pad") { pool.count_include_pad(count) } else { pool })
}

fn batch_norm<const D: usize, T: Real>(a: &Arguments<'_>) -> Box<dyn Layer<T>> {
    let mut norm = BatchNorm::<D, T>::new(a.size("num_features"));
    norm.eps = a.get("eps").unwrap_or(norm.eps);
    norm = if a.get("affine").unwrap_or(true) { norm } else { norm.without_affine() };
    norm = if a.get("track_running_stats").unwrap_or(true) { norm } else { norm.without_running_stats() };
    match a.get::<Option<f64>>("momentum") {
        Some(None) => Box::new(norm.with_cumulative_average()),
        Some(Some(momentum)) => Box::new(BatchNorm { momentum, ..norm }),
        None => Box::new(norm),
    }
}

fn instance_norm<const D: usize, T: Real>(a: &Arguments<'_>) -> Box<dyn Layer<T>> {
    let mut norm = InstanceNorm::<D, T>::new(a.size("num_features"));
    norm.eps = a.get("eps").unwrap_or(norm.eps);
    norm.momentum = a.get("momentum").unwrap_or(norm.momentum);
    norm = if a.get("affine").unwrap_or(false) { norm.with_affine() } else { norm };
    Box::new(if a.get("track_running_stats").unwrap_or(false) { norm.with_running_stats() } else { norm })
}

fn resize(a: &Arguments<'_>) -> Resize {
    match (a.is_list("size"), a.is_list("scale_factor")) {
        (Some(true), _) => Resize::To(a.get("size").expect("sizes")),
        (Some(false), _) => a.size("size").into(),
        (_, Some(true)) => Resize::By(a.get("scale_factor").expect("factors")),
        _ => a.get::<f64>("scale_factor").expect("a size or a factor").into(),
    }
}

fn interpolation(a: &Arguments<'_>) -> Interpolation {
    match a.text("mode") {
        None | Some("nearest") => Interpolation::Nearest,
        _ => Interpolation::Linear { align_corners: a.get("align_corners").unwrap_or(false) },
    }
}
