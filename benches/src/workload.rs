//! The workloads: what is computed, how many operations that takes at least, and the steps that are timed.
//!
//! | name | work |
//! |---|---|
//! | `gemm_N`, `gemm_MxKxN` | the product of two matrices |
//! | `mlp_b64`, `mlp_b1024` | training `784-512-256-10`: cross entropy, Adam |
//! | `cnn_b64` | training two convolutions and two dense layers on 28x28: cross entropy, Adam |
//! | `resnet18_b16` | training the residual net of 18 layers on 32x32: cross entropy, SGD with momentum |
//! | `lstm_b32` | training an LSTM over 50 steps of 64 features: squared error, Adam |
//! | `lstm_char_b32` | training two LSTM layers over 64 characters: cross entropy at every step, Adam |
//! | `transformer_b8` | training four encoder layers over 128 tokens: cross entropy at every token, AdamW |
//! | `infer_mlp_b1`, `infer_cnn_b1`, `infer_lstm_b1` | the same nets on a batch of one, without a graph |
//! | `tiny_b32` | training `2-16-1`: squared error, SGD |
//!
//! A training step is forward, mean loss, backward, update. Inputs are normal numbers and random labels from a fixed seed.
//!
//! The operations are counted as those of a direct convolution and of plain products, without the gradient of the net's own
//! input, element-wise work and updates: a floor that only fewer operations (as in Winograd's algorithm) can undercut.

use crate::nets::{CharLstm, LstmRegressor, ResNet18, Transformer, cnn, mlp, tiny};
use chainrule_layers::{Metadata, Mode, Module, save_safetensors};
use chainrule_optim::{Adam, Optimizer, Sgd};
use chainrule_tensor::{Rng, Tensor, no_grad};
use std::path::PathBuf;

/// Something to time.
pub struct Task {
    /// One step; a training step gives the loss that it began with.
    pub step: Box<dyn FnMut() -> Option<f32> + Send>,
}

/// A named piece of work.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name, the same for all engines.
    pub name: String,
    /// The floating-point operations of a step, at least.
    pub flops: f64,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Gemm { m: usize, k: usize, n: usize },
    Mlp { batch: usize },
    Cnn,
    ResNet,
    Lstm,
    CharLstm,
    Transformer,
    Infer(Net),
    Tiny,
}

#[derive(Clone, Copy, Debug)]
enum Net {
    Mlp,
    Cnn,
    Lstm,
}

/// All workloads, in the order of the table above.
pub fn all() -> Vec<Workload> {
    let gemm =
        |name: String, [m, k, n]: [usize; 3]| Workload { name, flops: product(m, k, n), work: Work::Gemm { m, k, n } };
    let squares = [64, 128, 256, 512, 1024, 2048].map(|n| gemm(format!("gemm_{n}"), [n; 3]));
    let others = [[64, 784, 512], [1024, 512, 256], [32, 256, 1024]]
        .map(|[m, k, n]| gemm(format!("gemm_{m}x{k}x{n}"), [m, k, n]));
    let nets = [
        ("mlp_b64", training(&mlp_flops(64)), Work::Mlp { batch: 64 }),
        ("mlp_b1024", training(&mlp_flops(1024)), Work::Mlp { batch: 1024 }),
        ("cnn_b64", training(&cnn_flops(64)), Work::Cnn),
        ("resnet18_b16", training(&resnet_flops(16)), Work::ResNet),
        ("lstm_b32", training(&lstm_flops(32)), Work::Lstm),
        ("lstm_char_b32", training(&char_flops()), Work::CharLstm),
        ("transformer_b8", training(&transformer_flops(8 * 128, 128)), Work::Transformer),
        ("infer_mlp_b1", mlp_flops(1).iter().sum(), Work::Infer(Net::Mlp)),
        ("infer_cnn_b1", cnn_flops(1).iter().sum(), Work::Infer(Net::Cnn)),
        ("infer_lstm_b1", lstm_flops(1).iter().sum(), Work::Infer(Net::Lstm)),
        ("tiny_b32", training(&[product(32, 2, 16), product(32, 16, 1)]), Work::Tiny),
    ];
    let nets = nets.map(|(name, flops, work)| Workload { name: name.into(), flops, work });
    squares.into_iter().chain(others).chain(nets).collect()
}

/// The operations of a product `[m, k] [k, n]`.
fn product(m: usize, k: usize, n: usize) -> f64 {
    (2 * m * k * n) as f64
}

/// The operations of a training step: forward, gradient of the weights, and, but for the first layer, of the input.
fn training(layers: &[f64]) -> f64 {
    3.0 * layers.iter().sum::<f64>() - layers[0]
}

