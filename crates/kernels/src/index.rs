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

use crate::simd::{self, Kernel};
use crate::view::Index;
use crate::{Real, View, parallel, rows, strided};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether all indices are below a size.
pub fn all_below(index: &[usize], size: usize) -> bool {
    let good = AtomicBool::new(true);
    parallel::for_each(index.len().div_ceil(PIECE), |i| {
        let part = &index[i * PIECE..][..PIECE.min(index.len() - i * PIECE)];
        if !simd::dispatch(AllBelow(part, size)) {
            good.store(false, Ordering::Relaxed);
        }
    });
    good.into_inner()
}

struct AllBelow<'a>(&'a [usize], usize);
impl Kernel for AllBelow<'_> {
    type Output = bool;
    #[inline(always)]
    fn run(self) -> bool {
        // Without a branch, so that a register of indices is looked at at once.
        let mut good = true;
        for &i in self.0 {
            good &= i < self.1;
        }
        good
    }
}

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

/// Stretches that are shorter than this on average are picked element by element.
const SHORT: usize = 6;

/// Rows are joined to longer ones where so many are left for the threads to share.
const MANY: usize = 16;

/// How many rows of a length make a piece.
fn rows_per_piece(width: usize) -> usize {
    (PIECE / width.max(1)).max(1)
}

/// Neighbors in memory from `start` on; backward, up to it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: usize,
    len: usize,
    backward: bool,
}

impl Stretch {
    /// The stretches that a table names, one after the other: `unit` neighbors from each of its places on.
    fn all(table: &[usize], unit: usize) -> Vec<Self> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for &at in table {
            match stretches.last_mut() {
                Some(s) if !s.backward && at == s.start + s.len => s.len += unit,
                // One step back and on again: the stretch forward begins at the lower place.
                Some(s) if s.backward && s.len == 2 && at == s.start => {
                    (s.len, s.backward) = (1, false);
                    stretches.push(Stretch { start: at - 1, len: 2, backward: false });
                }
                Some(s) if unit == 1 && (s.backward || s.len == 1) && at + s.len == s.start => {
                    (s.len, s.backward) = (s.len + 1, true)
                }
                _ => stretches.push(Stretch { start: at, len: unit, backward: false }),
            }
        }
        stretches
    }

    /// The stretch in `numbers`, from its lowest place on.
    fn range(&self) -> std::ops::Range<usize> {
        let first = if self.backward { self.start + 1 - self.len } else { self.start };
        first..first + self.len
    }
}

/// What is read or written at once: stretches of neighbors, or, where most are short, the elements `start + at` for each
/// `at` of a table.
enum Row<'a> {
    Picked { start: usize, table: &'a [usize] },
    Stretches(Vec<Stretch>),
}

impl Row<'_> {
    fn len(&self) -> usize {
        match self {
            Row::Picked { table, .. } => table.len(),
            Row::Stretches(stretches) => stretches.iter().map(|s| s.len).sum(),
        }
    }
}

/// The outer tables, and the row that the innermost ones make: dimensions that are taken as they lie are one stretch.
fn rows_of(tables: &[Vec<usize>]) -> (&[Vec<usize>], Row<'_>) {
    let (mut outer, mut start, mut len) = (tables, 0, 1);
    while let Some((table, rest)) = outer.split_last()
        && table.iter().enumerate().all(|(i, &at)| at == table[0] + i * len)
    {
        (outer, start, len) = (rest, start + table[0], len * table.len());
    }
    let whole = (outer, Row::Stretches(vec![Stretch { start, len, backward: false }]));
    let Some((table, rest)) = outer.split_last() else { return whole };
    let mut stretches = Stretch::all(table, len);
    if len > 1 && (stretches.len() * 2 > table.len() || rest.iter().map(Vec::len).product::<usize>() < MANY) {
        return whole;
    }
    if len == 1 && stretches.len() * SHORT > table.len() {
        return (rest, Row::Picked { start, table });
    }
    stretches.iter_mut().for_each(|s| s.start += start);
    (rest, Row::Stretches(stretches))
}

/// Calls `row(r, offset)` for `count` rows from row `first` on: `offset` is the sum of the outer tables' entries.
fn for_rows(outer: &[Vec<usize>], first: usize, count: usize, mut row: impl FnMut(usize, usize)) {
    let Some((last, outer)) = outer.split_last() else {
        return (first..first + count).for_each(|r| row(r, 0));
    };
    let shape: Vec<usize> = outer.iter().map(Vec::len).collect();
    let mut index = Index::at(&shape, first / last.len());
    let (mut r, end) = (first, first + count);
    while r < end {
        let base: usize = index.get().iter().zip(outer).map(|(&i, table)| table[i]).sum();
        for at in last.iter().skip(r % last.len()).take(end - r) {
            row(r, base + at);
            r += 1;
        }
        index.next(&shape);
    }
}

/// The numbers of the first in reverse order.
struct Backward<'a, T>(&'a [T], &'a mut [T]);
impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (to, &from) in self.1.iter_mut().zip(self.0.iter().rev()) {
            *to = from;
        }
    }
}

