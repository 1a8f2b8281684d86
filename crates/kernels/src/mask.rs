//! Comparisons, which give a byte of 0 or 1 for each pair of numbers, and the choice between two numbers by such a byte.
//!
//! ```text
//! compare   out_i = a_i < b_i, or another comparison         select   out_i = a_i if m_i else b_i
//! ```
//!
//! A choice reads both sides and keeps one: a NaN or an infinity on the other side leaves no trace, as it would in
//! `m a + (1 - m) b`.

use crate::gemm::Lanes;
use crate::merged::Merged;
use crate::simd::{self, Kernel};
use crate::source::{self, Source};
use crate::{Real, View, parallel};

/// Elements that are read together.
const BLOCK: usize = 512;
/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;

/// How two numbers are compared. NaN is unequal to everything, itself included, and neither less nor greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
}

concrete! {
    <T> trait MaskKernels;
    /// `out[i] = comparison(a[i], b[i])`, as 0 or 1. Both views have the output's shape (stride 0 where they are broadcast).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn compare(comparison: Comparison, a: View<'_, T>, b: View<'_, T>, out: &mut [u8]) = compare_impl;
    /// `out[i] = a[i]` where `mask[i]` is not 0, `b[i]` elsewhere. All views have the output's shape.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn select(mask: View<'_, u8>, a: View<'_, T>, b: View<'_, T>, out: &mut [T]) = select_impl;
    /// `out[i] = 1` where `mask[i]` is not 0, 0 elsewhere.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn to_numbers(mask: &[u8], out: &mut [T]) = to_numbers_impl;
}

/// Calls `work(start, a, b, out)` for blocks of two views and of the output, from element `start` on.
fn blocks<T: Lanes, U: Send>(
    [a, b]: [View<'_, T>; 2],
    out: &mut [U],
    work: impl Fn(usize, &[T], &[T], &mut [U]) + Sync + Send,
) {
    let (a, b) = (Source::new(a), Source::new(b));
    let size = a.piece(PIECE).max(b.piece(PIECE));
    parallel::for_each_chunk(out, size, |piece, out| {
        source::in_parts([&a, &b], piece * size, out, BLOCK, &work);
    });
}

/// Compares the numbers of a block.
struct Compare<'a, T> {
    comparison: Comparison,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [u8],
}
impl<T: Real> Kernel for Compare<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        #[inline(always)]
        fn all<T: Real>(a: &[T], b: &[T], out: &mut [u8], holds: impl Fn(T, T) -> bool) {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&a, &b))| *out = holds(a, b).into());
        }
        let Compare { comparison, a, b, out } = self;
        match comparison {
            Comparison::Equal => all(a, b, out, |a, b| a == b),
            Comparison::NotEqual => all(a, b, out, |a, b| a != b),
            Comparison::Less => all(a, b, out, |a, b| a < b),
            Comparison::LessOrEqual => all(a, b, out, |a, b| a <= b),
        }
    }
}

fn compare_impl<T: Lanes>(comparison: Comparison, a: View<'_, T>, b: View<'_, T>, out: &mut [u8]) {
    assert!(a.len() == out.len() && b.len() == out.len(), "compare: inputs and output differ in length");
    blocks([a, b], out, |_, a, b, out| simd::dispatch(Compare { comparison, a, b, out }));
}

fn select_impl<T: Lanes>(mask: View<'_, u8>, a: View<'_, T>, b: View<'_, T>, out: &mut [T]) {
    let fits = [mask.len(), a.len(), b.len()].iter().all(|&len| len == out.len());
    assert!(fits, "select: inputs and output differ in length");
    let Merged { shape, strides } = Merged::new(mask.shape(), mask.strides());
    let mask = View::new(mask.data(), &shape, &strides);
    blocks([a, b], out, |start, a, b, out| {
        let mut block = [0; BLOCK];
        let mask = match mask.as_slice() {
            Some(mask) => &mask[start..start + out.len()],
            None => {
                mask.read(start, &mut block[..out.len()]);
                &block[..out.len()]
            }
        };
        for ((out, &m), (&a, &b)) in out.iter_mut().zip(mask).zip(a.iter().zip(b)) {
            *out = if m != 0 { a } else { b };
        }
    });
}

/// Numbers for the bytes of a piece.
struct ToNumbers<'a, T>(&'a [u8], &'a mut [T]);
impl<T: Real> Kernel for ToNumbers<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.1.iter_mut().zip(self.0).for_each(|(out, &m)| *out = if m != 0 { T::ONE } else { T::ZERO });
    }
}

fn to_numbers_impl<T: Real>(mask: &[u8], out: &mut [T]) {
    assert_eq!(mask.len(), out.len(), "to_numbers: the mask and the output differ in length");
    parallel::for_each_chunk(out, PIECE, |piece, out| {
        simd::dispatch(ToNumbers(&mask[piece * PIECE..][..out.len()], out));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_and_choices_over_layouts() {
        let n = 300 * 201;
        let a: Vec<f64> = (0..n).map(|i| if i % 97 == 0 { f64::NAN } else { ((i * 31) % 7) as f64 }).collect();
        let b: Vec<f64> = (0..201).map(|i| (i % 5) as f64).collect();
        let shape = [300, 201];
        let (rows, columns, repeated) = ([201, 1], [1, 300], [0, 1]);
        for strides in [&rows, &columns] {
            let at = |i: usize| a[(i / 201) * strides[0] + (i % 201) * strides[1]];
            let (left, right) = (View::new(&a, &shape, strides), View::new(&b, &shape, &repeated));
            type Holds = fn(f64, f64) -> bool;
            let holds: [(Comparison, Holds); 4] = [
                (Comparison::Equal, |a, b| a == b),
                (Comparison::NotEqual, |a, b| a != b),
                (Comparison::Less, |a, b| a < b),
                (Comparison::LessOrEqual, |a, b| a <= b),
            ];
            for (comparison, holds) in holds {
                let (mut mask, mut chosen) = (vec![9; n], vec![0.0; n]);
                compare(comparison, left, right, &mut mask);
                assert!((0..n).all(|i| mask[i] == u8::from(holds(at(i), b[i % 201]))), "{comparison:?}");
                select(View::new(&mask, &shape, &rows), left, right, &mut chosen);
                let want = |i: usize| if mask[i] == 1 { at(i) } else { b[i % 201] };
                assert!((0..n).all(|i| chosen[i].to_bits() == want(i).to_bits()), "{comparison:?}");
                to_numbers(&mask, &mut chosen);
                assert!((0..n).all(|i| chosen[i] == f64::from(mask[i])), "{comparison:?}");
            }
        }
    }
}
