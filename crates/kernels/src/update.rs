//! Optimizer updates: parameters, gradients and state are read and written in one pass.
//!
//! The formulas and their order are PyTorch's (`torch.optim.SGD`, `Adam`, `AdamW`). With gradient `g`, parameter `p`:
//!
//! ```text
//! SGD     g += decay p;  b = momentum b + (1 - dampening) g  (b = g at first);  g = nesterov ? g + momentum b : b
//!         p -= lr g
//! Adam    g += decay p   (AdamW: p -= lr decay p)
//!         m += (1 - beta1) (g - m);   v = beta2 v + (1 - beta2) g^2;   w = amsgrad ? (w = max(w, v)) : v
//!         p -= lr / (1 - beta1^t)  m / (sqrt(w) / sqrt(1 - beta2^t) + eps)
//! ```
//!
//! One call updates all parameters of a model; where they are many, in fixed pieces over threads. Moments too small to be
//! normal numbers are set to zero: on some processors arithmetic with denormals is a hundred times slower.
//!
//! Sources: D. Kingma, J. Ba, "Adam" (2015); I. Loshchilov, F. Hutter, "Decoupled weight decay regularization" (2019);
//! S. Reddi et al., "On the convergence of Adam and beyond" (2018).

use crate::lanes::{self, LANES};
use crate::simd::{self, Kernel};
use crate::{Buffer, Real, parallel};
use std::ops::Add;

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;
/// Below this many elements in total, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

/// How [`sgd`] updates. The numbers are `f64`, as in PyTorch, and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    /// How much of the last step's direction is kept; 0 for plain descent.
    pub momentum: f64,
    /// How much the gradient's part in the direction is weakened.
    pub dampening: f64,
    /// Whether the gradient is looked up ahead (Nesterov).
    pub nesterov: bool,
    /// How much of the parameter is added to its gradient.
    pub weight_decay: f64,
}

/// One parameter of [`sgd`]. All slices have the same length.
#[derive(Debug)]
pub struct SgdSlot<'a, T> {
    /// The parameter.
    pub param: &'a mut [T],
    /// Its gradient.
    pub grad: &'a [T],
    /// Its direction so far; needed if there is momentum.
    pub buffer: Option<&'a mut [T]>,
    /// Whether this is the parameter's first step, when the direction is the gradient, whatever `buffer` holds.
    pub first: bool,
}

/// How [`adam`] updates. The numbers are `f64`, as in PyTorch, and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub lr: f64,
    /// How much of the mean gradient is kept.
    pub beta1: f64,
    /// How much of the mean squared gradient is kept.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// How much of the parameter is added to its gradient, or taken off itself.
    pub weight_decay: f64,
    /// Whether the decay is taken off the parameter (AdamW).
    pub decoupled: bool,
}

/// One parameter of [`adam`]. All slices have the same length.
#[derive(Debug)]
pub struct AdamSlot<'a, T> {
    /// The parameter.
    pub param: &'a mut [T],
    /// Its gradient.
    pub grad: &'a [T],
    /// The mean of its gradients; zeros before the first step.
    pub mean: &'a mut [T],
    /// The mean of its squared gradients; zeros before the first step.
    pub square: &'a mut [T],
    /// The largest `square` so far, for AMSGrad; zeros before the first step.
    pub max_square: Option<&'a mut [T]>,
    /// Which of the parameter's steps this is: 1 for the first.
    pub step: u64,
}

