//! Turned copies: what stands apart in memory becomes neighbors, and the other way round.
//!
//! Squares of numbers are transposed in registers, so that memory is read and written in runs.

use crate::gemm::registers::{LaneKernel, dispatch};
use crate::gemm::{Lane, Lanes, MAX_LANES, transpose_square};
use crate::size;

/// Rows that are turned together: some lines of the cache.
const STRIP: usize = 32;

/// `to[i * pitch + j] = from[i + j * step]` for `i < rows` and `j < width`.
///
/// # Panics
/// If one of these places does not exist.
pub(crate) fn turn<T: Lanes>(from: &[T], step: usize, (rows, width): (usize, usize), to: &mut [T], pitch: usize) {
    if rows == 0 || width == 0 {
        return;
    }
    let (from_end, to_end) =
        (size::end(rows, [(width, step)].into_iter()), size::end(width, [(rows, pitch)].into_iter()));
    assert!(from_end <= from.len() && to_end <= to.len(), "turn: too little memory");
    dispatch(Turn { from: from.as_ptr(), step, rows, width, to: to.as_mut_ptr(), pitch });
}

struct Turn<T> {
    from: *const T,
    step: usize,
    rows: usize,
    width: usize,
    to: *mut T,
    pitch: usize,
}

impl<T: Lanes> LaneKernel<T> for Turn<T> {
    #[inline(always)]
    unsafe fn run<L: Lane<Num = T>>(self) {
        for first in (0..self.rows).step_by(STRIP) {
            let end = self.rows.min(first + STRIP);
            for j in (0..self.width).step_by(L::LANES) {
                for i in (first..end).step_by(L::LANES) {
                    // SAFETY: `turn` has checked that all rows and columns are there; the registers are the caller's.
                    unsafe { self.square::<L>(i, j) }
                }
            }
        }
    }
}

impl<T: Lanes> Turn<T> {
    /// Turns the square that begins at row `i` and column `j`, or what is there of it.
    ///
    /// # Safety
    /// The row and the column are there, and the CPU has the registers.
    #[inline(always)]
    unsafe fn square<L: Lane<Num = T>>(&self, i: usize, j: usize) {
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
            for (k, row) in square.iter().enumerate().take(L::LANES) {
                if k < height {
                    let to = self.to.add((i + k) * self.pitch + j);
                    if width == L::LANES { row.store(to) } else { row.store_first(to, width) }
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
            turn(&from, step, (rows, width), &mut to, pitch);
            for (at, &x) in to.iter().enumerate() {
                let (i, j) = (at / pitch, at % pitch);
                assert_eq!(x, if j < width { from[i + j * step] } else { -1.0 }, "{rows}x{width} at {i}, {j}");
            }
        }
    }
}
