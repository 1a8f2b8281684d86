//! The dimensions of a view, merged where one goes on in memory where the other ends: most views then have one or two.

use std::ops::{Deref, DerefMut};

/// A list of sizes. Up to 8 take no memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    small: [usize; 8],
    large: Vec<usize>,
    len: usize,
}

impl Sizes {
    /// As many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        Sizes { small: [0; 8], large: if len > 8 { vec![0; len] } else { Vec::new() }, len }
    }

    /// Adds a size behind the others.
    pub(crate) fn push(&mut self, size: usize) {
        if self.len == 8 {
            self.large = self.small.to_vec();
        }
        if self.len < 8 {
            self.small[self.len] = size
        } else {
            self.large.push(size)
        }
        self.len += 1;
    }
}

impl Deref for Sizes {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        if self.len > 8 { &self.large } else { &self.small[..self.len] }
    }
}
impl DerefMut for Sizes {
    fn deref_mut(&mut self) -> &mut [usize] {
        if self.len > 8 { &mut self.large } else { &mut self.small[..self.len] }
    }
}

/// Sizes and strides from the outermost dimension to the innermost. None has the size 1, and no two could be merged.
pub(crate) struct Merged {
    pub(crate) shape: Sizes,
    pub(crate) strides: Sizes,
}

impl Merged {
    pub(crate) fn new(shape: &[usize], strides: &[usize]) -> Self {
        let mut merged = Merged { shape: Sizes::default(), strides: Sizes::default() };
        for (&n, &stride) in shape.iter().zip(strides).filter(|&(&n, _)| n != 1) {
            match (merged.shape.last_mut(), merged.strides.last_mut()) {
                (Some(size), Some(outer)) if *outer == n * stride => (*size, *outer) = (*size * n, stride),
                _ => {
                    merged.shape.push(n);
                    merged.strides.push(stride);
                }
            }
        }
        merged
    }

    /// All dimensions.
    pub(crate) fn all(&self) -> Outer<'_> {
        Outer { shape: &self.shape, strides: &self.strides }
    }

    /// The outer dimensions, and the innermost one's size and stride; 1 and 0 if there is none.
    pub(crate) fn split_inner(&self) -> (Outer<'_>, usize, usize) {
        self.all().split_inner()
    }
}

/// Dimensions that are walked by a position in row-major order.
#[derive(Clone, Copy)]
pub(crate) struct Outer<'a> {
    shape: &'a [usize],
    strides: &'a [usize],
}

impl<'a> Outer<'a> {
    /// The outer ones of these dimensions, and the innermost one's size and stride; 1 and 0 if there is none.
    pub(crate) fn split_inner(self) -> (Outer<'a>, usize, usize) {
        match (self.shape.split_last(), self.strides.split_last()) {
            (Some((&n, shape)), Some((&stride, strides))) => (Outer { shape, strides }, n, stride),
            _ => (self, 1, 0),
        }
    }

    /// How many positions there are.
    pub(crate) fn len(self) -> usize {
        self.shape.iter().product()
    }

    /// Where a position stands in memory.
    pub(crate) fn offset(self, mut position: usize) -> usize {
        if let [stride] = self.strides {
            return position * stride;
        }
        let mut offset = 0;
        for (&n, &stride) in self.shape.iter().zip(self.strides).rev() {
            offset += position % n * stride;
            position /= n;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_that_follow_each_other_become_one() {
        let merged = |shape: &[usize], strides: &[usize]| {
            let Merged { shape, strides } = Merged::new(shape, strides);
            shape.iter().copied().zip(strides.iter().copied()).collect::<Vec<_>>()
        };
        assert_eq!(merged(&[4, 1, 5, 6], &[30, 9, 6, 1]), [(120, 1)]);
        assert_eq!(merged(&[4, 5, 6], &[60, 6, 1]), [(4, 60), (30, 1)]);
        assert_eq!(merged(&[4, 5, 6], &[0, 0, 1]), [(20, 0), (6, 1)]);
        assert_eq!(merged(&[5, 4], &[1, 5]), [(5, 1), (4, 5)]);
        assert_eq!(merged(&[1, 1], &[1, 1]), []);
        assert_eq!(merged(&[2; 10], &[1; 10]), [(2, 1); 10]);
    }

    #[test]
    fn offsets_agree_with_the_unmerged_index() {
        let (shape, strides) = ([3, 4, 5, 2], [100, 25, 5, 2]);
        let merged = Merged::new(&shape, &strides);
        for (at, index) in (0..120).map(|at| (at, [at / 40, at / 10 % 4, at / 2 % 5, at % 2])) {
            assert_eq!(merged.all().offset(at), index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>());
        }
        let (outer, n, stride) = merged.split_inner();
        assert_eq!((outer.len() * n, stride), (120, 2));
    }
}