concrete! {
    <T> trait UpdateKernels;
    /// One step of stochastic gradient descent for every slot.
    ///
    /// # Panics
    /// If the slices of a slot differ in length, or there is momentum and no buffer.
    pub fn sgd(options: &Sgd, slots: &mut [SgdSlot<'_, T>]) = sgd_impl;
    /// One step of Adam or AdamW for every slot.
    ///
    /// # Panics
    /// If the slices of a slot differ in length, or a step is 0.
    pub fn adam(options: &Adam, slots: &mut [AdamSlot<'_, T>]) = adam_impl;
    /// The sum of the squares of all numbers, added up in `f64` (squares of `f32` cannot overflow): the square of the
    /// norm that gradient clipping asks for.
    pub fn sum_of_squares(slices: &[&[T]]) -> f64 = sum_of_squares_impl;
    /// Multiplies all numbers by `factor`.
    pub fn scale(slices: &mut [&mut [T]], factor: T) = scale_impl;
}

/// Calls `work` for every piece of the slots, in parallel where they are many elements in total.
fn spread<S: Send>(total: usize, pieces: impl Iterator<Item = S>, work: impl Fn(&mut S) + Sync + Send) {
    if total < PARALLEL {
        pieces.for_each(|mut piece| work(&mut piece));
    } else {
        let mut pieces: Vec<S> = pieces.collect();
        parallel::for_each_chunk(&mut pieces, 1, |_, piece| work(&mut piece[0]));
    }
}

impl<T> SgdSlot<'_, T> {
    fn pieces(&mut self) -> impl Iterator<Item = SgdSlot<'_, T>> {
        let (len, first) = (self.param.len(), self.first);
        let same = self.grad.len() == len && self.buffer.as_ref().is_none_or(|b| b.len() == len);
        assert!(same, "sgd: parameter, gradient and buffer differ in length");
        let mut buffer = self.buffer.as_deref_mut().map(|b| b.chunks_mut(PIECE));
        let pairs = self.param.chunks_mut(PIECE).zip(self.grad.chunks(PIECE));
        pairs.map(move |(param, grad)| {
            let buffer = buffer.as_mut().and_then(Iterator::next);
            SgdSlot { param, grad, buffer, first }
        })
    }
}

fn sgd_impl<T: Real>(options: &Sgd, slots: &mut [SgdSlot<'_, T>]) {
    let ready = options.momentum == 0.0 || slots.iter().all(|s| s.buffer.is_some());
    assert!(ready, "sgd: momentum needs a buffer for each parameter");
    let total = slots.iter().map(|s| s.param.len()).sum();
    spread(total, slots.iter_mut().flat_map(SgdSlot::pieces), |slot| simd::dispatch(SgdKernel(options, slot)));
}

struct SgdKernel<'a, 'b, T>(&'a Sgd, &'a mut SgdSlot<'b, T>);
impl<T: Real> Kernel for SgdKernel<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let SgdKernel(options, slot) = self;
        let momentum = T::from_f64(options.momentum);
        let (lr, decay) = (T::from_f64(options.lr), T::from_f64(options.weight_decay));
        let Some(buffer) = slot.buffer.as_deref_mut().filter(|_| options.momentum != 0.0) else {
            return sgd_plain(lr, decay, slot.param, slot.grad);
        };
        // At first the direction is the gradient: nothing kept, nothing dampened.
        let (keep, take) =
            if slot.first { (T::ZERO, T::ONE) } else { (momentum, T::from_f64(1.0 - options.dampening)) };
        if slot.first {
            buffer.fill(T::ZERO);
        }
        if options.nesterov {
            sgd_momentum::<T, true>([lr, decay, momentum, keep, take], slot.param, slot.grad, buffer);
        } else {
            sgd_momentum::<T, false>([lr, decay, momentum, keep, take], slot.param, slot.grad, buffer);
        }
    }
}

// The loops take slices as arguments: that they do not overlap is what lets the compiler vectorize them.

#[inline(always)]
fn sgd_plain<T: Real>(lr: T, decay: T, param: &mut [T], grad: &[T]) {
    for (p, &g) in param.iter_mut().zip(grad) {
        *p -= lr * (g + decay * *p);
    }
}

#[inline(always)]
fn sgd_momentum<T: Real, const NESTEROV: bool>(
    [lr, decay, momentum, keep, take]: [T; 5],
    param: &mut [T],
    grad: &[T],
    buffer: &mut [T],
) {
    for ((p, &g), b) in param.iter_mut().zip(grad).zip(buffer) {
        let g = g + decay * *p;
        let direction = flush(keep * *b + take * g);
        *b = direction;
        *p -= lr * if NESTEROV { g + momentum * direction } else { direction };
    }
}

/// Zero for what is too small to be a normal number.
#[inline(always)]
fn flush<T: Real>(x: T) -> T {
    if x.abs() < T::MIN_POSITIVE { T::ZERO } else { x }
}

impl<T> AdamSlot<'_, T> {
    fn pieces(&mut self) -> impl Iterator<Item = AdamSlot<'_, T>> {
        let (len, step) = (self.param.len(), self.step);
        let same = [self.grad.len(), self.mean.len(), self.square.len()] == [len; 3];
        let same = same && self.max_square.as_ref().is_none_or(|b| b.len() == len);
        assert!(same, "adam: parameter, gradient and moments differ in length");
        assert!(step > 0, "adam: steps count from 1");
        let mut max_square = self.max_square.as_deref_mut().map(|b| b.chunks_mut(PIECE));
        let params = self.param.chunks_mut(PIECE).zip(self.grad.chunks(PIECE));
        let moments = self.mean.chunks_mut(PIECE).zip(self.square.chunks_mut(PIECE));
        params.zip(moments).map(move |((param, grad), (mean, square))| {
            let max_square = max_square.as_mut().and_then(Iterator::next);
            AdamSlot { param, grad, mean, square, max_square, step }
        })
    }
}

