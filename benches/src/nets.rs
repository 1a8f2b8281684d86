//! The networks of the workloads, under the parameter names that PyTorch gives the same nets.

use chainrule_layers::{
    AttentionMasks, BatchNorm2d, Conv2d, Embedding, FeedForwardActivation, Flatten, Linear, Lstm, MaxPool2d, Mode,
    Module, Param, Relu, Sequential, Tanh, TransformerEncoder, TransformerOptions, init,
};
use chainrule_tensor::{Rng, Tensor};

/// `784-512-256-10` with ReLU.
pub fn mlp(rng: &mut Rng) -> Sequential {
    Sequential::new()
        .add(Linear::new(784, 512, rng))
        .add(Relu)
        .add(Linear::new(512, 256, rng))
        .add(Relu)
        .add(Linear::new(256, 10, rng))
}

/// Two convolutions 3x3 of 32 and 64 channels, a pooling, two dense layers; for images `[1, 28, 28]`.
pub fn cnn(rng: &mut Rng) -> Sequential {
    Sequential::new()
        .add(Conv2d::new(1, 32, 3, rng))
        .add(Relu)
        .add(Conv2d::new(32, 64, 3, rng))
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Linear::new(9216, 128, rng))
        .add(Relu)
        .add(Linear::new(128, 10, rng))
}

/// `2-16-1` with tanh: so small that only the cost of the engine itself is left.
pub fn tiny(rng: &mut Rng) -> Sequential {
    Sequential::new().add(Linear::new(2, 16, rng)).add(Tanh).add(Linear::new(16, 1, rng))
}

/// One LSTM layer over 64 features, and a dense layer on its last state.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct LstmRegressor {
    l: Lstm,
    o: Linear,
}

impl LstmRegressor {
    /// 256 hidden features.
    pub fn new(rng: &mut Rng) -> Self {
        LstmRegressor { l: Lstm::new(64, 256, rng), o: Linear::new(256, 1, rng) }
    }

    /// `[N, L, 64]` -> `[N, 1]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (_, state) = self.l.forward(x, None, &mut Mode::Eval);
        self.o.forward(&state.h.select(0, 0))
    }
}

/// Characters to characters: an embedding, two LSTM layers, a dense layer at every step.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct CharLstm {
    e: Param,
    l0: Lstm,
    l1: Lstm,
    o: Linear,
}

impl CharLstm {
    /// 65 characters, embedded in 128 features, 256 hidden.
    pub fn new(rng: &mut Rng) -> Self {
        CharLstm {
            e: Param::new(init::normal([65, 128], 1.0, rng)),
            l0: Lstm::new(128, 256, rng),
            l1: Lstm::new(256, 256, rng),
            o: Linear::new(256, 65, rng),
        }
    }

    /// Sequences of 64 characters, one after the other -> `[N * 64, 65]`.
    pub fn forward(&self, characters: &[usize]) -> Tensor {
        let (n, l) = (characters.len() / 64, 64);
        let x = self.e.embedding(characters, None).reshape([n, l, 128]);
        let (x, _) = self.l0.forward(&x, None, &mut Mode::Eval);
        let (x, _) = self.l1.forward(&x, None, &mut Mode::Eval);
        self.o.forward(&x.reshape([n * l, 256]))
    }
}

/// Tokens to tokens: an embedding with learned positions, four encoder layers that normalize first, a dense layer at every
/// token.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct Transformer {
    tokens: Embedding,
    positions: Param,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Transformer {
    /// 1000 tokens in sequences of 128, 256 features, 4 heads, 1024 inner features with GELU, no dropout.
    pub fn new(rng: &mut Rng) -> Self {
        let options = TransformerOptions {
            dim_feedforward: 1024,
            dropout: 0.0,
            activation: FeedForwardActivation::Gelu,
            norm_first: true,
            ..Default::default()
        };
        Transformer {
            tokens: Embedding::new(1000, 256, rng),
            positions: Param::new(init::normal([128, 256], 0.02, rng)),
            encoder: TransformerEncoder::new(256, 4, 4, options, rng),
            head: Linear::new(256, 1000, rng),
        }
    }

    /// Sequences of 128 tokens, one after the other -> `[N * 128, 1000]`.
    pub fn forward(&self, tokens: &[usize]) -> Tensor {
        let x = self.tokens.forward(tokens, [tokens.len() / 128, 128]) + &*self.positions;
        let y = self.encoder.forward(&x, AttentionMasks::default(), &mut Mode::Eval);
        self.head.forward(&y.reshape([tokens.len(), 256]))
    }
}

/// The residual net of 18 layers for images of 32x32: a 3x3 stem, then four stages of two basic blocks.
///
/// Source: K. He et al., "Deep residual learning for image recognition", CVPR 2016.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct ResNet18 {
    stem: Conv2d,
    norm: BatchNorm2d,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet18 {
    /// 64, 128, 256 and 512 channels, 10 classes.
    pub fn new(rng: &mut Rng) -> Self {
        let mut inputs = 64;
        let mut blocks = Vec::new();
        for (outputs, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
            blocks.push(Block::new(inputs, outputs, stride, rng));
            blocks.push(Block::new(outputs, outputs, 1, rng));
            inputs = outputs;
        }
        ResNet18 {
            stem: Conv2d::builder(3, 64, 3).padding(1).bias(false).build(rng),
            norm: BatchNorm2d::new(64),
            blocks,
            head: Linear::new(512, 10, rng),
        }
    }

    /// `[N, 3, 32, 32]` -> `[N, 10]`.
    pub fn forward(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let stem = self.norm.forward(&self.stem.forward(x), mode).relu_();
        let x = self.blocks.iter().fold(stem, |x, block| block.forward(&x, mode));
        self.head.forward(&x.mean_dim([2, 3], false))
    }
}

/// Two convolutions 3x3 beside a shortcut.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Block {
    c1: Conv2d,
    b1: BatchNorm2d,
    c2: Conv2d,
    b2: BatchNorm2d,
    shortcut: Option<Shortcut>,
}

/// What brings the input to the shape of the output where they differ.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Shortcut {
    c: Conv2d,
    b: BatchNorm2d,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, rng: &mut Rng) -> Self {
        let conv = |inputs, kernel, stride, rng: &mut Rng| {
            Conv2d::builder(inputs, outputs, kernel).stride(stride).padding(kernel / 2).bias(false).build(rng)
        };
        Block {
            c1: conv(inputs, 3, stride, rng),
            b1: BatchNorm2d::new(outputs),
            c2: conv(outputs, 3, 1, rng),
            b2: BatchNorm2d::new(outputs),
            shortcut: (inputs != outputs || stride != 1)
                .then(|| Shortcut { c: conv(inputs, 1, stride, rng), b: BatchNorm2d::new(outputs) }),
        }
    }

    fn forward(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let y = self.b1.forward(&self.c1.forward(x), mode).relu_();
        let y = self.b2.forward(&self.c2.forward(&y), mode);
        let shortcut = self.shortcut.as_ref().map(|s| s.b.forward(&s.c.forward(x), mode));
        (y + shortcut.as_ref().unwrap_or(x)).relu_()
    }
}
