//! Element-wise functions and reductions: what memory limits, so rates are in bytes.

use chainrule_benches::numbers;
use chainrule_kernels::{View, moments, reduce};
use chainrule_tensor::{Rng, Tensor};
use criterion::{Criterion, Throughput};
use std::hint::black_box;

mod common;

fn functions(criterion: &mut Criterion) {
    type Function = fn(&Tensor) -> Tensor;
    let functions: [(&str, Function); 9] = [
        ("relu", Tensor::relu),
        ("exp", Tensor::exp),
        ("tanh", Tensor::tanh),
        ("sigmoid", Tensor::sigmoid),
        ("gelu", Tensor::gelu),
        ("silu", Tensor::silu),
        ("sin", Tensor::sin),
        ("double", |x| x + x),
        ("transposed copy", |x| x.t() + 0.0),
    ];
    for [rows, cols] in [[32, 32], [1024, 1024]] {
        let x = Tensor::randn([rows, cols], &mut Rng::seed_from_u64(1));
        let mut group = criterion.benchmark_group(format!("elementwise/{rows}x{cols}"));
        group.throughput(Throughput::Bytes(8 * (rows * cols) as u64));
        for (name, function) in functions {
            group.bench_function(name, |b| b.iter(|| function(black_box(&x))));
        }
    }
}

fn reductions(criterion: &mut Criterion) {
    let x = numbers(1 << 20);
    let mut group = criterion.benchmark_group("reduce/1024x1024");
    group.throughput(Throughput::Bytes(4 << 20));
    let mut out = vec![0.0; 1024];
    let sizes = [1024, 1024];
    let mut bench = |name: &str, strides: [usize; 2], kept: usize| {
        let out = &mut out[..sizes[..kept].iter().product()];
        group.bench_function(name, |b| b.iter(|| reduce::sum(View::new(&x, &sizes, &strides), kept, black_box(out))));
    };
    bench("sum", [1024, 1], 0);
    bench("sum of rows", [1024, 1], 1);
    bench("sum of columns", [1, 1024], 1);
    let view = View::new(&x, &sizes, &[1024, 1]);
    group.bench_function("variance of rows", |b| b.iter(|| moments::variance(view, 1, 1.0, black_box(&mut out))));
    group.bench_function("norm of rows", |b| b.iter(|| moments::norm(view, 1, black_box(&mut out))));
}

fn main() {
    common::run(|criterion| {
        functions(criterion);
        reductions(criterion);
    });
}
