//! The same bits at any number of threads, and in every run.
//!
//! The sizes are such that every kernel cuts its work into several pieces.

use chainrule_tensor::ops::{AvgPoolOptions, Conv2dOptions, PadMode, PoolOptions};
use chainrule_tensor::{CreateGraph, Indices, Real, Rng, Tensor, grad};
use rayon::ThreadPoolBuilder;

/// The little-endian bytes of tensors, with a name for each.
type Bits = Vec<(String, Vec<u8>)>;

fn bits<T: Real>(name: impl Into<String>, x: &Tensor<T>) -> (String, Vec<u8>) {
    let mut bytes = Vec::with_capacity(x.numel() * T::BYTES);
    x.to_vec().into_iter().for_each(|x| x.write_le(&mut bytes));
    (name.into(), bytes)
}

/// Values and all gradients, keeping each intermediate value's bits under a name.
struct Record<T: Real> {
    bits: Bits,
    leaves: Vec<(String, Tensor<T>)>,
    rng: Rng,
}

impl<T: Real> Record<T> {
    fn new() -> Self {
        Record { bits: Vec::new(), leaves: Vec::new(), rng: Rng::seed_from_u64(5) }
    }

    /// A leaf of normal numbers.
    fn leaf(&mut self, name: &str, shape: &[usize], scale: f64) -> Tensor<T> {
        let x = (Tensor::randn(shape, &mut self.rng) * T::from_f64(scale)).requires_grad();
        self.leaves.push((name.into(), x.clone()));
        x
    }

    fn keep(&mut self, name: &str, x: Tensor<T>) -> Tensor<T> {
        self.bits.push(bits(name, &x));
        x
    }

    /// The bits of everything kept and of the loss's gradients, by the fused and by the differentiable backward pass.
    fn finish(mut self, loss: &Tensor<T>) -> Bits {
        self.keep("loss", loss.clone());
        let wrt: Vec<&Tensor<T>> = self.leaves.iter().map(|(_, leaf)| leaf).collect();
        let tracked = grad(loss, &wrt, CreateGraph);
        let fused = loss.backward();
        for ((name, leaf), tracked) in self.leaves.iter().zip(&tracked) {
            let gradient = fused.get(leaf).expect("the loss depends on every leaf");
            self.bits.push(bits(format!("gradient of {name}"), gradient));
            self.bits.push(bits(format!("tracked gradient of {name}"), tracked));
        }
        self.bits
    }
}

/// A step of an image classifier: convolutions of every kind, batch norm, pooling, dropout, a large linear layer.
fn images<T: Real>() -> Bits {
    let mut r = Record::<T>::new();
    let x = r.leaf("x", &[8, 16, 56, 56], 1.0);
    let window = |stride, padding, groups| Conv2dOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        groups,
        ..Conv2dOptions::default()
    };
    let (w, b) = (r.leaf("w1", &[16, 16, 3, 3], 0.1), r.leaf("b1", &[16], 0.1));
    let x = r.keep("conv 3x3", x.conv2d(&w, Some(&b), window(1, 1, 1)));
    let (scale, shift) = (r.leaf("scale", &[16], 1.0), r.leaf("shift", &[16], 1.0));
    let (x, mean, var) = x.batch_norm(Some(&scale), Some(&shift), 1e-5);
    r.keep("mean", mean);
    r.keep("variance", var);
    let x = r.keep("batch_norm", x).relu();
    let overlapping = PoolOptions { stride: [2, 2], padding: [1, 1], ..PoolOptions::from(3) };
    let x = r.keep("max_pool2d", x.max_pool2d(overlapping));
    let w = r.leaf("w2", &[16, 1, 5, 5], 0.2);
    let x = r.keep("depthwise", x.conv2d(&w, None, window(1, 2, 16)));
    let w = r.leaf("w3", &[48, 8, 3, 3], 0.1);
    let x = r.keep("strided groups", x.conv2d(&w, None, window(2, 1, 2)).gelu());
    let w = r.leaf("w4", &[48, 48, 1, 1], 0.1);
    let x = r.keep("pointwise", x.conv2d(&w, None, window(1, 0, 1)));
    let average = AvgPoolOptions { stride: [1, 1], padding: [1, 1], ..AvgPoolOptions::from(3) };
    let x = r.keep("avg_pool2d", x.avg_pool2d(average));
    let mut draws = r.rng.fork();
    let x = r.keep("dropout", x.dropout(0.3, &mut draws)).max_pool2d(2).flatten(1);
    let (w, b) = (r.leaf("w5", &[4200, 48 * 49], 0.02), r.leaf("b5", &[4200], 0.1));
    let x = r.keep("linear", x.linear(&w, Some(&b)));
    let labels: Vec<usize> = (0..8).map(|i| i * 523).collect();
    let loss = x.cross_entropy(&labels);
    r.finish(&loss)
}