fn adam_impl<T: Real>(options: &Adam, slots: &mut [AdamSlot<'_, T>]) {
    let total = slots.iter().map(|s| s.param.len()).sum();
    spread(total, slots.iter_mut().flat_map(AdamSlot::pieces), |slot| simd::dispatch(AdamKernel(options, slot)));
}

/// The numbers of a step of Adam, rounded.
#[derive(Clone, Copy)]
struct AdamStep<T> {
    decay: T,
    shrink: T,
    take1: T,
    keep2: T,
    take2: T,
    rate: T,
    root: T,
    eps: T,
}

impl<T: Real> AdamStep<T> {
    fn new(options: &Adam, step: u64) -> Self {
        let power = |beta: f64| beta.powf(step as f64);
        let (coupled, shrink) = if options.decoupled {
            (0.0, 1.0 - options.lr * options.weight_decay)
        } else {
            (options.weight_decay, 1.0)
        };
        AdamStep {
            decay: T::from_f64(coupled),
            shrink: T::from_f64(shrink),
            take1: T::from_f64(1.0 - options.beta1),
            keep2: T::from_f64(options.beta2),
            take2: T::from_f64(1.0 - options.beta2),
            rate: T::from_f64(options.lr / (1.0 - power(options.beta1))),
            root: T::from_f64(1.0 / (1.0 - power(options.beta2)).sqrt()),
            eps: T::from_f64(options.eps),
        }
    }
}

struct AdamKernel<'a, 'b, T>(&'a Adam, &'a mut AdamSlot<'b, T>);
impl<T: Real> Kernel for AdamKernel<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let AdamKernel(options, slot) = self;
        let step = AdamStep::new(options, slot.step);
        match slot.max_square.as_deref_mut() {
            None => adam_plain(step, slot.param, slot.grad, slot.mean, slot.square),
            Some(max_square) => adam_max(step, slot.param, slot.grad, slot.mean, slot.square, max_square),
        }
    }
}

/// What decay leaves of the parameter, and the new moments.
#[inline(always)]
fn adam_element<T: Real>(s: AdamStep<T>, p: T, g: T, m: T, v: T) -> (T, T, T) {
    let g = g + s.decay * p;
    (p * s.shrink, flush(m + s.take1 * (g - m)), flush(s.keep2 * v + s.take2 * (g * g)))
}

#[inline(always)]
fn adam_plain<T: Real>(s: AdamStep<T>, param: &mut [T], grad: &[T], mean: &mut [T], square: &mut [T]) {
    for (((p, &g), m), v) in param.iter_mut().zip(grad).zip(mean).zip(square) {
        let (next, m1, v1) = adam_element(s, *p, g, *m, *v);
        (*m, *v) = (m1, v1);
        *p = next - s.rate * (m1 / (v1.sqrt() * s.root + s.eps));
    }
}

