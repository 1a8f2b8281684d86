//! [`TransformerEncoderLayer`] and [`TransformerEncoder`]: tokens gather from each other, then each is worked on by itself.
//!
//! | | |
//! |---|---|
//! | post-norm | `x = norm1(x + attention(x))`, `y = norm2(x + feed_forward(x))` |
//! | pre-norm | `x = x + attention(norm1(x))`, `y = x + feed_forward(norm2(x))` |
//! | | `feed_forward(x) = linear2(activation(linear1(x)))`; dropout after the activation and before each sum |
//! | shapes | `x [N, L, E]` or `[L, E]` -> the same |
//! | parameters | `self_attn.*`, `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`; of a stack `layers.0.*`, .., and `norm.*` |
//! | initialization | that of the parts |
//!
//! Sources: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762 (2017); R. Xiong et al., "On layer
//! normalization in the transformer architecture", arXiv:2002.04745 (2020), for pre-norm.

use super::{AttentionMasks, KvCache, MultiheadAttention, TransformerOptions};
use crate::{LayerNorm, Linear, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor};

/// One layer of an encoder; with a causal mask, one of a decoder without a memory (GPT).
///
/// ```
/// use chainrule_layers::{Mode, TransformerEncoderLayer, TransformerOptions};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let options = TransformerOptions { dim_feedforward: 32, norm_first: true, ..Default::default() };
/// let layer: TransformerEncoderLayer = TransformerEncoderLayer::new(8, 2, options, &mut rng);
/// let x = Tensor::randn([3, 5, 8], &mut rng);
/// assert_eq!(layer.forward(&x, Default::default(), &mut Mode::Eval).shape(), x.shape());
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TransformerEncoderLayer<T: Real = f32> {
    /// Tokens gather from each other.
    pub self_attn: MultiheadAttention<T>,
    /// `[dim_feedforward, E]`.
    pub linear1: Linear<T>,
    /// `[E, dim_feedforward]`.
    pub linear2: Linear<T>,
    /// Around attention.
    pub norm1: LayerNorm<T>,
    /// Around the dense layers.
    pub norm2: LayerNorm<T>,
    /// The settings.
    #[module(skip)]
    pub options: TransformerOptions,
}

impl<T: Real> TransformerEncoderLayer<T> {
    /// A layer for tokens of `features`, cut into `heads`.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(features: usize, heads: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        TransformerEncoderLayer {
            self_attn: attention(features, heads, options, rng),
            linear1: dense(features, options.dim_feedforward, options, rng),
            linear2: dense(options.dim_feedforward, features, options, rng),
            norm1: norm(features, options),
            norm2: norm(features, options),
            options,
        }
    }

    /// The tokens after this layer.
    ///
    /// # Panics
    /// If a shape does not suit the layer.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, masks: AttentionMasks<'_, T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.around(x, mode, |x, mode| self.self_attn.attend_to_itself(x, masks, mode))
    }

    /// [`forward`](TransformerEncoderLayer::forward) for tokens `[N, L, E]` after those in the cache, all of which see
    /// those before them alone.
    ///
    /// # Panics
    /// If a shape does not suit the layer or the cache.
    #[track_caller]
    pub fn forward_with_cache(&self, x: &Tensor<T>, cache: &mut KvCache<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        self.around(x, mode, |x, mode| self.self_attn.attend_with_cache(x, cache, mode))
    }

    /// The layer around its attention.
    fn around(
        &self,
        x: &Tensor<T>,
        mode: &mut Mode<'_>,
        attend: impl FnOnce(&Tensor<T>, &mut Mode<'_>) -> Tensor<T>,
    ) -> Tensor<T> {
        let p = self.options.dropout;
        if self.options.norm_first {
            let y = attend(&self.norm1.forward(x), mode);
            let x = mode.drop_out(y, p) + x;
            let y = self.feed_forward(&self.norm2.forward(&x), mode);
            mode.drop_out(y, p) + x
        } else {
            let y = attend(x, mode);
            let x = self.norm1.forward(&(mode.drop_out(y, p) + x));
            let y = self.feed_forward(&x, mode);
            self.norm2.forward(&(mode.drop_out(y, p) + x))
        }
    }

    fn feed_forward(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        feed_forward(&self.linear1, &self.linear2, self.options, x, mode)
    }
}

/// Layers one after the other, and a normalization at the end if there is one.
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TransformerEncoder<T: Real = f32> {
    /// The layers.
    pub layers: Vec<TransformerEncoderLayer<T>>,
    /// What the result passes through; usual where the layers normalize first.
    pub norm: Option<LayerNorm<T>>,
}

impl<T: Real> TransformerEncoder<T> {
    /// So many layers without a normalization at the end.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(features: usize, heads: usize, layers: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        let layers = (0..layers).map(|_| TransformerEncoderLayer::new(features, heads, options, rng)).collect();
        TransformerEncoder { layers, norm: None }
    }

    /// The stack with a normalization at the end.
    #[must_use]
    pub fn with_norm(self, norm: LayerNorm<T>) -> Self {
        TransformerEncoder { norm: Some(norm), ..self }
    }

    /// The tokens after all layers, which share the masks.
    ///
    /// # Panics
    /// If a shape does not suit the layers.
    #[track_caller]
    pub fn forward(&self, x: &Tensor<T>, masks: AttentionMasks<'_, T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let y = self.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, masks, mode));
        self.norm.as_ref().map_or(y.clone(), |norm| norm.forward(&y))
    }

    /// [`forward`](TransformerEncoder::forward) for tokens `[N, L, E]` after those in the caches, one for each layer.
    ///
    /// # Panics
    /// If a shape does not suit the layers or the caches, or there are not as many caches as layers.
    #[track_caller]
    pub fn forward_with_cache(&self, x: &Tensor<T>, caches: &mut [KvCache<T>], mode: &mut Mode<'_>) -> Tensor<T> {
        let (layers, found) = (self.layers.len(), caches.len());
        assert!(layers == found, "TransformerEncoder: {layers} layers need as many caches, not {found}");
        let pairs = self.layers.iter().zip(caches);
        let y = pairs.fold(x.clone(), |x, (layer, cache)| layer.forward_with_cache(&x, cache, mode));
        self.norm.as_ref().map_or(y.clone(), |norm| norm.forward(&y))
    }
}

/// The attention of a layer.
#[track_caller]
pub(super) fn attention<T: Real>(
    features: usize,
    heads: usize,
    options: TransformerOptions,
    rng: &mut Rng,
) -> MultiheadAttention<T> {
    let mut attention = MultiheadAttention::new(features, heads, rng);
    attention.dropout = options.dropout;
    if options.bias { attention } else { attention.without_bias() }
}

pub(super) fn dense<T: Real>(inputs: usize, outputs: usize, options: TransformerOptions, rng: &mut Rng) -> Linear<T> {
    Linear::builder(inputs, outputs).bias(options.bias).build(rng)
}

pub(super) fn norm<T: Real>(features: usize, options: TransformerOptions) -> LayerNorm<T> {
    let norm = LayerNorm { eps: options.layer_norm_eps, ..LayerNorm::new(features) };
    if options.bias { norm } else { norm.without_bias() }
}

/// The two dense layers.
pub(super) fn feed_forward<T: Real>(
    linear1: &Linear<T>,
    linear2: &Linear<T>,
    options: TransformerOptions,
    x: &Tensor<T>,
    mode: &mut Mode<'_>,
) -> Tensor<T> {
    let inner = options.activation.apply(&linear1.forward(x));
    linear2.forward(&mode.drop_out(inner, options.dropout))
}
