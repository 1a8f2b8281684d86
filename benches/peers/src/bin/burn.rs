//! The workloads on burn with its own CPU backend, flex.
//!
//! burn keeps the gates of an LSTM, and the projections of attention, in layers of their own: they take their rows of the
//! matrices that the other engines keep.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, GateController, Linear, LinearConfig, Lstm, LstmConfig,
    PaddingConfig2d,
};
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::activation::{relu, tanh};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use chainrule_peers::{Args, products};
use std::collections::HashMap;
use std::ops::Range;

/// Name and version, as the manifest asks for it.
const ENGINE: (&str, &str) = ("burn", "0.22");

fn main() {
    let args = Args::parse();
    args.pinned(|| run(&args));
}

fn run(args: &Args) {
    let device = Device::flex();
    for (name, [m, k, n]) in products().filter(|(name, _)| args.wants(name)) {
        let (a, b): (Tensor<2>, Tensor<2>) = (normal([m, k], &device), normal([k, n], &device));
        repeat(args, &name, || a.clone().matmul(b.clone()));
    }
    for (name, batch) in [("mlp_b64", 64), ("mlp_b1024", 1024)] {
        classify(args, name, [batch, 784], adam(), 1e-3, Mlp::new, Mlp::forward);
    }
    classify(args, "cnn_b64", [64, 1, 28, 28], adam(), 1e-3, Cnn::new, Cnn::forward);
    let momentum = MomentumConfig { momentum: 0.9, dampening: 0.0, nesterov: false };
    let momentum = SgdConfig::new().with_momentum(Some(momentum)).init();
    classify(args, "resnet18_b16", [16, 3, 32, 32], momentum, 0.1, ResNet18::new, ResNet18::forward);
    regress(args, "lstm_b32", [32, 50, 64], adam(), 1e-3, LstmNet::new, LstmNet::forward);
    classify(args, "lstm_char_b32", [32, 64], adam(), 1e-3, CharLstm::new, CharLstm::forward);
    let adamw = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01).init();
    classify(args, "transformer_b8", [8, 128], adamw, 1e-3, Transformer::new, Transformer::forward);
    regress(args, "tiny_b32", [32, 2], SgdConfig::new().init(), 0.1, Tiny::new, Tiny::forward);
    infer(args, "infer_mlp_b1", [1, 784], Mlp::new, Mlp::forward);
    infer(args, "infer_cnn_b1", [1, 1, 28, 28], Cnn::new, Cnn::forward);
    infer(args, "infer_lstm_b1", [1, 50, 64], LstmNet::new, LstmNet::forward);
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// The numbers that Chainrule's runner has exported, if it has.
struct Numbers {
    values: HashMap<String, Vec<f32>>,
    device: Device,
}

impl Numbers {
    fn read(args: &Args, name: &str, device: Device) -> Self {
        let Some(path) = args.weights(name) else { return Numbers { values: HashMap::new(), device } };
        let bytes = std::fs::read(path).expect("the file can be read");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("the file is sound");
        let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4"))).collect();
        let values = file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect();
        Numbers { values, device }
    }

