//! Connectionist temporal classification: how probable a sequence of labels is when it is not known which label stands at
//! which time step.
//!
//! A path names a class for each step; removing repetitions and then blanks from it leaves the labels. With the labels
//! between blanks, `l = _ a _ b _ ..`, and `p_t(s)` the logarithm of the probability of `l_s` at step `t`:
//!
//! ```text
//! a_t(s) = p_t(s) + logsumexp of a_{t-1}(s), a_{t-1}(s-1), and a_{t-1}(s-2) if l_s is no blank and not l_{s-2}
//! b_t(s) = p_t(s) + logsumexp of b_{t+1}(s), b_{t+1}(s+1), and b_{t+1}(s+2) likewise
//! loss   = -logsumexp of a_T(S), a_T(S-1)
//! d loss / d p_t(c) = -sum over s with l_s = c of exp(a_t(s) + b_t(s) - p_t(s) + loss)
//! ```
//!
//! All in logarithms and in double precision, so that long sequences do not vanish.
//!
//! Source: A. Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent
//! neural networks", ICML (2006).

use crate::{Real, parallel};

/// Cells of the recursion in a piece of parallel work.
const PIECE: usize = 1 << 12;

/// The shape of logarithms of probabilities in row-major order, and which class is the blank.
#[derive(Clone, Copy, Debug)]
pub struct Ctc {
    /// Time steps.
    pub steps: usize,
    /// Sequences.
    pub batch: usize,
    /// Classes, the blank included.
    pub classes: usize,
    /// The class that stands between labels.
    pub blank: usize,
}

concrete! {
    <T> trait CtcKernels;
    /// The loss of each sequence `targets[n]` under the first `lengths[n]` steps of `log_probs [steps, batch, classes]`:
    /// infinite where the labels need more steps.
    ///
    /// # Panics
    /// If lengths disagree or exceed the steps, or a label is not below the number of classes.
    pub fn ctc(log_probs: &[T], shape: Ctc, targets: &[&[usize]], lengths: &[usize], losses: &mut [T]) = ctc_impl;
    /// The gradient of each loss, `[batch, steps, classes]`. NaN in the steps of a sequence whose loss is infinite.
    ///
    /// # Panics
    /// As [`ctc`].
    pub fn ctc_backward(log_probs: &[T], shape: Ctc, targets: &[&[usize]], lengths: &[usize], gradient: &mut [T]) = ctc_backward_impl;
}

/// One sequence.
struct Sequence<'a, T> {
    log_probs: &'a [T],
    shape: Ctc,
    n: usize,
    target: &'a [usize],
    length: usize,
}

