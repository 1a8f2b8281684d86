//! The gates of a GRU that resets after the product: one step of some samples and neighboring units, forward and backward.
//!
//! With `h'` the gradient that reaches the state after the step:
//!
//! ```text
//! z' = h' (h_{t-1} - n)      n' = h' (1 - z)         h'_{t-1} = h' z + what flows through the gates
//! a_n' = n' (1 - n^2)        b_n' = a_n' r           r' = a_n' b_n
//! a_r' = r' r (1 - r)        a_z' = z' z (1 - z)
//! ```
//!
//! The four blocks of a row are `a_n, r, z, b_n`; after the forward pass the first holds `n`.

use super::backward::GatesBackward;
use super::forward::Gates;
use super::gating::Gating;
use super::place::Group;
use crate::Real;
use crate::lanes::LANES;
use crate::number::{Like, sigmoid, tanh};

/// The gates of a GRU.
pub(super) struct Gru;

impl<T: Real> Gating<T> for Gru {
    const HAS_MEMORY: bool = false;
    const BLOCKS: usize = 4;

    /// `n` before its activation, `r`, `z` and `b`.
    type Gates = [Group<T>; 4];

    #[inline(always)]
    unsafe fn forward<N: Like<T>>(g: &Gates<'_, T>, row: usize, at: usize, count: usize) -> [Group<T>; 4] {
        // SAFETY: the caller's.
        unsafe {
            let mut n = g.saved.load(row, at, count);
            let mut r = g.sum(row, 1, 0, at, count);
            let mut z = g.sum(row, 2, 1, at, count);
            let mut b = g.product.load(row, 2 * g.width + at, LANES);
            if let Some(bias) = g.candidate_bias {
                let bias = bias.load(0, at, count);
                for l in 0..LANES {
                    b[l] += bias[l];
                }
            }
            for l in 0..LANES {
                r[l] = sigmoid::<T, N>(r[l]);
                z[l] = sigmoid::<T, N>(z[l]);
                n[l] += r[l] * b[l];
            }
            [n, r, z, b]
        }
    }

    #[inline(always)]
    unsafe fn state<N: Like<T>>(
        g: &Gates<'_, T>,
        row: usize,
        at: usize,
        count: usize,
        [mut n, r, z, b]: [Group<T>; 4],
    ) {
        // SAFETY: the caller's.
        unsafe {
            let before = g.state_before.load(row, at, count);
            let mut h = [T::ZERO; LANES];
            for l in 0..LANES {
                n[l] = tanh::<T, N>(n[l]);
                h[l] = (T::ONE - z[l]) * n[l] + z[l] * before[l];
            }
            for (block, values) in [n, r, z, b].into_iter().enumerate() {
                g.saved.store(row, block * g.hidden + at, count, values);
            }
            g.state.store(row, at, count, h);
        }
    }

    #[inline(always)]
    unsafe fn backward<N: Like<T>>(g: &GatesBackward<'_, T>, row: usize, at: usize, count: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut dh = g.grad_state(row, at, count);
            let before = g.state_before.load(row, at, count);
            let mut a = [[T::ZERO; LANES]; 4];
            for (block, a) in a.iter_mut().enumerate() {
                *a = g.saved.load(row, block * g.hidden + at, count);
            }
            for l in 0..LANES {
                let (n, r, z, b) = (a[0][l], a[1][l], a[2][l], a[3][l]);
                let dn = dh[l] * (T::ONE - z) * (T::ONE - n * n);
                a[0][l] = dn;
                a[1][l] = dn * b * r * (T::ONE - r);
                a[2][l] = dh[l] * (before[l] - n) * z * (T::ONE - z);
                a[3][l] = dn * r;
                dh[l] *= z;
            }
            for (block, a) in a.into_iter().enumerate() {
                g.slopes.store(row, block * g.hidden + at, count, a);
            }
            g.carry.store(row, at, count, dh);
        }
    }
}
