//! Softmax, cross entropy, batch and layer normalization, forward and backward. Rates are in numbers per second.

use chainrule_benches::numbers;
use chainrule_kernels::{norm, softmax};
use criterion::{Criterion, Throughput};
use std::hint::black_box;

mod common;

fn softmaxes(criterion: &mut Criterion) {
    for [rows, cols] in [[64, 10], [1024, 1000]] {
        let (x, g) = (numbers(rows * cols), numbers(rows * cols));
        let (mut y, mut dx, mut losses) = (x.clone(), x.clone(), vec![0.0; rows]);
        let labels: Vec<usize> = (0..rows).map(|row| row * 7 % cols).collect();
        let mut group = criterion.benchmark_group(format!("softmax/{rows}x{cols}"));
        group.throughput(Throughput::Elements((rows * cols) as u64));
        group.bench_function("forward", |b| b.iter(|| softmax::softmax(&x, cols, black_box(&mut y))));
        group.bench_function("backward", |b| b.iter(|| softmax::softmax_backward(&y, &g, cols, black_box(&mut dx))));
        group.bench_function("cross entropy", |b| {
            b.iter(|| softmax::cross_entropy(&x, &labels, cols, &mut losses, black_box(&mut y)));
        });
        let mean = [1.0 / rows as f32];
        group.bench_function("cross entropy backward", |b| {
            b.iter(|| softmax::cross_entropy_backward(&y, &labels, &mean, cols, black_box(&mut dx)));
        });
    }
}

fn batch_norm(criterion: &mut Criterion) {
    for [n, c, l] in [[16, 64, 1024], [16, 512, 16]] {
        let (x, g) = (numbers(n * c * l), numbers(n * c * l));
        let (mut y, mut dx) = (x.clone(), x.clone());
        let (mut mean, mut var, weight, bias) = (vec![0.0; c], vec![0.0; c], numbers(c), numbers(c));
        let (mut dweight, mut dbias) = (vec![0.0; c], vec![0.0; c]);
        let mut group = criterion.benchmark_group(format!("batch norm/{n}x{c}x{l}"));
        group.throughput(Throughput::Elements((n * c * l) as u64));
        group.bench_function("statistics", |b| {
            b.iter(|| norm::batch_stats(&x, n, c, l, black_box(&mut mean), &mut var));
        });
        let inv_std: Vec<f32> = var.iter().map(|var| 1.0 / (var + 1e-5).sqrt()).collect();
        group.bench_function("forward", |b| {
            b.iter(|| norm::batch_norm(&x, n, c, l, &mean, &inv_std, Some(&weight), Some(&bias), black_box(&mut y)));
        });
        group.bench_function("backward", |b| {
            b.iter(|| {
                let (dw, db) = (&mut dweight, &mut dbias);
                norm::batch_norm_backward(&x, &g, n, c, l, &mean, &inv_std, Some(&weight), black_box(&mut dx), dw, db);
            });
        });
    }
}

fn layer_norm(criterion: &mut Criterion) {
    let [rows, cols] = [1024, 256];
    let (x, g) = (numbers(rows * cols), numbers(rows * cols));
    let (mut y, mut dx) = (x.clone(), x.clone());
    let (mut mean, mut inv_std) = (vec![0.0; rows], vec![0.0; rows]);
    let (weight, bias) = (numbers(cols), numbers(cols));
    let (mut dweight, mut dbias) = (vec![0.0; cols], vec![0.0; cols]);
    let mut group = criterion.benchmark_group(format!("layer norm/{rows}x{cols}"));
    group.throughput(Throughput::Elements((rows * cols) as u64));
    group.bench_function("forward", |b| {
        b.iter(|| {
            let (w, bias, y) = (Some(&weight[..]), Some(&bias[..]), black_box(&mut y));
            norm::layer_norm(&x, cols, 1e-5, w, bias, y, &mut mean, &mut inv_std);
        });
    });
    group.bench_function("backward", |b| {
        b.iter(|| {
            let affine = Some((&mut dweight[..], &mut dbias[..]));
            norm::layer_norm_backward(&x, &g, cols, &mean, &inv_std, Some(&weight), black_box(&mut dx), affine);
        });
    });
}

fn main() {
    common::run(|criterion| {
        softmaxes(criterion);
        batch_norm(criterion);
        layer_norm(criterion);
    });
}
