//! Scaled dot product attention: a mean of values, weighted by how well their keys fit a query.
//!
//! | | |
//! |---|---|
//! | equation | `y = p v`, `p = softmax(s)` over the keys, `s = scale q k^T + mask` |
//! | derivative | `v' = p^T y'`, `q' = scale s' k`, `k' = scale s'^T q`, `s' = p (p' - sum of p' p)`, `p' = y' v^T` |
//! | shapes | `q [.., L, E]`, `k [.., S, E]`, `v [.., S, F]`, mask `[.., L, S]` -> `y [.., L, F]`; leading dimensions broadcast |
//! | saved | `q`, `k`, `v`, `y`, and the logarithm of each query's sum of exponentials |
//! | source | A. Vaswani et al., "Attention is all you need", arXiv:1706.03762 (2017); T. Dao et al., arXiv:2205.14135 (2022) |
//!
//! The kernels work in blocks and never hold a matrix of all queries by all keys: memory is linear in `L` and `S`. A pass
//! that is differentiated again, and one whose mask gets a gradient, composes plain operations and holds that matrix.
//!
//! `self_attention` is the same for queries, keys and values that one product has made side by side: their gradients are
//! written side by side too, where slices would be put among zeros and added up.

use super::elementwise::broadcast_strides;
use super::heads::{Layout, heads};
use crate::{Inputs, Mask, Op, OpInfo, SavedOutput, Shape, Tensor};
use chainrule_kernels::attention::{Attention as Kernel, attention, attention_backward, attention_backward_packed};
use chainrule_kernels::gemm::{Mat, Mats, MatsMut};
use chainrule_kernels::random::{Dropout, dropout_mask};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "scaled_dot_product_attention",
    equation: "y = p v, p = softmax(scale q k^T + mask)",
    derivative: "v' = p^T y', q' = scale s' k, k' = scale s'^T q, s' = p (p' - sum of p' p), p' = y' v^T",
    torch: "torch.nn.functional.scaled_dot_product_attention",
};

static PACKED: OpInfo = OpInfo {
    name: "self_attention",
    equation: "y = p v, p = softmax(scale q k^T + mask) with q, k, v = x[:, :, 0..3]",
    derivative: "that of scaled_dot_product_attention, side by side",
    torch: "",
};

/// What a query may look at. It broadcasts to `[.., L, S]`: queries by keys.
#[derive(Clone, Copy, Debug)]
pub enum AttentionMask<'a, T: Real> {
    /// True where a key takes part.
    Keep(&'a Mask),
    /// Numbers that are added to the scores; negative infinity hides a key.
    Add(&'a Tensor<T>),
}

impl<'a, T: Real> From<&'a Mask> for AttentionMask<'a, T> {
    fn from(mask: &'a Mask) -> Self {
        AttentionMask::Keep(mask)
    }
}

impl<'a, T: Real> From<&'a Tensor<T>> for AttentionMask<'a, T> {
    fn from(mask: &'a Tensor<T>) -> Self {
        AttentionMask::Add(mask)
    }
}

/// Settings of [`Tensor::scaled_dot_product_attention`]. The default is no mask, and PyTorch's scale.
#[derive(Clone, Copy, Debug)]
pub struct AttentionOptions<'a, T: Real> {
    /// What a query may look at.
    pub mask: Option<AttentionMask<'a, T>>,
    /// Query `i` looks at no key behind `i + past`, besides what the mask says.
    pub is_causal: bool,
    /// How many keys come before the first query. It matters only if `is_causal`.
    pub past: usize,
    /// The factor of the products; `1 / sqrt(E)` if not said.
    pub scale: Option<f64>,
    /// The probability with which a weight is dropped, and the seed that decides which.
    pub dropout: Option<(f64, u64)>,
}

impl<T: Real> Default for AttentionOptions<'_, T> {
    fn default() -> Self {
        AttentionOptions { mask: None, is_causal: false, past: 0, scale: None, dropout: None }
    }
}

/// The settings, resolved.
#[derive(Debug, Clone)]
struct Settings<T: Real> {
    /// Added to the scores.
    mask: Option<Tensor<T>>,
    causal: Option<usize>,
    scale: f64,
    dropout: Option<(f64, u64)>,
    /// The leading dimensions of the result.
    batch: Shape,
}

