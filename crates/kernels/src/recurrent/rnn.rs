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
use super::gating::Gating;
use super::place::Group;
use crate::Real;
use crate::lanes::LANES;
use crate::number::{Like, tanh};

/// The activation of a plain recurrent net: with `RELU` the rectifier, else the hyperbolic tangent.
pub(super) struct Rnn<const RELU: bool>;

impl<T: Real, const RELU: bool> Gating<T> for Rnn<RELU> {
    const HAS_MEMORY: bool = false;
    const BLOCKS: usize = 1;

    /// `a`
    type Gates = Group<T>;

    #[inline(always)]
    unsafe fn forward<N: Like<T>>(g: &Gates<'_, T>, row: usize, at: usize, count: usize) -> Group<T> {
        // SAFETY: the caller's.
        unsafe { g.sum(row, 0, 0, at, count) }
    }

    #[inline(always)]
    unsafe fn state<N: Like<T>>(g: &Gates<'_, T>, row: usize, at: usize, count: usize, mut h: Group<T>) {
        for h in &mut h {
            *h = if RELU { h.maximum(T::ZERO) } else { tanh::<T, N>(*h) };
        }
        // SAFETY: the caller's.
        unsafe { g.state.store(row, at, count, h) };
    }

    #[inline(always)]
    unsafe fn backward<N: Like<T>>(g: &GatesBackward<'_, T>, row: usize, at: usize, count: usize) {
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
