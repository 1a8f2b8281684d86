//! The rectified linear unit, with a bit for each element that says whether it lets gradients through.
//!
//! ```text
//! y = max(x, 0)        open = not (y <= 0)        x' = y' where open, else 0
//! ```
//!
//! The bits are all that the backward pass reads: a thirty-second of the memory that `y` itself would take until then. NaN
//! stays NaN, and lets its gradient through: it must not be hidden behind zeros.

use crate::simd::{self, Kernel};
use crate::{Real, parallel};

/// Elements whose bits share a number.
pub const BITS: usize = u32::BITS as usize;
/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 14;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

/// How many numbers hold the bits of `len` elements.
pub fn bits_len(len: usize) -> usize {
    len.div_ceil(BITS)
}

concrete! {
    <T> trait ReluKernels;
    /// `y = max(x, 0)` and the bits of its elements: element `i` has bit `i % 32` of `open[i / 32]`.
    ///
    /// # Panics
    /// If the lengths differ, or `open` is not [`bits_len`] long.
    pub fn forward(x: &[T], y: &mut [T], open: &mut [u32]) = forward_impl;
    /// [`forward`] in place.
    ///
    /// # Panics
    /// If `open` is not [`bits_len`] long.
    pub fn forward_in_place(y: &mut [T], open: &mut [u32]) = forward_in_place_impl;
    /// Overwrites the elements of `g` whose bits are not set with 0.
    ///
    /// # Panics
    /// If `open` is not [`bits_len`] long.
    pub fn gate(g: &mut [T], open: &[u32]) = gate_impl;
}

/// The bits of some elements.
#[inline(always)]
fn bits<T: Real>(x: &[T]) -> u32 {
    let mut bits = 0;
    for (i, &x) in x.iter().enumerate() {
        bits |= if x <= T::ZERO { 0 } else { 1 << i };
    }
    bits
}

/// From `x` to `y`, or in place.
struct Forward<'a, T> {
    x: Option<&'a [T]>,
    y: &'a mut [T],
    open: &'a mut [u32],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Forward { x, y, open } = self;
        let x = x.map(|x| x.as_chunks::<BITS>());
        let (groups, rest) = y.as_chunks_mut::<BITS>();
        for (at, (y, open)) in groups.iter_mut().zip(&mut *open).enumerate() {
            let from = x.map_or(*y, |(groups, _)| groups[at]);
            *open = bits(&from);
            for (y, x) in y.iter_mut().zip(from) {
                *y = x.maximum(T::ZERO);
            }
        }
        if !rest.is_empty() {
            if let Some((_, x)) = x {
                rest.copy_from_slice(x);
            }
            open[groups.len()] = bits(rest);
            rest.iter_mut().for_each(|y| *y = y.maximum(T::ZERO));
        }
    }
}

struct Gate<'a, T>(&'a mut [T], &'a [u32]);
impl<T: Real> Kernel for Gate<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Gate(g, open) = self;
        let (groups, rest) = g.as_chunks_mut::<BITS>();
        for (g, &open) in groups.iter_mut().zip(open) {
            for (i, g) in g.iter_mut().enumerate() {
                *g = if open & (1 << i) == 0 { T::ZERO } else { *g };
            }
        }
        for (i, g) in rest.iter_mut().enumerate() {
            *g = if open[groups.len()] & (1 << i) == 0 { T::ZERO } else { *g };
        }
    }
}

fn forward_impl<T: Real>(x: &[T], y: &mut [T], open: &mut [u32]) {
    assert!(x.len() == y.len() && open.len() == bits_len(x.len()), "relu: the lengths differ");
    pieces(y, open, |at, y, open| simd::dispatch(Forward { x: Some(&x[at..at + y.len()]), y, open }));
}

fn forward_in_place_impl<T: Real>(y: &mut [T], open: &mut [u32]) {
    assert!(open.len() == bits_len(y.len()), "relu: the lengths differ");
    pieces(y, open, |_, y, open| simd::dispatch(Forward { x: None, y, open }));
}

/// Calls `work(start, elements, bits)` for each piece.
fn pieces<T: Real>(y: &mut [T], open: &mut [u32], work: impl Fn(usize, &mut [T], &mut [u32]) + Sync + Send) {
    let piece = if y.len() < PARALLEL { PARALLEL } else { PIECE };
    parallel::for_each_chunk2((y, open), (piece, piece / BITS), |i, y, open| work(i * piece, y, open));
}

fn gate_impl<T: Real>(g: &mut [T], open: &[u32]) {
    assert_eq!(open.len(), bits_len(g.len()), "relu: a bit for each element of the gradient");
    let piece = if g.len() < PARALLEL { PARALLEL } else { PIECE };
    parallel::for_each_chunk(g, piece, |i, g| simd::dispatch(Gate(g, &open[i * piece / BITS..])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition() {
        for len in [0, 1, 31, 32, 33, 1000, PARALLEL + 77] {
            let x: Vec<f32> = (0..len).map(|i| [f32::NAN, -0.0, 0.0, 1.5, -2.5, f32::INFINITY][i * 7 % 6]).collect();
            let (mut y, mut open) = (vec![9.0; len], vec![0; bits_len(len)]);
            forward(&x, &mut y, &mut open);
            let (mut in_place, mut same) = (x.clone(), vec![0; bits_len(len)]);
            forward_in_place(&mut in_place, &mut same);
            assert!(same == open && in_place.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
            let mut g = vec![3.0f32; len];
            gate(&mut g, &open);
            for i in 0..len {
                let want = if x[i] <= 0.0 { 0.0 } else { x[i] };
                assert!(y[i] == want || y[i].is_nan() && x[i].is_nan(), "relu({}) gave {}", x[i], y[i]);
                assert_eq!(g[i], if x[i] <= 0.0 { 0.0 } else { 3.0 }, "the gradient at {}", x[i]);
            }
        }
    }
}
