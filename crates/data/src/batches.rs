//! Batches: a data set in pieces of `size` samples, shuffled or in order.
//!
//! One pass over the iterator is one epoch: every sample comes exactly once, the last batch may be shorter.

use std::iter::FusedIterator;

use chainrule_tensor::{Rng, Tensor};

use crate::Dataset;

/// One epoch's batches `(inputs [b, features..], labels [b])`, from [`Dataset::batches`] or
/// [`Dataset::batches_in_order`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    data: &'a Dataset,
    order: Vec<usize>,
    done: usize,
    size: usize,
}

impl Dataset {
    /// Every sample once, in a new random order, in batches of `size`; the last one may be shorter.
    ///
    /// The order is drawn here and now: the generator is free again before the first batch.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize, rng: &mut Rng) -> Batches<'_> {
        Batches::new(self, rng.permutation(self.len()), size)
    }

    /// Every sample once, in the order of the set, in batches of `size`; the last one may be shorter.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches_in_order(&self, size: usize) -> Batches<'_> {
        Batches::new(self, (0..self.len()).collect(), size)
    }
}

impl<'a> Batches<'a> {
    #[track_caller]
    fn new(data: &'a Dataset, order: Vec<usize>, size: usize) -> Self {
        assert!(size > 0, "batches: a batch needs at least one sample, got size 0");
        Self { data, order, done: 0, size }
    }
}

impl Iterator for Batches<'_> {
    type Item = (Tensor, Vec<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let left = &self.order[self.done..];
        let rows = &left[..self.size.min(left.len())];
        self.done += rows.len();
        (!rows.is_empty()).then(|| {
            let (inputs, labels) = self.data.gather(rows);
            (inputs.into(), labels)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let batches = (self.order.len() - self.done).div_ceil(self.size);
        (batches, Some(batches))
    }
}

impl ExactSizeIterator for Batches<'_> {}

impl FusedIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    /// Sample `i` is `[i, -i]` and has label `i % 3`.
    fn numbered(n: usize) -> Dataset {
        let values = (0..n).flat_map(|i| [i as f32, -(i as f32)]).collect();
        let inputs = ArrayD::from_shape_vec(vec![n, 1, 2], values).unwrap();
        Dataset::new("numbered", inputs, (0..n).map(|i| i % 3).collect(), ["a", "b", "c"]).unwrap()
    }

    fn seeded(seed: u64) -> Rng {
        Rng::seed_from_u64(seed)
    }

    /// The samples in the order of the batches; checks shapes, sizes and labels on the way.
    fn visited(batches: Batches<'_>, size: usize, n: usize) -> Vec<usize> {
        assert_eq!(batches.len(), n.div_ceil(size));
        let mut order = Vec::new();
        for (inputs, labels) in batches {
            let expected = size.min(n - order.len());
            assert_eq!((&inputs.shape()[..], labels.len()), (&[expected, 1, 2][..], expected));
            for (sample, label) in inputs.view().outer_iter().zip(labels) {
                let row = sample[[0, 0]] as usize;
                assert_eq!((sample[[0, 1]], label), (-(row as f32), row % 3));
                order.push(row);
            }
        }
        order
    }

    #[test]
    fn every_sample_comes_once() {
        for (n, size) in [(1, 1), (10, 3), (12, 3), (7, 7), (7, 100), (5, usize::MAX), (64, 1)] {
            let data = numbered(n);
            assert!(visited(data.batches_in_order(size), size, n).into_iter().eq(0..n));
            let mut order = visited(data.batches(size, &mut seeded(4)), size, n);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
    }

    #[test]
    fn a_seed_fixes_the_order_and_epochs_differ() {
        let data = numbered(50);
        let epochs = |seed| {
            let mut rng = seeded(seed);
            [(); 2].map(|()| visited(data.batches(8, &mut rng), 8, 50))
        };
        let [first, second] = epochs(1);
        assert_ne!(first, second);
        assert!(!first.is_sorted());
        assert_eq!(epochs(1), [first.clone(), second]);
        assert_ne!(epochs(2)[0], first);
    }

    #[test]
    fn counts_down() {
        let data = numbered(10);
        let mut batches = data.batches_in_order(4);
        for left in [3, 2, 1, 0] {
            assert_eq!(batches.len(), left);
            assert_eq!(batches.next().is_some(), left > 0);
        }
        assert!(batches.next().is_none());
    }

    #[test]
    #[should_panic(expected = "batches: a batch needs at least one sample, got size 0")]
    fn refuses_empty_batches() {
        numbered(3).batches_in_order(0);
    }
}
