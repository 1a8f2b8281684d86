//! The forward pass of attention: for a block of queries, all keys, block by block.

use super::{Attention, Block, QUERIES, add_mask, drop_some, product};
use crate::buffer::Scratch;
use crate::gemm::{Element, MatsMut};
use crate::number::{Like, exp_normal, ln};
use crate::simd::{self, Elementary};
use crate::{Accum, Real, lanes};

pub(super) fn run<T: Element>(a: Attention<'_, T>, out: &mut MatsMut<'_, T>, log_sums: &mut [T]) {
    let (heads, queries, keys) = a.sizes();
    a.check("attention", out.shape(), log_sums.len());
    assert_eq!(out.count(), heads, "attention: the output has another number of heads");
    let (features, query_block, key_block) = (a.v.shape().1, a.query_block(), a.key_block().min(keys).max(1));
    let (batch, strides) = ([heads], [queries]);
    let mut log_sums = MatsMut::new(log_sums, (queries, 1), 1, &batch, &strides);
    let (out, log_sums) = (out.shared(), log_sums.shared());
    let blocks = queries.div_ceil(query_block);
    a.spread(heads * blocks, keys.div_ceil(key_block), |piece| {
        let (head, first) = (piece / blocks, piece % blocks * query_block);
        let rows = first..(first + query_block).min(queries);
        let q = a.q.get(head).row_range(rows.clone());
        let lanes = rows.len().next_multiple_of(lanes::LANES);
        let mut scratch = Scratch::<T>::new(rows.len() * (features + key_block) + 3 * lanes);
        let (state, scratch) = scratch.split_at_mut(3 * lanes);
        let mut state = Running::new(state);
        let (sums, scores) = scratch.split_at_mut(rows.len() * features);
        sums.fill(T::ZERO);
        let last = a.visible(rows.end - 1, 0, keys);
        for first_key in (0..last).step_by(key_block) {
            let cols = first_key..(first_key + key_block).min(last);
            let scores = &mut scores[..rows.len() * cols.len()];
            let (k, v) = (a.k.get(head).row_range(cols.clone()), a.v.get(head).row_range(cols.clone()));
            product(q, k.t(), scores, Accum::Replace);
            let block = Block { head, queries: rows.clone(), keys: cols };
            simd::dispatch(Weigh { a: &a, block: &block, scores, state: &mut state, sums });
            product(block.matrix(scores), v, sums, Accum::Add);
        }
        for (i, row) in rows.enumerate() {
            let (max, sum, log) = (state.max[i], state.sum[i], state.log[i]);
            // Without a key the sum is 0: so is the output, and so are the weights in the backward pass.
            let (factor, log_sum) = if sum == T::ZERO { (T::ZERO, T::INFINITY) } else { (T::ONE / sum, max + log) };
            // SAFETY: each row of each head belongs to one piece.
            let (out, log_sums) = unsafe { (out.row(head, row), log_sums.row(head, row)) };
            log_sums[0] = log_sum;
            for (out, &x) in out.iter_mut().zip(&sums[i * features..]) {
                *out = x * factor;
            }
        }
    });
}

/// What is known of queries after some blocks of keys: the largest score of each, and the sum of `e^(score - max)` and its logarithm.
struct Running<'a, T> {
    max: &'a mut [T],
    sum: &'a mut [T],
    log: &'a mut [T],
}

impl<'a, T: Real> Running<'a, T> {
    /// Nothing is known yet. The numbers are kept in `room`.
    fn new(room: &'a mut [T]) -> Self {
        let (max, rest) = room.split_at_mut(room.len() / 3);
        let (sum, log) = rest.split_at_mut(max.len());
        max.fill(-T::INFINITY);
        sum.fill(T::ZERO);
        log.fill(T::ONE);
        Running { max, sum, log }
    }
}

/// Up to so many keys, the exponentials of all queries are taken together: rows would leave registers empty.
const FEW: usize = 32;

/// Turns the products of a block into weights relative to the largest score so far, and scales down what was summed up
/// before.
struct Weigh<'a, 'b, T: Real> {
    a: &'a Attention<'b, T>,
    block: &'a Block,
    scores: &'a mut [T],
    state: &'a mut Running<'b, T>,
    sums: &'a mut [T],
}

impl<T: Real> Elementary for Weigh<'_, '_, T> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let Weigh { a, block, scores, state, sums } = self;
        let (scale, count, features) = (T::from_f64(a.scale), block.keys.len(), sums.len() / block.queries.len());
        let mask = a.mask.map(|mask| mask.get(block.head));
        let few = count <= FEW;
        // What the sums so far are worth beside the new largest score.
        let mut factors = [T::ZERO; QUERIES];
        for (at, (row, i)) in scores.chunks_exact_mut(count).zip(block.queries.clone()).enumerate() {
            let (row, hidden) = row.split_at_mut(a.visible(i, block.keys.start, count));
            for s in row.iter_mut() {
                *s *= scale;
            }
            if let Some(mask) = &mask {
                add_mask(mask, i, block.keys.start, row);
            }
            // NaN among the scores comes through by its exponential.
            let max = state.max[at].maximum(lanes::largest(row));
            // Nothing to see yet: any finite number makes the weights 0.
            let shift = if max == -T::INFINITY { T::ZERO } else { max };
            factors[at] = state.max[at] - shift;
            state.max[at] = max;
            if few {
                row.iter_mut().for_each(|s| *s -= shift);
                hidden.fill(-T::INFINITY);
            } else {
                row.iter_mut().for_each(|s| *s = exp_normal::<T, N>(*s - shift));
                hidden.fill(T::ZERO);
            }
        }
        if few {
            scores.iter_mut().for_each(|s| *s = exp_normal::<T, N>(*s));
        }
        let rows = block.queries.len();
        lanes::map_first(&mut factors, rows, exp_normal::<T, N>);
        for (at, (row, i)) in scores.chunks_exact_mut(count).zip(block.queries.clone()).enumerate() {
            let row = &mut row[..a.visible(i, block.keys.start, count)];
            state.sum[at] = state.sum[at] * factors[at] + T::from_f64(lanes::sum(row));
            if block.keys.start > 0 && factors[at] != T::ONE {
                for x in &mut sums[at * features..][..features] {
                    *x *= factors[at];
                }
            }
            if let Some(dropout) = &a.dropout {
                drop_some(a, dropout, block, i, row);
            }
        }
        state.log[..rows].copy_from_slice(&state.sum[..rows]);
        lanes::map_first(state.log, rows, ln::<T, N>);
    }
}
