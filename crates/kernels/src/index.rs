//! Elements at computed positions: read from there, or added there.
//!
//! | | |
//! |---|---|
//! | [`take`] | `out[i, j, ..] = src[t_0[i] + t_1[j] + ..]`: a table of offsets for each dimension |
//! | [`put_add`] | `sum[t_0[i] + t_1[j] + ..] += src[i, j, ..]` |
//! | [`gather`] | `out[.., i, ..] = src[.., index[.., i, ..], ..]`: an index for each element |
//! | [`scatter_add`] | `sum[.., index[.., i, ..], ..] += src[.., i, ..]` |
//!
//! Where several elements are added to one, they are added in row-major order of the source; threads share the sum by rows
//! of its first dimension, so the order never depends on them.

use crate::view::Index;
use crate::{Real, View, parallel};

concrete! {
    <T> trait IndexKernels;
    /// `out[i, j, ..] = src[t_0[i] + t_1[j] + ..]` in row-major order, with one table a dimension.
    ///
    /// # Panics
    /// If `out` has another length than the product of the tables' lengths, or an offset lies outside `src`.
    pub fn take(src: &[T], tables: &[Vec<usize>], out: &mut [T]) = take_impl;
    /// `sum[t_0[i] + t_1[j] + ..] += src[i, j, ..]`, the elements of `src` in row-major order.
    ///
    /// # Panics
    /// If `src` has another length than the product of the tables' lengths, or an offset lies outside `sum`.
    pub fn put_add(src: &[T], tables: &[Vec<usize>], sum: &mut [T]) = put_add_impl;
    /// `out[.., i, ..] = src[.., index[.., i, ..], ..]` along `dim`; `index` and `out` are row-major of shape `shape`.
    ///
    /// # Panics
    /// If the lengths or ranks do not fit, or an index lies outside `src`.
    pub fn gather(src: View<'_, T>, dim: usize, index: &[usize], shape: &[usize], out: &mut [T]) = gather_impl;
    /// `sum[.., index[.., i, ..], ..] += src[.., i, ..]` along `dim`; `index` and `src` are row-major of shape `shape`,
    /// `sum` is of shape `full`.
    ///
    /// # Panics
    /// If the lengths or ranks do not fit, or an index lies outside `sum`.
    pub fn scatter_add(src: &[T], dim: usize, index: &[usize], shape: &[usize], sum: &mut [T], full: &[usize]) = scatter_add_impl;
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 14;

/// How many rows of a length make a piece.
fn rows_per_piece(width: usize) -> usize {
    (PIECE / width.max(1)).max(1)
}

/// What is read or written at once: the elements `start + at` for each `at` of a table, or a run of neighbors.
enum Row<'a> {
    Picked { start: usize, table: &'a [usize] },
    Run { start: usize, len: usize },
}

impl Row<'_> {
    fn len(&self) -> usize {
        match self {
            Row::Picked { table, .. } => table.len(),
            Row::Run { len, .. } => *len,
        }
    }
}

/// The outer tables, and the row that the innermost ones make: dimensions that are taken as they lie are one run.
fn rows(tables: &[Vec<usize>]) -> (&[Vec<usize>], Row<'_>) {
    let (mut outer, mut start, mut len) = (tables, 0, 1);
    while let Some((table, rest)) = outer.split_last()
        && table.iter().enumerate().all(|(i, &at)| at == table[0] + i * len)
    {
        (outer, start, len) = (rest, start + table[0], len * table.len());
    }
    match outer.split_last() {
        Some((table, rest)) if len == 1 => (rest, Row::Picked { start, table }),
        _ => (outer, Row::Run { start, len }),
    }
}

/// Calls `row(r, offset)` for `count` rows from row `first` on: `offset` is the sum of the outer tables' entries.
fn for_rows(outer: &[Vec<usize>], first: usize, count: usize, mut row: impl FnMut(usize, usize)) {
    let shape: Vec<usize> = outer.iter().map(Vec::len).collect();
    let mut index = Index::at(&shape, first);
    for r in first..first + count {
        row(r, index.get().iter().zip(outer).map(|(&i, table)| table[i]).sum());
        index.next(&shape);
    }
}

fn take_impl<T: Real>(src: &[T], tables: &[Vec<usize>], out: &mut [T]) {
    assert_eq!(out.len(), tables.iter().map(Vec::len).product(), "take: the tables do not fill the output");
    if out.is_empty() {
        return;
    }
    let (outer, row) = rows(tables);
    let width = row.len();
    let together = rows_per_piece(width);
    parallel::for_each_chunk(out, together * width, |piece, out| {
        for_rows(outer, piece * together, out.len() / width, |r, offset| {
            let out = &mut out[(r - piece * together) * width..][..width];
            match row {
                Row::Run { start, len } => out.copy_from_slice(&src[offset + start..][..len]),
                Row::Picked { start, table } => {
                    let src = &src[offset + start..];
                    out.iter_mut().zip(table).for_each(|(y, &at)| *y = src[at]);
                }
            }
        });
    });
}

fn put_add_impl<T: Real>(src: &[T], tables: &[Vec<usize>], sum: &mut [T]) {
    assert_eq!(src.len(), tables.iter().map(Vec::len).product(), "put_add: the tables do not fit the source");
    if src.is_empty() {
        return;
    }
    let (outer, row) = rows(tables);
    let width = row.len();
    let add = |first: usize, count: usize, before: usize, sum: &mut [T]| {
        for_rows(outer, first, count, |r, offset| {
            let (src, at) = (&src[r * width..][..width], offset - before);
            match row {
                Row::Run { start, len } => {
                    sum[at + start..][..len].iter_mut().zip(src).for_each(|(sum, &x)| *sum += x);
                }
                Row::Picked { start, table } => {
                    let sum = &mut sum[at + start..];
                    src.iter().zip(table).for_each(|(&x, &at)| sum[at] += x);
                }
            }
        });
    };
    let rows = src.len() / width;
    // Where the first dimension is taken as it lies, its slabs can go to different threads.
    if let Some(first) = outer.first()
        && let slab = sum.len() / first.len()
        && slab > 0
        && first.iter().enumerate().all(|(i, &at)| at == i * slab)
    {
        let (together, each) = (rows_per_piece(slab), rows / first.len());
        parallel::for_each_chunk(sum, together * slab, |piece, sum| {
            add(piece * together * each, sum.len() / slab * each, piece * together * slab, sum);
        });
    } else {
        add(0, rows, 0, sum);
    }
}

/// The strides of the outer dimensions without that of `dim`, the step from column to column, and the stride of `dim`.
fn split_strides(strides: &[usize], dim: usize) -> (Vec<usize>, usize, usize) {
    let mut others = strides.to_vec();
    let along = std::mem::replace(&mut others[dim], 0);
    let step = others.pop().expect("a dimension");
    (others, step, along)
}

fn gather_impl<T: Real>(src: View<'_, T>, dim: usize, index: &[usize], shape: &[usize], out: &mut [T]) {
    assert_eq!(index.len(), shape.iter().product(), "gather: the indices do not fill their shape");
    assert!(index.len() == out.len() && src.shape().len() == shape.len(), "gather: input and output do not fit");
    if out.is_empty() {
        return;
    }
    let (strides, step, along) = split_strides(src.strides(), dim);
    let (width, outer) = (shape[shape.len() - 1], &shape[..shape.len() - 1]);
    let (rows, data) = (rows_per_piece(width), src.data());
    parallel::for_each_chunk(out, rows * width, |piece, out| {
        let mut position = Index::at(outer, piece * rows);
        for (r, out) in out.chunks_mut(width).enumerate() {
            let base: usize = position.get().iter().zip(&strides).map(|(i, s)| i * s).sum();
            let index = &index[(piece * rows + r) * width..][..width];
            for (j, (y, &i)) in out.iter_mut().zip(index).enumerate() {
                *y = data[base + j * step + i * along];
            }
            position.next(outer);
        }
    });
}

fn scatter_add_impl<T: Real>(src: &[T], dim: usize, index: &[usize], shape: &[usize], sum: &mut [T], full: &[usize]) {
    assert_eq!(index.len(), shape.iter().product(), "scatter_add: the indices do not fill their shape");
    assert!(index.len() == src.len() && full.len() == shape.len(), "scatter_add: input and output do not fit");
    assert_eq!(sum.len(), full.iter().product(), "scatter_add: the sum does not fill its shape");
    if src.is_empty() {
        return;
    }
    let row_major: Vec<usize> = (0..full.len()).map(|d| full[d + 1..].iter().product()).collect();
    let (strides, step, along) = split_strides(&row_major, dim);
    let (width, outer) = (shape[shape.len() - 1], &shape[..shape.len() - 1]);
    let rows = src.len() / width;
    let add = |first: usize, count: usize, start: usize, sum: &mut [T]| {
        let mut position = Index::at(outer, first);
        for r in first..first + count {
            let base: usize = position.get().iter().zip(&strides).map(|(i, s)| i * s).sum();
            let row = r * width..(r + 1) * width;
            for (j, (&x, &i)) in src[row.clone()].iter().zip(&index[row]).enumerate() {
                sum[base + j * step + i * along - start] += x;
            }
            position.next(outer);
        }
    };
    // Rows of the first dimension can go to different threads, unless the indices lead from one to another.
    if dim > 0 {
        let slab = row_major[0];
        let (together, each) = (rows_per_piece(slab), rows / shape[0]);
        parallel::for_each_chunk(sum, together * slab, |piece, sum| {
            let first = (piece * together).min(shape[0]);
            let count = (sum.len() / slab).min(shape[0] - first);
            add(first * each, count * each, piece * together * slab, sum);
        });
    } else {
        add(0, rows, 0, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below `n` in no order.
    fn scrambled(count: usize, n: usize) -> Vec<usize> {
        (0..count).map(|i| (i * 7919 + i * i * 31 + 5) % n.max(1)).collect()
    }

    fn numbers(count: usize) -> Vec<f64> {
        scrambled(count, 4001).into_iter().map(|x| x as f64 / 8.0 - 250.0).collect()
    }

    /// Every index of a shape, in row-major order.
    fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new()];
        for &n in shape {
            all = all.iter().flat_map(|i| (0..n).map(move |j| [&i[..], &[j]].concat())).collect();
        }
        all
    }

    #[test]
    fn tables_agree_with_the_definition() {
        for (sizes, counts) in [
            (&[5usize, 4, 3][..], &[7usize, 2, 5][..]),
            (&[300, 40, 5], &[300, 70, 5]),
            (&[9], &[20]),
            (&[1, 4, 1], &[5, 4, 1]),
            (&[3, 3], &[0, 2]),
            (&[], &[]),
            (&[70, 600], &[70, 600]),
        ] {
            let strides: Vec<usize> = (0..sizes.len()).map(|d| sizes[d + 1..].iter().product()).collect();
            for identity in [false, true] {
                let table = |d: usize| -> Vec<usize> {
                    let whole = identity && d == 0 && counts[0] == sizes[0];
                    let at = if whole { (0..counts[0]).collect() } else { scrambled(counts[d], sizes[d]) };
                    at.iter().map(|i| i * strides[d]).collect()
                };
                let tables: Vec<Vec<usize>> = (0..sizes.len()).map(table).collect();
                let src = numbers(sizes.iter().product());
                let place = |i: &Vec<usize>| i.iter().zip(&tables).map(|(&i, t)| t[i]).sum::<usize>();
                let places: Vec<usize> = indices(counts).iter().map(place).collect();
                let mut out = vec![0.0; places.len()];
                take(&src, &tables, &mut out);
                assert!(out.iter().zip(&places).all(|(&y, &at)| y == src[at]), "{sizes:?} {counts:?}");
                let (mut sum, mut expected) = (src.clone(), src.clone());
                put_add(&out, &tables, &mut sum);
                out.iter().zip(&places).for_each(|(x, &at)| expected[at] += x);
                assert_eq!(sum, expected, "{sizes:?} {counts:?}");
            }
        }
    }

    #[test]
    fn gather_and_scatter_agree_with_the_definition() {
        for (full, shape) in [
            (&[4usize, 5, 6][..], &[4usize, 5, 6][..]),
            (&[4, 5, 6], &[3, 9, 2]),
            (&[200, 30, 7], &[150, 8, 7]),
            (&[11], &[40]),
            (&[300, 120], &[300, 50]),
            (&[3, 4], &[2, 0]),
        ] {
            for dim in 0..full.len() {
                // Beyond the indexed dimension, the indices' shape must lie within the full one.
                let shape: Vec<usize> =
                    (0..full.len()).map(|d| if d == dim { shape[d] } else { shape[d].min(full[d]) }).collect();
                let strides: Vec<usize> = (0..full.len()).map(|d| full[d + 1..].iter().product()).collect();
                let src = numbers(full.iter().product());
                let index = scrambled(shape.iter().product(), full[dim]);
                let place = |(at, i): (usize, &Vec<usize>)| {
                    let mut i = i.clone();
                    i[dim] = index[at];
                    i.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()
                };
                let places: Vec<usize> = indices(&shape).iter().enumerate().map(place).collect();
                let mut out = vec![0.0; index.len()];
                gather(View::new(&src, full, &strides), dim, &index, &shape, &mut out);
                assert!(out.iter().zip(&places).all(|(&y, &at)| y == src[at]), "{full:?} {shape:?} {dim}");
                let (mut sum, mut expected) = (src.clone(), src.clone());
                scatter_add(&out, dim, &index, &shape, &mut sum, full);
                out.iter().zip(&places).for_each(|(x, &at)| expected[at] += x);
                assert_eq!(sum, expected, "{full:?} {shape:?} {dim}");
            }
        }
    }
}
