//! The backward pass of attention. With `p` the weights, `o` the output and `o'` its gradient:
//!
//! ```text
//! dv[j] = sum over i of p[i, j] o'[i]              dp[i, j] = o'[i] v[j]
//! ds[i, j] = p[i, j] (dp[i, j] - d[i])             d[i] = sum over j of p[i, j] dp[i, j] = o'[i] o[i]
//! dq[i] = scale sum over j of ds[i, j] k[j]        dk[j] = scale sum over i of ds[i, j] q[i]
//! ```
//!
//! Block by block: the keys of a head are cut into blocks, each of which meets all blocks of queries, and the weights of a
//! block follow from the scores and the logarithms of the forward pass. A few groups of key blocks per head, if there
//! are few heads, go to different threads; each sums up a `dq` of its own, and these are added in order.

use super::{Attention, Block, QUERIES, add_mask, drop_some, product, spread};
use crate::gemm::{Element, Mats, MatsMut};
use crate::simd::{self, Kernel};
use crate::{Accum, Buffer, Real, lanes};

/// Pieces of work wanted, if there are blocks enough.
const PIECES: usize = 8;
/// Numbers that are worth a second thread to copy.
const COPIED: usize = 1 << 16;

pub(super) fn run<T: Element>(
    a: Attention<'_, T>,
    out: Mats<'_, T>,
    grad: Mats<'_, T>,
    log_sums: &[T],
    dq: &mut MatsMut<'_, T>,
    dk: &mut MatsMut<'_, T>,
    dv: &mut MatsMut<'_, T>,
) {
    let (heads, queries, keys) = a.sizes();
    a.check("attention_backward", out.shape(), log_sums.len());
    assert_eq!((grad.shape(), grad.count()), (out.shape(), heads), "attention_backward: the gradient's size");
    let shapes = [(dq.shape(), dq.count()), (dk.shape(), dk.count()), (dv.shape(), dv.count())];
    let expected = [(a.q.shape(), heads), (a.k.shape(), heads), (a.v.shape(), heads)];
    assert_eq!(shapes, expected, "attention_backward: the gradients' sizes");
    let (features, key_block) = (a.q.shape().1, a.key_block());
    let blocks = keys.div_ceil(key_block);
    let groups = PIECES.div_ceil(heads.max(1)).min(blocks).max(1);
    let size = queries * features;
    let mut dq_parts = Buffer::<T>::zeroed(heads * groups * size);
    let (dk, dv) = (dk.shared(), dv.shared());
    {
        let (batch, strides) = ([heads * groups], [size]);
        let mut parts = MatsMut::new(&mut dq_parts, (1, size), size, &batch, &strides);
        let parts = parts.shared();
        spread(a.is_parallel(), heads * groups, |piece| {
            let (head, group) = (piece / groups, piece % groups);
            // SAFETY: each part belongs to one piece.
            let dq = unsafe { parts.row(piece, 0) };
            let mut pass = Pass::new(&a, head, out, grad, &log_sums[head * queries..][..queries]);
            for block in group * blocks / groups..(group + 1) * blocks / groups {
                let rows = block * key_block..((block + 1) * key_block).min(keys);
                let (sum_k, sum_v) = pass.keys(rows.clone(), dq);
                for (i, row) in rows.enumerate() {
                    // SAFETY: each key of each head belongs to one piece.
                    let (dk, dv) = unsafe { (dk.row(head, row), dv.row(head, row)) };
                    let (wk, wv) = (dk.len(), dv.len());
                    dk.copy_from_slice(&sum_k[i * wk..][..wk]);
                    dv.copy_from_slice(&sum_v[i * wv..][..wv]);
                }
            }
        });
    }
    let dq = dq.shared();
    spread(heads * groups * size >= COPIED, heads, |head| {
        for row in 0..queries {
            // SAFETY: each head belongs to one piece.
            let dq = unsafe { dq.row(head, row) };
            for group in 0..groups {
                let part = &dq_parts[(head * groups + group) * size + row * features..][..features];
                if group == 0 {
                    dq.copy_from_slice(part);
                } else {
                    dq.iter_mut().zip(part).for_each(|(x, &y)| *x += y);
                }
            }
        }
    });
}

/// What the blocks of one head share.
struct Pass<'a, 'b, T: Real> {
    a: &'a Attention<'b, T>,
    head: usize,
    grad: Mats<'a, T>,
    log_sums: &'a [T],
    /// `d[i]`.
    dots: Buffer<T>,
    scores: Buffer<T>,
    slopes: Buffer<T>,
}

