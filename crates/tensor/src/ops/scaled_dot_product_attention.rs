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

use super::elementwise::broadcast_strides;
use crate::{Inputs, Mask, Op, OpInfo, SavedOutput, Shape, Tensor};
use chainrule_kernels::attention::{Attention as Kernel, attention, attention_backward};
use chainrule_kernels::gemm::{Mat, Mats, MatsMut};
use chainrule_kernels::random::{Dropout, dropout_mask};
use chainrule_kernels::{Buffer, Real};

pub(super) static INFO: OpInfo = OpInfo {
    name: "scaled_dot_product_attention",
    equation: "y = p v, p = softmax(scale q k^T + mask)",
    derivative: "v' = p^T y', q' = scale s' k, k' = scale s'^T q, s' = p (p' - sum of p' p), p' = y' v^T",
    torch: "torch.nn.functional.scaled_dot_product_attention",
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

#[derive(Debug)]
struct Attention<T: Real> {
    q: Tensor<T>,
    k: Tensor<T>,
    v: Tensor<T>,
    y: SavedOutput<T>,
    log_sums: Buffer<T>,
    settings: Settings<T>,
}

impl<T: Real> Op<T> for Attention<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Attention { q, k, v, settings, .. } = self;
        if inputs.is_tracked() {
            let p = settings.weights(q, k);
            let drop = settings.kept(p.shape());
            let apply = |x: &Tensor<T>| drop.as_ref().map_or(x.clone(), |drop| x * drop);
            inputs.add(2, || apply(&p).t().matmul(&grad));
            let dp = apply(&grad.matmul(&v.t()));
            let ds = &p * (&dp - (&dp * &p).sum_dim(-1, true)) * T::from_f64(settings.scale);
            inputs.add(0, || ds.matmul(k));
            inputs.add(1, || ds.t().matmul(q));
            return;
        }
        let like = |x: &Tensor<T>| Layout::like(x, &settings.batch, x.shape()[x.rank() - 2], x.size(-1));
        let layouts = [like(q), like(k), like(v)];
        let mut buffers = layouts.each_ref().map(|layout| Buffer::unspecified(layout.shape.numel()));
        {
            let strides = settings.strides(q, k, v);
            let y = self.y.value();
            let (y_strides, grad_strides) = (settings.full_strides(y), settings.full_strides(&grad));
            let [dq, dk, dv] = &mut buffers;
            let [mut dq, mut dk, mut dv] =
                [(&layouts[0], dq), (&layouts[1], dk), (&layouts[2], dv)].map(|(layout, data)| layout.mats(data));
            let (y, grad) = (heads(y, &settings.batch, &y_strides), heads(&grad, &settings.batch, &grad_strides));
            let kernel = settings.kernel(q, k, v, &strides);
            attention_backward(kernel, y, grad, &self.log_sums, &mut dq, &mut dk, &mut dv);
        }
        for (i, (layout, buffer)) in layouts.into_iter().zip(buffers).enumerate() {
            inputs.add(i, || layout.tensor(buffer));
        }
    }
}

/// How a result `[batch.., rows, cols]` lies in memory: its dimensions but the last in the order of another tensor's, so that
/// heads which were cut out of `[N, L, H * E]` go back there without a copy.
struct Layout {
    shape: Shape,
    strides: Shape,
}

impl Layout {
    fn like<T: Real>(x: &Tensor<T>, batch: &Shape, rows: usize, cols: usize) -> Self {
        let shape: Shape = batch.iter().copied().chain([rows, cols]).collect();
        let last = shape.rank() - 1;
        let mut order: Vec<usize> = (0..last).collect();
        if x.rank() == shape.rank() {
            order.sort_by_key(|&d| std::cmp::Reverse(x.strides()[d]));
        }
        let mut strides = shape.clone();
        let mut next = cols.max(1);
        strides.0[last] = 1;
        for d in order.into_iter().rev() {
            strides.0[d] = next;
            next *= shape[d].max(1);
        }
        Layout { shape, strides }
    }

