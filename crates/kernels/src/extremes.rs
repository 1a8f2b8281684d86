//! Where the largest or smallest numbers of lines stand: the first of equals, and NaN where there is NaN.
//!
//! They have been found before (see [`reduce`](crate::reduce)), so it is enough to compare, many numbers at once.

use crate::parallel;
use crate::simd::{self, Kernel};
use crate::{Real, lanes};

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;
/// Elements compared before it is asked whether one was equal.
const GROUP: usize = 4 * lanes::LANES;

concrete! {
    <T> trait ExtremeKernels;
    /// `places[i]`: the first place in row `i` of `length` numbers where `found[i]` stands; 0 if it stands nowhere.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn in_rows(x: &[T], length: usize, found: &[T], places: &mut [usize]) = in_rows_impl;
    /// The same for the columns of each of the matrices of `rows x cols` numbers in `x`.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn in_columns(x: &[T], rows: usize, cols: usize, found: &[T], places: &mut [usize]) = in_columns_impl;
}

/// Whether a number is the one that was found.
#[inline(always)]
fn is<T: Real>(x: T, found: T) -> bool {
    (x == found) | (x.is_nan() & found.is_nan())
}

fn in_rows_impl<T: Real>(x: &[T], length: usize, found: &[T], places: &mut [usize]) {
    assert!(x.len() == places.len() * length && found.len() == places.len(), "extremes: the lengths do not fit");
    let rows = (PIECE / length.max(1)).max(1);
    parallel::for_each_chunk(places, rows, |i, places| {
        let (x, found) = (&x[i * rows * length..], &found[i * rows..]);
        simd::dispatch(InRows { x, length, found, places });
    });
}

struct InRows<'a, T> {
    x: &'a [T],
    length: usize,
    found: &'a [T],
    places: &'a mut [usize],
}
impl<T: Real> Kernel for InRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let InRows { x, length, found, places } = self;
        for (i, (place, &found)) in places.iter_mut().zip(found).enumerate() {
            let row = &x[i * length..][..length];
            let mut start = 0;
            for group in row.as_chunks::<GROUP>().0 {
                let mut any = false;
                for &x in group {
                    any |= is(x, found);
                }
                if any {
                    break;
                }
                start += GROUP;
            }
            *place = row[start..].iter().position(|&x| is(x, found)).map_or(0, |at| start + at);
        }
    }
}

fn in_columns_impl<T: Real>(x: &[T], rows: usize, cols: usize, found: &[T], places: &mut [usize]) {
    assert!(x.len() == places.len() * rows && found.len() == places.len(), "extremes: the lengths do not fit");
    assert!(u32::try_from(rows).is_ok(), "extremes: a column of {rows} numbers is too long");
    if places.is_empty() {
        return;
    }
    // Whole groups of columns, or as many whole matrices.
    let unit = cols.min(GROUP);
    let piece = (PIECE / rows.max(1)).next_multiple_of(unit).max(unit);
    parallel::for_each_chunk(places, piece, |i, places| {
        simd::dispatch(InColumns { x, rows, cols, start: i * piece, found: &found[i * piece..], places });
    });
}

struct InColumns<'a, T> {
    x: &'a [T],
    rows: usize,
    cols: usize,
    /// The first of these columns, counted through all matrices.
    start: usize,
    found: &'a [T],
    places: &'a mut [usize],
}
impl<T: Real> Kernel for InColumns<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let InColumns { x, rows, cols, start, mut found, mut places } = self;
        let (mut matrix, mut column) = (start / cols, start % cols);
        while !places.is_empty() {
            let width = places.len().min(cols - column);
            let x = &x[matrix * rows * cols + column..];
            let (part, rest) = places.split_at_mut(width);
            in_matrix(x, rows, cols, found, part);
            (matrix, column, places, found) = (matrix + 1, 0, rest, &found[width..]);
        }
    }
}

/// The first columns of a matrix, side by side in registers: of the blocks the last one may overlap the one before.
#[inline(always)]
fn in_matrix<T: Real>(x: &[T], rows: usize, cols: usize, found: &[T], places: &mut [usize]) {
    const HALF: usize = lanes::LANES / 2;
    let width = places.len();
    if width >= lanes::LANES {
        for at in (0..width).step_by(lanes::LANES).map(|at| at.min(width - lanes::LANES)) {
            beside::<T, { lanes::LANES }>(&x[at..], rows, cols, &found[at..], &mut places[at..]);
        }
    } else if width >= HALF {
        for at in [0, width - HALF] {
            beside::<T, HALF>(&x[at..], rows, cols, &found[at..], &mut places[at..]);
        }
    } else {
        for (at, (place, &found)) in places.iter_mut().zip(found).enumerate() {
            *place = (0..rows).position(|row| is(x[row * cols + at], found)).unwrap_or(0);
        }
    }
}

#[inline(always)]
fn beside<T: Real, const WIDTH: usize>(x: &[T], rows: usize, cols: usize, found: &[T], places: &mut [usize]) {
    let (mut first, mut wanted) = ([0u32; WIDTH], [T::ZERO; WIDTH]);
    wanted.copy_from_slice(&found[..WIDTH]);
    // From the last row to the first, which has the last word.
    for row in (0..rows).rev() {
        let x = &x[row * cols..][..WIDTH];
        for i in 0..WIDTH {
            first[i] = if is(x[i], wanted[i]) { row as u32 } else { first[i] };
        }
    }
    for (place, first) in places[..WIDTH].iter_mut().zip(first) {
        *place = first as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matrices: usize, rows: usize, cols: usize) {
        let mut x: Vec<f32> = (0..matrices * rows * cols).map(|i| (i * 7919 % 101) as f32).collect();
        if let Some(x) = x.get_mut(rows * cols / 2) {
            *x = f32::NAN;
        }
        let larger = |a: f32, b: f32| if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) };
        let first = |line: &mut dyn Iterator<Item = f32>| {
            let line: Vec<f32> = line.collect();
            let found = line.iter().copied().fold(f32::NEG_INFINITY, larger);
            (found, line.iter().position(|&x| x == found || x.is_nan() && found.is_nan()).expect("it stands there"))
        };
        let (found, want): (Vec<f32>, Vec<usize>) = x.chunks(cols).map(|row| first(&mut row.iter().copied())).unzip();
        let mut places = vec![usize::MAX; found.len()];
        in_rows(&x, cols, &found, &mut places);
        assert_eq!(places, want, "rows of {cols}");
        let (found, want): (Vec<f32>, Vec<usize>) = x
            .chunks(rows * cols)
            .flat_map(|x| (0..cols).map(move |j| first(&mut x[j..].iter().step_by(cols).copied())))
            .unzip();
        let mut places = vec![usize::MAX; found.len()];
        in_columns(&x, rows, cols, &found, &mut places);
        assert_eq!(places, want, "columns of {rows} x {cols}");
    }

    #[test]
    fn all_sizes_agree_with_the_definition() {
        for (matrices, rows, cols) in [
            (1, 1, 1),
            (3, 2, 5),
            (230, 19, 2),
            (900, 9, 11),
            (70, 33, 23),
            (2, 70, 64),
            (1, 300, 200),
            (5, 3, 1000),
            (1, 2, 70_000),
        ] {
            check(matrices, rows, cols);
        }
        in_rows::<f32>(&[], 3, &[], &mut []);
        in_columns::<f32>(&[], 3, 4, &[], &mut []);
    }
}