impl<'a, 'b, T: Element> Pass<'a, 'b, T> {
    fn new(a: &'a Attention<'b, T>, head: usize, out: Mats<'a, T>, grad: Mats<'a, T>, log_sums: &'a [T]) -> Self {
        let mut dots = Buffer::unspecified(log_sums.len());
        let (o, g) = (out.get(head), grad.get(head));
        for (i, dot) in dots.iter_mut().enumerate() {
            *dot = match (o.row(i), g.row(i)) {
                (Some(o), Some(g)) => simd::dispatch(Dot(o, g)),
                _ => (0..o.cols()).map(|j| o.at(i, j) * g.at(i, j)).sum(),
            };
        }
        let size = QUERIES * a.key_block();
        Pass { a, head, grad, log_sums, dots, scores: Buffer::unspecified(size), slopes: Buffer::unspecified(size) }
    }

    /// The gradients of a block of keys and of their values; adds to those of the queries.
    fn keys(&mut self, keys: std::ops::Range<usize>, dq: &mut [T]) -> (Buffer<T>, Buffer<T>) {
        let a = self.a;
        let (queries, features) = a.q.get(self.head).size();
        let (k, v) = (a.k.get(self.head).row_range(keys.clone()), a.v.get(self.head).row_range(keys.clone()));
        let (mut dk, mut dv) = (Buffer::zeroed(keys.len() * features), Buffer::zeroed(keys.len() * v.cols()));
        for first in (0..queries).step_by(QUERIES) {
            let rows = first..(first + QUERIES).min(queries);
            if a.visible(rows.end - 1, keys.start, keys.len()) == 0 {
                continue;
            }
            let block = Block { head: self.head, queries: rows.clone(), keys: keys.clone() };
            let size = rows.len() * keys.len();
            let (weights, slopes) = (&mut self.scores[..size], &mut self.slopes[..size]);
            let q = a.q.get(self.head).row_range(rows.clone());
            let g = self.grad.get(self.head).row_range(rows.clone());
            product(q, k.t(), weights, Accum::Replace);
            product(g, v.t(), slopes, Accum::Replace);
            let (log_sums, dots) = (&self.log_sums[rows.clone()], &self.dots[rows.clone()]);
            simd::dispatch(Differentiate { a, block: &block, weights, slopes, log_sums, dots });
            product(block.matrix(weights).t(), g, &mut dv, Accum::Add);
            product(block.matrix(slopes).t(), q, &mut dk, Accum::Add);
            let dq = &mut dq[rows.start * features..rows.end * features];
            product(block.matrix(slopes), k, dq, Accum::Add);
        }
        (dk, dv)
    }
}

/// The sum of products.
struct Dot<'a, T>(&'a [T], &'a [T]);
impl<T: Real> Kernel for Dot<'_, T> {
    type Output = T;
    #[inline(always)]
    fn run(self) -> T {
        T::from_f64(lanes::sum_and_dot(self.0, self.1, T::ZERO).1)
    }
}

/// From the products of a block to its weights, and from `dp` to the gradients of those products.
struct Differentiate<'a, 'b, T: Real> {
    a: &'a Attention<'b, T>,
    block: &'a Block,
    /// Products in, weights out.
    weights: &'a mut [T],
    /// `dp` in, `scale ds` out.
    slopes: &'a mut [T],
    log_sums: &'a [T],
    dots: &'a [T],
}

impl<T: Real> Kernel for Differentiate<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Differentiate { a, block, weights, slopes, log_sums, dots } = self;
        let (scale, count) = (T::from_f64(a.scale), block.keys.len());
        let mask = a.mask.map(|mask| mask.get(block.head));
        let rows = weights.chunks_exact_mut(count).zip(slopes.chunks_exact_mut(count));
        for (((weights, slopes), i), (&log_sum, &dot)) in rows.zip(block.queries.clone()).zip(log_sums.iter().zip(dots))
        {
            let visible = a.visible(i, block.keys.start, count);
            let (weights, hidden) = weights.split_at_mut(visible);
            hidden.fill(T::ZERO);
            let (slopes, hidden) = slopes.split_at_mut(visible);
            hidden.fill(T::ZERO);
            for s in weights.iter_mut() {
                *s *= scale;
            }
            if let Some(mask) = &mask {
                add_mask(mask, i, block.keys.start, weights);
            }
            for s in weights.iter_mut() {
                *s = (*s - log_sum).exp();
            }
            if let Some(dropout) = &a.dropout {
                drop_some(a, dropout, block, i, slopes);
            }
            for (slope, &p) in slopes.iter_mut().zip(&*weights) {
                *slope = p * (*slope - dot) * scale;
            }
            if let Some(dropout) = &a.dropout {
                drop_some(a, dropout, block, i, weights);
            }
        }
    }
}
