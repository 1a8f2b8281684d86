//! The activation of a plain recurrent net: one step of some samples and neighboring units, forward and backward.
//!
//! ```text
//! h = tanh(a)      a' = h' (1 - h^2)
//! h = max(a, 0)    a' = h' where h > 0, else 0
//! ```
//!
//! The state itself says all that backward needs.

use super::backward::GatesBackward;
use super::forward::Gates;
use super::place::{Gating, for_groups};
use crate::Real;
use crate::lanes::LANES;
use crate::simd::Kernel;

/// With `RELU` the rectifier, else the hyperbolic tangent.
pub(super) struct Forward<'a, T, const RELU: bool>(pub(super) Gates<'a, T>);

impl<T: Real, const RELU: bool> Kernel for Forward<'_, T, RELU> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: `Gates` was promised the places.
        unsafe { for_groups(&self) }
    }
}

impl<T: Real, const RELU: bool> Gating for Forward<'_, T, RELU> {
    #[inline(always)]
    fn rows(&self) -> usize {
        self.0.rows
    }

    #[inline(always)]
    fn units(&self) -> usize {
        self.0.units
    }

    #[inline(always)]
    unsafe fn passes(&self, row: usize) -> bool {
        // SAFETY: the caller's.
        unsafe { self.0.passes(row, false) }
    }

    #[inline(always)]
    unsafe fn group(&self, row: usize, at: usize, count: usize) {
        let g = &self.0;
        // SAFETY: the caller's.
        unsafe {
            let mut h = g.sum(row, 0, 0, at, count);
            for h in &mut h {
                *h = if RELU { h.maximum(T::ZERO) } else { h.tanh() };
            }
            g.state.store(row, at, count, h);
        }
    }
}

/// With `RELU` the rectifier, else the hyperbolic tangent.
pub(super) struct Backward<'a, T, const RELU: bool>(pub(super) GatesBackward<'a, T>);

impl<T: Real, const RELU: bool> Kernel for Backward<'_, T, RELU> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: `GatesBackward` was promised the places.
        unsafe { for_groups(&self) }
    }
}

impl<T: Real, const RELU: bool> Gating for Backward<'_, T, RELU> {
    #[inline(always)]
    fn rows(&self) -> usize {
        self.0.rows
    }

    #[inline(always)]
    fn units(&self) -> usize {
        self.0.units
    }

    #[inline(always)]
    unsafe fn passes(&self, row: usize) -> bool {
        // SAFETY: the caller's.
        unsafe { self.0.passes(row, 1) }
    }

    #[inline(always)]
    unsafe fn group(&self, row: usize, at: usize, count: usize) {
        let g = &self.0;
        // SAFETY: the caller's.
        unsafe {
            let mut dh = g.grad_state(row, at, count);
            let h = g.state.load(row, at, count);
            for l in 0..LANES {
                let slope = T::ONE - h[l] * h[l];
                let off = if h[l] > T::ZERO { dh[l] } else { T::ZERO };
                dh[l] = if RELU { off } else { dh[l] * slope };
            }
            g.slopes.store(row, at, count, dh);
            g.carry.store(row, at, count, [T::ZERO; LANES]);
        }
    }
}
