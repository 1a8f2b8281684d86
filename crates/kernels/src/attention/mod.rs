//! Scaled dot product attention, block by block: no matrix of all queries by all keys is ever held in memory.
//!
//! ```text
//! scores      s[i, j] = scale * sum over e of q[i, e] k[j, e] + mask[i, j]
//! weights     p[i, j] = e^(s[i, j]) / sum over j of e^(s[i, j])
//! output      o[i] = sum over j of p[i, j] v[j]
//! ```
//!
//! The forward pass goes through the keys in blocks and keeps, for each query, the largest score so far and the sum
//! of exponentials relative to it; when a block brings a larger score, what has been summed up is scaled down (the *online*
//! softmax). Besides the output it leaves one number for each query, the logarithm of that sum, from which
//! the backward pass computes each block of weights again. Memory is linear in the number of queries and keys.
//!
//! A query whose keys are all masked has the output 0, and gets and gives no gradient.
//!
//! Source: T. Dao et al., "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022
//! (arXiv:2205.14135).

mod backward;
mod forward;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::gemm::{Element, Epilogue, Mat, Mats, MatsMut, gemm_here};
use crate::random::Dropout;
use crate::size;
use crate::{Accum, Real, parallel};
use std::ops::Range;

/// The most queries in a block.
const QUERIES: usize = 128;
/// The same where later keys are hidden: smaller blocks have less that nobody sees.
const CAUSAL_QUERIES: usize = 64;
/// The most keys in a block.
const KEYS: usize = 128;
/// Multiplications of one product, at most: its factors stay in the cache.
const PRODUCT: usize = 1 << 20;
/// Below this many multiplications, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 17;
/// Multiplications in the time that a block takes beside its own.
const BLOCK: usize = 1 << 11;

/// What is attended to, and how. All of `q`, `k`, `v` and `mask` are batches of the same shape; a *head* is one of the batch.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a, T> {
    /// Queries: matrices `[queries, features]`.
    pub q: Mats<'a, T>,
    /// Keys: matrices `[keys, features]`.
    pub k: Mats<'a, T>,
    /// Values: matrices `[keys, value features]`.
    pub v: Mats<'a, T>,
    /// Numbers that are added to the scores, matrices `[queries, keys]`: negative infinity hides a key from a query.
    pub mask: Option<Mats<'a, T>>,
    /// `Some(past)`: query `i` sees the keys `0..=i + past` alone.
    pub causal: Option<usize>,
    /// The factor of the products.
    pub scale: f64,
    /// Weights that are dropped at random: element `(head, i, j)` of the mask of [`dropout_mask`](crate::random::dropout_mask).
    pub dropout: Option<Dropout<T>>,
}

concrete! {
    <T> trait AttentionKernels;
    /// The output, and for each query of each head the logarithm of its sum of exponentials (infinity where there is no
    /// key to see), which [`attention_backward`] wants.
    ///
    /// # Panics
    /// If the sizes or the batches disagree.
    pub fn attention(a: Attention<'_, T>, out: &mut MatsMut<'_, T>, log_sums: &mut [T]) = forward::run;
    /// The gradients `dq`, `dk` and `dv`, given the output of [`attention`], its gradient and the logarithms.
    ///
    /// # Panics
    /// If the sizes or the batches disagree.
    pub fn attention_backward(
        a: Attention<'_, T>, out: Mats<'_, T>, grad: Mats<'_, T>, log_sums: &[T],
        dq: &mut MatsMut<'_, T>, dk: &mut MatsMut<'_, T>, dv: &mut MatsMut<'_, T>,
    ) = backward::run;
    /// [`attention_backward`] with one output: the gradients of all heads' queries, then those of the keys, then of the values.
    ///
    /// # Panics
    /// If the sizes or the batches disagree, or queries, keys and values have different sizes.
    pub fn attention_backward_packed(
        a: Attention<'_, T>, out: Mats<'_, T>, grad: Mats<'_, T>, log_sums: &[T], grads: &mut MatsMut<'_, T>,
    ) = backward::run_packed;
}

