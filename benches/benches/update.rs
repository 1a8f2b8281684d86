//! Optimizer updates and what goes with them, over more numbers than caches hold. All are limited by memory: rates are in
//! bytes that have to be read and written, to be compared with those of `a += b`, the plainest update there is.

use chainrule_benches::numbers;
use chainrule_kernels::update::{
    self, ARRAYS, Adadelta, Adagrad, Adam, Lion, NAdam, Options, RAdam, RmsProp, Rule, Sgd, Slot,
};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

mod common;

const COUNT: usize = 1 << 22;

/// One rule: the parameter and its arrays are read and written, the gradient is read.
fn rule<R: Rule>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rule: R) {
    let (mut param, grad) = (numbers(COUNT), numbers(COUNT));
    let wanted = rule.arrays();
    let mut arrays: [Vec<f32>; ARRAYS] = wanted.map(|wanted| vec![0.1; if wanted { COUNT } else { 0 }]);
    let options = Options { weight_decay: 1e-4, ..Options::new(1e-9, rule) };
    let passes = 3 + 2 * wanted.iter().filter(|&&wanted| wanted).count();
    group.throughput(Throughput::Bytes((4 * passes * COUNT) as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let arrays = arrays.each_mut().map(|array| Some(&mut array[..]).filter(|array| !array.is_empty()));
            let (param, step, product) = (&mut param[..], 10, 0.5);
            R::step(&mut [Slot { options: &options, param, grad: &grad, arrays, step, product }]);
        });
    });
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("update/{COUNT}"));
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let plain = Sgd { momentum: 0.0, dampening: 0.0, nesterov: false };
    rule(&mut group, "sgd", plain);
    rule(&mut group, "sgd with momentum", Sgd { momentum: 0.9, ..plain });
    rule(&mut group, "adam", Adam { beta1, beta2, eps, amsgrad: false });
    rule(&mut group, "adam with amsgrad", Adam { beta1, beta2, eps, amsgrad: true });
    let rmsprop = RmsProp { alpha: 0.99, eps, centered: false, momentum: 0.0 };
    rule(&mut group, "rmsprop", rmsprop);
    rule(&mut group, "rmsprop centered with momentum", RmsProp { centered: true, momentum: 0.9, ..rmsprop });
    rule(&mut group, "adagrad", Adagrad { lr_decay: 0.0, initial_accumulator_value: 0.1, eps });
    rule(&mut group, "adadelta", Adadelta { rho: 0.9, eps: 1e-6 });
    rule(&mut group, "nadam", NAdam { beta1, beta2, eps, momentum_decay: 4e-3 });
    rule(&mut group, "radam", RAdam { beta1, beta2, eps });
    rule(&mut group, "lion", Lion { beta1, beta2: 0.99 });
}

fn vectors(criterion: &mut Criterion) {
    let (mut a, b) = (numbers(COUNT), numbers(COUNT));
    let mut group = criterion.benchmark_group(format!("vectors/{COUNT}"));
    group.throughput(Throughput::Bytes((12 * COUNT) as u64));
    group.bench_function("a += b", |bencher| bencher.iter(|| update::add_scaled(&mut [(&mut a[..], &b[..])], 1e-9)));
    group.bench_function("average of weights", |bencher| {
        bencher.iter(|| update::lerp(&mut [(&mut a[..], &b[..])], 1e-3));
    });
    group.bench_function("penalty", |bencher| {
        bencher.iter(|| update::penalize(&mut [(&mut a[..], &b[..])], 1e-9, 1e-9));
    });
    group.throughput(Throughput::Bytes((4 * COUNT) as u64));
    group.bench_function("sum of squares", |bencher| bencher.iter(|| update::sum_of_squares(&[&a])));
}

fn main() {
    common::run(|criterion| {
        rules(criterion);
        vectors(criterion);
    });
}
