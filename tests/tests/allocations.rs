//! Once two training steps are done, tensors take no memory from the system, and no page of it is touched for the first time.
//!
//! (The second step is the first one that has the optimizer's moments beside it. A large net, of whose free blocks some go back
//! to the system, may need some steps more until it is known which of them are needed again.)
//!
//! One test, in a process of its own: what it counts belongs to the whole process.

use chainrule_kernels::buffer::system_allocations;
use chainrule_layers::{Conv2d, Flatten, Linear, MaxPool2d, Mode, Relu, Sequential};
use chainrule_optim::{Adam, Optimizer};
use chainrule_tensor::{Rng, Tensor};
use rayon::ThreadPoolBuilder;

const STEPS: usize = 30;

/// The pages that this process touched for the first time so far; 0 where the system does not tell.
fn page_faults() -> usize {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold spaces, `minflt` is the eighth field.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(7).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// `784-256-10` on 64 rows: blocks of less and of more than what a thread keeps for itself.
fn mlp(rng: &mut Rng) -> (Sequential, Tensor) {
    let net = Sequential::new().add(Linear::new(784, 256, rng)).add(Relu).add(Linear::new(256, 10, rng));
    (net, Tensor::randn([64, 784], rng))
}

/// Two convolutions and a pooling, for images of 28x28.
fn convolutions([first, second]: [usize; 2], rng: &mut Rng) -> Sequential {
    Sequential::new()
        .add(Conv2d::new(1, first, 3, rng))
        .add(Relu)
        .add(Conv2d::new(first, second, 3, rng))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
}

/// A dense layer behind them, on 16 images.
fn cnn(rng: &mut Rng) -> (Sequential, Tensor) {
    let net = convolutions([16, 32], rng).add(Linear::new(4608, 10, rng));
    (net, Tensor::randn([16, 1, 28, 28], rng))
}

/// More channels and two dense layers, on 64 images: 50 MB in use.
fn large_cnn(rng: &mut Rng) -> (Sequential, Tensor) {
    let net = convolutions([32, 64], rng).add(Linear::new(9216, 128, rng)).add(Relu).add(Linear::new(128, 10, rng));
    (net, Tensor::randn([64, 1, 28, 28], rng))
}

/// Trains and tells what was taken from the system after some steps: blocks, and pages touched for the first time.
fn taken(threads: usize, settled: usize, make: fn(&mut Rng) -> (Sequential, Tensor)) -> (usize, usize) {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    pool.install(|| {
        let rng = &mut Rng::seed_from_u64(3);
        let (mut net, x) = make(rng);
        let labels: Vec<usize> = (0..x.shape()[0]).map(|row| row % 10).collect();
        let mut adam = Adam::new(1e-3);
        let (mut blocks, mut pages) = (0, 0);
        for step in 1..=STEPS {
            let loss = net.forward(&x, &mut Mode::Train(rng)).cross_entropy(&labels);
            let grads = loss.backward();
            adam.step(&mut net, &grads);
            if step == settled {
                (blocks, pages) = (system_allocations(), page_faults());
            }
        }
        (system_allocations() - blocks, page_faults() - pages)
    })
}

#[test]
fn from_the_second_step_on_nothing_is_taken_from_the_system() {
    for (name, settled, make) in [("mlp", 2, mlp as fn(&mut Rng) -> _), ("cnn", 2, cnn), ("large cnn", 8, large_cnn)] {
        for threads in [1, 2] {
            let (blocks, pages) = taken(threads, settled, make);
            println!("{name}, {threads} threads: {blocks} blocks, {pages} pages");
            // With several threads, which of them takes which task differs from step to step, and one that meets a task
            // for the first time takes its working memory then; a block a step would be 28, each of dozens of pages.
            let (most_blocks, most_pages) = if threads == 1 { (0, STEPS) } else { (STEPS / 2, 10 * STEPS) };
            assert!(
                blocks <= most_blocks,
                "{name}, {threads} threads: {blocks} blocks from the system after {settled} steps"
            );
            // The system's allocator may touch a page of its own now and then.
            assert!(pages < most_pages, "{name}, {threads} threads: {pages} pages touched after {settled} steps");
        }
    }
}
