//! Attention layers, encoders and decoders: passes with all kinds of masks, and twenty steps of training.

use crate::passes::{derivatives, load};
use chainrule_layers::{
    AttentionMasks, DecoderMasks, FeedForwardActivation, KvCache, LayerNorm, Linear, Mode, Module, MultiheadAttention,
    Rotary, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    TransformerOptions,
};
use chainrule_optim::{Optimizer, Sgd};
use chainrule_tensor::ops::AttentionMask;
use chainrule_tensor::{Mask, Real, Rng, Tensor, no_grad};
use chainrule_tests::fixture::Params;
use chainrule_tests::record::{Record, Results};
use serde::Deserialize;

fn rng() -> Rng {
    Rng::seed_from_u64(3)
}

/// Masks as the fixture describes them: each with its shape.
#[derive(Deserialize)]
struct Described {
    keep: Option<(Vec<usize>, Vec<bool>)>,
    add: Option<(Vec<usize>, Vec<f64>)>,
    padding: Option<(Vec<usize>, Vec<bool>)>,
    causal: bool,
}

/// The same as we take them.
struct Masks<T: Real> {
    keep: Option<Mask>,
    add: Option<Tensor<T>>,
    padding: Option<Mask>,
    causal: bool,
}

impl<T: Real> Masks<T> {
    fn read(params: &Params, name: &str) -> Self {
        let Described { keep, add, padding, causal } = params.get(name);
        let mask = |(shape, values): (Vec<usize>, Vec<bool>)| Mask::from_vec(values, shape);
        let numbers = |values: Vec<f64>| values.into_iter().map(T::from_f64).collect::<Vec<T>>();
        let add = add.map(|(shape, values)| Tensor::from_vec(numbers(values), shape));
        Masks { keep: keep.map(mask), add, padding: padding.map(mask), causal }
    }

    fn get(&self) -> AttentionMasks<'_, T> {
        let attn_mask = match (&self.keep, &self.add) {
            (Some(keep), _) => Some(AttentionMask::Keep(keep)),
            (None, add) => add.as_ref().map(AttentionMask::Add),
        };
        AttentionMasks { attn_mask, key_padding_mask: self.padding.as_ref(), is_causal: self.causal }
    }
}

fn causal<T: Real>() -> AttentionMasks<'static, T> {
    AttentionMasks { is_causal: true, ..Default::default() }
}

#[derive(Deserialize)]
struct Sizes {
    embed_dim: usize,
    num_heads: usize,
    kdim: Option<usize>,
    vdim: Option<usize>,
    bias: Option<bool>,
}

fn build_attention<T: Real>(record: &Record) -> MultiheadAttention<T> {
    let Sizes { embed_dim, num_heads, kdim, vdim, bias } = record.params.get("sizes");
    let mut layer = match (kdim, vdim) {
        (Some(kdim), Some(vdim)) => MultiheadAttention::with_sizes(embed_dim, num_heads, kdim, vdim, &mut rng()),
        _ => MultiheadAttention::new(embed_dim, num_heads, &mut rng()),
    };
    if bias == Some(false) {
        layer = layer.without_bias();
    }
    load(record, &mut layer);
    layer
}

/// With one input it is attended to by itself; two are queries and what is attended to; three are told apart.
pub(crate) fn attention<T: Real>(record: &Record) -> Results<T> {
    let layer = build_attention::<T>(record);
    let masks = Masks::read(&record.params, "masks");
    derivatives(record, &layer, |x| {
        let y = match x {
            [x] => layer.attend_to_itself(x, masks.get(), &mut Mode::Eval),
            [q, k] => layer.forward(q, k, k, masks.get(), &mut Mode::Eval),
            [q, k, v] => layer.forward(q, k, v, masks.get(), &mut Mode::Eval),
            _ => unreachable!("one to three inputs"),
        };
        vec![y]
    })
}

fn options(params: &Params) -> TransformerOptions {
    #[derive(Deserialize)]
    struct Given {
        dim_feedforward: usize,
        dropout: f64,
        activation: Option<String>,
        norm_first: Option<bool>,
        layer_norm_eps: Option<f64>,
        bias: Option<bool>,
    }
    let given: Given = params.get("options");
    // What is not said keeps our default, which has to be PyTorch's.
    let default = TransformerOptions::default();
    TransformerOptions {
        dim_feedforward: given.dim_feedforward,
        dropout: given.dropout,
        activation: match given.activation.as_deref() {
            None => default.activation,
            Some("gelu") => FeedForwardActivation::Gelu,
            Some(other) => panic!("unknown activation {other}"),
        },
        norm_first: given.norm_first.unwrap_or(default.norm_first),
        layer_norm_eps: given.layer_norm_eps.unwrap_or(default.layer_norm_eps),
        bias: given.bias.unwrap_or(default.bias),
    }
}