    fn get<const D: usize>(&self, name: &str, shape: [usize; D]) -> Option<Tensor<D>> {
        let values = self.values.get(name)?.clone();
        Some(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    fn linear(&self, name: &str, i: usize, o: usize) -> Linear {
        self.rows(&format!("{name}.weight"), &format!("{name}.bias"), [o, i], 0..o)
    }

    /// A layer from some rows of a larger one.
    fn rows(&self, weight: &str, bias: &str, [all, i]: [usize; 2], rows: Range<usize>) -> Linear {
        let mut layer = LinearConfig::new(i, rows.len()).init(&self.device);
        if let Some(weight) = self.get(weight, [all, i]) {
            // burn keeps the transpose; a copy in memory order, as its own initialization makes it.
            let data = weight.slice([rows.clone(), 0..i]).transpose().into_data();
            layer.weight = Param::from_tensor(Tensor::from_data(data, &self.device));
            let bias = self.get(bias, [all]).map(|bias| bias.slice([rows]).into_data());
            layer.bias = bias.map(|data| Param::from_tensor(Tensor::from_data(data, &self.device)));
        }
        layer
    }

    fn embedding(&self, name: &str, count: usize, width: usize) -> Embedding {
        let mut layer = EmbeddingConfig::new(count, width).init(&self.device);
        if let Some(weight) = self.get(name, [count, width]) {
            layer.weight = Param::from_tensor(weight);
        }
        layer
    }

    /// 256 hidden features.
    fn lstm(&self, name: &str, inputs: usize) -> Lstm {
        let mut layer = LstmConfig::new(inputs, 256, true).init(&self.device);
        let part = |which: &str, i, gate: usize| {
            let (weight, bias) = (format!("{name}.weight_{which}_l0"), format!("{name}.bias_{which}_l0"));
            self.rows(&weight, &bias, [1024, i], gate * 256..(gate + 1) * 256)
        };
        let load = |controller: &mut GateController, gate| {
            controller.input_transform = part("ih", inputs, gate);
            controller.hidden_transform = part("hh", 256, gate);
        };
        load(&mut layer.input_gate, 0);
        layer.forget_gate.iter_mut().for_each(|controller| load(controller, 1));
        load(&mut layer.cell_gate, 2);
        load(&mut layer.output_gate, 3);
        layer
    }

    fn conv(&self, name: &str, [i, o]: [usize; 2], kernel: usize, stride: usize, padding: usize, bias: bool) -> Conv2d {
        let pad = PaddingConfig2d::Explicit(padding, padding, padding, padding);
        let config = Conv2dConfig::new([i, o], [kernel; 2]).with_stride([stride; 2]).with_padding(pad).with_bias(bias);
        let mut layer = config.init(&self.device);
        if let Some(weight) = self.get(&format!("{name}.weight"), [o, i, kernel, kernel]) {
            layer.weight = Param::from_tensor(weight);
            layer.bias = self.get(&format!("{name}.bias"), [o]).map(Param::from_tensor);
        }
        layer
    }
}

#[derive(Module, Debug)]
struct Mlp {
    a: Linear,
    b: Linear,
    c: Linear,
}

impl Mlp {
    fn new(n: &Numbers) -> Self {
        Mlp { a: n.linear("0", 784, 512), b: n.linear("2", 512, 256), c: n.linear("4", 256, 10) }
    }
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.c.forward(relu(self.b.forward(relu(self.a.forward(x)))))
    }
}

#[derive(Module, Debug)]
struct Cnn {
    c1: Conv2d,
    c2: Conv2d,
    pool: MaxPool2d,
    f1: Linear,
    f2: Linear,
}

impl Cnn {
    fn new(n: &Numbers) -> Self {
        Cnn {
            c1: n.conv("0", [1, 32], 3, 1, 0, true),
            c2: n.conv("2", [32, 64], 3, 1, 0, true),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            f1: n.linear("6", 9216, 128),
            f2: n.linear("8", 128, 10),
        }
    }
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(self.c2.forward(relu(self.c1.forward(x))));
        let x: Tensor<2> = self.pool.forward(x).flatten(1, 3);
        self.f2.forward(relu(self.f1.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Tiny {
    a: Linear,
    b: Linear,
}

impl Tiny {
    fn new(n: &Numbers) -> Self {
        Tiny { a: n.linear("0", 2, 16), b: n.linear("2", 16, 1) }
    }
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.b.forward(tanh(self.a.forward(x)))
    }
}

#[derive(Module, Debug)]
struct LstmNet {
    l: Lstm,
    o: Linear,
}

impl LstmNet {
    fn new(n: &Numbers) -> Self {
        LstmNet { l: n.lstm("l", 64), o: n.linear("o", 256, 1) }
    }
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let (_, state) = self.l.forward(x, None);
        self.o.forward(state.hidden)
    }
}

#[derive(Module, Debug)]
struct CharLstm {
    e: Embedding,
    l0: Lstm,
    l1: Lstm,
    o: Linear,
}

impl CharLstm {
    fn new(n: &Numbers) -> Self {
        CharLstm {
            e: n.embedding("e", 65, 128),
            l0: n.lstm("l0", 128),
            l1: n.lstm("l1", 256),
            o: n.linear("o", 256, 65),
        }
    }
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (x, _) = self.l0.forward(self.e.forward(x.int()), None);
        let (x, _) = self.l1.forward(x, None);
        self.o.forward(x.flatten(0, 1))
    }
}

#[derive(Module, Debug)]
struct Transformer {
    tokens: Embedding,
    positions: Param<Tensor<2>>,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Transformer {
    fn new(n: &Numbers) -> Self {
        let config = TransformerEncoderConfig::new(256, 1024, 4, 4).with_dropout(0.0).with_norm_first(true);
        let mut encoder = config.init(&n.device);
        for (i, layer) in encoder.layers.iter_mut().enumerate() {
            // Norms start from ones and zeros everywhere.
            let name = format!("encoder.layers.{i}");
            let (weight, bias) = (format!("{name}.self_attn.in_proj_weight"), format!("{name}.self_attn.in_proj_bias"));
            let projection = |part: usize| n.rows(&weight, &bias, [768, 256], part * 256..(part + 1) * 256);
            layer.mha.query = projection(0);
            layer.mha.key = projection(1);
            layer.mha.value = projection(2);
            layer.mha.output = n.linear(&format!("{name}.self_attn.out_proj"), 256, 256);
            layer.pwff.linear_inner = n.linear(&format!("{name}.linear1"), 256, 1024);
            layer.pwff.linear_outer = n.linear(&format!("{name}.linear2"), 1024, 256);
        }
        let positions = n.get("positions", [128, 256]).unwrap_or_else(|| normal([128, 256], &n.device) * 0.02);
        let positions = Param::from_tensor(positions);
        Transformer {
            tokens: n.embedding("tokens.weight", 1000, 256),
            positions,
            encoder,
            head: n.linear("head", 256, 1000),
        }
    }
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.tokens.forward(x.int()) + self.positions.val().unsqueeze::<3>();
        self.head.forward(self.encoder.forward(TransformerEncoderInput::new(x)).flatten(0, 1))
    }
}

#[derive(Module, Debug)]
struct Block {
    c1: Conv2d,
    b1: BatchNorm,
    c2: Conv2d,
    b2: BatchNorm,
    shortcut: Option<Shortcut>,
}

#[derive(Module, Debug)]
struct Shortcut {
    c: Conv2d,
    b: BatchNorm,
}

impl Block {
    fn new(n: &Numbers, name: &str, i: usize, o: usize, stride: usize) -> Self {
        let norm = || BatchNormConfig::new(o).init(&n.device);
        let conv =
            |part, i, kernel, stride| n.conv(&format!("{name}.{part}"), [i, o], kernel, stride, kernel / 2, false);
        let shortcut = (i != o || stride != 1).then(|| Shortcut { c: conv("shortcut.c", i, 1, stride), b: norm() });
        Block { c1: conv("c1", i, 3, stride), b1: norm(), c2: conv("c2", o, 3, 1), b2: norm(), shortcut }
    }
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = relu(self.b1.forward(self.c1.forward(x.clone())));
        let y = self.b2.forward(self.c2.forward(y));
        relu(y + self.shortcut.as_ref().map_or_else(|| x.clone(), |s| s.b.forward(s.c.forward(x.clone()))))
    }
}

