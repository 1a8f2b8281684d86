//! [`Gpt`]: a transformer that predicts the next token, from those before it alone.
//!
//! ```text
//! x = word[token] + position[place]              (or positions in the attention, as rotations)
//! of each layer:  x = x + attention(norm(x))     x = x + dense(gelu(dense(norm(x))))
//! logits = norm(x) W^T                           W: a weight of its own, or the words' features (tied)
//! ```
//!
//! Weights start normal with deviation 0.02, those that add to `x` smaller by the root of the number of additions.
//!
//! Source: A. Radford et al., "Language models are unsupervised multitask learners" (GPT-2, 2019).

use crate::ModelError;
use crate::error::affordable;
use chainrule_layers::{
    AttentionMasks, Embedding, FeedForwardActivation, KvCache, LayerNorm, LearnedPositions, Linear, Mode, Module,
    Param, Rotary, TransformerEncoder, TransformerOptions, init,
};
use chainrule_tensor::{Rng, Tensor, no_grad};
use serde::{Deserialize, Serialize};

/// How a [`Gpt`] knows the order of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GptPositions {
    /// A learned vector for each place.
    #[default]
    Learned,
    /// Queries and keys are turned by angles that grow with the place.
    Rotary,
}

/// The sizes of a [`Gpt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GptConfig {
    /// How many tokens there are.
    pub vocabulary: usize,
    /// The longest text that the model sees at once, in tokens. Default 128.
    pub context: usize,
    /// Features of a token. Default 128.
    pub features: usize,
    /// Heads of attention. Default 4.
    pub heads: usize,
    /// Layers. Default 4.
    pub layers: usize,
    /// The probability of dropout while training. Default 0.
    pub dropout: f64,
    /// How tokens know their order. Default learned.
    pub positions: GptPositions,
    /// Whether the last dense layer has the words' features for a weight. Default true.
    pub tied: bool,
}

impl Default for GptConfig {
    fn default() -> Self {
        GptConfig {
            vocabulary: 256,
            context: 128,
            features: 128,
            heads: 4,
            layers: 4,
            dropout: 0.0,
            positions: GptPositions::Learned,
            tied: true,
        }
    }
}

impl GptConfig {
    /// Whether these sizes make a net.
    ///
    /// # Errors
    /// If they do not: one line that says why.
    pub fn check(&self) -> Result<(), ModelError> {
        let GptConfig { vocabulary, context, features, heads, dropout, positions, .. } = *self;
        let problem = if vocabulary == 0 || context == 0 || features == 0 || heads == 0 {
            "vocabulary, context, features and heads must be at least 1".into()
        } else if !features.is_multiple_of(heads) {
            format!("{features} features cannot be cut into {heads} heads")
        } else if positions == GptPositions::Rotary && !(features / heads).is_multiple_of(2) {
            format!("rotary positions need an even number of features in each head, not {}", features / heads)
        } else if !(0.0..=1.0).contains(&dropout) {
            format!("{dropout} is no probability of dropout")
        } else {
            return Ok(());
        };
        Err(ModelError::Configuration { model: "gpt", problem })
    }
}

impl GptConfig {
    /// How many numbers the net's parameters hold, or why the sizes make no net.
    ///
    /// # Errors
    /// As [`check`](Self::check), or if the sizes are too large.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        self.check()?;
        let GptConfig { vocabulary, context, features, layers, positions, tied, .. } = *self;
        let count = || {
            let places = if positions == GptPositions::Learned { context } else { 0 };
            let tables = if tied { vocabulary } else { vocabulary.checked_mul(2)? };
            let rows = tables.checked_add(places)?.checked_mul(features)?;
            // Attention has 4 F^2 weights and 4 F biases, the dense layers 8 F^2 and 5 F, a norm 2 F.
            let layer = features.checked_mul(features)?.checked_mul(12)?.checked_add(features.checked_mul(13)?)?;
            rows.checked_add(layer.checked_mul(layers)?)?.checked_add(features.checked_mul(2)?)
        };
        affordable("gpt", count())
    }
}

/// The net.
///
/// ```
/// use chainrule_models::{Gpt, GptConfig};
/// use chainrule_layers::Mode;
/// use chainrule_tensor::Rng;
///
/// let config = GptConfig { vocabulary: 10, context: 8, features: 16, heads: 2, layers: 1, ..Default::default() };
/// let gpt = Gpt::new(&config, &mut Rng::seed_from_u64(1))?;
/// // Two texts of three tokens.
/// assert_eq!(gpt.forward(&[3, 1, 4, 1, 5, 9], [2, 3], &mut Mode::Eval).shape(), &[2, 3, 10]);
/// // The likeliest continuation.
/// let best = |logits: &[f32]| (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
/// assert_eq!(gpt.generate(&[3, 1], 20, best).len(), 20);
/// # Ok::<(), chainrule_models::ModelError>(())
/// ```
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct Gpt {
    tokens: Embedding,
    positions: Option<LearnedPositions>,
    encoder: TransformerEncoder,
    head: Option<Linear>,
    #[module(skip)]
    config: GptConfig,
}

/// The keys and values of the texts so far, layer by layer.
#[derive(Clone, Debug)]
pub struct GptCache {
    layers: Vec<KvCache>,
}