/// Adds numbers, perhaps in reverse order.
struct Add<'a, T> {
    from: &'a [T],
    backward: bool,
    sum: &'a mut [T],
}
impl<T: Real> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        if self.backward {
            for (sum, &x) in self.sum.iter_mut().zip(self.from.iter().rev()) {
                *sum += x;
            }
        } else {
            for (sum, &x) in self.sum.iter_mut().zip(self.from) {
                *sum += x;
            }
        }
    }
}

fn take_impl<T: Real>(src: &[T], tables: &[Vec<usize>], out: &mut [T]) {
    assert_eq!(out.len(), tables.iter().map(Vec::len).product(), "take: the tables do not fill the output");
    if out.is_empty() {
        return;
    }
    let (outer, row) = rows_of(tables);
    let width = row.len();
    let together = rows_per_piece(width);
    parallel::for_each_chunk(out, together * width, |piece, out| {
        for_rows(outer, piece * together, out.len() / width, |r, offset| {
            let out = &mut out[(r - piece * together) * width..][..width];
            match row {
                Row::Stretches(ref stretches) => {
                    let mut out = out;
                    for stretch in stretches {
                        let (to, rest) = out.split_at_mut(stretch.len);
                        let from = &src[offset..][stretch.range()];
                        match stretch.backward {
                            _ if stretch.len == 1 => to[0] = from[0],
                            true => simd::dispatch(Backward(from, to)),
                            false => strided::copy(from, to),
                        }
                        out = rest;
                    }
                }
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
    let (outer, row) = rows_of(tables);
    let width = row.len();
    let add = |first: usize, count: usize, before: usize, sum: &mut [T]| {
        for_rows(outer, first, count, |r, offset| {
            let (src, at) = (&src[r * width..][..width], offset - before);
            match row {
                Row::Stretches(ref stretches) => {
                    let mut src = src;
                    for stretch in stretches {
                        let (from, rest) = src.split_at(stretch.len);
                        let sum = &mut sum[at..][stretch.range()];
                        match stretch.len {
                            1 => sum[0] += from[0],
                            _ => simd::dispatch(Add { from, backward: stretch.backward, sum }),
                        }
                        src = rest;
                    }
                }
                Row::Picked { start, table } => {
                    let sum = &mut sum[at + start..];
                    src.iter().zip(table).for_each(|(&x, &at)| sum[at] += x);
                }
            }
        });
    };
    // Rows of one length go to different threads by where they are added.
    if let ([table], Row::Stretches(stretches)) = (outer, &row)
        && let [Stretch { start: 0, len, backward: false }] = stretches[..]
        && sum.len().is_multiple_of(len)
        && table.iter().all(|at| at.is_multiple_of(len))
    {
        let indices: Vec<usize> = table.iter().map(|at| at / len).collect();
        return rows::scatter_add_rows(src, len, &indices, None, sum);
    }
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
            let data = &data[base..];
            if (step, along) == (0, 1) {
                out.iter_mut().zip(index).for_each(|(y, &i)| *y = data[i]);
            } else {
                out.iter_mut().zip(index).enumerate().for_each(|(j, (y, &i))| *y = data[j * step + i * along]);
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
    fn mirrored_rows_agree_with_the_definition() {
        let mirrored = |n: usize| [2, 1].into_iter().chain(0..n).chain([n - 2, n - 3]);
        for sizes in [[20usize, 6, 4], [20, 9, 1], [3, 7, 5], [17, 3, 2], [40, 5, 8]] {
            let strides = [sizes[1] * sizes[2], sizes[2], 1];
            for which in 0..4 {
                let table = |d: usize| -> Vec<usize> {
                    let mirror = sizes[d] > 2 && (d == 1 && which != 1 || d == 2 && which > 0) && which < 3
                        || d == 0 && which == 3;
                    let at: Vec<usize> = if mirror { mirrored(sizes[d]).collect() } else { (0..sizes[d]).collect() };
                    at.iter().map(|i| i * strides[d]).collect()
                };
                let tables: Vec<Vec<usize>> = (0..3).map(table).collect();
                let src = numbers(sizes.iter().product());
                let counts: Vec<usize> = tables.iter().map(Vec::len).collect();
                let place = |i: &Vec<usize>| i.iter().zip(&tables).map(|(&i, t)| t[i]).sum::<usize>();
                let places: Vec<usize> = indices(&counts).iter().map(place).collect();
                let mut out = vec![0.0; places.len()];
                take(&src, &tables, &mut out);
                assert!(out.iter().zip(&places).all(|(&y, &at)| y == src[at]), "{sizes:?} {which}");
                let (mut sum, mut expected) = (src.clone(), src.clone());
                put_add(&out, &tables, &mut sum);
                out.iter().zip(&places).for_each(|(x, &at)| expected[at] += x);
                assert_eq!(sum, expected, "{sizes:?} {which}");
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