/// Queries, keys and values.
#[derive(Debug)]
enum Source<T: Real> {
    Apart(Box<[Tensor<T>; 3]>),
    /// `[N, L, 3, heads, E]`.
    Packed(Tensor<T>),
}

impl<T: Real> Source<T> {
    fn parts(&self) -> [Tensor<T>; 3] {
        match self {
            Source::Apart(parts) => (**parts).clone(),
            Source::Packed(x) => parts_of(x),
        }
    }
}

/// `[N, L, 3, heads, E]` as three times `[N, heads, L, E]`.
fn parts_of<T: Real>(x: &Tensor<T>) -> [Tensor<T>; 3] {
    [0, 1, 2].map(|i| x.select(2, i).transpose(1, 2))
}

#[derive(Debug)]
struct Attention<T: Real> {
    source: Source<T>,
    y: SavedOutput<T>,
    log_sums: Buffer<T>,
    settings: Settings<T>,
}

impl<T: Real> Op<T> for Attention<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let settings = &self.settings;
        let parts = self.source.parts();
        let [q, k, v] = &parts;
        if inputs.is_tracked() {
            let p = settings.weights(q, k);
            let drop = settings.kept(p.shape());
            let apply = |x: &Tensor<T>| drop.as_ref().map_or(x.clone(), |drop| x * drop);
            let dv = || apply(&p).t().matmul(&grad);
            let dp = apply(&grad.matmul(&v.t()));
            let ds = &p * (&dp - (&dp * &p).sum_dim(-1, true)) * T::from_f64(settings.scale);
            let (dq, dk) = (|| ds.matmul(k), || ds.t().matmul(q));
            if let Source::Packed(_) = &self.source {
                inputs.add(0, || Tensor::stack(&[&dq(), &dk(), &dv()], 2).permute([0, 3, 2, 1, 4]));
            } else {
                inputs.add(2, dv);
                inputs.add(0, dq);
                inputs.add(1, dk);
            }
            return;
        }
        let strides = settings.strides(q, k, v);
        let kernel = settings.kernel(q, k, v, &strides);
        let y = self.y.value();
        let (y_strides, grad_strides) = (settings.full_strides(y), settings.full_strides(&grad));
        let (y, grad) = (heads(y, &settings.batch, &y_strides), heads(&grad, &settings.batch, &grad_strides));
        if let Source::Packed(x) = &self.source {
            let [n, l, _, h, e] = [0, 1, 2, 3, 4].map(|d| x.shape()[d]);
            let dx = Tensor::build(x.shape().clone(), |dx| {
                let (batch, strides) = ([3, n, h], [h * e, l * 3 * h * e, e]);
                let mut dx = MatsMut::new(dx, (l, e), 3 * h * e, &batch, &strides);
                attention_backward_packed(kernel, y, grad, &self.log_sums, &mut dx);
            });
            return inputs.add(0, || dx);
        }
        let like = |x: &Tensor<T>| Layout::like(x, &settings.batch, x.shape()[x.rank() - 2], x.size(-1));
        let layouts = [like(q), like(k), like(v)];
        let mut buffers = layouts.each_ref().map(|layout| Buffer::unspecified(layout.shape.numel()));
        {
            let [dq, dk, dv] = &mut buffers;
            let [mut dq, mut dk, mut dv] =
                [(&layouts[0], dq), (&layouts[1], dk), (&layouts[2], dv)].map(|(layout, data)| layout.mats(data));
            attention_backward(kernel, y, grad, &self.log_sums, &mut dq, &mut dk, &mut dv);
        }
        for (i, (layout, buffer)) in layouts.into_iter().zip(buffers).enumerate() {
            inputs.add(i, || layout.tensor(buffer));
        }
    }
}

impl<T: Real> Settings<T> {
    /// The strides of `q`, `k`, `v` and the mask, broadcast over the batch.
    fn strides(&self, q: &Tensor<T>, k: &Tensor<T>, v: &Tensor<T>) -> [Shape; 4] {
        let mask = self.mask.as_ref().map(|mask| {
            let (queries, keys) = (q.shape()[q.rank() - 2], k.shape()[k.rank() - 2]);
            let full: Shape = self.batch.iter().copied().chain([queries, keys]).collect();
            broadcast_strides(mask.shape(), mask.strides(), &full)
        });
        [self.full_strides(q), self.full_strides(k), self.full_strides(v), mask.unwrap_or_default()]
    }