impl<T: Real> Sequence<'_, T> {
    /// Labels and the blanks around them.
    fn states(&self) -> usize {
        2 * self.target.len() + 1
    }

    fn label(&self, s: usize) -> usize {
        if s.is_multiple_of(2) { self.shape.blank } else { self.target[s / 2] }
    }

    /// Whether a path may go from `s - 2` to `s`.
    fn skips(&self, s: usize) -> bool {
        s % 2 == 1 && s > 1 && self.label(s) != self.label(s - 2)
    }

    fn log_prob(&self, t: usize, s: usize) -> f64 {
        self.log_probs[(t * self.shape.batch + self.n) * self.shape.classes + self.label(s)].to_f64()
    }

    /// `a_t(s)` for all steps, row by row.
    fn forward(&self) -> Vec<f64> {
        let states = self.states();
        let mut a = vec![f64::NEG_INFINITY; self.length * states];
        for (s, a) in a.iter_mut().enumerate().take(states.min(2)) {
            *a = self.log_prob(0, s);
        }
        for t in 1..self.length {
            let (before, now) = a.split_at_mut(t * states);
            let before = &before[(t - 1) * states..];
            for s in 0..states {
                let step = if s > 0 { before[s - 1] } else { f64::NEG_INFINITY };
                let skip = if self.skips(s) { before[s - 2] } else { f64::NEG_INFINITY };
                now[s] = self.log_prob(t, s) + log_sum([before[s], step, skip]);
            }
        }
        a
    }

    fn loss_of(&self, a: &[f64]) -> f64 {
        if self.length == 0 {
            return if self.target.is_empty() { 0.0 } else { f64::INFINITY };
        }
        let last = &a[a.len() - self.states()..];
        let end = last.len() - 1;
        -log_sum([last[end], if end > 0 { last[end - 1] } else { f64::NEG_INFINITY }, f64::NEG_INFINITY])
    }

    /// Writes the gradient, `[steps, classes]`.
    fn backward(&self, gradient: &mut [T]) {
        gradient.fill(T::ZERO);
        let (states, a) = (self.states(), self.forward());
        let loss = self.loss_of(&a);
        if loss == f64::INFINITY {
            return gradient[..self.length * self.shape.classes].fill(T::NAN);
        }
        let mut next = vec![f64::NEG_INFINITY; states];
        let mut occupied = vec![0.0; self.shape.classes];
        for t in (0..self.length).rev() {
            let last = t + 1 == self.length;
            let mut now = vec![f64::NEG_INFINITY; states];
            for s in 0..states {
                let ways = if last {
                    // A path ends in the last label or in the blank behind it.
                    [if s + 2 >= states { 0.0 } else { f64::NEG_INFINITY }, f64::NEG_INFINITY, f64::NEG_INFINITY]
                } else {
                    let step = if s + 1 < states { next[s + 1] } else { f64::NEG_INFINITY };
                    let skip = if s + 2 < states && self.skips(s + 2) { next[s + 2] } else { f64::NEG_INFINITY };
                    [next[s], step, skip]
                };
                let rest = log_sum(ways);
                now[s] = self.log_prob(t, s) + rest;
                // `a` holds the probability of this step already; what has none is on no path.
                let path = a[t * states + s] + rest;
                if path > f64::NEG_INFINITY {
                    occupied[self.label(s)] += (path + loss).exp();
                }
            }
            next = now;
            let row = &mut gradient[t * self.shape.classes..][..self.shape.classes];
            for (out, occupied) in row.iter_mut().zip(&mut occupied) {
                *out = T::from_f64(-*occupied);
                *occupied = 0.0;
            }
        }
    }
}

fn log_sum(x: [f64; 3]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        // NaN is not to be lost in a maximum.
        return x.iter().sum();
    }
    max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// Checks the arguments; returns how many sequences make a piece of work.
fn piece(len: usize, shape: Ctc, targets: &[&[usize]], lengths: &[usize]) -> usize {
    let Ctc { steps, batch, classes, blank } = shape;
    assert_eq!(len, steps * batch * classes, "ctc: the probabilities do not have the shape");
    assert!(targets.len() == batch && lengths.len() == batch, "ctc: one target and one length a sequence");
    assert!(lengths.iter().all(|&length| length <= steps), "ctc: a length exceeds the steps");
    assert!(blank < classes && targets.iter().all(|t| t.iter().all(|&l| l < classes)), "ctc: labels are classes");
    let states = targets.iter().map(|target| 2 * target.len() + 1).max().unwrap_or(1);
    (PIECE / (steps * states).max(1)).max(1)
}

fn ctc_impl<T: Real>(log_probs: &[T], shape: Ctc, targets: &[&[usize]], lengths: &[usize], losses: &mut [T]) {
    let piece = piece(log_probs.len(), shape, targets, lengths);
    assert_eq!(losses.len(), shape.batch, "ctc: one loss a sequence");
    parallel::for_each_chunk(losses, piece, |i, losses| {
        for (j, loss) in losses.iter_mut().enumerate() {
            let n = i * piece + j;
            let sequence = Sequence { log_probs, shape, n, target: targets[n], length: lengths[n] };
            let a = sequence.forward();
            *loss = T::from_f64(sequence.loss_of(&a));
        }
    });
}

