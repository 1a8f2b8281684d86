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

use super::{Attention, Block, add_mask, drop_some, product};
use crate::buffer::Scratch;
use crate::gemm::{Element, Mat, Mats, MatsMut, SharedRows};
use crate::number::{Like, exp_normal};
use crate::simd::{self, Elementary, Kernel};
use crate::{Accum, Buffer, Real, lanes, parallel};

/// Pieces of work wanted, if there are blocks enough.
const PIECES: usize = 8;
/// Numbers that are worth a second thread to copy.
const COPIED: usize = 1 << 16;

/// The matrices of one gradient among those of an output, from `first` on.
#[derive(Clone, Copy)]
struct Place<'a, 'b, T> {
    rows: &'a SharedRows<'b, T>,
    first: usize,
}

impl<T: Real> Place<'_, '_, T> {
    /// Copies `values` to the rows of a head from `row` on.
    ///
    /// # Safety
    /// Nobody else uses these rows meanwhile.
    unsafe fn copy(&self, head: usize, row: usize, width: usize, values: &[T]) {
        for (i, values) in values.chunks_exact(width.max(1)).enumerate() {
            // SAFETY: the caller's.
            unsafe { self.rows.row(self.first + head, row + i) }.copy_from_slice(values);
        }
    }
}

pub(super) fn run<T: Element>(
    a: Attention<'_, T>,
    out: Mats<'_, T>,
    grad: Mats<'_, T>,
    log_sums: &[T],
    dq: &mut MatsMut<'_, T>,
    dk: &mut MatsMut<'_, T>,
    dv: &mut MatsMut<'_, T>,
) {
    let heads = a.sizes().0;
    let shapes = [(dq.shape(), dq.count()), (dk.shape(), dk.count()), (dv.shape(), dv.count())];
    let expected = [(a.q.shape(), heads), (a.k.shape(), heads), (a.v.shape(), heads)];
    assert_eq!(shapes, expected, "attention_backward: the gradients' sizes");
    let outputs = [dq.shared(), dk.shared(), dv.shared()];
    run_into(a, out, grad, log_sums, outputs.each_ref().map(|rows| Place { rows, first: 0 }));
}

pub(super) fn run_packed<T: Element>(
    a: Attention<'_, T>,
    out: Mats<'_, T>,
    grad: Mats<'_, T>,
    log_sums: &[T],
    grads: &mut MatsMut<'_, T>,
) {
    let heads = a.sizes().0;
    let sizes = [a.k.shape(), a.v.shape(), grads.shape()];
    assert_eq!(sizes, [a.q.shape(); 3], "attention_backward_packed: queries, keys, values and gradients");
    assert_eq!(grads.count(), 3 * heads, "attention_backward_packed: three gradients for each head");
    let rows = grads.shared();
    run_into(a, out, grad, log_sums, [0, 1, 2].map(|i| Place { rows: &rows, first: i * heads }));
}

fn run_into<T: Element>(
    a: Attention<'_, T>,
    out: Mats<'_, T>,
    grad: Mats<'_, T>,
    log_sums: &[T],
    [dq, dk, dv]: [Place<'_, '_, T>; 3],
) {
    let (heads, queries, keys) = a.sizes();
    a.check("attention_backward", out.shape(), log_sums.len());
    assert_eq!((grad.shape(), grad.count()), (out.shape(), heads), "attention_backward: the gradient's size");
    let (features, value_features, key_block) = (a.q.shape().1, a.v.shape().1, a.key_block());
    let blocks = keys.div_ceil(key_block);
    let groups = PIECES.div_ceil(heads.max(1)).min(blocks).max(1);
    let size = queries * features;
    // With one group a head, its gradient of the queries is summed up where the thread works, and copied once.
    let mut dq_parts = Buffer::<T>::zeroed(if groups > 1 { heads * groups * size } else { 0 });
    {
        let (batch, strides) = ([dq_parts.len() / size.max(1)], [size]);
        let mut parts = MatsMut::new(&mut dq_parts, (1, size), size, &batch, &strides);
        let parts = parts.shared();
        a.spread(heads * groups, blocks.div_ceil(groups) * queries.div_ceil(a.query_block()), |piece| {
            let (head, group) = (piece / groups, piece % groups);
            let mut pass = Pass::new(&a, head, out, grad, &log_sums[head * queries..][..queries]);
            let mut own = Scratch::<T>::new(pass.numbers() + if groups == 1 { size } else { 0 });
            let (own, own_dq) = own.split_at_mut(pass.numbers());
            own_dq.fill(T::ZERO);
            // SAFETY: each part belongs to one piece.
            let dq_sum = if groups == 1 { own_dq } else { unsafe { parts.row(piece, 0) } };
            for block in group * blocks / groups..(group + 1) * blocks / groups {
                let rows = block * key_block..((block + 1) * key_block).min(keys);
                let (sum_k, sum_v) = pass.keys(rows.clone(), own, dq_sum);
                // SAFETY: each key of each head belongs to one piece.
                unsafe {
                    dk.copy(head, rows.start, features, sum_k);
                    dv.copy(head, rows.start, value_features, sum_v);
                }
            }
            if groups == 1 {
                // SAFETY: each head belongs to one piece.
                unsafe { dq.copy(head, 0, features, dq_sum) };
            }
        });
    }
    if groups == 1 {
        return;
    }
    let add_up = |head: usize| {
        let (sum, rest) = dq_parts[head * groups * size..(head + 1) * groups * size].split_at(size);
        for row in 0..queries {
            // SAFETY: each head belongs to one piece.
            let dq = unsafe { dq.rows.row(dq.first + head, row) };
            let span = row * features..(row + 1) * features;
            dq.copy_from_slice(&sum[span.clone()]);
            for part in rest.chunks_exact(size.max(1)) {
                dq.iter_mut().zip(&part[span.clone()]).for_each(|(x, &y)| *x += y);
            }
        }
    };
    if heads * groups * size >= COPIED { parallel::for_each(heads, add_up) } else { (0..heads).for_each(add_up) }
}