    fn full_strides(&self, x: &Tensor<T>) -> Shape {
        let full: Shape = self.batch.iter().chain(&x.shape()[x.rank() - 2..]).copied().collect();
        broadcast_strides(x.shape(), x.strides(), &full)
    }

    fn kernel<'a>(
        &'a self,
        q: &'a Tensor<T>,
        k: &'a Tensor<T>,
        v: &'a Tensor<T>,
        strides: &'a [Shape; 4],
    ) -> Kernel<'a, T> {
        let [q_strides, k_strides, v_strides, mask_strides] = strides;
        let mask = self.mask.as_ref().map(|mask| {
            let d = self.batch.rank();
            let (queries, keys) = (q.shape()[q.rank() - 2], k.shape()[k.rank() - 2]);
            let first = Mat::new(mask.as_view().data(), queries, keys, mask_strides[d], mask_strides[d + 1]);
            Mats::new(first, &self.batch, &mask_strides[..d])
        });
        Kernel {
            q: heads(q, &self.batch, q_strides),
            k: heads(k, &self.batch, k_strides),
            v: heads(v, &self.batch, v_strides),
            mask,
            causal: self.causal,
            scale: self.scale,
            dropout: self.dropout.map(|(p, seed)| Dropout::new(seed, p)),
        }
    }

    /// All weights, composed of plain operations.
    fn weights(&self, q: &Tensor<T>, k: &Tensor<T>) -> Tensor<T> {
        let scores = q.matmul(&k.t()) * T::from_f64(self.scale);
        let (queries, keys) = (q.shape()[q.rank() - 2], k.shape()[k.rank() - 2]);
        let causal = self.causal.map(|past| {
            let hide = |i: usize| i % keys > i / keys + past;
            Tensor::from_fn([queries, keys], |i| if hide(i) { -T::INFINITY } else { T::ZERO })
        });
        let added = match (&self.mask, causal) {
            (Some(mask), Some(causal)) => mask + causal,
            (Some(mask), None) => mask.clone(),
            (None, Some(causal)) => causal,
            (None, None) => return scores.softmax(-1),
        };
        // Queries that see nothing get weights of 0, where softmax alone would give NaN.
        let full: Shape = self.batch.iter().copied().chain([queries, keys]).collect();
        let blind = all_hidden(&added.detach().broadcast_to(&full));
        if !blind.any() {
            return (scores + added).softmax(-1);
        }
        let zero = Tensor::scalar(T::ZERO);
        let seen = scores + Tensor::where_(&blind, &zero, added);
        Tensor::where_(&blind, &zero, seen.softmax(-1))
    }

    /// What dropout multiplies the weights with.
    fn kept(&self, shape: &Shape) -> Option<Tensor<T>> {
        self.dropout.map(|(p, seed)| Tensor::build(shape.clone(), |out| dropout_mask(seed, p, out)))
    }

    /// The whole operation, composed of plain operations.
    fn compose(&self, q: &Tensor<T>, k: &Tensor<T>, v: &Tensor<T>) -> Tensor<T> {
        let p = self.weights(q, k);
        let p = self.kept(p.shape()).map_or(p.clone(), |kept| p * kept);
        p.matmul(v)
    }
}

/// For each row along the last dimension: whether it holds nothing but negative infinity.
fn all_hidden<T: Real>(mask: &Tensor<T>) -> Mask {
    let values = mask.to_slice();
    let cols = mask.size(-1).max(1);
    let rows: Shape = mask.shape()[..mask.rank() - 1].iter().copied().chain([1]).collect();
    Mask::from_fn(rows, |row| values[row * cols..][..cols].iter().all(|&x| x == -T::INFINITY))
}

