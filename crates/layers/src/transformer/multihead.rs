//! [`MultiheadAttention`]: every token gathers what it needs from the others, through several heads at once.
//!
//! | | |
//! |---|---|
//! | equation | `y = concat(o_1, .. o_H) W_o^T + b_o`, `o_h = attention(q W_q^T + b_q, k W_k^T + b_k, v W_v^T + b_v)` on slice `h` |
//! | shapes | `q [N, L, E]`, `k [N, S, K]`, `v [N, S, V]` -> `y [N, L, E]`; `N` may be left out |
//! | parameters | `in_proj_weight [3 E, E]` (or `q_proj_weight [E, E]`, `k_proj_weight [E, K]`, `v_proj_weight [E, V]` where the sizes differ), `in_proj_bias [3 E]`, `out_proj.weight [E, E]`, `out_proj.bias [E]` |
//! | initialization | Xavier uniform for the input weights, PyTorch's default for the output weight, biases 0 |
//!
//! Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762 (2017).

use super::{KvCache, Rotary};
use crate::{Linear, Mode, Module, Param, init};
use chainrule_tensor::ops::{AttentionMask, AttentionOptions};
use chainrule_tensor::{Mask, Real, Rng, Tensor};

/// What the tokens may look at. The default is everything.
#[derive(Clone, Copy, Debug)]
pub struct AttentionMasks<'a, T: Real> {
    /// `[L, S]`, or `[N, heads, L, S]` and what broadcasts to it: which keys a query sees, or numbers added to the scores.
    ///
    /// PyTorch's boolean `attn_mask` says the opposite, what is hidden: give `AttentionMask::Keep(&!mask)`.
    pub attn_mask: Option<AttentionMask<'a, T>>,
    /// `[N, S]`: true where a key is padding that nobody sees.
    pub key_padding_mask: Option<&'a Mask>,
    /// No token looks at a later one.
    pub is_causal: bool,
}

impl<T: Real> Default for AttentionMasks<'_, T> {
    fn default() -> Self {
        AttentionMasks { attn_mask: None, key_padding_mask: None, is_causal: false }
    }
}

/// Attention through several heads.
///
/// ```
/// use chainrule_layers::{AttentionMasks, Mode, MultiheadAttention};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: MultiheadAttention = MultiheadAttention::new(8, 2, &mut rng);
/// let x = Tensor::randn([3, 5, 8], &mut rng);
/// let causal = AttentionMasks { is_causal: true, ..Default::default() };
/// assert_eq!(layer.attend_to_itself(&x, causal, &mut Mode::Eval).shape(), &[3, 5, 8]);
/// let memory = Tensor::randn([3, 7, 8], &mut rng);
/// assert_eq!(layer.forward(&x, &memory, &memory, Default::default(), &mut Mode::Eval).shape(), &[3, 5, 8]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MultiheadAttention<T: Real = f32> {
    /// `[3 E, E]`: the weights of queries, keys and values below each other, where they have the same size.
    pub in_proj_weight: Option<Param<T>>,
    /// `[E, E]`, where keys or values have sizes of their own.
    pub q_proj_weight: Option<Param<T>>,
    /// `[E, K]`.
    pub k_proj_weight: Option<Param<T>>,
    /// `[E, V]`.
    pub v_proj_weight: Option<Param<T>>,
    /// `[3 E]`.
    pub in_proj_bias: Option<Param<T>>,
    /// From the heads' outputs, side by side, to the result.
    pub out_proj: Linear<T>,
    /// Into how many heads the features are cut.
    pub heads: usize,
    /// The probability with which a weight is dropped while training.
    pub dropout: f64,
    /// Turns queries and keys by their positions, if any. [`attend_to_itself`](MultiheadAttention::attend_to_itself) only.
    #[module(skip)]
    pub rotary: Option<Rotary>,
}