/// One layer or a stack.
#[derive(Module)]
#[module(crate = chainrule_layers)]
enum Encoder<T: Real> {
    One(#[module(flatten)] Box<TransformerEncoderLayer<T>>),
    Stack(#[module(flatten)] Box<TransformerEncoder<T>>),
}

impl<T: Real> Encoder<T> {
    fn read(record: &Record) -> Self {
        let options = options(&record.params);
        let mut net = match record.params.get("layers") {
            0 => Encoder::One(Box::new(TransformerEncoderLayer::new(4, 2, options, &mut rng()))),
            n => {
                let stack = TransformerEncoder::new(4, 2, n, options, &mut rng());
                let stack = if record.params.get("norm") { stack.with_norm(LayerNorm::new(4)) } else { stack };
                Encoder::Stack(Box::new(stack))
            }
        };
        load(record, &mut net);
        net
    }

    fn forward(&self, x: &Tensor<T>, masks: AttentionMasks<'_, T>) -> Tensor<T> {
        // Training without dropout: the generator stays as it is.
        match self {
            Encoder::One(layer) => layer.forward(x, masks, &mut Mode::Train(&mut rng())),
            Encoder::Stack(stack) => stack.forward(x, masks, &mut Mode::Train(&mut rng())),
        }
    }
}

/// One layer or a stack.
#[derive(Module)]
#[module(crate = chainrule_layers)]
enum Decoder<T: Real> {
    One(#[module(flatten)] Box<TransformerDecoderLayer<T>>),
    Stack(#[module(flatten)] Box<TransformerDecoder<T>>),
}

impl<T: Real> Decoder<T> {
    fn read(record: &Record) -> Self {
        let options = options(&record.params);
        let mut net = match record.params.get("layers") {
            0 => Decoder::One(Box::new(TransformerDecoderLayer::new(4, 2, options, &mut rng()))),
            n => {
                let stack = TransformerDecoder::new(4, 2, n, options, &mut rng());
                let stack = if record.params.get("norm") { stack.with_norm(LayerNorm::new(4)) } else { stack };
                Decoder::Stack(Box::new(stack))
            }
        };
        load(record, &mut net);
        net
    }

    fn forward(&self, x: &Tensor<T>, memory: &Tensor<T>, masks: DecoderMasks<'_, T>) -> Tensor<T> {
        match self {
            Decoder::One(layer) => layer.forward(x, memory, masks, &mut Mode::Eval),
            Decoder::Stack(stack) => stack.forward(x, memory, masks, &mut Mode::Eval),
        }
    }
}

pub(crate) fn encoder<T: Real>(record: &Record) -> Results<T> {
    let net = Encoder::<T>::read(record);
    let masks = Masks::read(&record.params, "masks");
    derivatives(record, &net, |x| vec![net.forward(&x[0], masks.get())])
}

pub(crate) fn decoder<T: Real>(record: &Record) -> Results<T> {
    let net = Decoder::<T>::read(record);
    let (tgt, memory) = (Masks::read(&record.params, "tgt"), Masks::read(&record.params, "memory"));
    derivatives(record, &net, |x| {
        vec![net.forward(&x[0], &x[1], DecoderMasks { tgt: tgt.get(), memory: memory.get() })]
    })
}

/// Twenty steps of descent towards the second input.
fn train<T: Real, M: Module<T>>(
    record: &Record,
    mut net: M,
    forward: impl Fn(&M, &[Tensor<T>]) -> Tensor<T>,
) -> Results<T> {
    let x = record.inputs();
    let mut optimizer = Sgd::new(0.05).momentum(0.9);
    let mut losses = Vec::new();
    for _ in 0..20 {
        let loss = forward(&net, &x).mse_loss(&x[1]);
        losses.push(loss.item());
        let grads = loss.backward();
        drop(loss);
        optimizer.step(&mut net, &grads);
    }
    let mut results = vec![("losses".into(), Tensor::from(losses))];
    results.extend(net.state_dict().iter().map(|(name, value)| (format!("after.{name}"), value.clone())));
    results
}

pub(crate) fn attention_train<T: Real>(record: &Record) -> Results<T> {
    train(record, build_attention::<T>(record), |layer, x| layer.attend_to_itself(&x[0], causal(), &mut Mode::Eval))
}

pub(crate) fn encoder_train<T: Real>(record: &Record) -> Results<T> {
    train(record, Encoder::<T>::read(record), |net, x| net.forward(&x[0], causal()))
}

pub(crate) fn decoder_train<T: Real>(record: &Record) -> Results<T> {
    train(record, Decoder::<T>::read(record), |net, x| net.forward(&x[0], &x[2], DecoderMasks::causal()))
}

#[track_caller]
fn assert_close(a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a} is not {b}");
    }
}

#[test]
fn one_token_after_another_gives_the_same() {
    let options = TransformerOptions { dim_feedforward: 16, norm_first: true, ..Default::default() };
    let mut net = TransformerEncoder::<f64>::new(8, 2, 3, options, &mut rng()).with_norm(LayerNorm::new(8));
    let x = Tensor::randn([2, 9, 8], &mut rng());
    for rotary in [None, Some(Rotary::default())] {
        net.layers.iter_mut().for_each(|layer| layer.self_attn.rotary = rotary);
        let whole = net.forward(&x, causal(), &mut Mode::Eval);
        let mut caches: Vec<KvCache<f64>> = (0..3).map(|_| KvCache::new()).collect();
        let mut start = 0;
        for length in [1, 4, 1, 1, 2] {
            let part = x.narrow(1, start, length);
            let y = no_grad(|| net.forward_with_cache(&part, &mut caches, &mut Mode::Eval));
            assert_close(&y, &whole.narrow(1, start, length));
            start += length;
        }
        assert_eq!((start, caches[2].len()), (9, 9));
    }
}

#[test]
fn samples_do_not_see_each_other_nor_padding() {
    let layer = MultiheadAttention::<f64>::new(6, 3, &mut rng());
    let x = Tensor::randn([2, 4, 6], &mut rng());
    let padding = Mask::from_fn([2, 4], |i| i == 7);
    let masks = AttentionMasks { key_padding_mask: Some(&padding), ..Default::default() };
    let y = layer.attend_to_itself(&x, masks, &mut Mode::Eval);
    let alone = |sample: usize, length: usize| x.narrow(0, sample, 1).narrow(1, 0, length);
    let attend = |x: &Tensor<f64>| layer.attend_to_itself(x, Default::default(), &mut Mode::Eval);
    assert_close(&y.narrow(0, 0, 1), &attend(&alone(0, 4)));
    assert_close(&y.narrow(0, 1, 1).narrow(1, 0, 3), &attend(&alone(1, 3)));
}

#[test]
fn dropout_keeps_the_mean_of_attention() {
    let mut layer = MultiheadAttention::<f64>::new(4, 2, &mut rng());
    layer.dropout = 0.3;
    let x = Tensor::randn([1, 6, 4], &mut rng());
    let exact = layer.attend_to_itself(&x, Default::default(), &mut Mode::Eval);
    let mut draws = rng();
    let runs = 4000;
    let mut attend = || layer.attend_to_itself(&x, Default::default(), &mut Mode::Train(&mut draws));
    let (one, two) = (attend(), attend());
    assert_ne!(one.to_vec(), two.to_vec());
    let mean = (2..runs).fold(one + two, |sum, _| sum + attend()) / runs as f64;
    // The deviation of a mean of 4000 runs is about 0.01.
    for (mean, exact) in mean.to_vec().into_iter().zip(exact.to_vec()) {
        assert!((mean - exact).abs() < 0.06, "{mean} is far from {exact}");
    }
}

#[test]
fn attention_starts_as_in_pytorch() {
    let layer = MultiheadAttention::<f64>::new(64, 4, &mut rng());
    let largest = |x: &Tensor<f64>| x.to_vec().iter().fold(0.0f64, |max, x| max.max(x.abs()));
    // Xavier: sqrt(6 / (64 + 192)); the default of dense layers: 1 / sqrt(64).
    let weight = layer.in_proj_weight.as_ref().expect("one weight");
    let bound = (6.0 / 256.0f64).sqrt();
    assert!((0.99 * bound..=bound).contains(&largest(weight)));
    let Linear { weight, bias } = &layer.out_proj;
    assert!((0.99 * 0.125..=0.125).contains(&largest(weight)));
    assert_eq!(largest(bias.as_ref().expect("a bias")), 0.0);
    assert_eq!(largest(layer.in_proj_bias.as_ref().expect("a bias")), 0.0);
}

#[test]
#[should_panic(expected = "MultiheadAttention: 6 features cannot be cut into 4 heads")]
fn heads_must_divide_the_features() {
    MultiheadAttention::<f32>::new(6, 4, &mut rng());
}