impl<T: Real> Tensor<T> {
    /// Attention of these queries `[.., L, E]` to keys `[.., S, E]` and their values `[.., S, F]`: `[.., L, F]`.
    ///
    /// Each query gets the mean of the values, weighted by the softmax of its products with the keys. A query that sees
    /// no key gets 0.
    ///
    /// # Panics
    /// If a tensor has fewer than two dimensions, the sizes do not match, or the leading dimensions do not broadcast.
    #[track_caller]
    pub fn scaled_dot_product_attention(&self, k: &Self, v: &Self, options: AttentionOptions<'_, T>) -> Self {
        attend(&INFO, Source::Apart(Box::new([self, k, v].map(Clone::clone))), options)
    }

    /// [`scaled_dot_product_attention`](Tensor::scaled_dot_product_attention) of tokens to each other, whose queries, keys
    /// and values stand side by side: `[N, L, 3, heads, E]` -> `[N, heads, L, E]`.
    ///
    /// # Panics
    /// If the shape is another, or the mask's does not broadcast.
    #[track_caller]
    pub fn self_attention(&self, options: AttentionOptions<'_, T>) -> Self {
        let fits = self.rank() == 5 && self.shape()[2] == 3;
        assert!(fits, "{}: an input of shape {} must be [N, L, 3, heads, E]", PACKED.name, self.shape());
        attend(&PACKED, Source::Packed(self.clone()), options)
    }
}

/// The leading dimensions, which are the batch's.
fn lead(shape: &Shape) -> Shape {
    shape[..shape.rank().saturating_sub(2)].into()
}

/// The batch that all broadcast to, and how many queries, keys and features there are.
///
/// # Panics
/// If the shapes do not match.
#[track_caller]
fn sizes<T: Real>(op: &str, [q, k, v]: &[Tensor<T>; 3], mask: Option<&Shape>) -> (Shape, [usize; 3]) {
    let last = |x: &Tensor<T>| (x.rank() >= 2).then(|| [x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]]);
    let batch = lead(q.shape()).broadcast(&lead(k.shape())).and_then(|batch| batch.broadcast(&lead(v.shape())));
    let batch = batch.and_then(|batch| mask.map_or(Some(batch.clone()), |mask| batch.broadcast(&lead(mask))));
    let sizes = match (last(q), last(k), last(v)) {
        (Some([l, e]), Some([s, e_k]), Some([s_v, _])) if e == e_k && s == s_v => Some([l, s, e]),
        _ => None,
    };
    let (Some(batch), Some([queries, keys, features])) = (batch, sizes) else {
        panic!(
            "{op}: queries {}, keys {}, values {}: they must be [.., L, E], [.., S, E] and [.., S, F]",
            q.shape(),
            k.shape(),
            v.shape()
        )
    };
    if let Some(mask) = mask {
        let full: Shape = batch.iter().copied().chain([queries, keys]).collect();
        let fits = mask.broadcast(&full).as_ref() == Some(&full);
        assert!(fits, "{op}: a mask of shape {mask} does not broadcast to {full}");
    }
    (batch, [queries, keys, features])
}

/// The value, and its node.
#[track_caller]
fn attend<T: Real>(info: &'static OpInfo, source: Source<T>, options: AttentionOptions<'_, T>) -> Tensor<T> {
    let parts = source.parts();
    let mask_shape = options.mask.map(|mask| match mask {
        AttentionMask::Keep(mask) => mask.shape(),
        AttentionMask::Add(mask) => mask.shape(),
    });
    let (batch, [queries, keys, features]) = sizes(info.name, &parts, mask_shape);
    let [q, k, v] = &parts;
    let mask = options.mask.map(|mask| match mask {
        AttentionMask::Add(mask) => mask.clone(),
        AttentionMask::Keep(mask) => {
            let bytes = mask.bytes();
            Tensor::from_fn(mask.shape(), |i| if bytes[i] != 0 { T::ZERO } else { -T::INFINITY })
        }
    });
    if let Some((p, _)) = options.dropout {
        assert!((0.0..=1.0).contains(&p), "{}: the probability {p} is not between 0 and 1", info.name);
    }
    let settings = Settings {
        mask,
        causal: options.is_causal.then_some(options.past),
        scale: options.scale.unwrap_or(1.0 / (features as f64).sqrt()),
        dropout: options.dropout.filter(|&(p, _)| p > 0.0),
        batch,
    };
    let empty = [settings.batch.numel(), queries, keys, features, v.numel()].contains(&0);
    // A mask with a batch of its own gives several outputs for one input: their gradients do not stand side by side.
    let apart = matches!(source, Source::Packed(_)) && settings.batch != lead(q.shape());
    if empty || apart || settings.mask.as_ref().is_some_and(|mask| mask.is_tracked() && crate::is_grad_enabled()) {
        return settings.compose(q, k, v);
    }
    let layout = Layout::like(q, &settings.batch, queries, v.size(-1));
    let mut out = Buffer::unspecified(layout.shape.numel());
    let mut log_sums = Buffer::unspecified(settings.batch.numel() * queries);
    let strides = settings.strides(q, k, v);
    attention(settings.kernel(q, k, v, &strides), &mut layout.mats(&mut out), &mut log_sums);
    let value = layout.tensor(out);
    let y = SavedOutput::new(&value);
    match source {
        Source::Packed(x) => {
            let input = x.clone();
            let source = Source::Packed(x);
            Tensor::from_op(info, value, &[&input], || Attention { source, y, log_sums, settings })
        }
        source => Tensor::from_op(info, value, &[q, k, v], || Attention { source, y, log_sums, settings }),
    }
}

