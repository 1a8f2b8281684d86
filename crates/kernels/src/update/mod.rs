//! Optimizer updates: parameters, gradients and what is remembered of them are read and written in one pass.
//!
//! Each file holds one rule: its settings, and what it does to an element. This one holds what all rules share: the
//! settings that every optimizer has, the walk over the parameters, and the first two lines of every rule,
//!
//! ```text
//! g = -g  if maximize
//! g += weight_decay p          (decoupled: p -= lr weight_decay p)
//! ```
//!
//! One call updates all parameters of a model; where they are many, in fixed pieces over threads. Settings are `f64`, as in
//! PyTorch, and rounded once. Averages too small to be normal numbers are set to zero: on some processors arithmetic with
//! denormals is a hundred times slower.

mod adadelta;
mod adagrad;
mod adam;
mod lion;
mod nadam;
mod radam;
mod rmsprop;
mod sgd;
#[cfg(test)]
mod testing;
mod vectors;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use lion::Lion;
pub use nadam::NAdam;
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;
pub use vectors::{Pair, add_scaled, clamp, dot, lerp, penalize, scale, sum_of_squares};

use crate::simd::{self, Kernel};
use crate::{Real, parallel};
use std::any::Any;
use std::fmt::Debug;

pub(crate) use vectors::VectorKernels;

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;
/// Below this many elements in total, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

/// How many arrays of a parameter's size a rule may remember.
pub const ARRAYS: usize = 3;

/// What a rule remembers of a parameter: the arrays that [`Rule::arrays`] asks for.
pub type Arrays<'a, T> = [Option<&'a mut [T]>; ARRAYS];

/// What an optimizer does to an element.
pub trait Rule: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// Which arrays it remembers.
    fn arrays(&self) -> [bool; ARRAYS];

    /// What the arrays hold before the first step.
    fn initial(&self) -> f64 {
        0.0
    }

    /// One number that is remembered of each parameter besides, as of `step`, from that of the step before (at first 1).
    fn product(&self, _step: u64, before: f64) -> f64 {
        before
    }

    /// One step for every slot.
    ///
    /// # Panics
    /// If the slices of a slot differ in length, a step is 0, or an array is missing.
    fn step<T: Real>(slots: &mut [Slot<'_, T, Self>]);
}

/// The settings of an optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options<R> {
    /// The learning rate.
    pub lr: f64,
    /// How much of the parameter is added to its gradient, or taken off itself.
    pub weight_decay: f64,
    /// Whether the decay is taken off the parameter.
    pub decoupled: bool,
    /// Whether to climb instead of descend.
    pub maximize: bool,
    /// The rule's own.
    pub rule: R,
}

impl<R> Options<R> {
    /// A rule at this rate, without weight decay.
    pub fn new(lr: f64, rule: R) -> Self {
        Options { lr, weight_decay: 0.0, decoupled: false, maximize: false, rule }
    }
}

/// One parameter. All slices have the same length.
#[derive(Debug)]
pub struct Slot<'a, T, R> {
    /// How to update it.
    pub options: &'a Options<R>,
    /// The parameter.
    pub param: &'a mut [T],
    /// Its gradient.
    pub grad: &'a [T],
    /// What is remembered of it; [`Rule::initial`] before the first step.
    pub arrays: Arrays<'a, T>,
    /// Which of the parameter's steps this is: 1 for the first.
    pub step: u64,
    /// [`Rule::product`] as of this step.
    pub product: f64,
}