impl<T: Real> Attention<'_, T> {
    /// Heads, queries, keys.
    fn sizes(&self) -> (usize, usize, usize) {
        (self.q.count(), self.q.shape().0, self.k.shape().0)
    }

    /// Asserts that everything has the sizes it must have.
    fn check(&self, op: &str, out: (usize, usize), log_sums: usize) {
        let (heads, queries, keys) = self.sizes();
        let batches = [self.k.count(), self.v.count(), self.mask.map_or(heads, |mask| mask.count())];
        assert!(batches == [heads; 3], "{op}: {heads} heads of queries, {batches:?} of keys, values and masks");
        assert_eq!(self.q.shape().1, self.k.shape().1, "{op}: queries and keys have different features");
        assert_eq!(self.v.shape().0, keys, "{op}: there are not as many values as keys");
        assert!(self.mask.is_none_or(|mask| mask.shape() == (queries, keys)), "{op}: the mask has another size");
        assert_eq!(out, (queries, self.v.shape().1), "{op}: the output has another size");
        assert_eq!(log_sums, size::count(&[heads, queries]), "{op}: one logarithm for each query");
    }

    /// How many queries are in a block.
    fn query_block(&self) -> usize {
        if self.causal.is_some() { CAUSAL_QUERIES } else { QUERIES }
    }

    /// How many keys are in a block.
    fn key_block(&self) -> usize {
        let features = self.q.shape().1.max(self.v.shape().1).max(1);
        (PRODUCT / (QUERIES * features) / 32 * 32).clamp(32, KEYS)
    }

    /// How many of the keys from `first` on query `i` sees, at most `count`.
    #[inline(always)]
    fn visible(&self, i: usize, first: usize, count: usize) -> usize {
        match self.causal {
            Some(past) => (i + past + 1).saturating_sub(first).min(count),
            None => count,
        }
    }

    /// Calls `work(i)` for each `i` in `0..pieces`, in each of which so many blocks meet: on several threads if there is enough to do.
    fn spread(&self, pieces: usize, blocks: usize, work: impl Fn(usize) + Sync + Send) {
        let (heads, queries, keys) = self.sizes();
        let products = heads * queries * keys * (self.q.shape().1 + self.v.shape().1);
        let cost = products / pieces.max(1) + blocks * BLOCK;
        if pieces * cost < PARALLEL {
            return (0..pieces).for_each(work);
        }
        let group = (PARALLEL / 4 / cost.max(1)).max(1);
        parallel::for_each(pieces.div_ceil(group), |first| {
            (first * group..((first + 1) * group).min(pieces)).for_each(&work);
        });
    }
}

/// One block of scores: some queries of one head by some keys.
#[derive(Clone)]
struct Block {
    head: usize,
    queries: Range<usize>,
    keys: Range<usize>,
}

impl Block {
    /// The block's numbers as a matrix.
    fn matrix<'a, T>(&self, numbers: &'a [T]) -> Mat<'a, T> {
        Mat::row_major(numbers, self.queries.len(), self.keys.len())
    }
}

/// `c = a b`, or `c += a b`, on the calling thread.
fn product<T: Element>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], accum: Accum) {
    let mut c = MatsMut::row_major(c, a.rows(), b.cols());
    gemm_here(a, b, &mut c, Epilogue::plain(accum));
}

/// Adds a row of the mask to a row of scores.
#[inline(always)]
fn add_mask<T: Real>(mask: &Mat<'_, T>, row: usize, first: usize, scores: &mut [T]) {
    match mask.row(row) {
        Some(numbers) => {
            for (s, &x) in scores.iter_mut().zip(&numbers[first..]) {
                *s += x;
            }
        }
        None => {
            for (j, s) in scores.iter_mut().enumerate() {
                *s += mask.at(row, first + j);
            }
        }
    }
}

/// Multiplies a row of weights, the one of query `i`, with what dropout leaves of them.
#[inline(always)]
fn drop_some<T: Real>(a: &Attention<'_, T>, dropout: &Dropout<T>, block: &Block, i: usize, row: &mut [T]) {
    let (_, queries, keys) = a.sizes();
    let start = ((block.head * queries + i) * keys + block.keys.start) as u64;
    for (j, x) in row.iter_mut().enumerate() {
        *x *= dropout.factor(start + j as u64);
    }
}
