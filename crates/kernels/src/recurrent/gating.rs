//! The gates of a step: a cell says what happens to a group of neighboring units of one sample ([`Gating`]); [`Forward`] and
//! [`Backward`] take that through all samples and units of a step.

use super::backward::GatesBackward;
use super::forward::Gates;
use crate::Real;
use crate::lanes::LANES;
use crate::simd::Kernel;
use std::marker::PhantomData;

/// What a cell does in a step, for `count` units of sample `row`, from unit `at` on.
pub(super) trait Gating<T: Real> {
    /// Whether there is a memory beside the state.
    const HAS_MEMORY: bool;
    /// Blocks of a row of slopes.
    const BLOCKS: usize;

    /// # Safety
    /// The promises of [`Gates`]; these units exist, and `count` is at most [`LANES`].
    unsafe fn forward(gates: &Gates<'_, T>, row: usize, at: usize, count: usize);

    /// # Safety
    /// The promises of [`GatesBackward`]; these units exist, and `count` is at most [`LANES`].
    unsafe fn backward(gates: &GatesBackward<'_, T>, row: usize, at: usize, count: usize);
}

/// All units, group by group. Where the compiler knows the count, a group is a register, else a call that copies memory.
macro_rules! in_groups {
    ($units:expr, |$at:ident, $count:ident| $work:expr) => {
        let whole = $units - $units % LANES;
        for $at in (0..whole).step_by(LANES) {
            let $count = LANES;
            $work;
        }
        if whole < $units {
            let ($at, $count) = (whole, $units - whole);
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

impl<T: Real, C: Gating<T>> Kernel for Forward<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let gates = &self.0;
        for row in 0..gates.rows {
            // SAFETY: `Gates` was promised the places; the groups stay within the units.
            unsafe {
                if !gates.passes(row, C::HAS_MEMORY) {
                    in_groups!(gates.units, |at, count| C::forward(gates, row, at, count));
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

impl<T: Real, C: Gating<T>> Kernel for Backward<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let gates = &self.0;
        for row in 0..gates.rows {
            // SAFETY: `GatesBackward` was promised the places; the groups stay within the units.
            unsafe {
                if !gates.passes(row, C::BLOCKS) {
                    in_groups!(gates.units, |at, count| C::backward(gates, row, at, count));
                }
            }
        }
    }
}
