//! The rectified linear unit, with a bit for each element that says whether it lets gradients through.
//!
//! ```text
//! y = max(x, 0)        open = not (y <= 0)        x' = y' where open, else 0
//! ```
//!
//! The bits are all that the backward pass reads: a thirty-second of the memory that `y` itself would take until then. NaN
//! stays NaN, and lets its gradient through: it must not be hidden behind zeros.

use std::ptr::null_mut;

use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Element, Lane};
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
    /// The bits of elements that are `max(x, 0)` already: they are those of `x`.
    ///
    /// # Panics
    /// If `open` is not [`bits_len`] long.
    pub fn open(y: &[T], open: &mut [u32]) = open_impl;
    /// Overwrites the elements of `g` whose bits are not set with 0.
    ///
    /// # Panics
    /// If `open` is not [`bits_len`] long.
    pub fn gate(g: &mut [T], open: &[u32]) = gate_impl;
}

/// What becomes of the elements besides giving bits.
enum Elements<'a, T> {
    /// They are `max(x, 0)` already.
    Done(&'a [T]),
    /// They go from `x` to `y`.
    Apart(&'a [T], &'a mut [T]),
    /// They are overwritten.
    InPlace(&'a mut [T]),
}

/// The bits of elements, and perhaps their ReLU.
struct Forward<'a, T>(Elements<'a, T>, &'a mut [u32]);

impl<T: Real> LaneKernel<T> for Forward<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        let Forward(elements, open) = self;
        let (x, y, len) = match elements {
            Elements::Done(x) => (x.as_ptr(), null_mut(), x.len()),
            Elements::Apart(x, y) => (x.as_ptr(), y.as_mut_ptr(), y.len().min(x.len())),
            Elements::InPlace(y) => (y.as_ptr(), y.as_mut_ptr(), y.len()),
        };
        assert_eq!(open.len(), bits_len(len), "relu: a bit for each element");
        // SAFETY: the caller entered `L`; there are `len` elements, and a number for the bits of each `BITS` of them.
        unsafe {
            for (at, open) in open.iter_mut().enumerate() {
                let mut bits = 0;
                for j in (0..BITS).step_by(L::LANES) {
                    let at = at * BITS + j;
                    if at + L::LANES <= len {
                        let x = L::load(x.add(at));
                        bits |= x.open() << j;
                        if !y.is_null() {
                            x.relu().store(y.add(at));
                        }
                    } else if at < len {
                        let x = L::load_first(x.add(at), len - at);
                        bits |= x.open() << j;
                        if !y.is_null() {
                            x.relu().store_first(y.add(at), len - at);
                        }
                    }
                }
                *open = bits;
            }
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

fn forward_impl<T: Element>(x: &[T], y: &mut [T], open: &mut [u32]) {
    assert!(x.len() == y.len() && open.len() == bits_len(x.len()), "relu: the lengths differ");
    pieces(y, open, |at, y, open| dispatch(Forward(Elements::Apart(&x[at..at + y.len()], y), open)));
}

fn forward_in_place_impl<T: Element>(y: &mut [T], open: &mut [u32]) {
    assert!(open.len() == bits_len(y.len()), "relu: the lengths differ");
    pieces(y, open, |_, y, open| dispatch(Forward(Elements::InPlace(y), open)));
}

fn open_impl<T: Element>(y: &[T], open: &mut [u32]) {
    assert!(open.len() == bits_len(y.len()), "relu: the lengths differ");
    let piece = piece(y.len());
    parallel::for_each_chunk(open, piece / BITS, |i, open| {
        let y = &y[i * piece..];
        dispatch(Forward(Elements::Done(&y[..y.len().min(piece)]), open));
    });
}

/// How many elements a thread takes at once.
fn piece(len: usize) -> usize {
    if len < PARALLEL { PARALLEL } else { PIECE }
}

/// Calls `work(start, elements, bits)` for each piece.
fn pieces<T: Real>(y: &mut [T], open: &mut [u32], work: impl Fn(usize, &mut [T], &mut [u32]) + Sync + Send) {
    let piece = piece(y.len());
    parallel::for_each_chunk2((y, open), (piece, piece / BITS), |i, y, open| work(i * piece, y, open));
}

fn gate_impl<T: Real>(g: &mut [T], open: &[u32]) {
    assert_eq!(open.len(), bits_len(g.len()), "relu: a bit for each element of the gradient");
    let piece = piece(g.len());
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
            super::open(&y, &mut same);
            assert_eq!(same, open);
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
