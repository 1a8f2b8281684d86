//! The dimensions of a view, merged where one goes on in memory where the other ends: most views then have one or two.

/// Sizes and strides from the outermost dimension to the innermost. None has the size 1, and no two could be merged.
pub(crate) struct Merged {
    few: [(usize, usize); 8],
    many: Vec<(usize, usize)>,
    rank: usize,
}

impl Merged {
    /// Dimensions of a view without a size of 0.
    pub(crate) fn new(shape: &[usize], strides: &[usize]) -> Self {
        let mut merged = Merged { few: [(1, 0); 8], many: Vec::new(), rank: 0 };
        for (&n, &stride) in shape.iter().zip(strides).filter(|&(&n, _)| n > 1) {
            match merged.get_mut().last_mut() {
                Some(outer) if outer.1 == n * stride => *outer = (outer.0 * n, stride),
                _ => merged.push((n, stride)),
            }
        }
        merged
    }

    fn push(&mut self, dim: (usize, usize)) {
        if self.rank < self.few.len() {
            self.few[self.rank] = dim;
        } else {
            if self.many.is_empty() {
                self.many.extend(self.few);
            }
            self.many.push(dim);
        }
        self.rank += 1;
    }

    fn get(&self) -> &[(usize, usize)] {
        if self.many.is_empty() { &self.few[..self.rank] } else { &self.many }
    }

    fn get_mut(&mut self) -> &mut [(usize, usize)] {
        if self.many.is_empty() { &mut self.few[..self.rank] } else { &mut self.many }
    }

    /// The outer dimensions, and the innermost one's size and stride; 1 and 0 if there is none.
    pub(crate) fn split_inner(&self) -> (Outer<'_>, usize, usize) {
        match self.get().split_last() {
            Some((&(n, stride), outer)) => (Outer(outer), n, stride),
            None => (Outer(&[]), 1, 0),
        }
    }

    /// All dimensions.
    pub(crate) fn all(&self) -> Outer<'_> {
        Outer(self.get())
    }
}

/// Dimensions that are walked by a position in row-major order.
#[derive(Clone, Copy)]
pub(crate) struct Outer<'a>(&'a [(usize, usize)]);

impl Outer<'_> {
    /// How many positions there are.
    pub(crate) fn len(self) -> usize {
        self.0.iter().map(|(n, _)| n).product()
    }

    /// Where a position stands in memory.
    pub(crate) fn offset(self, mut position: usize) -> usize {
        if let [(_, stride)] = self.0 {
            return position * stride;
        }
        let mut offset = 0;
        for &(n, stride) in self.0.iter().rev() {
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
        let merged = |shape: &[usize], strides: &[usize]| Merged::new(shape, strides).get().to_vec();
        assert_eq!(merged(&[4, 1, 5, 6], &[30, 9, 6, 1]), [(120, 1)]);
        assert_eq!(merged(&[4, 5, 6], &[60, 6, 1]), [(4, 60), (30, 1)]);
        assert_eq!(merged(&[4, 5, 6], &[0, 0, 1]), [(20, 0), (6, 1)]);
        assert_eq!(merged(&[5, 4], &[1, 5]), [(5, 1), (4, 5)]);
        assert_eq!(merged(&[1, 1], &[1, 1]), []);
        let many = Merged::new(&[2; 10], &[1; 10]);
        assert_eq!(many.get(), [(2, 1); 10]);
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