fn mlp_flops(batch: usize) -> [f64; 3] {
    [product(batch, 784, 512), product(batch, 512, 256), product(batch, 256, 10)]
}

fn cnn_flops(batch: usize) -> [f64; 4] {
    let conv = |inputs: usize, outputs, side: usize| product(batch * side * side, inputs * 9, outputs);
    [conv(1, 32, 26), conv(32, 64, 24), product(batch, 9216, 128), product(batch, 128, 10)]
}

fn resnet_flops(batch: usize) -> Vec<f64> {
    let conv = |inputs: usize, outputs, side: usize, kernel: usize| {
        product(batch * side * side, inputs * kernel * kernel, outputs)
    };
    let mut layers = vec![conv(3, 64, 32, 3)];
    layers.extend([conv(64, 64, 32, 3); 4]);
    for (inputs, side) in [(64, 16), (128, 8), (256, 4)] {
        let outputs = 2 * inputs;
        layers.extend([conv(inputs, outputs, side, 3), conv(inputs, outputs, side, 1)]);
        layers.extend([conv(outputs, outputs, side, 3); 3]);
    }
    layers.push(product(batch, 512, 10));
    layers
}

/// The gates of all steps: the input's share and the state's.
fn lstm_layer(batch: usize, steps: usize, inputs: usize) -> [f64; 2] {
    [product(batch * steps, inputs, 1024), product(batch * steps, 256, 1024)]
}

fn lstm_flops(batch: usize) -> Vec<f64> {
    [&lstm_layer(batch, 50, 64)[..], &[product(batch, 256, 1)]].concat()
}

fn char_flops() -> Vec<f64> {
    // The embedding only copies rows: it stands for the layer whose input needs no gradient.
    let output = product(32 * 64, 256, 65);
    [&[0.0][..], &lstm_layer(32, 64, 128), &lstm_layer(32, 64, 256), &[output]].concat()
}

/// Four layers: queries, keys and values, scores, their values, output, two dense layers; and a dense layer at the end.
fn transformer_flops(tokens: usize, length: usize) -> Vec<f64> {
    let dense = |inputs, outputs| product(tokens, inputs, outputs);
    let attention = product(tokens, 256, length);
    let layer = [dense(256, 768), attention, attention, dense(256, 256), dense(256, 1024), dense(1024, 256)];
    [&[0.0][..], &layer.repeat(4), &[dense(256, 1000)]].concat()
}

/// A training set of one batch.
struct Batch {
    x: Tensor,
    labels: Vec<usize>,
}

impl Batch {
    /// Normal numbers in `shape`, and as many labels of `classes`.
    fn random<const N: usize>(shape: [usize; N], labels: usize, classes: usize, rng: &mut Rng) -> Self {
        Batch { x: Tensor::randn(shape, rng), labels: labels_below(classes, labels, rng) }
    }
}

fn labels_below(classes: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    (0..count).map(|_| rng.below(classes)).collect()
}

/// Labels as numbers, for a file.
fn numbers(labels: &[usize]) -> Tensor {
    Tensor::from_fn(labels.len(), |i| labels[i] as f32)
}

