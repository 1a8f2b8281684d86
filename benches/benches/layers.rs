//! Single layers: forward without a graph, and forward with backward.

use chainrule_layers::{BatchNorm2d, Conv2d, Layer, Linear, Lstm, MaxPool2d, Mode};
use chainrule_tensor::{Rng, Tensor, no_grad};
use criterion::{Criterion, Throughput};

mod common;

fn layers(criterion: &mut Criterion) {
    let rng = &mut Rng::seed_from_u64(1);
    let dense: Linear = Linear::new(784, 512, rng);
    layer(criterion, "linear 784->512", &dense, &[64, 784], rng);
    let conv: Conv2d = Conv2d::new(32, 64, 3, rng);
    layer(criterion, "conv2d 32->64 3x3", &conv, &[64, 32, 26, 26], rng);
    layer(criterion, "batch norm 64", &BatchNorm2d::new(64), &[16, 64, 32, 32], rng);
    layer(criterion, "max pool 2", &MaxPool2d::new(2), &[64, 64, 24, 24], rng);
    let lstm: Lstm = Lstm::new(64, 256, rng);
    layer(criterion, "lstm 64->256, 50 steps", &lstm, &[32, 50, 64], rng);
}

/// Throughput in samples: the first dimension is the batch.
fn layer(criterion: &mut Criterion, name: &str, layer: &dyn Layer, shape: &[usize], rng: &mut Rng) {
    let x = Tensor::randn(shape, rng);
    let tracked = x.clone().requires_grad();
    let mut group = criterion.benchmark_group(format!("layer/{name}"));
    group.throughput(Throughput::Elements(shape[0] as u64));
    group.bench_function("forward", |b| b.iter(|| no_grad(|| layer.call(&x, &mut Mode::Train(rng)))));
    group.bench_function("forward and backward", |b| {
        b.iter(|| layer.call(&tracked, &mut Mode::Train(rng)).sum().backward());
    });
}

fn main() {
    common::run(layers);
}
