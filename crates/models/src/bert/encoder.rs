//! [`Bert`]: embeddings, layers of attention and dense layers, and the pooler.
//!
//! ```text
//! x = LayerNorm(word[token] + position[place] + type[segment])
//! of each layer:   a = LayerNorm(x + dense(attention(x)))        x = LayerNorm(a + dense(gelu(dense(a))))
//! pooled = tanh(dense(x of the first token))
//! ```

use super::{BertConfig, dense, norm, table};
use crate::ModelError;
use chainrule_layers::{Embedding, LayerNorm, Linear, Mode, Module};
use chainrule_tensor::ops::AttentionOptions;
use chainrule_tensor::{Mask, Rng, Tensor};

/// A batch of texts, as numbers of tokens.
#[derive(Clone, Copy, Debug)]
pub struct BertInputs<'a> {
    /// The tokens of one text after the other.
    pub input_ids: &'a [usize],
    /// How many texts, and how many tokens each.
    pub shape: [usize; 2],
    /// The segment of each token; 0 unless said.
    pub token_type_ids: Option<&'a [usize]>,
    /// True where a token is no padding: `[texts, tokens]`. All are looked at unless said.
    pub attention_mask: Option<&'a Mask>,
}

impl<'a> BertInputs<'a> {
    /// Texts of one segment without padding.
    pub fn new(input_ids: &'a [usize], shape: [usize; 2]) -> Self {
        BertInputs { input_ids, shape, token_type_ids: None, attention_mask: None }
    }
}

/// What the encoder makes of a batch.
#[derive(Clone, Debug)]
pub struct BertOutput {
    /// The features of every token: `[texts, tokens, hidden_size]`.
    pub last_hidden_state: Tensor,
    /// The features of every text, if the model has a pooler: `[texts, hidden_size]`.
    pub pooler_output: Option<Tensor>,
}