#[inline(always)]
fn adam_max<T: Real>(
    s: AdamStep<T>,
    param: &mut [T],
    grad: &[T],
    mean: &mut [T],
    square: &mut [T],
    max_square: &mut [T],
) {
    for ((((p, &g), m), v), w) in param.iter_mut().zip(grad).zip(mean).zip(square).zip(max_square) {
        let (next, m1, v1) = adam_element(s, *p, g, *m, *v);
        let w1 = w.maximum(v1);
        (*m, *v, *w) = (m1, v1, w1);
        *p = next - s.rate * (m1 / (w1.sqrt() * s.root + s.eps));
    }
}

fn sum_of_squares_impl<T: Real>(slices: &[&[T]]) -> f64 {
    let total: usize = slices.iter().map(|s| s.len()).sum();
    let pieces = slices.iter().flat_map(|s| s.chunks(PIECE));
    if total < PARALLEL {
        return pieces.map(|piece| simd::dispatch(Squares(piece))).sum();
    }
    let pieces: Vec<&[T]> = pieces.collect();
    let mut sums = Buffer::<f64>::unspecified(pieces.len());
    parallel::for_each_chunk(&mut sums, 1, |i, sum| sum[0] = simd::dispatch(Squares(pieces[i])));
    sums.iter().sum()
}

struct Squares<'a, T>(&'a [T]);
impl<T: Real> Kernel for Squares<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += x.to_f64() * x.to_f64();
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum += x.to_f64() * x.to_f64();
        }
        lanes::fold(sums, Add::add)
    }
}

fn scale_impl<T: Real>(slices: &mut [&mut [T]], factor: T) {
    let total = slices.iter().map(|s| s.len()).sum();
    spread(total, slices.iter_mut().flat_map(|s| s.chunks_mut(PIECE)), |piece| simd::dispatch(Scale(piece, factor)));
}

struct Scale<'a, T>(&'a mut [T], T);
impl<T: Real> Kernel for Scale<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for x in self.0 {
            *x *= self.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients that differ from step to step.
    fn gradient(step: usize, i: usize) -> f64 {
        ((step * 37 + i * 101) % 199) as f64 / 99.0 - 1.0
    }

    /// Sizes of a small and of a large model: one slot, some slots, slots cut in pieces.
    const MODELS: [&[usize]; 3] = [&[5], &[17, 0, 300, 1], &[70_000, 3, 40_000]];

    /// PyTorch's `_single_tensor_sgd`, one element.
    fn reference_sgd(o: &Sgd, first: bool, p: &mut f64, mut g: f64, b: &mut f64) {
        g += o.weight_decay * *p;
        if o.momentum != 0.0 {
            *b = if first { g } else { o.momentum * *b + (1.0 - o.dampening) * g };
            g = if o.nesterov { g + o.momentum * *b } else { *b };
        }
        *p -= o.lr * g;
    }

    #[test]
    fn sgd_follows_the_definition() {
        let plain = Sgd { lr: 0.1, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 };
        let momentum = Sgd { momentum: 0.9, dampening: 0.3, weight_decay: 0.01, ..plain };
        let nesterov = Sgd { momentum: 0.9, nesterov: true, ..plain };
        for options in [plain, momentum, nesterov] {
            for &size in MODELS.iter().flat_map(|m| m.iter()) {
                let (mut p, mut b) = (vec![0.5; size], vec![f64::NAN; size]);
                let (mut q, mut c) = (p.clone(), b.clone());
                for step in 0..4 {
                    let g: Vec<f64> = (0..size).map(|i| gradient(step, i)).collect();
                    let buffer = (options.momentum != 0.0).then_some(&mut b[..]);
                    sgd(&options, &mut [SgdSlot { param: &mut p, grad: &g, buffer, first: step == 0 }]);
                    (0..size).for_each(|i| reference_sgd(&options, step == 0, &mut q[i], g[i], &mut c[i]));
                }
                assert!(p.iter().zip(&q).all(|(a, b)| (a - b).abs() < 1e-14), "{options:?}, {size} elements");
            }
        }
    }

