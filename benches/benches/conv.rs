//! Convolution, forward and both gradients, counted as a direct one; pooling.

use chainrule_benches::numbers;
use chainrule_kernels::conv::{self, Conv2d, Epilogue};
use chainrule_kernels::pool::{self, Pool2d};
use criterion::{Criterion, Throughput};
use std::hint::black_box;

mod common;

/// `batch, in, out, size, kernel, stride, padding, groups`.
const SHAPES: [[usize; 8]; 8] = [
    [64, 1, 32, 28, 3, 1, 0, 1],
    [64, 32, 64, 26, 3, 1, 0, 1],
    [16, 64, 64, 32, 3, 1, 1, 1],
    [16, 512, 512, 4, 3, 1, 1, 1],
    [16, 64, 128, 32, 3, 2, 1, 1],
    [16, 64, 256, 32, 1, 1, 0, 1],
    [8, 3, 64, 64, 7, 2, 3, 1],
    [16, 64, 64, 32, 3, 1, 1, 64],
];

fn convolution(criterion: &mut Criterion) {
    for [batch, in_channels, out_channels, size, kernel, stride, padding, groups] in SHAPES {
        let geometry = Conv2d {
            batch,
            in_channels,
            out_channels,
            input: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups,
        };
        let (x, w) = (numbers(geometry.input_len()), numbers(geometry.weight_len()));
        let (g, bias) = (numbers(geometry.output_len()), numbers(out_channels));
        let epilogue = Epilogue { bias: Some(&bias), relu: false };
        let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
        let name = format!("conv/{batch}x{in_channels}->{out_channels} {size}^2 {kernel}x{kernel} s{stride} g{groups}");
        let mut group = criterion.benchmark_group(name);
        let flops = 2 * geometry.output_len() * in_channels / groups * kernel * kernel;
        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function("forward", |b| b.iter(|| conv::forward(&geometry, &x, &w, epilogue, black_box(&mut y))));
        group.bench_function("input gradient", |b| b.iter(|| conv::input_grad(&geometry, &g, &w, black_box(&mut dx))));
        group
            .bench_function("weight gradient", |b| b.iter(|| conv::weight_grad(&geometry, &x, &g, black_box(&mut dw))));
    }
}

fn pooling(criterion: &mut Criterion) {
    let geometry = Pool2d {
        planes: 64 * 64,
        input: [24; 2],
        kernel: [2; 2],
        stride: [2; 2],
        padding: [0; 2],
        dilation: [1; 2],
        ceil_mode: false,
        count_include_pad: true,
        divisor: None,
    };
    let (x, g) = (numbers(geometry.input_len()), numbers(geometry.output_len()));
    let (mut y, mut dx) = (g.clone(), x.clone());
    let mut group = criterion.benchmark_group("pool/4096 planes 24^2 2x2");
    group.throughput(Throughput::Bytes((4 * (x.len() + y.len())) as u64));
    group.bench_function("max", |b| b.iter(|| pool::max_forward(&geometry, &x, black_box(&mut y))));
    let places = pool::max_forward(&geometry, &x, &mut y);
    group.bench_function("max gradient", |b| {
        b.iter(|| pool::scatter(geometry.planes, &g, &places, black_box(&mut dx)));
    });
    group.bench_function("mean", |b| b.iter(|| pool::avg_forward(&geometry, &x, black_box(&mut y))));
    group.bench_function("mean gradient", |b| b.iter(|| pool::avg_backward(&geometry, &g, black_box(&mut dx))));
}

fn main() {
    common::run(|criterion| {
        convolution(criterion);
        pooling(criterion);
    });
}