/// The encoder. Its state dict is that of Hugging Face's `BertModel`.
///
/// ```
/// use chainrule_layers::Mode;
/// use chainrule_models::{Bert, BertConfig, BertInputs};
/// use chainrule_tensor::Rng;
///
/// let config = BertConfig { vocab_size: 100, ..BertConfig::tiny() };
/// let bert = Bert::new(&config, &mut Rng::seed_from_u64(1))?;
/// // Two texts of three tokens.
/// let output = bert.forward(BertInputs::new(&[1, 7, 2, 1, 9, 2], [2, 3]), &mut Mode::Eval);
/// assert_eq!(output.last_hidden_state.shape(), &[2, 3, 128]);
/// # Ok::<(), chainrule_models::ModelError>(())
/// ```
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct Bert {
    pub(super) embeddings: Embeddings,
    encoder: Encoder,
    pooler: Option<Pooler>,
    #[module(skip)]
    config: BertConfig,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub(super) struct Embeddings {
    pub(super) word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    #[module(rename = "LayerNorm")]
    norm: LayerNorm,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Encoder {
    layer: Vec<Layer>,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Layer {
    attention: Attention,
    intermediate: Inner,
    output: Output,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Attention {
    #[module(rename = "self")]
    heads: Heads,
    output: Output,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Heads {
    query: Linear,
    key: Linear,
    value: Linear,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Inner {
    dense: Linear,
}

/// A dense layer, a sum with what came before, and normalization.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Output {
    dense: Linear,
    #[module(rename = "LayerNorm")]
    norm: LayerNorm,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Pooler {
    dense: Linear,
}

impl Bert {
    /// A fresh model with a pooler.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn new(config: &BertConfig, rng: &mut Rng) -> Result<Self, ModelError> {
        config.check()?;
        let hidden = config.hidden_size;
        let words = table(config.vocab_size, config, rng);
        let embeddings = Embeddings {
            word_embeddings: config.pad_token_id.map_or(words.clone(), |pad| words.with_padding(pad)),
            position_embeddings: table(config.max_position_embeddings, config, rng),
            token_type_embeddings: table(config.type_vocab_size, config, rng),
            norm: norm(config),
        };
        let output = |inputs, rng: &mut Rng| Output { dense: dense(inputs, hidden, config, rng), norm: norm(config) };
        let layer = (0..config.num_hidden_layers).map(|_| {
            let [query, key, value] = [(); 3].map(|()| dense(hidden, hidden, config, rng));
            Layer {
                attention: Attention { heads: Heads { query, key, value }, output: output(hidden, rng) },
                intermediate: Inner { dense: dense(hidden, config.intermediate_size, config, rng) },
                output: output(config.intermediate_size, rng),
            }
        });
        let encoder = Encoder { layer: layer.collect() };
        let pooler = Some(Pooler { dense: dense(hidden, hidden, config, rng) });
        Ok(Bert { embeddings, encoder, pooler, config: config.clone() })
    }

    /// The model without its pooler.
    #[must_use]
    pub fn without_pooler(self) -> Self {
        Bert { pooler: None, ..self }
    }

    /// The sizes and settings.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// The features of tokens and texts.
    ///
    /// # Panics
    /// If there are not as many tokens or segments as the shape says, the mask has another shape, a number is out of
    /// range, or a text is longer than `max_position_embeddings`.
    #[track_caller]
    pub fn forward(&self, inputs: BertInputs<'_>, mode: &mut Mode<'_>) -> BertOutput {
        let mut states = self.hidden_states(inputs, mode);
        let last_hidden_state = states.pop().expect("there are embeddings at least");
        let pool = |pooler: &Pooler| pooler.dense.forward(&last_hidden_state.select(1, 0)).tanh();
        let pooler_output = self.pooler.as_ref().filter(|_| inputs.shape[1] > 0).map(pool);
        BertOutput { last_hidden_state, pooler_output }
    }

    /// The features of tokens after the embeddings and after each layer.
    ///
    /// # Panics
    /// As [`forward`](Bert::forward).
    #[track_caller]
    pub fn hidden_states(&self, inputs: BertInputs<'_>, mode: &mut Mode<'_>) -> Vec<Tensor> {
        let BertInputs { input_ids, shape: [n, l], token_type_ids, attention_mask } = inputs;
        let longest = self.config.max_position_embeddings;
        assert!(l <= longest, "Bert: texts of {l} tokens are longer than max_position_embeddings, {longest}");
        let keep = attention_mask.map(|mask| {
            assert!(mask.shape() == &[n, l], "Bert: an attention mask {} must be [{n}, {l}]", mask.shape());
            mask.reshape([n, 1, 1, l])
        });
        let types = token_type_ids.map_or_else(|| vec![0; n * l], <[usize]>::to_vec);
        let words = self.embeddings.word_embeddings.forward(input_ids, [n, l]);
        let x = words + self.embeddings.token_type_embeddings.forward(&types, [n, l]);
        let x = self.embeddings.norm.forward(&(x + self.embeddings.position_embeddings.weight.narrow(0, 0, l)));
        let mut states = vec![mode.drop_out(x, self.config.hidden_dropout_prob)];
        for layer in &self.encoder.layer {
            let next = self.layer(layer, &states[states.len() - 1], keep.as_ref(), mode);
            states.push(next);
        }
        states
    }

    fn layer(&self, layer: &Layer, x: &Tensor, keep: Option<&Mask>, mode: &mut Mode<'_>) -> Tensor {
        let [n, l, hidden] = [0, 1, 2].map(|d| x.shape()[d]);
        let heads = self.config.num_attention_heads;
        let split = |dense: &Linear| dense.forward(x).reshape([n, l, heads, hidden / heads]).transpose(1, 2);
        let Heads { query, key, value } = &layer.attention.heads;
        let (q, k, v) = (split(query), split(key), split(value));
        let dropout = match mode {
            Mode::Train(rng) => Some((self.config.attention_probs_dropout_prob, rng.uniform().to_bits())),
            Mode::Eval => None,
        };
        let options = AttentionOptions { mask: keep.map(Into::into), dropout, ..Default::default() };
        let y = q.scaled_dot_product_attention(&k, &v, options).transpose(1, 2).reshape([n, l, hidden]);
        let attended = self.add(&layer.attention.output, &y, x, mode);
        let inner = layer.intermediate.dense.forward(&attended);
        let inner = if self.config.hidden_act == "relu" { inner.relu() } else { inner.gelu() };
        self.add(&layer.output, &inner, &attended, mode)
    }

    /// A dense layer of `y`, and `x`, normalized.
    fn add(&self, output: &Output, y: &Tensor, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let y = mode.drop_out(output.dense.forward(y), self.config.hidden_dropout_prob);
        output.norm.forward(&(y + x))
    }
}
