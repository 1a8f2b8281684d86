//! The gates of a step: a cell says what happens to a group of neighboring units of one sample ([`Gating`]); [`Forward`] and
//! [`Backward`] take that through all samples and units of a step.

use super::backward::GatesBackward;
use super::forward::Gates;
use crate::Real;
use crate::lanes::LANES;
use crate::number::Like;
use crate::simd::Elementary;
use std::marker::PhantomData;

/// What a cell does in a step, for `count` units of sample `row`, from unit `at` on.
pub(super) trait Gating<T: Real> {
    /// Whether there is a memory beside the state.
    const HAS_MEMORY: bool;
    /// Blocks of a row of slopes.
    const BLOCKS: usize;

    /// What [`state`](Gating::state) wants of [`forward`](Gating::forward).
    type Gates;

    /// Functions are those of `N`.
    ///
    /// # Safety
    /// The promises of [`Gates`]; these units exist, and `count` is at most [`LANES`].
    unsafe fn forward<N: Like<T>>(gates: &Gates<'_, T>, row: usize, at: usize, count: usize) -> Self::Gates;

    /// The state, from the gates. Two groups go through their gates before either comes to its state, which would have to wait for
    /// them.
    ///
    /// # Safety
    /// As [`forward`](Gating::forward).
    unsafe fn state<N: Like<T>>(gates: &Gates<'_, T>, row: usize, at: usize, count: usize, values: Self::Gates);

    /// # Safety
    /// The promises of [`GatesBackward`]; these units exist, and `count` is at most [`LANES`].
    unsafe fn backward<N: Like<T>>(gates: &GatesBackward<'_, T>, row: usize, at: usize, count: usize);
}

/// Rows to ask for ahead: a row's gates of a block of units are a few short runs, which the CPU does not foresee.
const AHEAD: usize = 2;

/// All units, group by group. Where the compiler knows the count, a group is a register, else a call that copies memory.
macro_rules! in_groups {
    ($units:expr, |$at:ident, $count:ident| $work:expr) => {
        let std::ops::Range { start, end } = $units;
        let whole = end - (end - start) % LANES;
        for $at in (start..whole).step_by(LANES) {
            let $count = LANES;
            $work;
        }
        if whole < end {
            let ($at, $count) = (whole, end - whole);
            $work;
        }
    };
}

/// The gates of a step of cell `C`.
pub(super) struct Forward<'a, T, C>(Gates<'a, T>, PhantomData<C>);

impl<'a, T: Real, C: Gating<T>> Forward<'a, T, C> {
    pub(super) fn new(gates: Gates<'a, T>) -> Self {
        Forward(gates, PhantomData)
    }
}

impl<T: Real, C: Gating<T>> Elementary for Forward<'_, T, C> {
    type Number = T;
    type Output = ();

    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let gates = &self.0;
        for row in 0..gates.rows {
            // SAFETY: `Gates` was promised the places; the groups stay within the units.
            unsafe {
                for block in 0..C::BLOCKS {
                    gates.saved.ask(row + AHEAD, block * gates.hidden);
                }
                if !gates.passes(row, C::HAS_MEMORY) {
                    let pairs = gates.units - gates.units % (2 * LANES);
                    for at in (0..pairs).step_by(2 * LANES) {
                        let first = C::forward::<N>(gates, row, at, LANES);
                        let second = C::forward::<N>(gates, row, at + LANES, LANES);
                        C::state::<N>(gates, row, at, LANES, first);
                        C::state::<N>(gates, row, at + LANES, LANES, second);
                    }
                    in_groups!(pairs..gates.units, |at, count| {
                        let values = C::forward::<N>(gates, row, at, count);
                        C::state::<N>(gates, row, at, count, values);
                    });
                }
            }
        }
    }
}

/// The derivatives of the gates of a step of cell `C`.
pub(super) struct Backward<'a, T, C>(GatesBackward<'a, T>, PhantomData<C>);

impl<'a, T: Real, C: Gating<T>> Backward<'a, T, C> {
    pub(super) fn new(gates: GatesBackward<'a, T>) -> Self {
        Backward(gates, PhantomData)
    }
}

impl<T: Real, C: Gating<T>> Elementary for Backward<'_, T, C> {
    type Number = T;
    type Output = ();

    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let gates = &self.0;
        for row in 0..gates.rows {
            // SAFETY: `GatesBackward` was promised the places; the groups stay within the units.
            unsafe {
                for block in 0..C::BLOCKS {
                    gates.saved.ask(row + AHEAD, block * gates.hidden);
                    gates.slopes.ask(row + AHEAD, block * gates.hidden);
                }
                gates.grad.ask(row + AHEAD, 0);
                gates.memory_before.ask(row + AHEAD, 0);
                if !gates.passes(row, C::BLOCKS) {
                    in_groups!(0..gates.units, |at, count| C::backward::<N>(gates, row, at, count));
                }
            }
        }
    }
}
