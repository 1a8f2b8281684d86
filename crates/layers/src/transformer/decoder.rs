//! [`TransformerDecoderLayer`] and [`TransformerDecoder`]: tokens gather from each other, then from a memory (what an encoder
//! made of another sequence), then each is worked on by itself.
//!
//! | | |
//! |---|---|
//! | post-norm | `x = norm1(x + attention(x))`, `x = norm2(x + attention(x, memory))`, `y = norm3(x + feed_forward(x))` |
//! | pre-norm | `x = x + attention(norm1(x))`, `x = x + attention(norm2(x), memory)`, `y = x + feed_forward(norm3(x))` |
//! | shapes | `x [N, L, E]`, memory `[N, S, E]` -> `y [N, L, E]`; `N` may be left out |
//! | parameters | `self_attn.*`, `multihead_attn.*`, `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`, `norm3.*`; of a stack `layers.0.*`, .., and `norm.*` |
//! | initialization | that of the parts |
//!
//! Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762 (2017).

use super::encoder::{attention, dense, feed_forward, norm};
use super::{AttentionMasks, MultiheadAttention, TransformerOptions};
use crate::{LayerNorm, Linear, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor};

/// What the tokens of a decoder may look at. The default is everything.
#[derive(Clone, Copy, Debug)]
pub struct DecoderMasks<'a, T: Real> {
    /// Among the tokens: `is_causal` is usual.
    pub tgt: AttentionMasks<'a, T>,
    /// In the memory.
    pub memory: AttentionMasks<'a, T>,
}

impl<T: Real> Default for DecoderMasks<'_, T> {
    fn default() -> Self {
        DecoderMasks { tgt: AttentionMasks::default(), memory: AttentionMasks::default() }
    }
}

impl<T: Real> DecoderMasks<'_, T> {
    /// Tokens see those before them, and all of the memory.
    pub fn causal() -> Self {
        DecoderMasks { tgt: AttentionMasks { is_causal: true, ..Default::default() }, ..Default::default() }
    }
}

/// One layer of a decoder.
///
/// ```
/// use chainrule_layers::{DecoderMasks, Mode, TransformerDecoderLayer};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: TransformerDecoderLayer = TransformerDecoderLayer::new(8, 2, Default::default(), &mut rng);
/// let (x, memory) = (Tensor::randn([3, 5, 8], &mut rng), Tensor::randn([3, 7, 8], &mut rng));
/// assert_eq!(layer.forward(&x, &memory, DecoderMasks::causal(), &mut Mode::Eval).shape(), x.shape());
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TransformerDecoderLayer<T: Real = f32> {
    /// Tokens gather from each other.
    pub self_attn: MultiheadAttention<T>,
    /// Tokens gather from the memory.
    pub multihead_attn: MultiheadAttention<T>,
    /// `[dim_feedforward, E]`.
    pub linear1: Linear<T>,
    /// `[E, dim_feedforward]`.
    pub linear2: Linear<T>,
    /// Around the attention among tokens.
    pub norm1: LayerNorm<T>,
    /// Around the attention to the memory.
    pub norm2: LayerNorm<T>,
    /// Around the dense layers.
    pub norm3: LayerNorm<T>,
    /// The settings.
    #[module(skip)]
    pub options: TransformerOptions,
}

impl<T: Real> TransformerDecoderLayer<T> {
    /// A layer for tokens of `features`, cut into `heads`.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(features: usize, heads: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        TransformerDecoderLayer {
            self_attn: attention(features, heads, options, rng),
            multihead_attn: attention(features, heads, options, rng),
            linear1: dense(features, options.dim_feedforward, options, rng),
            linear2: dense(options.dim_feedforward, features, options, rng),
            norm1: norm(features, options),
            norm2: norm(features, options),
            norm3: norm(features, options),
            options,
        }
    }

    /// The tokens after this layer.
    ///
    /// # Panics
    /// If a shape does not suit the layer.
    #[track_caller]
    pub fn forward(
        &self,
        x: &Tensor<T>,
        memory: &Tensor<T>,
        masks: DecoderMasks<'_, T>,
        mode: &mut Mode<'_>,
    ) -> Tensor<T> {
        let p = self.options.dropout;
        let gather = |x: &Tensor<T>, mode: &mut Mode<'_>| {
            let y = self.self_attn.attend_to_itself(x, masks.tgt, mode);
            mode.drop_out(y, p)
        };
        let read = |x: &Tensor<T>, mode: &mut Mode<'_>| {
            let y = self.multihead_attn.forward(x, memory, memory, masks.memory, mode);
            mode.drop_out(y, p)
        };
        let work = |x: &Tensor<T>, mode: &mut Mode<'_>| {
            let y = feed_forward(&self.linear1, &self.linear2, self.options, x, mode);
            mode.drop_out(y, p)
        };
        if self.options.norm_first {
            let x = gather(&self.norm1.forward(x), mode) + x;
            let x = read(&self.norm2.forward(&x), mode) + x;
            work(&self.norm3.forward(&x), mode) + x
        } else {
            let x = self.norm1.forward(&(gather(x, mode) + x));
            let x = self.norm2.forward(&(read(&x, mode) + x));
            self.norm3.forward(&(work(&x, mode) + x))
        }
    }
}

/// Layers one after the other, and a normalization at the end if there is one.
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TransformerDecoder<T: Real = f32> {
    /// The layers.
    pub layers: Vec<TransformerDecoderLayer<T>>,
    /// What the result passes through; usual where the layers normalize first.
    pub norm: Option<LayerNorm<T>>,
}

impl<T: Real> TransformerDecoder<T> {
    /// So many layers without a normalization at the end.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(features: usize, heads: usize, layers: usize, options: TransformerOptions, rng: &mut Rng) -> Self {
        let layers = (0..layers).map(|_| TransformerDecoderLayer::new(features, heads, options, rng)).collect();
        TransformerDecoder { layers, norm: None }
    }

    /// The stack with a normalization at the end.
    #[must_use]
    pub fn with_norm(self, norm: LayerNorm<T>) -> Self {
        TransformerDecoder { norm: Some(norm), ..self }
    }

    /// The tokens after all layers, which share the memory and the masks.
    ///
    /// # Panics
    /// If a shape does not suit the layers.
    #[track_caller]
    pub fn forward(
        &self,
        x: &Tensor<T>,
        memory: &Tensor<T>,
        masks: DecoderMasks<'_, T>,
        mode: &mut Mode<'_>,
    ) -> Tensor<T> {
        let y = self.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, memory, masks, mode));
        self.norm.as_ref().map_or(y.clone(), |norm| norm.forward(&y))
    }
}