impl Workload {
    /// Makes the net and its inputs; the same ones every time. `export` is a file that is to get them, so that another
    /// engine can start from the same numbers: the parameters under their names, the input `x` and the labels `y`.
    ///
    /// # Errors
    /// One line, if the file cannot be written.
    pub fn build(&self, export: Option<PathBuf>) -> Result<Task, String> {
        let rng = &mut Rng::seed_from_u64(1);
        let export = Export(export);
        let task = match self.work {
            Work::Gemm { m, k, n } => {
                let (a, b) = (Tensor::randn([m, k], rng), Tensor::randn([k, n], rng));
                repeat(move || std::hint::black_box(a.matmul(&b)))
            }
            Work::Mlp { batch } => {
                let (net, data) = (mlp(rng), Batch::random([batch, 784], batch, 10, rng));
                export.write(&net, &data.x, &numbers(&data.labels))?;
                train(net, Adam::new(1e-3), move |net| {
                    net.forward(&data.x, &mut Mode::Eval).cross_entropy(&data.labels)
                })
            }
            Work::Cnn => {
                let (net, data) = (cnn(rng), Batch::random([64, 1, 28, 28], 64, 10, rng));
                export.write(&net, &data.x, &numbers(&data.labels))?;
                train(net, Adam::new(1e-3), move |net| {
                    net.forward(&data.x, &mut Mode::Eval).cross_entropy(&data.labels)
                })
            }
            Work::ResNet => {
                let (net, data) = (ResNet18::new(rng), Batch::random([16, 3, 32, 32], 16, 10, rng));
                export.write(&net, &data.x, &numbers(&data.labels))?;
                let mut rng = rng.fork();
                train(net, Sgd::new(0.1).momentum(0.9), move |net| {
                    net.forward(&data.x, &mut Mode::Train(&mut rng)).cross_entropy(&data.labels)
                })
            }
            Work::Lstm => {
                let net = LstmRegressor::new(rng);
                let (x, y) = (Tensor::randn([32, 50, 64], rng), Tensor::randn([32, 1], rng));
                export.write(&net, &x, &y)?;
                train(net, Adam::new(1e-3), move |net| net.forward(&x).mse_loss(&y))
            }
            Work::CharLstm => {
                let net = CharLstm::new(rng);
                let (characters, labels) = (labels_below(65, 32 * 64, rng), labels_below(65, 32 * 64, rng));
                export.write(&net, &numbers(&characters), &numbers(&labels))?;
                train(net, Adam::new(1e-3), move |net| net.forward(&characters).cross_entropy(&labels))
            }
            Work::Transformer => {
                let net = Transformer::new(rng);
                let (tokens, labels) = (labels_below(1000, 8 * 128, rng), labels_below(1000, 8 * 128, rng));
                export.write(&net, &numbers(&tokens), &numbers(&labels))?;
                let adamw = Adam::new(1e-3).decoupled(true).weight_decay(0.01);
                train(net, adamw, move |net| net.forward(&tokens).cross_entropy(&labels))
            }
            Work::Tiny => {
                let net = tiny(rng);
                let (x, y) = (Tensor::randn([32, 2], rng), Tensor::randn([32, 1], rng));
                export.write(&net, &x, &y)?;
                train(net, Sgd::new(0.1), move |net| net.forward(&x, &mut Mode::Eval).mse_loss(&y))
            }
            Work::Infer(Net::Mlp) => {
                let (net, x) = (mlp(rng), Tensor::randn([1, 784], rng));
                repeat(move || net.forward(&x, &mut Mode::Eval))
            }
            Work::Infer(Net::Cnn) => {
                let (net, x) = (cnn(rng), Tensor::randn([1, 1, 28, 28], rng));
                repeat(move || net.forward(&x, &mut Mode::Eval))
            }
            Work::Infer(Net::Lstm) => {
                let (net, x) = (LstmRegressor::new(rng), Tensor::randn([1, 50, 64], rng));
                repeat(move || net.forward(&x))
            }
        };
        Ok(task)
    }
}

/// Where a workload's numbers go, if anywhere.
struct Export(Option<PathBuf>);

impl Export {
    fn write(&self, net: &dyn Module, x: &Tensor, y: &Tensor) -> Result<(), String> {
        let Some(path) = &self.0 else { return Ok(()) };
        let mut state = net.state_dict();
        state.insert("x", x);
        state.insert("y", y);
        save_safetensors(path, &state, &Metadata::new()).map_err(|error| error.to_string())
    }
}

/// A training step.
fn train<N: Module + Send + 'static>(
    mut net: N,
    mut optimizer: impl Optimizer + 'static,
    mut loss: impl FnMut(&N) -> Tensor + Send + 'static,
) -> Task {
    let step = move || {
        let loss = loss(&net);
        let value = loss.item();
        let grads = loss.backward();
        drop(loss);
        optimizer.step(&mut net, &grads);
        Some(value)
    };
    Task { step: Box::new(step) }
}

/// A step without gradients.
fn repeat(mut work: impl FnMut() -> Tensor + Send + 'static) -> Task {
    let step = move || {
        no_grad(&mut work);
        None
    };
    Task { step: Box::new(step) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().into_iter().map(|w| w.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn operations_are_those_of_the_nets() {
        let flops = |name: &str| all().into_iter().find(|w| w.name == name).expect("there is such a workload").flops;
        assert_eq!(flops("gemm_128"), 2.0 * 128f64.powi(3));
        // 2 (784 512 + 512 256 + 256 10) multiply-adds forward; nothing flows into the input.
        assert_eq!(flops("infer_mlp_b1"), 2.0 * 535_040.0);
        assert_eq!(flops("mlp_b64"), 64.0 * 2.0 * (3.0 * 535_040.0 - 401_408.0));
        // The residual net takes 0.56 billion multiply-adds for an image.
        assert!((resnet_flops(1).iter().sum::<f64>() / 2e9 - 0.5556).abs() < 0.001);
    }

    #[test]
    fn training_lowers_the_loss() {
        for name in ["mlp_b64", "tiny_b32"] {
            let workload = all().into_iter().find(|w| w.name == name).expect("there is such a workload");
            let mut task = workload.build(None).expect("nothing is written");
            let losses: Vec<f32> = (0..20).filter_map(|_| (task.step)()).collect();
            assert!(losses[19] < losses[0], "{name}: {losses:?}");
        }
    }
}
