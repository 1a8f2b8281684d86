//! Rows of a table, picked by number, and their adjoint: rows added to where they were picked from.
//!
//! ```text
//! gather        out[i] = table[indices[i]]
//! scatter       table[indices[i]] += rows[i]        for i = 0, 1, ..: always in this order
//! ```
//!
//! Embeddings are such tables. A scatter is cut across the table's rows: every thread looks through all indices and adds what
//! falls into its part, so that sums have a fixed order without locks.

use crate::simd::{self, Kernel};
use crate::{Real, parallel};

concrete! {
    <T> trait RowKernels;
    /// Row `i` of the output is row `indices[i]` of the table, whose rows have `cols` numbers, or zeros if that is `skip`.
    ///
    /// # Panics
    /// If `out` is not `indices.len()` rows long, or an index lies outside the table.
    pub fn gather_rows(table: &[T], cols: usize, indices: &[usize], skip: Option<usize>, out: &mut [T])
        = gather_rows_impl;
    /// Adds row `i` to row `indices[i]` of the table, whose rows have `cols` numbers, unless that is `skip`.
    ///
    /// # Panics
    /// If `rows` is not `indices.len()` rows long, or an index lies outside the table.
    pub fn scatter_add_rows(rows: &[T], cols: usize, indices: &[usize], skip: Option<usize>, table: &mut [T])
        = scatter_add_rows_impl;
}

/// Numbers in a piece of parallel work.
const PIECE: usize = 1 << 14;
/// Below this many numbers, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;
/// The most parts of a table: each part looks through all indices.
const PARTS: usize = 16;

fn check(op: &str, cols: usize, rows: usize, indices: &[usize], table: usize) {
    assert_eq!(rows, indices.len() * cols, "{op}: {rows} numbers are not {} rows of {cols}", indices.len());
    let outside = indices.iter().find(|&&index| index.saturating_add(1).saturating_mul(cols) > table);
    assert!(outside.is_none(), "{op}: row {outside:?} lies outside a table of {table} numbers in rows of {cols}");
}

fn gather_rows_impl<T: Real>(table: &[T], cols: usize, indices: &[usize], skip: Option<usize>, out: &mut [T]) {
    check("gather_rows", cols, out.len(), indices, table.len());
    if out.is_empty() {
        return;
    }
    let piece = if out.len() < PARALLEL { indices.len() } else { (PIECE / cols).max(1) };
    parallel::for_each_chunk(out, piece * cols, |i, out| {
        for (row, &index) in out.chunks_exact_mut(cols).zip(&indices[i * piece..]) {
            if skip == Some(index) {
                row.fill(T::ZERO);
            } else {
                row.copy_from_slice(&table[index * cols..][..cols]);
            }
        }
    });
}

fn scatter_add_rows_impl<T: Real>(rows: &[T], cols: usize, indices: &[usize], skip: Option<usize>, table: &mut [T]) {
    check("scatter_add_rows", cols, rows.len(), indices, table.len());
    if rows.is_empty() {
        return;
    }
    let height = table.len() / cols;
    let part = if rows.len() < PARALLEL { height } else { height.div_ceil(PARTS) };
    parallel::for_each_chunk(table, part * cols, |i, table| {
        simd::dispatch(Scatter { rows, cols, indices, skip, first: i * part, table });
    });
}

/// Adds what falls into a part of the table, from row `first` on.
struct Scatter<'a, T> {
    rows: &'a [T],
    cols: usize,
    indices: &'a [usize],
    skip: Option<usize>,
    first: usize,
    table: &'a mut [T],
}
impl<T: Real> Kernel for Scatter<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let height = self.table.len() / self.cols;
        for (row, &index) in self.rows.chunks_exact(self.cols).zip(self.indices) {
            // Rows before the first wrap around to numbers that are too large.
            let at = index.wrapping_sub(self.first);
            if at < height && self.skip != Some(index) {
                for (sum, &x) in self.table[at * self.cols..][..self.cols].iter_mut().zip(row) {
                    *sum += x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    #[test]
    fn all_shapes_agree_with_the_definitions() {
        let mut rng = SmallRng::seed_from_u64(3);
        for (height, cols, count) in [(1, 1, 1), (5, 3, 0), (4, 7, 9), (50, 64, 2000), (1000, 33, 3000), (3, 0, 4)] {
            let mut numbers = |n: usize| (0..n).map(|_| rng.random::<f32>() - 0.5).collect::<Vec<_>>();
            let (start, rows) = (numbers(height * cols), numbers(count * cols));
            let indices: Vec<usize> = (0..count).map(|_| rng.random_range(0..height)).collect();
            for skip in [None, Some(0)] {
                let (mut table, mut want) = (start.clone(), start.clone());
                let (mut out, mut picked) = (vec![f32::NAN; count * cols], vec![0.0; count * cols]);
                for (i, &index) in indices.iter().enumerate().filter(|(_, index)| Some(**index) != skip) {
                    for j in 0..cols {
                        want[index * cols + j] += rows[i * cols + j];
                        picked[i * cols + j] = start[index * cols + j];
                    }
                }
                gather_rows(&start, cols, &indices, skip, &mut out);
                scatter_add_rows(&rows, cols, &indices, skip, &mut table);
                assert!(out == picked && table == want, "{height}x{cols}, {count} rows, skip {skip:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "scatter_add_rows: row Some(2) lies outside a table of 6 numbers in rows of 3")]
    fn indices_are_checked() {
        scatter_add_rows(&[0.0f32; 6], 3, &[1, 2], None, &mut [0.0; 6]);
    }
}
