//! The workloads on candle. Set `RAYON_NUM_THREADS` to the number of threads: candle reads it.
//!
//! candle has no SGD with momentum, so `resnet18_b16` takes plain SGD, which is less work. It has no encoder layers for
//! training (its fused layer norm and softmax have no gradients): `transformer_b8` puts them together.

use candle_core::{D, DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::rnn::{LSTM, LSTMConfig, RNN};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, Init, Linear, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap, loss, ops,
};
use chainrule_peers::{Args, products};

const CPU: Device = Device::Cpu;

/// Name and version, as the manifest asks for it.
const ENGINE: (&str, &str) = ("candle", "0.11");

fn main() -> Result<()> {
    let args = Args::parse();
    start_pools(args.threads);
    args.pinned(|| run(&args))
}

/// Starts the threads that candle keeps beside rayon's, before the main one is pinned: new threads inherit the core of the
/// one that starts them, and would share it. With two threads, the helper gets the core that the main thread does not.
fn start_pools(threads: usize) {
    candle_core::utils::with_threadpool(|| ());
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    std::thread::spawn(move || {
        if threads == 2 && cores.len() >= 2 {
            core_affinity::set_for_current(cores[1]);
        }
        candle_core::utils::barrier_pool();
    })
    .join()
    .expect("threads can be started");
}

fn run(args: &Args) -> Result<()> {
    for (name, [m, k, n]) in products().filter(|(name, _)| args.wants(name)) {
        let (a, b) = (normal(&[m, k])?, normal(&[k, n])?);
        repeat(args, &name, || a.matmul(&b));
    }
    for (name, batch) in [("mlp_b64", 64), ("mlp_b1024", 1024)] {
        train(args, name, &[batch, 784], &[batch], Update::Adam, mlp, classes)?;
    }
    train(args, "cnn_b64", &[64, 1, 28, 28], &[64], Update::Adam, cnn, classes)?;
    train(args, "resnet18_b16", &[16, 3, 32, 32], &[16], Update::Sgd, resnet18, classes)?;
    train(args, "lstm_b32", &[32, 50, 64], &[32, 1], Update::Adam, lstm, squares)?;
    train(args, "lstm_char_b32", &[32, 64], &[32 * 64], Update::Adam, char_lstm, classes)?;
    train(args, "transformer_b8", &[8, 128], &[8 * 128], Update::AdamW, transformer, classes)?;
    train(args, "tiny_b32", &[32, 2], &[32, 1], Update::Sgd, tiny, squares)?;
    infer(args, "infer_mlp_b1", &[1, 784], mlp)?;
    infer(args, "infer_cnn_b1", &[1, 1, 28, 28], cnn)?;
    infer(args, "infer_lstm_b1", &[1, 50, 64], lstm)
}

type Net = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

fn normal(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &CPU)
}

fn classes(y: &Tensor, target: &Tensor) -> Result<Tensor> {
    loss::cross_entropy(y, &target.to_dtype(DType::U32)?)
}

fn squares(y: &Tensor, target: &Tensor) -> Result<Tensor> {
    loss::mse(y, target)
}

fn mlp(vb: VarBuilder) -> Result<Net> {
    let dense = |i, o, name| candle_nn::linear(i, o, vb.pp(name));
    let (a, b, c) = (dense(784, 512, "0")?, dense(512, 256, "2")?, dense(256, 10, "4")?);
    Ok(Box::new(move |x| c.forward(&b.forward(&a.forward(x)?.relu()?)?.relu()?)))
}

fn cnn(vb: VarBuilder) -> Result<Net> {
    let conv = |i, o, name| candle_nn::conv2d(i, o, 3, Conv2dConfig::default(), vb.pp(name));
    let (c1, c2) = (conv(1, 32, "0")?, conv(32, 64, "2")?);
    let f1 = candle_nn::linear(9216, 128, vb.pp("6"))?;
    let f2 = candle_nn::linear(128, 10, vb.pp("8"))?;
    Ok(Box::new(move |x| {
        let x = c2.forward(&c1.forward(x)?.relu()?)?.relu()?.max_pool2d(2)?;
        f2.forward(&f1.forward(&x.flatten_from(1)?)?.relu()?)
    }))
}

fn tiny(vb: VarBuilder) -> Result<Net> {
    let (a, b): (Linear, Linear) = (candle_nn::linear(2, 16, vb.pp("0"))?, candle_nn::linear(16, 1, vb.pp("2"))?);
    Ok(Box::new(move |x| b.forward(&a.forward(x)?.tanh()?)))
}

fn lstm(vb: VarBuilder) -> Result<Net> {
    let l = candle_nn::lstm(64, 256, LSTMConfig::default(), vb.pp("l"))?;
    let o = candle_nn::linear(256, 1, vb.pp("o"))?;
    Ok(Box::new(move |x| o.forward(l.seq(x)?.last().expect("there are steps").h())))
}

