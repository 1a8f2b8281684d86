//! Whole training steps and inference: the workloads that other engines run too. Rates are in floating-point operations,
//! counted as in [`workload`].

use chainrule_benches::workload;
use criterion::{Criterion, Throughput};

mod common;

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for workload in workload::all().into_iter().filter(|w| !w.name.starts_with("gemm")) {
        // A step of the largest takes a quarter of a second.
        group.sample_size(if workload.flops > 1e10 { 10 } else { 20 });
        group.throughput(Throughput::Elements(workload.flops as u64));
        group.bench_function(&workload.name, |b| {
            let mut task = workload.build(None).expect("nothing is written");
            b.iter(|| (task.step)());
        });
    }
}

fn main() {
    common::run(steps);
}