impl GptCache {
    /// How many tokens of each text are known.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KvCache::len)
    }

    /// Whether no token is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Gpt {
    /// A fresh net.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn new(config: &GptConfig, rng: &mut Rng) -> Result<Self, ModelError> {
        config.parameters()?;
        let GptConfig { vocabulary, context, features, heads, layers, dropout, positions, tied } = *config;
        let options = TransformerOptions {
            dim_feedforward: 4 * features,
            dropout,
            activation: FeedForwardActivation::Gelu,
            norm_first: true,
            ..Default::default()
        };
        const DEVIATION: f64 = 0.02;
        let weight = |shape: [usize; 2], rng: &mut Rng| Param::new(init::normal(shape, DEVIATION, rng));
        let tokens = Embedding { weight: weight([vocabulary, features], rng), padding_idx: None };
        let mut encoder =
            TransformerEncoder::new(features, heads, layers, options, rng).with_norm(LayerNorm::new(features));
        let adding = DEVIATION / (2.0 * layers.max(1) as f64).sqrt();
        for layer in &mut encoder.layers {
            let draw = |weight: &mut Param, deviation, rng: &mut Rng| {
                weight.set(&init::normal(weight.shape(), deviation, rng))
            };
            layer.self_attn.rotary = (positions == GptPositions::Rotary).then(Rotary::default);
            layer.self_attn.in_proj_weight.iter_mut().for_each(|weight| draw(weight, DEVIATION, rng));
            draw(&mut layer.linear1.weight, DEVIATION, rng);
            draw(&mut layer.self_attn.out_proj.weight, adding, rng);
            draw(&mut layer.linear2.weight, adding, rng);
            for dense in [&mut layer.linear1, &mut layer.linear2] {
                dense.bias.iter_mut().for_each(|bias| bias.values_mut().fill(0.0));
            }
        }
        Ok(Gpt {
            positions: (positions == GptPositions::Learned).then(|| LearnedPositions::new(context, features, rng)),
            head: (!tied).then(|| Linear { weight: weight([vocabulary, features], rng), bias: None }),
            tokens,
            encoder,
            config: config.clone(),
        })
    }

    /// The sizes.
    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// An empty cache for [`forward_with_cache`](Gpt::forward_with_cache).
    pub fn cache(&self) -> GptCache {
        GptCache { layers: self.encoder.layers.iter().map(|_| KvCache::new()).collect() }
    }

    /// For each token of each text the logits of the next: `[texts, tokens, vocabulary]`. The tokens are those of one text after
    /// the other.
    ///
    /// # Panics
    /// If there are not as many tokens as the shape says, one is not in the vocabulary, or a text is longer than the context.
    #[track_caller]
    pub fn forward(&self, tokens: &[usize], shape: [usize; 2], mode: &mut Mode<'_>) -> Tensor {
        let x = self.embed(tokens, shape, 0, mode);
        let causal = AttentionMasks { is_causal: true, ..Default::default() };
        self.logits(&self.encoder.forward(&x, causal, mode))
    }

    /// [`forward`](Gpt::forward) for tokens that come after those in the cache, which takes them in.
    ///
    /// # Panics
    /// As [`forward`](Gpt::forward), and if the cache is of other texts.
    #[track_caller]
    pub fn forward_with_cache(
        &self,
        tokens: &[usize],
        shape: [usize; 2],
        cache: &mut GptCache,
        mode: &mut Mode<'_>,
    ) -> Tensor {
        let x = self.embed(tokens, shape, cache.len(), mode);
        self.logits(&self.encoder.forward_with_cache(&x, &mut cache.layers, mode))
    }

    #[track_caller]
    fn embed(&self, tokens: &[usize], shape: [usize; 2], start: usize, mode: &mut Mode<'_>) -> Tensor {
        let (end, context) = (start + shape[1], self.config.context);
        assert!(end <= context, "Gpt: texts of {end} tokens are longer than the context, {context}");
        let x = self.tokens.forward(tokens, shape);
        let x = self.positions.as_ref().map_or(x.clone(), |positions| positions.forward(&x, start));
        mode.drop_out(x, self.config.dropout)
    }

    fn logits(&self, x: &Tensor) -> Tensor {
        match &self.head {
            Some(head) => head.forward(x),
            None => x.linear(&self.tokens.weight, None),
        }
    }

    /// Continues a text by `length` tokens, each of which `choose` picks from the logits of the next token. Where the text
    /// outgrows the context, the model goes on with its last three quarters.
    ///
    /// # Panics
    /// If the prompt is empty, or a token is not in the vocabulary.
    #[track_caller]
    pub fn generate(&self, prompt: &[usize], length: usize, mut choose: impl FnMut(&[f32]) -> usize) -> Vec<usize> {
        assert!(!prompt.is_empty(), "Gpt: a text needs a first token to go on from");
        let mut text = prompt.to_vec();
        let keep = (self.config.context * 3 / 4).max(1);
        let (mut cache, mut new) = (self.cache(), prompt.len());
        no_grad(|| {
            for _ in 0..length {
                if cache.len() + new > self.config.context {
                    (cache, new) = (self.cache(), keep.min(text.len()));
                }
                let tokens = &text[text.len() - new..];
                let logits = self.forward_with_cache(tokens, [1, new], &mut cache, &mut Mode::Eval);
                text.push(choose(&logits.select(0, 0).select(0, new - 1).to_vec()));
                new = 1;
            }
        });
        text.split_off(prompt.len())
    }
}