#[cfg(test)]
mod tests {
    use super::AttentionOptions;
    use crate::ops::check;
    use crate::{Mask, Tensor};

    #[test]
    fn worked_example() {
        // Scores 0 and ln 3: weights 1/4 and 3/4.
        let q = Tensor::from([[1.0f64]]);
        let (k, v) = (Tensor::from([[0.0], [3f64.ln()]]), Tensor::from([[4.0, 0.0], [8.0, 4.0]]));
        let y = q.scaled_dot_product_attention(&k, &v, AttentionOptions::default()).to_vec();
        assert!((y[0] - 7.0).abs() < 1e-14 && (y[1] - 3.0).abs() < 1e-14, "{y:?}");
        let first = Mask::from_vec([true, false], [2]);
        let attend = |mask: &Mask| {
            q.scaled_dot_product_attention(&k, &v, AttentionOptions { mask: Some(mask.into()), ..Default::default() })
        };
        assert_eq!(attend(&first).to_vec(), [4.0, 0.0]);
        assert_eq!(attend(&Mask::from_vec([false, false], [1, 2])).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn gradcheck() {
        let random = |shape: &[usize]| check::random(shape, -1.0, 1.0);
        let (q, k, v) = (random(&[2, 3, 4]), random(&[2, 5, 4]), random(&[2, 5, 2]));
        let keep = Mask::from_fn([3, 5], |i| i % 3 != 0 && i / 5 != 1);
        let add = random(&[2, 1, 5]);
        let plain = AttentionOptions::default();
        for options in [
            plain,
            AttentionOptions { is_causal: true, ..plain },
            AttentionOptions { is_causal: true, past: 2, scale: Some(0.3), ..plain },
            AttentionOptions { mask: Some((&keep).into()), ..plain },
            AttentionOptions { mask: Some((&add).into()), is_causal: true, ..plain },
            AttentionOptions { dropout: Some((0.4, 5)), ..plain },
        ] {
            check::gradients(|x| x[0].scaled_dot_product_attention(&x[1], &x[2], options), &[&q, &k, &v]);
        }
        // One tensor for all, transposed, sliced, broadcast, without leading dimensions; of one element, and empty.
        let attend = |q: &Tensor<f64>, k: &Tensor<f64>, v: &Tensor<f64>| q.scaled_dot_product_attention(k, v, plain);
        check::gradients(|x| attend(&x[0], &x[0], &x[0]), &[&q]);
        check::gradients(|x| attend(&x[0].t(), &x[1].t(), &x[1].t()), &[&random(&[4, 3]), &random(&[4, 5])]);
        check::gradients(|x| attend(&x[0].slice(1, 0, 3, 2), &x[1], &x[2].slice(2, 1, 2, 1)), &[&q, &k, &v]);
        check::gradients(|x| attend(&x[0], &x[1], &x[2]), &[&random(&[3, 1, 2, 4]), &k, &random(&[5, 2])]);
        check::gradients(|x| attend(&x[0], &x[0], &x[0]), &[&random(&[1, 1])]);
        for (l, s, e) in [(0, 2, 2), (2, 0, 2), (2, 2, 0)] {
            check::gradients(|x| attend(&x[0], &x[1], &x[1]), &[&random(&[l, e]), &random(&[s, e])]);
        }
        check::gradients(|x| attend(&x[0], &x[0], &x[0]), &[&random(&[0, 2, 2])]);
    }

    #[test]
    fn gradcheck_of_self_attention() {
        let plain = AttentionOptions::default();
        let (x, keep) = (check::random([2, 3, 3, 2, 4], -1.0, 1.0), Mask::from_fn([3, 3], |i| i != 1));
        for options in [
            plain,
            AttentionOptions { is_causal: true, dropout: Some((0.4, 5)), ..plain },
            AttentionOptions { mask: Some((&keep).into()), scale: Some(0.3), ..plain },
        ] {
            let apart = |x: &Tensor<f64>| {
                let [q, k, v] = super::parts_of(x);
                q.scaled_dot_product_attention(&k, &v, options)
            };
            check::gradients(|x| x[0].self_attention(options), &[&x]);
            assert_eq!(x.self_attention(options).to_vec(), apart(&x).to_vec());
        }
        let strided = check::random([2, 4, 2, 3, 3], -1.0, 1.0);
        check::gradients(|x| x[0].permute([0, 4, 3, 2, 1]).self_attention(plain), &[&strided]);
        check::gradients(|x| x[0].self_attention(plain), &[&check::random([2, 0, 3, 2, 4], -1.0, 1.0)]);
        // The mask has a batch of its own.
        let keep = Mask::from_fn([2, 1, 3, 3], |i| i % 4 != 1);
        let options = AttentionOptions { mask: Some((&keep).into()), ..plain };
        check::gradients(|x| x[0].self_attention(options), &[&check::random([1, 3, 3, 2, 4], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "self_attention: an input of shape [2, 3, 12] must be [N, L, 3, heads, E]")]
    fn packed_shapes_must_match() {
        let _ = Tensor::<f32>::zeros([2, 3, 12]).self_attention(AttentionOptions::default());
    }

    #[test]
    fn a_mask_can_be_learned() {
        let (x, mask) = (check::random([2, 3, 4], -1.0, 1.0), check::random([3, 3], -1.0, 1.0));
        let attend = |x: &[Tensor<f64>]| -> Tensor<f64> {
            let options = AttentionOptions { mask: Some((&x[1]).into()), is_causal: true, ..Default::default() };
            x[0].scaled_dot_product_attention(&x[0], &x[0], options)
        };
        check::gradients(attend, &[&x, &mask]);
        let tracked = attend(&[x.clone(), mask.requires_grad()]).to_vec();
        let fused = attend(&[x, mask]).to_vec();
        assert!(tracked.iter().zip(&fused).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn results_lie_in_memory_as_the_queries_do() {
        let x = check::random([2, 5, 12], -1.0, 1.0).reshape([2, 5, 3, 4]).transpose(1, 2);
        let y = x.scaled_dot_product_attention(&x, &x, AttentionOptions::default());
        assert_eq!((y.strides(), y.shape()), (x.strides(), x.shape()));
        assert!(y.transpose(1, 2).is_contiguous());
    }

    #[test]
    #[should_panic(expected = "scaled_dot_product_attention: queries [2, 3], keys [4, 3], values [5, 3]")]
    fn sizes_must_match() {
        let x = |n: usize| Tensor::<f32>::zeros([n, 3]);
        let _ = x(2).scaled_dot_product_attention(&x(4), &x(5), AttentionOptions::default());
    }

    #[test]
    #[should_panic(expected = "scaled_dot_product_attention: a mask of shape [3, 3] does not broadcast to [2, 2]")]
    fn masks_must_broadcast() {
        let (x, mask) = (Tensor::<f32>::zeros([2, 3]), Tensor::zeros([3, 3]));
        let options = AttentionOptions { mask: Some((&mask).into()), ..Default::default() };
        let _ = x.scaled_dot_product_attention(&x, &x, options);
    }
}