#[derive(Module, Debug)]
struct ResNet18 {
    stem: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet18 {
    fn new(n: &Numbers) -> Self {
        let sizes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
        let sizes = sizes.into_iter().flat_map(|(i, o, stride)| [(i, o, stride), (o, o, 1)]).enumerate();
        let blocks = sizes.map(|(at, (i, o, stride))| Block::new(n, &format!("blocks.{at}"), i, o, stride)).collect();
        let norm = BatchNormConfig::new(64).init(&n.device);
        ResNet18 { stem: n.conv("stem", [3, 64], 3, 1, 1, false), norm, blocks, head: n.linear("head", 512, 10) }
    }
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let stem = relu(self.norm.forward(self.stem.forward(x)));
        let x = self.blocks.iter().fold(stem, |x, block| block.forward(x));
        let x: Tensor<2> = x.mean_dim(3).mean_dim(2).flatten(1, 3);
        self.head.forward(x)
    }
}

/// Whether inputs are characters or tokens, each of which has a label.
fn takes_indices(name: &str) -> bool {
    matches!(name, "lstm_char_b32" | "transformer_b8")
}

fn classify<M: Module, const D: usize>(
    args: &Args,
    name: &str,
    shape: [usize; D],
    optimizer: ModuleOptimizer,
    rate: f64,
    build: fn(&Numbers) -> M,
    forward: fn(&M, Tensor<D>) -> Tensor<2>,
) {
    if !args.wants(name) {
        return;
    }
    let numbers = Numbers::read(args, name, Device::flex().autodiff());
    let count = if takes_indices(name) { shape.iter().product() } else { shape[0] };
    let labels = numbers.values.get("y").cloned().unwrap_or_else(|| vec![0.0; count]);
    let labels: Vec<i64> = labels.into_iter().map(|label| label as i64).collect();
    let y: Tensor<1, Int> = Tensor::from_data(TensorData::new(labels, [count]), &numbers.device);
    let criterion: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&numbers.device);
    train(args, name, &numbers, shape, optimizer, rate, build(&numbers), |net, x| {
        criterion.forward(forward(net, x), y.clone())
    });
}