fn ctc_backward_impl<T: Real>(
    log_probs: &[T],
    shape: Ctc,
    targets: &[&[usize]],
    lengths: &[usize],
    gradient: &mut [T],
) {
    let piece = piece(log_probs.len(), shape, targets, lengths);
    assert_eq!(gradient.len(), log_probs.len(), "ctc: the gradient does not have the shape");
    let size = shape.steps * shape.classes;
    if size == 0 {
        return;
    }
    parallel::for_each_chunk(gradient, piece * size, |i, gradient| {
        for (j, gradient) in gradient.chunks_mut(size).enumerate() {
            let n = i * piece + j;
            Sequence { log_probs, shape, n, target: targets[n], length: lengths[n] }.backward(gradient);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: the sum over all paths that leave the labels; and each class's part of it at each step.
    fn reference(log_probs: &[f64], shape: Ctc, n: usize, target: &[usize], length: usize) -> (f64, Vec<f64>) {
        let Ctc { steps, batch, classes, blank } = shape;
        let (mut total, mut parts) = (0.0, vec![0.0; steps * classes]);
        for number in 0..classes.pow(length as u32) {
            let path: Vec<usize> = (0..length).map(|t| number / classes.pow(t as u32) % classes).collect();
            let mut labels = path.clone();
            labels.dedup();
            labels.retain(|&label| label != blank);
            if labels == target {
                let p: f64 = (0..length).map(|t| log_probs[(t * batch + n) * classes + path[t]]).sum::<f64>().exp();
                total += p;
                path.iter().enumerate().for_each(|(t, c)| parts[t * classes + c] += p);
            }
        }
        parts.iter_mut().for_each(|part| *part /= -total);
        (-total.ln(), parts)
    }

    #[test]
    fn agrees_with_the_sum_over_all_paths() {
        for blank in [0, 2] {
            let shape = Ctc { steps: 6, batch: 5, classes: 3, blank };
            let x: Vec<f64> = (0..90).map(|i| -0.3 - ((i * 37) % 11) as f64 / 4.0).collect();
            let [a, b] = if blank == 0 { [1, 2] } else { [0, 1] };
            let targets: [&[usize]; 5] = [&[a, b, a], &[a, a, b], &[], &[b], &[a, a]];
            let lengths = [6, 5, 4, 1, 3];
            let (mut losses, mut gradient) = ([0.0; 5], vec![0.0; 90]);
            ctc(&x, shape, &targets, &lengths, &mut losses);
            ctc_backward(&x, shape, &targets, &lengths, &mut gradient);
            for n in 0..5 {
                let (loss, parts) = reference(&x, shape, n, targets[n], lengths[n]);
                assert!((losses[n] - loss).abs() < 1e-12, "{n}: {} is not {loss}", losses[n]);
                for (ours, theirs) in gradient[n * 18..].iter().zip(parts) {
                    assert!((ours - theirs).abs() < 1e-12, "{n}: {ours} is not {theirs}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_infinite() {
        let shape = Ctc { steps: 3, batch: 3, classes: 2, blank: 0 };
        let x = [-0.5f32; 18];
        let mut losses = [0.0; 3];
        // Equal neighbors need a blank between them.
        ctc(&x, shape, &[&[1, 1, 1], &[1], &[]], &[3, 0, 0], &mut losses);
        assert_eq!(losses, [f32::INFINITY, f32::INFINITY, 0.0]);
        let mut gradient = [0.0; 18];
        ctc_backward(&x, shape, &[&[1, 1, 1], &[1], &[]], &[3, 0, 0], &mut gradient);
        assert!(gradient[..6].iter().all(|g| g.is_nan()) && gradient[6..].iter().all(|&g| g == 0.0));
        // What stands behind a sequence has no part in its loss.
        ctc_backward(&x, shape, &[&[1, 1, 1], &[1], &[]], &[2, 1, 0], &mut gradient);
        assert!(gradient[..4].iter().all(|g| g.is_nan()) && gradient[4..6].iter().all(|&g| g == 0.0));
    }
}