/// What the blocks of one head share.
struct Pass<'a, 'b, T: Real> {
    a: &'a Attention<'b, T>,
    head: usize,
    grad: Mats<'a, T>,
    log_sums: &'a [T],
    /// `d[i]`.
    dots: Buffer<T>,
}

impl<'a, 'b, T: Element> Pass<'a, 'b, T> {
    fn new(a: &'a Attention<'b, T>, head: usize, out: Mats<'a, T>, grad: Mats<'a, T>, log_sums: &'a [T]) -> Self {
        let mut dots = Buffer::unspecified(log_sums.len());
        simd::dispatch(Dots { a: out.get(head), b: grad.get(head), dots: &mut dots });
        Pass { a, head, grad, log_sums, dots }
    }

    /// The sizes of a block: its scores, and the gradients of its keys and of its values.
    fn sizes(&self, keys: usize) -> [usize; 3] {
        [self.a.query_block() * keys, keys * self.a.q.shape().1, keys * self.a.v.shape().1]
    }

    /// How many numbers [`keys`](Pass::keys) needs to work with.
    fn numbers(&self) -> usize {
        let [scores, k, v] = self.sizes(self.a.key_block());
        2 * scores + k + v
    }

    /// The gradients of a block of keys and of their values, in `own`; adds to those of the queries.
    fn keys<'c>(&mut self, keys: std::ops::Range<usize>, own: &'c mut [T], dq: &mut [T]) -> (&'c [T], &'c [T]) {
        let a = self.a;
        let (queries, features) = a.q.get(self.head).size();
        let (k, v) = (a.k.get(self.head).row_range(keys.clone()), a.v.get(self.head).row_range(keys.clone()));
        let [scores, k_size, v_size] = self.sizes(keys.len());
        let (weights, rest) = own.split_at_mut(scores);
        let (slopes, rest) = rest.split_at_mut(scores);
        let (dk, rest) = rest.split_at_mut(k_size);
        let dv = &mut rest[..v_size];
        dk.fill(T::ZERO);
        dv.fill(T::ZERO);
        for first in (0..queries).step_by(a.query_block()) {
            let rows = first..(first + a.query_block()).min(queries);
            if a.visible(rows.end - 1, keys.start, keys.len()) == 0 {
                continue;
            }
            let block = Block { head: self.head, queries: rows.clone(), keys: keys.clone() };
            let size = rows.len() * keys.len();
            let (weights, slopes) = (&mut weights[..size], &mut slopes[..size]);
            let q = a.q.get(self.head).row_range(rows.clone());
            let g = self.grad.get(self.head).row_range(rows.clone());
            product(q, k.t(), weights, Accum::Replace);
            product(g, v.t(), slopes, Accum::Replace);
            let (log_sums, dots) = (&self.log_sums[rows.clone()], &self.dots[rows.clone()]);
            simd::dispatch(Differentiate { a, block: &block, weights, slopes, log_sums, dots });
            product(block.matrix(weights).t(), g, dv, Accum::Add);
            product(block.matrix(slopes).t(), q, dk, Accum::Add);
            let dq = &mut dq[rows.start * features..rows.end * features];
            product(block.matrix(slopes), k, dq, Accum::Add);
        }
        (dk, dv)
    }
}

/// The products of the rows of two matrices.
struct Dots<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    dots: &'a mut [T],
}
impl<T: Real> Kernel for Dots<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, dot) in self.dots.iter_mut().enumerate() {
            *dot = match (self.a.row(i), self.b.row(i)) {
                (Some(a), Some(b)) => T::from_f64(lanes::sum_and_dot(a, b, T::ZERO).1),
                _ => (0..self.a.cols()).map(|j| self.a.at(i, j) * self.b.at(i, j)).sum(),
            };
        }
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

impl<T: Real> Elementary for Differentiate<'_, '_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
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
                *s = exp_normal::<T, N>(*s - log_sum);
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