fn char_lstm(vb: VarBuilder) -> Result<Net> {
    let e = vb.get_with_hints((65, 128), "e", Init::Randn { mean: 0.0, stdev: 1.0 })?;
    let layer = |i, name| candle_nn::lstm(i, 256, LSTMConfig::default(), vb.pp(name));
    let (l0, l1) = (layer(128, "l0")?, layer(256, "l1")?);
    let o = candle_nn::linear(256, 65, vb.pp("o"))?;
    let outputs = |l: &LSTM, x: &Tensor| l.states_to_tensor(&l.seq(x)?);
    Ok(Box::new(move |x| {
        let (n, steps) = x.dims2()?;
        let x = e.embedding(&x.flatten_all()?.to_dtype(DType::U32)?)?.reshape((n, steps, 128))?;
        o.forward(&outputs(&l1, &outputs(&l0, &x)?)?.reshape((n * steps, 256))?)
    }))
}

struct Norm(Tensor, Tensor);

impl Norm {
    fn new(vb: VarBuilder) -> Result<Self> {
        let fill = |name, x| vb.get_with_hints(256, name, Init::Const(x));
        Ok(Norm(fill("weight", 1.0)?, fill("bias", 0.0)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm_slow(x, &self.0, &self.1, 1e-5)
    }
}

/// Self-attention and a feed-forward net, each behind a norm and beside a shortcut.
struct EncoderLayer {
    norms: [Norm; 2],
    projections: Linear,
    output: Linear,
    inner: Linear,
    outer: Linear,
}

impl EncoderLayer {
    fn new(vb: VarBuilder) -> Result<Self> {
        let attention = vb.pp("self_attn");
        let start = Init::Randn { mean: 0.0, stdev: 0.05 };
        let weight = attention.get_with_hints((768, 256), "in_proj_weight", start)?;
        let bias = attention.get_with_hints(768, "in_proj_bias", Init::Const(0.0))?;
        Ok(EncoderLayer {
            norms: [Norm::new(vb.pp("norm1"))?, Norm::new(vb.pp("norm2"))?],
            projections: Linear::new(weight, Some(bias)),
            output: candle_nn::linear(256, 256, attention.pp("out_proj"))?,
            inner: candle_nn::linear(256, 1024, vb.pp("linear1"))?,
            outer: candle_nn::linear(1024, 256, vb.pp("linear2"))?,
        })
    }

    fn attend(&self, x: &Tensor) -> Result<Tensor> {
        let (n, l, width) = x.dims3()?;
        let all = self.projections.forward(x)?.reshape((n, l, 3, 4, width / 4))?;
        let part = |i| all.narrow(2, i, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let scores = ((part(0)? / 8.0)?).matmul(&part(1)?.t()?)?;
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&part(2)?)?;
        self.output.forward(&y.transpose(1, 2)?.reshape((n, l, width))?)
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attend(&self.norms[0].forward(x)?)?)?;
        let y = self.inner.forward(&self.norms[1].forward(&x)?)?.gelu_erf()?;
        &x + self.outer.forward(&y)?
    }
}

fn transformer(vb: VarBuilder) -> Result<Net> {
    let tokens = candle_nn::embedding(1000, 256, vb.pp("tokens"))?;
    let positions = vb.get_with_hints((128, 256), "positions", Init::Randn { mean: 0.0, stdev: 0.02 })?;
    let layer = |i| EncoderLayer::new(vb.pp(format!("encoder.layers.{i}")));
    let layers = (0..4).map(layer).collect::<Result<Vec<_>>>()?;
    let head = candle_nn::linear(256, 1000, vb.pp("head"))?;
    Ok(Box::new(move |x| {
        let mut x = tokens.forward(x)?.broadcast_add(&positions)?;
        for layer in &layers {
            x = layer.forward(&x)?;
        }
        head.forward(&x.flatten(0, 1)?)
    }))
}

struct Block {
    c1: Conv2d,
    b1: BatchNorm,
    c2: Conv2d,
    b2: BatchNorm,
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(i: usize, o: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let conv = |i, kernel, stride, name| {
            let config = Conv2dConfig { padding: kernel / 2, stride, ..Default::default() };
            candle_nn::conv2d_no_bias(i, o, kernel, config, vb.pp(name))
        };
        let norm = |name| candle_nn::batch_norm(o, 1e-5, vb.pp(name));
        let shortcut =
            if i != o || stride != 1 { Some((conv(i, 1, stride, "shortcut.c")?, norm("shortcut.b")?)) } else { None };
        Ok(Block {
            c1: conv(i, 3, stride, "c1")?,
            b1: norm("b1")?,
            c2: conv(o, 3, 1, "c2")?,
            b2: norm("b2")?,
            shortcut,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.b1.forward_t(&self.c1.forward(x)?, true)?.relu()?;
        let y = self.b2.forward_t(&self.c2.forward(&y)?, true)?;
        match &self.shortcut {
            Some((c, b)) => (y + b.forward_t(&c.forward(x)?, true)?)?.relu(),
            None => (y + x)?.relu(),
        }
    }
}

fn resnet18(vb: VarBuilder) -> Result<Net> {
    let config = Conv2dConfig { padding: 1, ..Default::default() };
    let stem = candle_nn::conv2d_no_bias(3, 64, 3, config, vb.pp("stem"))?;
    let norm = candle_nn::batch_norm(64, 1e-5, vb.pp("norm"))?;
    let sizes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
    let mut blocks = Vec::new();
    for (stage, (i, o, stride)) in sizes.into_iter().enumerate() {
        blocks.push(Block::new(i, o, stride, vb.pp(format!("blocks.{}", 2 * stage)))?);
        blocks.push(Block::new(o, o, 1, vb.pp(format!("blocks.{}", 2 * stage + 1)))?);
    }
    let head = candle_nn::linear(512, 10, vb.pp("head"))?;
    Ok(Box::new(move |x| {
        let mut x = norm.forward_t(&stem.forward(x)?, true)?.relu()?;
        for block in &blocks {
            x = block.forward(&x)?;
        }
        head.forward(&x.mean((2, 3))?)
    }))
}

#[derive(Clone, Copy)]
enum Update {
    Adam,
    AdamW,
    Sgd,
}

type Loss = fn(&Tensor, &Tensor) -> Result<Tensor>;

fn train(
    args: &Args,
    name: &str,
    x: &[usize],
    y: &[usize],
    update: Update,
    build: fn(VarBuilder) -> Result<Net>,
    loss: Loss,
) -> Result<()> {
    if !args.wants(name) {
        return Ok(());
    }
    let map = VarMap::new();
    let net = build(VarBuilder::from_varmap(&map, DType::F32, &CPU))?;
    // Without a file: labels and indices 0, which cost as much as any others.
    let floats = y.len() > 1;
    let indices = matches!(name, "lstm_char_b32" | "transformer_b8");
    let (mut x, mut y) = (
        if indices { Tensor::zeros(x, DType::F32, &CPU)? } else { normal(x)? },
        if floats { normal(y)? } else { Tensor::zeros(y, DType::F32, &CPU)? },
    );
    if let Some(path) = args.weights(name) {
        let numbers = candle_core::safetensors::load(path, &CPU)?;
        for (name, var) in map.data().lock().expect("no thread has panicked").iter() {
            var.set(numbers.get(name).unwrap_or_else(|| panic!("the file has no {name}")))?;
        }
        (x, y) = (numbers["x"].reshape(x.shape())?, numbers["y"].reshape(y.shape())?);
    }
    if !floats {
        y = y.to_dtype(DType::U32)?;
    }
    if indices {
        x = x.to_dtype(DType::U32)?;
    }
    let vars = map.all_vars();
    let weight_decay = if matches!(update, Update::AdamW) { 0.01 } else { 0.0 };
    let adam = ParamsAdamW { lr: 1e-3, weight_decay, ..Default::default() };
    let mut adam = AdamW::new(vars.clone(), adam)?;
    let mut sgd = SGD::new(vars, 0.1)?;
    let mut step = |report| {
        let loss = loss(&net(&x)?, &y)?;
        match update {
            Update::Adam | Update::AdamW => adam.backward_step(&loss)?,
            Update::Sgd => sgd.backward_step(&loss)?,
        }
        if report { loss.to_scalar::<f32>().map(Some) } else { Ok(None) }
    };
    args.measure(ENGINE, name, |report| step(report).expect("the step runs"));
    Ok(())
}

fn infer(args: &Args, name: &str, x: &[usize], build: fn(VarBuilder) -> Result<Net>) -> Result<()> {
    if !args.wants(name) {
        return Ok(());
    }
    let map = VarMap::new();
    // Tensors that are not variables: no graph is kept.
    drop(build(VarBuilder::from_varmap(&map, DType::F32, &CPU))?);
    let vars = map.data().lock().expect("no thread has panicked").clone();
    let tensors = vars.into_iter().map(|(name, var)| (name, var.as_detached_tensor())).collect();
    let net = build(VarBuilder::from_tensors(tensors, DType::F32, &CPU))?;
    let x = normal(x)?;
    repeat(args, name, || net(&x));
    Ok(())
}

fn repeat(args: &Args, name: &str, work: impl Fn() -> Result<Tensor>) {
    args.measure(ENGINE, name, |_| {
        std::hint::black_box(work().expect("the step runs"));
        None
    });
}