    /// PyTorch's `_single_tensor_adam`, one element; the state is mean, square and largest square.
    fn reference_adam(o: &Adam, t: i32, p: &mut f64, mut g: f64, [m, v, w]: &mut [f64; 3], amsgrad: bool) {
        if o.decoupled {
            *p *= 1.0 - o.lr * o.weight_decay;
        } else {
            g += o.weight_decay * *p;
        }
        *m = o.beta1 * *m + (1.0 - o.beta1) * g;
        *v = o.beta2 * *v + (1.0 - o.beta2) * g * g;
        *w = w.max(*v);
        let root = (if amsgrad { *w } else { *v }).sqrt() / (1.0 - o.beta2.powi(t)).sqrt() + o.eps;
        *p -= o.lr / (1.0 - o.beta1.powi(t)) * *m / root;
    }

    fn check_adam<T: Real>(tolerance: f64) {
        let plain = Adam { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false };
        let coupled = Adam { weight_decay: 0.1, beta1: 0.7, ..plain };
        for (options, amsgrad) in [(plain, false), (coupled, true), (Adam { decoupled: true, ..coupled }, false)] {
            for model in MODELS {
                let zeros: Vec<Vec<T>> = model.iter().map(|&n| vec![T::ZERO; n]).collect();
                let (mut m, mut v, mut w) = (zeros.clone(), zeros.clone(), zeros.clone());
                let mut p: Vec<Vec<T>> = model.iter().map(|&n| vec![T::from_f64(0.5); n]).collect();
                let mut want: Vec<Vec<(f64, [f64; 3])>> = model.iter().map(|&n| vec![(0.5, [0.0; 3]); n]).collect();
                for step in 1..=4 {
                    let g: Vec<Vec<T>> =
                        model.iter().map(|&n| (0..n).map(|i| T::from_f64(gradient(step, i))).collect()).collect();
                    let mut slots = Vec::new();
                    for ((((p, g), m), v), w) in p.iter_mut().zip(&g).zip(&mut m).zip(&mut v).zip(&mut w) {
                        let max_square = amsgrad.then_some(&mut w[..]);
                        slots.push(AdamSlot { param: p, grad: g, mean: m, square: v, max_square, step: step as u64 });
                    }
                    adam(&options, &mut slots);
                    for (g, want) in g.iter().zip(&mut want) {
                        for (g, (p, state)) in g.iter().zip(want) {
                            reference_adam(&options, step as i32, p, g.to_f64(), state, amsgrad);
                        }
                    }
                }
                for (p, want) in p.iter().flatten().zip(want.iter().flatten()) {
                    assert!((p.to_f64() - want.0).abs() < tolerance, "{options:?}: {p} is not {}", want.0);
                }
            }
        }
    }

    #[test]
    fn adam_follows_the_definition() {
        check_adam::<f64>(1e-14);
        check_adam::<f32>(3e-7);
    }

    #[test]
    fn tiny_moments_become_zero() {
        let options = Adam { lr: 0.1, beta1: 0.9, beta2: 0.9, eps: 1e-8, weight_decay: 0.0, decoupled: false };
        let (mut p, mut m, mut v) = ([1.0f32; 20], [1e-37f32; 20], [1e-37f32; 20]);
        for step in 1..=60 {
            let (param, mean, square) = (&mut p[..], &mut m[..], &mut v[..]);
            adam(&options, &mut [AdamSlot { param, grad: &[0.0; 20], mean, square, max_square: None, step }]);
        }
        assert_eq!((m, v), ([0.0; 20], [0.0; 20]));
    }

    #[test]
    fn norms_neither_overflow_nor_lose_digits() {
        let ones = vec![0.1f32; 1_000_003];
        let exact = f64::from(0.1f32) * f64::from(0.1f32) * 1_000_003.0;
        assert!((sum_of_squares(&[&ones]) / exact - 1.0).abs() < 1e-12);
        let sum = sum_of_squares(&[&ones, &[1e30f32], &[], &[3.0, 4.0]]);
        assert!((sum / f64::from(1e30f32).powi(2) - 1.0).abs() < 1e-12);
        assert_eq!(sum_of_squares(&[&[3.0f64][..], &[4.0]]), 25.0);
    }

    #[test]
    fn scaling_reaches_everything() {
        let (mut a, mut b) = (vec![2.0f32; 70_001], vec![3.0f32; 5]);
        scale(&mut [&mut a[..], &mut b[..]], 0.5);
        assert!(a.iter().all(|&x| x == 1.0) && b.iter().all(|&x| x == 1.5));
    }
}