    fn mats<'a, T: Real>(&'a self, data: &'a mut [T]) -> MatsMut<'a, T> {
        let d = self.shape.rank() - 2;
        let size = (self.shape[d], self.shape[d + 1]);
        MatsMut::new(data, size, self.strides[d], &self.shape[..d], &self.strides[..d])
    }

    fn tensor<T: Real>(self, data: Buffer<T>) -> Tensor<T> {
        let flat = data.len().into();
        Tensor::from_buffer(data, flat).window(self.shape, self.strides, 0)
    }
}

/// The last two dimensions of a tensor as matrices, one for each head of the batch.
fn heads<'a, T: Real>(x: &'a Tensor<T>, batch: &'a Shape, strides: &'a Shape) -> Mats<'a, T> {
    let d = batch.rank();
    let (rows, cols) = (x.shape()[x.rank() - 2], x.size(-1));
    Mats::new(Mat::new(x.as_view().data(), rows, cols, strides[d], strides[d + 1]), batch, &strides[..d])
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
        let blind = all_hidden(&added.detach().broadcast_to(scores.shape()));
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
        let q = self;
        let last = |x: &Self| (x.rank() >= 2).then(|| [x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]]);
        let lead = |shape: &Shape| Shape::from(&shape[..shape.rank().saturating_sub(2)]);
        let mask_shape = options.mask.map(|mask| match mask {
            AttentionMask::Keep(mask) => mask.shape().clone(),
            AttentionMask::Add(mask) => mask.shape().clone(),
        });
        let batch = lead(q.shape()).broadcast(&lead(k.shape())).and_then(|batch| batch.broadcast(&lead(v.shape())));
        let batch = batch.and_then(|b| mask_shape.as_ref().map_or(Some(b.clone()), |mask| b.broadcast(&lead(mask))));
        let sizes = match (last(q), last(k), last(v)) {
            (Some([l, e]), Some([s, e_k]), Some([s_v, _])) if e == e_k && s == s_v => Some([l, s, e]),
            _ => None,
        };
        let (Some(batch), Some([queries, keys, features])) = (batch, sizes) else {
            panic!(
                "{}: queries {}, keys {}, values {}: they must be [.., L, E], [.., S, E] and [.., S, F]",
                INFO.name,
                q.shape(),
                k.shape(),
                v.shape()
            )
        };
        let full: Shape = batch.iter().copied().chain([queries, keys]).collect();
        if let Some(mask) = &mask_shape {
            assert!(
                mask.broadcast(&full).as_ref() == Some(&full), "{}: a mask of shape {mask} does not broadcast to {full}", INFO.name);
        }
        let mask = options.mask.map(|mask| match mask {
            AttentionMask::Add(mask) => mask.clone(),
            AttentionMask::Keep(mask) => {
                let bytes = mask.bytes();
                Tensor::from_fn(mask.shape(), |i| if bytes[i] != 0 { T::ZERO } else { -T::INFINITY })
            }
        });
        if let Some((p, _)) = options.dropout {
            assert!((0.0..=1.0).contains(&p), "{}: the probability {p} is not between 0 and 1", INFO.name);
        }
        let settings = Settings {
            mask,
            causal: options.is_causal.then_some(options.past),
            scale: options.scale.unwrap_or(1.0 / (features as f64).sqrt()),
            dropout: options.dropout.filter(|&(p, _)| p > 0.0),
            batch,
        };
        let empty = full.numel() == 0 || features == 0 || v.numel() == 0;
        if empty || settings.mask.as_ref().is_some_and(|mask| mask.is_tracked() && crate::is_grad_enabled()) {
            return settings.compose(q, k, v);
        }
        let layout = Layout::like(q, &settings.batch, queries, v.size(-1));
        let mut out = Buffer::unspecified(layout.shape.numel());
        let mut log_sums = Buffer::unspecified(settings.batch.numel() * queries);
        let strides = settings.strides(q, k, v);
        attention(settings.kernel(q, k, v, &strides), &mut layout.mats(&mut out), &mut log_sums);
        let value = layout.tensor(out);
        let y = SavedOutput::new(&value);
        Self::from_op(&INFO, value, &[q, k, v], || Attention {
            q: q.clone(),
            k: k.clone(),
            v: v.clone(),
            y,
            log_sums,
            settings,
        })
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
