//! [`View`]: a strided, read-only window on numbers, and how to read it in rows.

use crate::fold::Folded;
pub(crate) use crate::fold::Index;
use crate::gemm::Lanes;
use crate::{parallel, size};

concrete! {
    <T> trait ViewKernels;
    /// Copies the elements of `src` in row-major order to `dst`.
    ///
    /// # Panics
    /// If `dst` has another length than `src` has elements.
    pub fn copy(src: View<'_, T>, dst: &mut [T]) = copy_impl;
}

/// Elements of `data` at `sum(index[i] * strides[i])`, row-major over `shape`. A stride of 0 repeats (broadcasts).
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    shape: &'a [usize],
    strides: &'a [usize],
}

impl<'a, T: Copy> View<'a, T> {
    /// A view on `data`, whose first element has the index 0 everywhere.
    ///
    /// # Panics
    /// If `shape` and `strides` differ in length, or an element lies outside `data`.
    pub fn new(data: &'a [T], shape: &'a [usize], strides: &'a [usize]) -> Self {
        assert_eq!(shape.len(), strides.len(), "a view has one stride a dimension");
        let end = size::end(1, shape.iter().copied().zip(strides.iter().copied()));
        assert!(end <= data.len(), "a view reaches element {} of {}", end - 1, data.len());
        View { data, shape, strides }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        size::count(self.shape)
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// The data that the elements lie in, from the first element on.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The distance between neighbors along each dimension.
    pub fn strides(&self) -> &'a [usize] {
        self.strides
    }

    /// The elements as one slice, if they lie in row-major order without gaps.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        let mut expected = 1;
        for (&n, &stride) in self.shape.iter().zip(self.strides).rev() {
            if n == 0 {
                return Some(&[]);
            }
            if n > 1 && stride != expected {
                return None;
            }
            expected *= n;
        }
        Some(&self.data[..expected])
    }

    /// The element at an index, and the rest of the data from there on.
    fn from(&self, index: &[usize]) -> &'a [T] {
        let offset: usize = index.iter().zip(self.strides).map(|(&i, &s)| i * s).sum();
        &self.data[offset..]
    }

    /// Copies elements `start..start + out.len()` of the row-major order to `out`: plainly, row by row.
    #[inline(always)]
    pub fn read(&self, start: usize, out: &mut [T]) {
        if let Some(slice) = self.as_slice() {
            out.copy_from_slice(&slice[start..start + out.len()]);
            return;
        }
        let Some((&width, outer)) = self.shape.split_last() else { return };
        let stride = self.strides[outer.len()];
        let mut index = Index::at(outer, start / width);
        let (mut done, mut column) = (0, start % width);
        while done < out.len() {
            let row = self.from(index.get());
            let part = &mut out[done..];
            let n = part.len().min(width - column);
            let part = &mut part[..n];
            match stride {
                0 => part.fill(row[0]),
                1 => part.copy_from_slice(&row[column..column + n]),
                _ => part.iter_mut().zip(row[column * stride..].iter().step_by(stride)).for_each(|(o, &x)| *o = x),
            }
            done += n;
            column = 0;
            index.next(outer);
        }
    }
}

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

fn copy_impl<T: Lanes>(src: View<'_, T>, dst: &mut [T]) {
    assert_eq!(src.len(), dst.len(), "copy: the view and the output differ in length");
    if let Some(slice) = src.as_slice() {
        return parallel::for_each_chunk(dst, PIECE, |i, chunk| {
            chunk.copy_from_slice(&slice[i * PIECE..][..chunk.len()])
        });
    }
    let src = Folded::new(src);
    let piece = src.piece(parallel::together(dst.len(), src.cost(), PARALLEL, PIECE));
    parallel::for_each_chunk(dst, piece, |i, chunk| src.read(i * piece, chunk));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_transposed_and_broadcast() {
        let data: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let mut out = [0.0; 6];
        copy(View::new(&data, &[3, 2], &[1, 3]), &mut out);
        assert_eq!(out, [0., 3., 1., 4., 2., 5.]);
        copy(View::new(&data, &[2, 3], &[1, 0]), &mut out);
        assert_eq!(out, [0., 0., 0., 1., 1., 1.]);
        let mut part = [0.0; 3];
        View::new(&data, &[3, 2], &[1, 3]).read(1, &mut part);
        assert_eq!(part, [3., 1., 4.]);
    }

    #[test]
    fn transposed_copies_agree_with_reads() {
        let data: Vec<f64> = (0..60_000).map(f64::from).collect();
        let cases: &[(&[usize], &[usize])] = &[
            (&[200, 300], &[1, 200]),
            (&[37, 41], &[1, 37]),
            (&[3, 50, 70], &[3500, 1, 50]),
            (&[50, 3, 70], &[1, 3500, 50]),
            (&[5, 16, 4, 9], &[576, 1, 144, 16]),
            (&[4, 2, 5000], &[1, 20_000, 4]),
            (&[7, 0, 5], &[1, 7, 7]),
            (&[17, 5], &[1, 100]),
            (&[6, 8, 30], &[0, 1, 8]),
        ];
        for &(shape, strides) in cases {
            let view = View::new(&data, shape, strides);
            let (mut copied, mut read) = (vec![0.0; view.len()], vec![0.0; view.len()]);
            copy(view, &mut copied);
            view.read(0, &mut read);
            assert_eq!(copied, read, "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn slices_are_seen() {
        let data = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(View::new(&data, &[2, 2], &[2, 1]).as_slice(), Some(&data[..]));
        assert_eq!(View::new(&data, &[1, 4], &[99, 1]).as_slice(), Some(&data[..]));
        assert_eq!(View::new(&data, &[2, 2], &[1, 2]).as_slice(), None);
        assert_eq!(View::new(&data, &[], &[]).as_slice(), Some(&data[..1]));
    }

    #[test]
    #[should_panic(expected = "reaches element 5")]
    fn views_stay_inside() {
        View::new(&[0.0; 5], &[2, 3], &[3, 1]);
    }

    #[test]
    #[should_panic(expected = "a view reaches element 18446744073709551614 of 5")]
    fn views_do_not_reach_around_memory() {
        View::new(&[0.0; 5], &[2], &[usize::MAX]);
    }

    #[test]
    #[should_panic(expected = "the view and the output differ in length")]
    fn elements_that_repeat_are_counted() {
        copy(View::new(&[0.0], &[274_177, 67_280_421_310_721], &[0, 0]), &mut [0.0]);
    }

    #[test]
    fn many_dimensions() {
        let data: Vec<f64> = (0..1024).map(f64::from).collect();
        let shape = [2; 10];
        let strides: Vec<usize> = (0..10).map(|i| 1 << i).collect();
        let mut out = vec![0.0; 1024];
        copy(View::new(&data, &shape, &strides), &mut out);
        assert!(out.iter().enumerate().all(|(i, &x)| x as usize == i.reverse_bits() >> (usize::BITS - 10)));
    }
}