concrete! {
    <T> trait UpdateKernels;
    pub(crate) fn sgd(slots: &mut [Slot<'_, T, Sgd>]) = walk::<T, Sgd>;
    pub(crate) fn adam(slots: &mut [Slot<'_, T, Adam>]) = walk::<T, Adam>;
    pub(crate) fn rmsprop(slots: &mut [Slot<'_, T, RmsProp>]) = walk::<T, RmsProp>;
    pub(crate) fn adagrad(slots: &mut [Slot<'_, T, Adagrad>]) = walk::<T, Adagrad>;
    pub(crate) fn adadelta(slots: &mut [Slot<'_, T, Adadelta>]) = walk::<T, Adadelta>;
    pub(crate) fn nadam(slots: &mut [Slot<'_, T, NAdam>]) = walk::<T, NAdam>;
    pub(crate) fn radam(slots: &mut [Slot<'_, T, RAdam>]) = walk::<T, RAdam>;
    pub(crate) fn lion(slots: &mut [Slot<'_, T, Lion>]) = walk::<T, Lion>;
}

/// A rule's pass over one piece of a parameter. Mark it `#[inline(always)]`: it is compiled for every level of SIMD.
trait Pass: Rule {
    fn pass<T: Real>(slot: &mut Slot<'_, T, Self>);
}

fn walk<T: Real, R: Pass>(slots: &mut [Slot<'_, T, R>]) {
    let total = slots.iter().map(|s| s.param.len()).sum();
    let mut pieces = slots.iter_mut().map(Slot::erase);
    walk_erased(total, &mut pieces, &|piece| {
        let Piece { options, param, grad, arrays, step, product, .. } = piece;
        let options: &Options<R> = options.downcast_ref().expect("a piece has the options of its slot");
        let arrays = arrays.each_mut().map(Option::as_deref_mut);
        simd::dispatch(PassKernel(&mut Slot { options, param, grad, arrays, step: *step, product: *product }));
    });
}

struct PassKernel<'a, 'b, T, R>(&'a mut Slot<'b, T, R>);
impl<T: Real, R: Pass> Kernel for PassKernel<'_, '_, T, R> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        R::pass(self.0);
    }
}

/// A slot, or a part of one, of some rule: what is common to all rules is compiled once.
struct Piece<'a, T> {
    /// [`Options`] of the rule.
    options: &'a (dyn Any + Send + Sync),
    /// What its [`Rule::arrays`] are.
    wanted: [bool; ARRAYS],
    param: &'a mut [T],
    grad: &'a [T],
    arrays: Arrays<'a, T>,
    step: u64,
    product: f64,
}

impl<T: Real> Piece<'_, T> {
    /// The piece in pieces for threads.
    fn cut(&mut self) -> impl Iterator<Item = Piece<'_, T>> {
        let Piece { options, wanted, step, product, .. } = *self;
        let len = self.param.len();
        let fits = self.arrays.iter().zip(wanted).all(|(array, wanted)| match array {
            Some(array) => array.len() == len,
            None => !wanted,
        });
        assert!(fits && self.grad.len() == len, "update: parameter, gradient and arrays differ in length");
        assert!(step > 0, "update: steps count from 1");
        let mut arrays = self.arrays.each_mut().map(|array| array.as_deref_mut().map(|a| a.chunks_mut(PIECE)));
        let pairs = self.param.chunks_mut(PIECE).zip(self.grad.chunks(PIECE));
        pairs.map(move |(param, grad)| {
            let arrays = arrays.each_mut().map(|chunks| chunks.as_mut().and_then(Iterator::next));
            Piece { options, wanted, param, grad, arrays, step, product }
        })
    }
}

fn walk_erased<T: Real>(
    total: usize,
    slots: &mut dyn Iterator<Item = Piece<'_, T>>,
    work: &(dyn Fn(&mut Piece<'_, T>) + Sync + Send),
) {
    if total < PARALLEL {
        slots.for_each(|mut slot| slot.cut().for_each(|mut piece| work(&mut piece)));
    } else {
        let mut slots: Vec<_> = slots.collect();
        spread(total, &mut slots.iter_mut().flat_map(Piece::cut), work);
    }
}

/// Calls `work` for every piece, in parallel where they are many elements in total.
fn spread<S: Send>(total: usize, pieces: &mut dyn Iterator<Item = S>, work: &(dyn Fn(&mut S) + Sync + Send)) {
    if total < PARALLEL {
        pieces.for_each(|mut piece| work(&mut piece));
    } else {
        let mut pieces: Vec<S> = pieces.collect();
        parallel::for_each_chunk(&mut pieces, 1, |_, piece| work(&mut piece[0]));
    }
}

impl<T: Real, R: Rule> Slot<'_, T, R> {
    /// The slot without its rule.
    fn erase(&mut self) -> Piece<'_, T> {
        let Slot { options, step, product, .. } = *self;
        let (wanted, (param, grad, arrays)) = (options.rule.arrays(), self.parts());
        Piece { options, wanted, param, grad, arrays, step, product }
    }

    /// The parameter, its gradient and the arrays, each on its own.
    #[inline(always)]
    fn parts(&mut self) -> (&mut [T], &[T], Arrays<'_, T>) {
        (self.param, self.grad, self.arrays.each_mut().map(Option::as_deref_mut))
    }

    /// Which step this is, as a number to calculate with.
    #[inline(always)]
    fn t(&self) -> f64 {
        self.step as f64
    }
}

/// The first lines of every rule: the direction and the weight decay, rounded.
#[derive(Clone, Copy)]
struct Start<T> {
    sign: T,
    decay: T,
    keep: T,
}

impl<T: Real> Start<T> {
    #[inline(always)]
    fn new<R>(options: &Options<R>) -> Self {
        let decay = options.weight_decay;
        let (decay, keep) = if options.decoupled { (0.0, 1.0 - options.lr * decay) } else { (decay, 1.0) };
        let sign = if options.maximize { -T::ONE } else { T::ONE };
        Start { sign, decay: T::from_f64(decay), keep: T::from_f64(keep) }
    }

    /// The gradient to descend along, and what the decay leaves of the parameter.
    #[inline(always)]
    fn apply(self, p: T, g: T) -> (T, T) {
        (p * self.keep, self.sign * g + self.decay * p)
    }
}

/// `beta a + (1 - beta) x`, for an average that forgets.
#[derive(Clone, Copy)]
struct Average<T> {
    keep: T,
    take: T,
}

impl<T: Real> Average<T> {
    #[inline(always)]
    fn new(beta: f64) -> Self {
        Average { keep: T::from_f64(beta), take: T::from_f64(1.0 - beta) }
    }

    /// The average of numbers.
    #[inline(always)]
    fn of(self, a: T, x: T) -> T {
        flush(a + self.take * (x - a))
    }

    /// The average of squares: without a difference, so that it is never negative.
    #[inline(always)]
    fn of_squares(self, a: T, x: T) -> T {
        flush(self.keep * a + self.take * (x * x))
    }
}

/// Zero for what is too small to be a normal number.
#[inline(always)]
fn flush<T: Real>(x: T) -> T {
    if x.abs() < T::MIN_POSITIVE { T::ZERO } else { x }
}