fn regress<M: Module, const D: usize>(
    args: &Args,
    name: &str,
    shape: [usize; D],
    optimizer: ModuleOptimizer,
    rate: f64,
    build: fn(&Numbers) -> M,
    forward: fn(&M, Tensor<D>) -> Tensor<2>,
) {
    if !args.wants(name) {
        return;
    }
    let numbers = Numbers::read(args, name, Device::flex().autodiff());
    let y = numbers.get("y", [shape[0], 1]).unwrap_or_else(|| normal([shape[0], 1], &numbers.device));
    train(args, name, &numbers, shape, optimizer, rate, build(&numbers), |net, x| {
        MseLoss::new().forward(forward(net, x), y.clone(), Reduction::Mean)
    });
}

#[allow(clippy::too_many_arguments)]
fn train<M: Module, const D: usize>(
    args: &Args,
    name: &str,
    numbers: &Numbers,
    shape: [usize; D],
    mut optimizer: ModuleOptimizer,
    rate: f64,
    net: M,
    loss: impl Fn(&M, Tensor<D>) -> Tensor<1>,
) {
    // Without a file: labels and indices 0, which cost as much as any others.
    let made = |device| if takes_indices(name) { Tensor::zeros(shape, device) } else { normal(shape, device) };
    let x = numbers.get("x", shape).unwrap_or_else(|| made(&numbers.device));
    let mut net = Some(net);
    args.measure(ENGINE, name, |report| {
        let model = net.take().expect("every step puts the net back");
        let loss = loss(&model, x.clone());
        let value = report.then(|| loss.clone().into_scalar::<f32>());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        net = Some(optimizer.step(rate, model, grads));
        value
    });
}

fn infer<M, const D: usize>(
    args: &Args,
    name: &str,
    shape: [usize; D],
    build: fn(&Numbers) -> M,
    forward: fn(&M, Tensor<D>) -> Tensor<2>,
) {
    if args.wants(name) {
        let device = Device::flex();
        let net = build(&Numbers { values: HashMap::new(), device: device.clone() });
        let x = normal(shape, &device);
        repeat(args, name, || forward(&net, x.clone()));
    }
}

fn repeat<const D: usize>(args: &Args, name: &str, work: impl Fn() -> Tensor<D>) {
    args.measure(ENGINE, name, |_| {
        std::hint::black_box(work());
        None
    });
}
