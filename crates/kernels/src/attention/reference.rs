//! Attention as it is defined, one score after another: what the kernels are compared with.

use super::Attention;
use crate::Real;
use crate::gemm::Mats;

/// The weights of query `i` in a head, after softmax, before dropout.
fn weights<T: Real>(a: &Attention<'_, T>, head: usize, i: usize) -> Vec<f64> {
    let (q, k) = (a.q.get(head), a.k.get(head));
    let score = |j: usize| {
        let dot: f64 = (0..q.cols()).map(|e| q.at(i, e).to_f64() * k.at(j, e).to_f64()).sum();
        let seen = a.causal.is_none_or(|past| j <= i + past);
        let mask = a.mask.map_or(0.0, |mask| mask.get(head).at(i, j).to_f64());
        if seen { dot * a.scale + mask } else { f64::NEG_INFINITY }
    };
    let scores: Vec<f64> = (0..k.rows()).map(score).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return vec![0.0; scores.len()];
    }
    let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
    scores.iter().map(|s| (s - max).exp() / sum).collect()
}

/// What dropout multiplies a weight with.
fn kept<T: Real>(a: &Attention<'_, T>, head: usize, i: usize, j: usize) -> f64 {
    let (_, queries, keys) = a.sizes();
    a.dropout.map_or(1.0, |dropout| dropout.factor(((head * queries + i) * keys + j) as u64).to_f64())
}

/// The output, `[heads, queries, value features]`.
pub fn attention<T: Real>(a: &Attention<'_, T>) -> Vec<f64> {
    let (heads, queries, keys) = a.sizes();
    let mut out = Vec::new();
    for (head, i) in (0..heads).flat_map(|head| (0..queries).map(move |i| (head, i))) {
        let (p, v) = (weights(a, head, i), a.v.get(head));
        out.extend(
            (0..v.cols()).map(|f| (0..keys).map(|j| p[j] * kept(a, head, i, j) * v.at(j, f).to_f64()).sum::<f64>()),
        );
    }
    out
}

/// The gradients of `q`, `k` and `v`, each shaped like its own.
pub fn attention_backward<T: Real>(a: &Attention<'_, T>, grad: &Mats<'_, T>) -> [Vec<f64>; 3] {
    let (heads, queries, keys) = a.sizes();
    let (features, value_features) = (a.q.shape().1, a.v.shape().1);
    let (mut dq, mut dk) = (vec![0.0; heads * queries * features], vec![0.0; heads * keys * features]);
    let mut dv = vec![0.0; heads * keys * value_features];
    for (head, i) in (0..heads).flat_map(|head| (0..queries).map(move |i| (head, i))) {
        let (q, k, v, g) = (a.q.get(head), a.k.get(head), a.v.get(head), grad.get(head));
        let p = weights(a, head, i);
        let dp: Vec<f64> = (0..keys)
            .map(|j| {
                let dot: f64 = (0..value_features).map(|f| g.at(i, f).to_f64() * v.at(j, f).to_f64()).sum();
                dot * kept(a, head, i, j)
            })
            .collect();
        let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
        for j in 0..keys {
            let ds = p[j] * (dp[j] - mean) * a.scale;
            for e in 0..features {
                dq[(head * queries + i) * features + e] += ds * k.at(j, e).to_f64();
                dk[(head * keys + j) * features + e] += ds * q.at(i, e).to_f64();
            }
            for f in 0..value_features {
                dv[(head * keys + j) * value_features + f] += p[j] * kept(a, head, i, j) * g.at(i, f).to_f64();
            }
        }
    }
    [dq, dk, dv]
}
