//! Times single operations: `cargo run --release -p chainrule-benches --bin operations -- [--threads N] [--secs S] [--random COUNT [--seed SEED] [--sizes SIZE,..]] [NAME]`.
//!
//! A line for each operation that has NAME in it, tab-separated: the call as PyTorch writes it, the shapes of its inputs `x`, what it needs beside them, and the shortest
//! time in milliseconds forward, without gradients, and of both passes. `benches/operations_torch.py` puts PyTorch beside it.

use chainrule_benches::{machine, measure::seconds, numbers};
use chainrule_tensor::{GraphMode, Tensor};
use clap::Parser;
use std::hint::black_box;
use std::time::{Duration, Instant};

mod named;
mod random;

#[derive(Parser)]
#[command(name = "operations")]
struct Args {
    /// Threads
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Seconds to measure each pass
    #[arg(long, default_value_t = 0.1, value_parser = seconds)]
    secs: f64,
    /// Measure so many operations on random shapes
    #[arg(long, value_name = "COUNT")]
    random: Option<usize>,
    /// Which random ones
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first sizes of each random operation, instead of random ones
    #[arg(long, value_name = "SIZE", value_delimiter = ',', requires = "random", value_parser = clap::value_parser!(u32).range(1..))]
    sizes: Vec<u32>,
    /// Only those that have this in their call
    #[arg(default_value = "")]
    name: String,
}

type Call = Box<dyn Fn(&[Tensor]) -> Tensor + Send>;

/// An operation on certain shapes.
struct Case {
    /// As PyTorch writes it; inputs are `x[0]`, `x[1]`, ..
    torch: String,
    /// What PyTorch's side has to set up, in Python.
    setup: String,
    shapes: Vec<Vec<usize>>,
    call: Call,
}

fn case(torch: &str, setup: &str, shapes: &[&[usize]], call: impl Fn(&[Tensor]) -> Tensor + Send + 'static) -> Case {
    Case {
        torch: torch.into(),
        setup: setup.into(),
        shapes: shapes.iter().map(|s| s.to_vec()).collect(),
        call: Box::new(call),
    }
}

/// Indices that jump around below `below`, the same ones on PyTorch's side.
fn places(count: usize, below: usize) -> Vec<usize> {
    (0..count).map(|i| i * 7919 % below).collect()
}

/// The shortest time of many, in milliseconds.
fn shortest(seconds: f64, mut work: impl FnMut()) -> f64 {
    (0..3).for_each(|_| work());
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed() < Duration::from_secs_f64(seconds) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e3
}

fn measure(case: &Case, seconds: f64) -> (f64, f64) {
    let x: Vec<Tensor> =
        case.shapes.iter().map(|shape| Tensor::from_vec(numbers(shape.iter().product()), shape.clone())).collect();
    let forward = shortest(seconds, || {
        black_box((case.call)(&x));
    });
    let x: Vec<Tensor> = x.iter().map(Tensor::requires_grad).collect();
    let seed = Tensor::ones_like(&(case.call)(&x));
    let both = shortest(seconds, || {
        black_box((case.call)(&x).backward_with(Some(&seed), GraphMode::FreeGraph));
    });
    (forward, both)
}

fn main() {
    let Args { threads, secs, random, seed, sizes, name } = Args::parse();
    let cases = match random {
        Some(count) => random::cases(count, seed, &sizes, &name),
        None => named::cases().into_iter().filter(|case| case.torch.contains(&name)).collect(),
    };
    machine::pinned_pool(threads.into()).install(move || {
        for case in cases {
            let (forward, both) = measure(&case, secs);
            println!("{}\t{:?}\t{}\t{forward}\t{both}", case.torch, case.shapes, case.setup);
        }
    });
}
