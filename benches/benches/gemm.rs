//! Matrix products: the shapes of the workloads, transposes, single and double precision, batches.

use chainrule_benches::numbers;
use chainrule_kernels::gemm::{Epilogue, Mat, gemm};
use chainrule_kernels::{Accum, Real};
use chainrule_tensor::{Rng, Tensor};
use criterion::{Criterion, Throughput};
use std::hint::black_box;

mod common;

/// `m, k, n`.
const SHAPES: [[usize; 3]; 12] = [
    [64, 64, 64],
    [128, 128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [64, 784, 512],
    [1024, 512, 256],
    [32, 256, 1024],
    [1, 784, 512],
    [512, 784, 1],
    [64, 256, 10],
    [31, 33, 37],
];

fn product<T: Real>(criterion: &mut Criterion, group: &str, transposed: bool) {
    let mut group = criterion.benchmark_group(group);
    for [m, k, n] in SHAPES {
        let typed = |len| numbers(len).into_iter().map(|x| T::from_f64(x.into())).collect::<Vec<T>>();
        let (a, b, mut c) = (typed(m * k), typed(k * n), typed(m * n));
        let a = Mat::row_major(&a, m, k);
        let b = if transposed { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(format!("{m}x{k}x{n}"), |bencher| {
            bencher.iter(|| gemm(a, b, black_box(&mut c), Epilogue::plain(Accum::Replace)));
        });
    }
}

fn batched(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm/batched");
    let rng = &mut Rng::seed_from_u64(1);
    for [batch, m, k, n] in [[32, 128, 64, 128], [256, 16, 16, 16]] {
        let (a, b): (Tensor, Tensor) = (Tensor::randn([batch, m, k], rng), Tensor::randn([batch, k, n], rng));
        group.throughput(Throughput::Elements((2 * batch * m * k * n) as u64));
        group.bench_function(format!("{batch}x{m}x{k}x{n}"), |bencher| bencher.iter(|| a.matmul(&b)));
    }
}

fn main() {
    common::run(|criterion| {
        product::<f32>(criterion, "gemm/f32", false);
        product::<f32>(criterion, "gemm/f32 transposed", true);
        product::<f64>(criterion, "gemm/f64", false);
        batched(criterion);
    });
}