impl<T: Real> MultiheadAttention<T> {
    /// A layer with biases for queries, keys and values of `features`, cut into `heads`.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn new(features: usize, heads: usize, rng: &mut Rng) -> Self {
        check_heads(features, heads);
        let in_proj_weight = Some(Param::new(init::xavier_uniform([3 * features, features], 1.0, rng)));
        MultiheadAttention {
            in_proj_weight,
            q_proj_weight: None,
            k_proj_weight: None,
            v_proj_weight: None,
            in_proj_bias: Some(Param::new(Tensor::zeros(3 * features))),
            out_proj: output(features, rng),
            heads,
            dropout: 0.0,
            rotary: None,
        }
    }

    /// A layer whose keys and values have numbers of features of their own: PyTorch's `kdim` and `vdim`.
    ///
    /// # Panics
    /// If `features` is not a multiple of `heads`.
    #[track_caller]
    pub fn with_sizes(features: usize, heads: usize, kdim: usize, vdim: usize, rng: &mut Rng) -> Self {
        check_heads(features, heads);
        let mut weight = |size| Some(Param::new(init::xavier_uniform([features, size], 1.0, rng)));
        let (q_proj_weight, k_proj_weight, v_proj_weight) = (weight(features), weight(kdim), weight(vdim));
        MultiheadAttention {
            in_proj_weight: None,
            q_proj_weight,
            k_proj_weight,
            v_proj_weight,
            in_proj_bias: Some(Param::new(Tensor::zeros(3 * features))),
            out_proj: output(features, rng),
            heads,
            dropout: 0.0,
            rotary: None,
        }
    }

    /// The layer without biases.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.out_proj.bias = None;
        MultiheadAttention { in_proj_bias: None, ..self }
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.out_proj.outputs()
    }

    /// What each of the queries gathers from the values.
    ///
    /// # Panics
    /// If the shapes do not match each other or the layer.
    #[track_caller]
    pub fn forward(
        &self,
        query: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
        masks: AttentionMasks<'_, T>,
        mode: &mut Mode<'_>,
    ) -> Tensor<T> {
        if query.rank() == 2 {
            let batch = |x: &Tensor<T>| x.unsqueeze(0);
            let padding = masks.key_padding_mask.map(|mask| mask.reshape([1, mask.numel()]));
            let masks = AttentionMasks { key_padding_mask: padding.as_ref(), ..masks };
            return self.forward(&batch(query), &batch(key), &batch(value), masks, mode).squeeze(0);
        }
        let features = self.features();
        let part = |i: usize, x: &Tensor<T>| {
            let own = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight][i];
            let weight = match (own, &self.in_proj_weight) {
                (Some(weight), _) => (**weight).clone(),
                (None, Some(all)) => all.narrow(0, i * features, features),
                (None, None) => panic!("MultiheadAttention: there is no input weight"),
            };
            let bias = self.in_proj_bias.as_ref().map(|bias| bias.narrow(0, i * features, features));
            self.split(&x.linear(&weight, bias.as_ref()))
        };
        let heads = [part(0, query), part(1, key), part(2, value)];
        self.gather_apart(heads, masks, 0, mode)
    }

    /// What each of the tokens gathers from all of them: [`forward`](MultiheadAttention::forward) with one tensor for
    /// queries, keys and values, in one product.
    ///
    /// # Panics
    /// If the shapes do not match the layer.
    #[track_caller]
    pub fn attend_to_itself(&self, x: &Tensor<T>, masks: AttentionMasks<'_, T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let Some(weight) = &self.in_proj_weight else { return self.forward(x, x, x, masks, mode) };
        if x.rank() == 2 {
            let padding = masks.key_padding_mask.map(|mask| mask.reshape([1, mask.numel()]));
            let masks = AttentionMasks { key_padding_mask: padding.as_ref(), ..masks };
            return self.attend_to_itself(&x.unsqueeze(0), masks, mode).squeeze(0);
        }
        if self.rotary.is_some() {
            return self.gather_apart(self.project(x, weight, 0), masks, 0, mode);
        }
        let all = self.project_packed(x, weight);
        self.gather([all.shape()[0], all.shape()[1]], |options| all.self_attention(options), masks, 0, mode)
    }

    /// [`attend_to_itself`](MultiheadAttention::attend_to_itself) for tokens `[N, L, E]` that come after those in the cache,
    /// which they look at too; no token looks at a later one. The cache takes them in.
    ///
    /// # Panics
    /// If the shapes do not match the layer or the cache, or the layer has no common input weight.
    #[track_caller]
    pub fn attend_with_cache(&self, x: &Tensor<T>, cache: &mut KvCache<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let weight = self.in_proj_weight.as_ref();
        let weight = weight.expect("MultiheadAttention: a cache needs queries, keys and values of the same size");
        let past = cache.len();
        let [q, k, v] = self.project(x, weight, past);
        let (k, v) = cache.append(&k, &v);
        let masks = AttentionMasks { is_causal: true, ..Default::default() };
        self.gather_apart([q, k, v], masks, past, mode)
    }

    /// Queries, keys and values of all heads, turned by their positions from `past` on.
    #[track_caller]
    fn project(&self, x: &Tensor<T>, weight: &Tensor<T>, past: usize) -> [Tensor<T>; 3] {
        let all = self.project_packed(x, weight);
        let [q, k, v] = [0, 1, 2].map(|i| all.select(2, i).transpose(1, 2));
        match &self.rotary {
            Some(rotary) => [rotary.rotate(&q, past), rotary.rotate(&k, past), v],
            None => [q, k, v],
        }
    }

    /// Queries, keys and values of all heads in one product: `[N, L, 3, heads, E / heads]`.
    #[track_caller]
    fn project_packed(&self, x: &Tensor<T>, weight: &Tensor<T>) -> Tensor<T> {
        let features = self.features();
        assert!(
            x.rank() == 3 && x.shape()[2] == features,
            "MultiheadAttention: input {} must be [N, L, {features}]",
            x.shape()
        );
        let [n, l] = [x.shape()[0], x.shape()[1]];
        let all = x.linear(weight, self.in_proj_bias.as_deref());
        all.reshape([n, l, 3, self.heads, features / self.heads.max(1)])
    }

    /// `[N, L, E]` as heads `[N, H, L, E / H]`: a view.
    #[track_caller]
    fn split(&self, x: &Tensor<T>) -> Tensor<T> {
        assert!(x.rank() == 3, "MultiheadAttention: inputs must be [N, L, E], or all of them [L, E]");
        let [n, l, features] = [0, 1, 2].map(|d| x.shape()[d]);
        x.reshape([n, l, self.heads, features / self.heads]).transpose(1, 2)
    }

    /// [`gather`](MultiheadAttention::gather) from queries, keys and values `[N, heads, L, E / heads]`.
    #[track_caller]
    fn gather_apart(
        &self,
        [q, k, v]: [Tensor<T>; 3],
        masks: AttentionMasks<'_, T>,
        past: usize,
        mode: &mut Mode<'_>,
    ) -> Tensor<T> {
        let sizes = [k.shape()[0], k.shape()[2]];
        self.gather(sizes, |options| q.scaled_dot_product_attention(&k, &v, options), masks, past, mode)
    }

    /// Attention of all heads in `n` samples to so many keys, and the output projection.
    #[track_caller]
    fn gather(
        &self,
        [n, keys]: [usize; 2],
        attend: impl FnOnce(AttentionOptions<'_, T>) -> Tensor<T>,
        masks: AttentionMasks<'_, T>,
        past: usize,
        mode: &mut Mode<'_>,
    ) -> Tensor<T> {
        let keep = masks.key_padding_mask.map(|padding| {
            let fits = padding.shape() == &[n, keys];
            assert!(fits, "MultiheadAttention: a padding mask {} must be [{n}, {keys}]", padding.shape());
            !padding.reshape([n, 1, 1, keys])
        });
        let (kept, added);
        let mask = match (masks.attn_mask, &keep) {
            (None, None) => None,
            (None, Some(keep)) => Some(AttentionMask::Keep(keep)),
            (mask, None) => mask,
            (Some(AttentionMask::Keep(mask)), Some(keep)) => {
                kept = mask & keep;
                Some(AttentionMask::Keep(&kept))
            }
            (Some(AttentionMask::Add(mask)), Some(keep)) => {
                added = Tensor::where_(keep, mask, Tensor::scalar(-T::INFINITY));
                Some(AttentionMask::Add(&added))
            }
        };
        let dropout = match mode {
            Mode::Train(rng) if self.dropout > 0.0 => Some((self.dropout, rng.uniform().to_bits())),
            _ => None,
        };
        let options = AttentionOptions { mask, is_causal: masks.is_causal, past, scale: None, dropout };
        let y = attend(options);
        let [n, l] = [y.shape()[0], y.shape()[2]];
        self.out_proj.forward(&y.transpose(1, 2).reshape([n, l, self.features()]))
    }
}

#[track_caller]
fn check_heads(features: usize, heads: usize) {
    assert!(
        heads > 0 && features.is_multiple_of(heads),
        "MultiheadAttention: {features} features cannot be cut into {heads} heads"
    );
}

/// The output projection, whose bias starts at 0.
fn output<T: Real>(features: usize, rng: &mut Rng) -> Linear<T> {
    let mut linear = Linear::new(features, features, rng);
    linear.bias = Some(Param::new(Tensor::zeros(features)));
    linear
}