/// Large maps, reductions along every dimension, softmax, batched products and the other losses.
fn rows<T: Real>() -> Bits {
    let mut r = Record::<T>::new();
    let (a, b) = (r.leaf("a", &[6, 130, 200], 1.0), r.leaf("b", &[6, 200, 130], 1.0));
    let c = r.keep("matmul", a.matmul(&b) * T::from_f64(0.1));
    let s = r.keep("softmax", c.softmax(-1));
    let l = r.keep("log_softmax", c.log_softmax(1));
    let t = r.keep("maps", (&c * &s + l.tanh() - c.sigmoid().t()) / (&c * &c + T::ONE).sqrt());
    let t = r.keep("cat", Tensor::cat(&[&t, &c.erf(), &c.abs().powf(1.5)], 1));
    let first = r.keep("sum of columns", t.sum_dim(0, false));
    let last = r.keep("mean of rows", t.mean_dim(-1, true));
    let outer = r.keep("sum around", t.sum_dim([0, 2], false));
    let mean = r.keep("mean", t.mean());
    let all = mean + first.powf(2.0).mean() + last.powf(2.0).mean() + outer.powf(2.0).mean();
    let target = t.detach().sigmoid();
    let (mse, bce) = (r.keep("mse_loss", t.mse_loss(&target)), r.keep("bce_with_logits", t.bce_with_logits(&target)));
    let loss = all + mse + bce;
    r.finish(&loss)
}

/// Elements picked, placed, moved and ordered: several gradients flow into one place.
fn picks<T: Real>() -> Bits {
    let mut r = Record::<T>::new();
    let x = r.leaf("x", &[40, 70, 50], 1.0);
    let index = |n: usize, count: usize| -> Vec<usize> { (0..count).map(|i| (i * i * 7 + i * 3) % n).collect() };
    let selected = r.keep("index_select", x.index_select(1, index(70, 90)));
    let gathered = r.keep("gather", selected.gather(1, Indices::new(index(90, 40 * 60 * 50), [40, 60, 50])));
    let source = r.leaf("source", &[70, 60, 50], 1.0);
    let places = Indices::new(index(40, 70 * 60 * 50), [70, 60, 50]);
    let scattered = r.keep("scatter_add", gathered.scatter_add(0, places, &source));
    let rows = r.leaf("rows", &[200, 60, 50], 1.0);
    let added = r.keep("index_add", scattered.index_add(0, index(40, 200), &rows));
    let padded = r.keep("pad", added.pad([3, 4, 1, 0], PadMode::Reflect).roll([5], 2).flip([0, 1]));
    let sums = r.keep("cumsum", padded.cumsum(1));
    let products = r.keep("cumprod", (sums * T::from_f64(0.01) + T::ONE).tanh().cumprod(2));
    let (sorted, places) = products.sort(2, true);
    let sorted = r.keep("sort", sorted);
    r.keep("order", Tensor::from_vec(places.iter().map(|&i| T::from_usize(i)).collect::<Vec<_>>(), places.shape()));
    let top = r.keep("topk", sorted.topk(9, 0, true).0);
    let sum = r.keep("einsum", Tensor::einsum("ijk,lik->jl", &[&sorted, &sorted.transpose(0, 1)]));
    let loss = top.powf(2.0).mean() + sum.mean() + sorted.tril(3).mean();
    r.finish(&loss)
}

fn in_pool(threads: usize, work: impl Fn() -> Bits + Sync + Send) -> Bits {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    pool.install(work)
}

#[track_caller]
fn check(work: impl Fn() -> Bits + Sync + Send + Copy) {
    let once = in_pool(1, work);
    for threads in [1, 2, 3] {
        let again = in_pool(threads, work);
        assert_eq!(once.len(), again.len());
        for ((name, a), (_, b)) in once.iter().zip(&again) {
            assert!(a == b, "{name} has other bits with {threads} threads");
        }
    }
}

#[test]
fn images_in_single_precision() {
    check(images::<f32>);
}

#[test]
fn images_in_double_precision() {
    check(images::<f64>);
}

#[test]
fn rows_in_single_precision() {
    check(rows::<f32>);
}

#[test]
fn rows_in_double_precision() {
    check(rows::<f64>);
}

#[test]
fn picks_in_single_precision() {
    check(picks::<f32>);
}

#[test]
fn picks_in_double_precision() {
    check(picks::<f64>);
}

#[test]
fn different_numbers_have_different_bits() {
    let of = |x: f32| bits("x", &Tensor::from(x));
    assert_eq!(of(1.0), of(1.0));
    assert_ne!(of(0.0), of(-0.0));
}
