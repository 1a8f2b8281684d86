//! The gates of an LSTM: one step of some samples and neighboring units, forward and backward.
//!
//! With `s = tanh(c_t)`, and `h'`, `c'` the gradients that reach the state and the memory after the step:
//!
//! ```text
//! o' = h' s              c' += h' o (1 - s^2)
//! i' = c' g              f'  = c' c_{t-1}          g' = c' i          c'_{t-1} = c' f
//! a_i' = i' i (1 - i)    and so on for f and o;    a_g' = g' (1 - g^2)
//! ```
//!
//! `s` is computed again rather than saved.

use super::backward::GatesBackward;
use super::forward::Gates;
use super::gating::Gating;
use super::place::Group;
use crate::Real;
use crate::lanes::LANES;
use crate::number::{Like, sigmoid, tanh};

/// The gates of an LSTM.
pub(super) struct Lstm;

impl<T: Real> Gating<T> for Lstm {
    const HAS_MEMORY: bool = true;
    const BLOCKS: usize = 4;

    /// The output gate and the memory.
    type Gates = [Group<T>; 2];

    #[inline(always)]
    unsafe fn forward<N: Like<T>>(g: &Gates<'_, T>, row: usize, at: usize, count: usize) -> [Group<T>; 2] {
        // SAFETY: the caller's.
        unsafe {
            let mut a = [[T::ZERO; LANES]; 4];
            for (gate, a) in a.iter_mut().enumerate() {
                *a = g.sum(row, gate, gate, at, count);
            }
            let mut c = g.memory_before.load(row, at, count);
            for l in 0..LANES {
                a[0][l] = sigmoid::<T, N>(a[0][l]);
                a[1][l] = sigmoid::<T, N>(a[1][l]);
                a[2][l] = tanh::<T, N>(a[2][l]);
                a[3][l] = sigmoid::<T, N>(a[3][l]);
                c[l] = a[1][l] * c[l] + a[0][l] * a[2][l];
            }
            for (gate, &a) in a.iter().enumerate() {
                g.saved.store(row, gate * g.hidden + at, count, a);
            }
            g.memory.store(row, at, count, c);
            [a[3], c]
        }
    }

    #[inline(always)]
    unsafe fn state<N: Like<T>>(g: &Gates<'_, T>, row: usize, at: usize, count: usize, [o, c]: [Group<T>; 2]) {
        let mut h = [T::ZERO; LANES];
        for l in 0..LANES {
            h[l] = o[l] * tanh::<T, N>(c[l]);
        }
        // SAFETY: the caller's.
        unsafe { g.state.store(row, at, count, h) };
    }

    #[inline(always)]
    unsafe fn backward<N: Like<T>>(g: &GatesBackward<'_, T>, row: usize, at: usize, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            let dh = g.grad_state(row, at, count);
            let mut dc = g.carry_memory.load(row, at, count);
            let (c, before) = (g.memory.load(row, at, count), g.memory_before.load(row, at, count));
            let mut a = [[T::ZERO; LANES]; 4];
            for (gate, a) in a.iter_mut().enumerate() {
                *a = g.saved.load(row, gate * g.hidden + at, count);
            }
            for l in 0..LANES {
                let (i, f, cand, o, s) = (a[0][l], a[1][l], a[2][l], a[3][l], tanh::<T, N>(c[l]));
                let whole = dc[l] + dh[l] * o * (T::ONE - s * s);
                a[0][l] = whole * cand * i * (T::ONE - i);
                a[1][l] = whole * before[l] * f * (T::ONE - f);
                a[2][l] = whole * i * (T::ONE - cand * cand);
                a[3][l] = dh[l] * s * o * (T::ONE - o);
                dc[l] = whole * f;
            }
            for (gate, a) in a.into_iter().enumerate() {
                g.slopes.store(row, gate * g.hidden + at, count, a);
            }
            g.carry_memory.store(row, at, count, dc);
            g.carry.store(row, at, count, [T::ZERO; LANES]);
        }
    }
}
