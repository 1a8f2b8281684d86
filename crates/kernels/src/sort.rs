//! The order of numbers along one dimension.
//!
//! Numbers become integers that compare as they do: the bits of a positive number count up with it, those of a negative
//! one down. NaN comes after all numbers, -0 and 0 are equal, and equal numbers keep their order.

use crate::{Real, parallel};

concrete! {
    <T> trait SortKernels;
    /// The places of the first `k` elements in order, along the middle one of the dimensions `[outer, n, inner]`: `order` has
    /// the dimensions `[outer, k, inner]`. The smallest comes first and NaN last; the other way round if `descending`.
    ///
    /// # Panics
    /// If `k` is larger than `n` or the lengths do not fit.
    pub fn argsort(src: &[T], n: usize, inner: usize, k: usize, descending: bool, order: &mut [usize]) = argsort_impl;
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 12;

/// Up to so many chosen elements are kept in order while a line is read, instead of sorting it.
const FEW: usize = 64;

/// An integer that compares as the number does; NaN is the largest.
fn key<T: Real>(x: T) -> u64 {
    if x.is_nan() {
        return u64::MAX;
    }
    // The sum turns -0 into 0.
    let bits = (x.to_f64() + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Keeps the `k` first in order as they come by: most of a long line is passed over with one comparison.
fn first(kept: &mut Vec<(u64, usize)>, k: usize, line: impl Iterator<Item = (u64, usize)>) {
    for (key, place) in line {
        if kept.len() == k {
            // Of equal numbers the earlier ones stay.
            if kept.last().is_none_or(|&(last, _)| last <= key) {
                continue;
            }
            kept.pop();
        }
        let at = kept.partition_point(|&(other, _)| other <= key);
        kept.insert(at, (key, place));
    }
}

fn argsort_impl<T: Real>(src: &[T], n: usize, inner: usize, k: usize, descending: bool, order: &mut [usize]) {
    assert!(k <= n, "argsort: {k} of {n} elements");
    if order.is_empty() {
        return;
    }
    let (size, chosen) = (n * inner, k * inner);
    assert_eq!(src.len() / size, order.len() / chosen, "argsort: input and output do not fit");
    let together = (PIECE / size).max(1);
    parallel::for_each_chunk(order, together * chosen, |piece, order| {
        let mut line: Vec<(u64, usize)> = Vec::with_capacity(n);
        for (block, order) in order.chunks_mut(chosen).enumerate() {
            let src = &src[(piece * together + block) * size..][..size];
            for j in 0..inner {
                let keys = src[j..].iter().step_by(inner).map(|&x| if descending { !key(x) } else { key(x) });
                line.clear();
                if k <= FEW && k < n / 4 {
                    first(&mut line, k, keys.zip(0..n));
                } else {
                    line.extend(keys.zip(0..n));
                    // Places tell equal numbers apart, so an unstable sort keeps their order.
                    if k < n && k > 0 {
                        line.select_nth_unstable(k - 1);
                    }
                    line[..k].sort_unstable();
                }
                let places = line[..k].iter().map(|&(_, place)| place);
                order[j..].iter_mut().step_by(inner).zip(places).for_each(|(to, place)| *to = place);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    /// The order by definition: a stable sort by comparison.
    fn reference(line: &[f32], descending: bool) -> Vec<usize> {
        let compare = |a: f32, b: f32| match (a.is_nan(), b.is_nan()) {
            (false, false) => a.partial_cmp(&b).expect("numbers"),
            (a, b) => a.cmp(&b),
        };
        let mut order: Vec<usize> = (0..line.len()).collect();
        order.sort_by(|&a, &b| {
            let order: Ordering = compare(line[a], line[b]);
            if descending { order.reverse() } else { order }
        });
        order
    }

    #[test]
    fn orders_agree_with_a_comparing_sort() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, f32::MIN_POSITIVE, -1e-40, 1e-45];
        for (outer, n, inner) in [(3, 17, 2), (1, 5000, 1), (1, 400, 2), (400, 30, 1), (2, 1, 3), (0, 3, 1)] {
            let number =
                |i: usize| if i.is_multiple_of(5) { odd[i / 5 % odd.len()] } else { ((i * 7919) % 23) as f32 - 11.0 };
            let src: Vec<f32> = (0..outer * n * inner).map(number).collect();
            for descending in [false, true] {
                for k in [n, n / 3, n / 8, 0] {
                    let mut order = vec![usize::MAX; outer * k * inner];
                    argsort(&src, n, inner, k, descending, &mut order);
                    for (o, j) in (0..outer).flat_map(|o| (0..inner).map(move |j| (o, j))) {
                        let line: Vec<f32> = (0..n).map(|t| src[(o * n + t) * inner + j]).collect();
                        let found: Vec<usize> = (0..k).map(|t| order[(o * k + t) * inner + j]).collect();
                        assert_eq!(found, reference(&line, descending)[..k], "{line:?}");
                    }
                }
            }
        }
    }
}
