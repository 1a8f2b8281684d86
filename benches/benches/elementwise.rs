//! Element-wise functions, reductions and optimizer updates: what memory limits, so rates are in bytes.

use chainrule_benches::numbers;
use chainrule_kernels::{View, moments, reduce, update};
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

fn updates(criterion: &mut Criterion) {
    let (mut param, grad, mut a, mut b) = (numbers(1 << 20), numbers(1 << 20), vec![0.0; 1 << 20], vec![0.0; 1 << 20]);
    let mut group = criterion.benchmark_group("update/1048576");
    let sgd = update::Sgd { lr: 1e-6, momentum: 0.9, dampening: 0.0, nesterov: false, weight_decay: 0.0 };
    group.throughput(Throughput::Bytes(5 * (4 << 20)));
    group.bench_function("sgd with momentum", |bencher| {
        bencher.iter(|| {
            let slot = update::SgdSlot { param: &mut param, grad: &grad, buffer: Some(&mut a), first: false };
            update::sgd(&sgd, &mut [slot]);
        });
    });
    let adam = update::Adam { lr: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false };
    group.throughput(Throughput::Bytes(7 * (4 << 20)));
    a.fill(0.0);
    group.bench_function("adam", |bencher| {
        bencher.iter(|| {
            let (mean, square) = (&mut a[..], &mut b[..]);
            let slot = update::AdamSlot { param: &mut param, grad: &grad, mean, square, max_square: None, step: 10 };
            update::adam(&adam, &mut [slot]);
        });
    });
}

fn main() {
    common::run(|criterion| {
        functions(criterion);
        reductions(criterion);
        updates(criterion);
    });
}
