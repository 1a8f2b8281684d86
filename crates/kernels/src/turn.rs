//! Turned copies: what stands apart in memory becomes neighbors, and the other way round.
//!
//! Squares of numbers are transposed in registers, so that memory is read and written in runs.

use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Lane, Lanes, MAX_LANES, transpose_square};
use crate::size;

/// Rows that are turned together: some lines of the cache.
const STRIP: usize = 32;

/// Where the rows of a turned copy begin: row `i` at `i % count * pitch + i / count * outer`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) count: usize,
    pub(crate) pitch: usize,
    pub(crate) outer: usize,
}

impl Places {
    /// Rows that stand evenly apart.
    pub(crate) fn even(pitch: usize) -> Self {
        Places { count: usize::MAX, pitch, outer: 0 }
    }

    /// The end of some rows.
    fn end(&self, rows: usize, width: usize) -> usize {
        size::end(width, [(rows.min(self.count), self.pitch), (rows.div_ceil(self.count), self.outer)].into_iter())
    }
}

/// `to[place of i + j] = from[i + j * step]` for `i < rows` and `j < width`.
///
/// # Panics
/// If one of these places does not exist.
pub(crate) fn turn<T: Lanes>(from: &[T], step: usize, (rows, width): (usize, usize), to: &mut [T], places: Places) {
    if rows == 0 || width == 0 {
        return;
    }
    let from_end = size::end(rows, [(width, step)].into_iter());
    assert!(from_end <= from.len() && places.end(rows, width) <= to.len(), "turn: too little memory");
    dispatch(Turn { from: from.as_ptr(), step, rows, width, to: to.as_mut_ptr(), places });
}

struct Turn<T> {
    from: *const T,
    step: usize,
    rows: usize,
    width: usize,
    to: *mut T,
    places: Places,
}

impl<T: Lanes> LaneKernel<T> for Turn<T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        // SAFETY: the caller's.
        unsafe { if self.places.count >= self.rows { self.squares::<L, true>() } else { self.squares::<L, false>() } }
    }
}

impl<T: Lanes> Turn<T> {
    /// Turns all, square by square. `EVEN`: the rows stand evenly apart.
    ///
    /// # Safety
    /// The CPU has the registers.
    #[inline(always)]
    unsafe fn squares<L: Lane<Num = T>, const EVEN: bool>(&self) {
        for first in (0..self.rows).step_by(STRIP) {
            let end = self.rows.min(first + STRIP);
            for j in (0..self.width).step_by(L::LANES) {
                for i in (first..end).step_by(L::LANES) {
                    // SAFETY: `turn` has checked that all rows and columns are there; the registers are the caller's.
                    unsafe { self.square::<L, EVEN>(i, j) }
                }
            }
        }
    }

    /// Turns the square that begins at row `i` and column `j`, or what is there of it.
    ///
    /// # Safety
    /// The row and the column are there, and the CPU has the registers.
    #[inline(always)]
    unsafe fn square<L: Lane<Num = T>, const EVEN: bool>(&self, i: usize, j: usize) {
        let (height, width) = ((self.rows - i).min(L::LANES), (self.width - j).min(L::LANES));
        // SAFETY: `height` and `width` keep all inside what `turn` has checked.
        unsafe {
            let mut square = [L::splat(T::ZERO); MAX_LANES];
            for (k, row) in square.iter_mut().enumerate().take(L::LANES) {
                // Columns behind the last repeat it: something must be read.
                let from = self.from.add(i + (j + k.min(width - 1)) * self.step);
                *row = if height == L::LANES { L::load(from) } else { L::load_first(from, height) };
            }
            transpose_square(&mut square);
            let Places { count, pitch, outer } = self.places;
            let (mut group, mut within) = if EVEN { (0, i) } else { (i / count, i % count) };
            for (k, row) in square.iter().enumerate().take(L::LANES) {
                if k < height {
                    let to = self.to.add(group * outer + within * pitch + j);
                    if width == L::LANES {
                        row.store(to)
                    } else {
                        row.store_first(to, width)
                    }
                    within += 1;
                    if !EVEN && within == count {
                        (group, within) = (group + 1, 0);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sizes_agree_with_plain_indices() {
        for (rows, width) in (0..40).flat_map(|rows| (0..40).step_by(3).map(move |width| (rows, width))) {
            let (step, pitch) = (rows + 2, width + 1);
            let from: Vec<f32> = (0..step * width + 1).map(|i| i as f32).collect();
            let mut to = vec![-1.0; rows * pitch];
            turn(&from, step, (rows, width), &mut to, Places::even(pitch));
            for (at, &x) in to.iter().enumerate() {
                let (i, j) = (at / pitch, at % pitch);
                assert_eq!(x, if j < width { from[i + j * step] } else { -1.0 }, "{rows}x{width} at {i}, {j}");
            }
        }
    }

    #[test]
    fn rows_of_groups_go_to_their_places() {
        for (rows, count, width) in [(40, 3, 17), (37, 1, 5), (64, 16, 32), (5, 7, 20)] {
            let from: Vec<f32> = (0..rows * width).map(|i| i as f32).collect();
            let places = Places { count, pitch: 30 * width, outer: width + 2 };
            let mut to = vec![-1.0; places.end(rows, width)];
            turn(&from, rows, (rows, width), &mut to, places);
            for (i, j) in (0..rows).flat_map(|i| (0..width).map(move |j| (i, j))) {
                let at = i % count * places.pitch + i / count * places.outer;
                assert_eq!(to[at + j], from[i + j * rows], "{rows}x{width} in groups of {count} at {i}, {j}");
            }
        }
    }
}
