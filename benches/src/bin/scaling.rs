//! How the time of a training step grows with the work: with the batch, the width, the length of sequences.
//!
//! `cargo run --release -p chainrule-benches --bin scaling -- [--threads N] [--secs S] [--svg FILE]` prints a table for each curve
//! and, if asked, draws them. A step is forward, mean loss, backward and Adam's update; the floor is the time of its products
//! at the machine's peak rate.

use chainrule_benches::machine::{peak_gflops, pinned_pool};
use chainrule_benches::measure::{seconds, time};
use chainrule_benches::plot::{Curve, svg};
use chainrule_benches::workload::Task;
use chainrule_layers::{AttentionMasks, Linear, Lstm, Mode, Module, MultiheadAttention, Relu, Sequential};
use chainrule_optim::{Adam, Optimizer};
use chainrule_tensor::{Rng, Tensor};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "scaling")]
struct Args {
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Seconds to measure each point
    #[arg(long, default_value_t = 0.5, value_parser = seconds)]
    secs: f64,
    /// Draw the curves into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A training step of a net on inputs that stay the same.
fn train<N: Module + Send + 'static>(mut net: N, mut loss: impl FnMut(&N) -> Tensor + Send + 'static) -> Task {
    let mut adam = Adam::new(1e-3);
    let step = move || {
        let loss = loss(&net);
        let value = loss.item();
        let grads = loss.backward();
        drop(loss);
        adam.step(&mut net, &grads);
        Some(value)
    };
    Task { step: Box::new(step) }
}

fn mlp(batch: usize, widths: [usize; 4]) -> (Task, f64) {
    let rng = &mut Rng::seed_from_u64(1);
    let [a, b, c, d] = widths;
    let net = Sequential::new()
        .add(Linear::new(a, b, rng))
        .add(Relu)
        .add(Linear::new(b, c, rng))
        .add(Relu)
        .add(Linear::new(c, d, rng));
    let x = Tensor::randn([batch, a], rng);
    let labels: Vec<usize> = (0..batch).map(|_| rng.below(d)).collect();
    let flops = 2.0 * (batch * (2 * a * b + 3 * b * c + 3 * c * d)) as f64;
    (train(net, move |net| net.forward(&x, &mut Mode::Eval).cross_entropy(&labels)), flops)
}

fn lstm(length: usize) -> (Task, f64) {
    let (batch, inputs, hidden) = (32, 64, 128);
    let rng = &mut Rng::seed_from_u64(1);
    let net: Lstm = Lstm::new(inputs, hidden, rng);
    let x = Tensor::randn([batch, length, inputs], rng);
    let flops = (2 * batch * length * 4 * hidden * (2 * inputs + 3 * hidden)) as f64;
    (train(net, move |net| net.forward(&x, None, &mut Mode::Eval).0.mean()), flops)
}

fn attention(length: usize) -> (Task, f64) {
    let (features, heads) = (256, 4);
    let rng = &mut Rng::seed_from_u64(1);
    let net: MultiheadAttention = MultiheadAttention::new(features, heads, rng);
    let x = Tensor::randn([1, length, features], rng);
    let dense = 3 * 2 * 4 * length * features * features;
    // Two products forward; backward the scores again and four more.
    let scores = 7 * 2 * length * length * features;
    let run =
        move |net: &MultiheadAttention| net.forward(&x, &x, &x, AttentionMasks::default(), &mut Mode::Eval).mean();
    (train(net, run), (dense + scores) as f64)
}

fn curve(title: &str, x: &str, sizes: &[usize], seconds: f64, peak: f64, make: impl Fn(usize) -> (Task, f64)) -> Curve {
    println!("\n{title}\n\n| {x} | ms | floor ms | share of peak |\n|---:|---:|---:|---:|");
    let mut curve = Curve {
        title: title.into(),
        x: x.into(),
        sizes: sizes.iter().map(|&size| size as f64).collect(),
        ms: Vec::new(),
        floor_ms: Vec::new(),
    };
    for &size in sizes {
        let (mut task, flops) = make(size);
        let (ms, floor) = (time(&mut task, seconds).median_ms, flops / peak / 1e6);
        println!("| {size} | {ms:.3} | {floor:.4} | {:.0} % |", 100.0 * floor / ms);
        curve.ms.push(ms);
        curve.floor_ms.push(floor);
    }
    curve
}

fn main() -> ExitCode {
    let Args { threads, secs, svg: path } = Args::parse();
    let curves = pinned_pool(threads.into()).install(|| {
        let peak = peak_gflops();
        println!("{threads} threads, peak {peak:.0} GFLOP/s");
        let powers = |low: u32, high: u32| (low..=high).map(|power| 1usize << power).collect::<Vec<_>>();
        [
            curve("784-512-256-10", "batch", &powers(0, 12), secs, peak, |n| mlp(n, [784, 512, 256, 10])),
            curve("three dense layers, batch 64", "width", &powers(4, 11), secs, peak, |n| mlp(64, [n; 4])),
            curve("LSTM 64 to 128, batch 32", "steps", &powers(2, 9), secs, peak, lstm),
            curve("attention, 256 features, 4 heads", "length", &powers(5, 12), secs, peak, attention),
        ]
    });
    if let Some(path) = path
        && let Err(error) = std::fs::write(&path, svg(&curves))
    {
        eprintln!("error: cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
