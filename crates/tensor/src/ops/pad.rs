//! Elements before the first and after the last along dimensions; or, with negative counts, fewer of them.
//!
//! | | |
//! |---|---|
//! | equation | `y[.., before + i, ..] = x[.., i, ..]`; around it, by mode, a constant or elements of `x` |
//! | derivative | constant: `x'` is the part of `y'` where `x` stands; other modes: composed of `index_select` |
//! | shapes | `n` becomes `before + n + after` |
//! | saved | the counts |
//!
//! | mode | `x = a b c`, two before and two after |
//! |---|---|
//! | constant | `0 0 a b c 0 0` |
//! | reflect | `c b a b c b a` |
//! | replicate | `a a a b c c c` |
//! | circular | `b c a b c a b` |

use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::place::{Put, Range, place};

pub(super) static INFO: OpInfo = OpInfo {
    name: "pad",
    equation: "y[before + i] = x[i], around it a constant or elements of x",
    derivative: "x'[i] = y'[before + i]; other modes than constant are composed of index_select",
    torch: "torch.nn.functional.pad",
};

/// What [`pad`](crate::Tensor::pad) puts around the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// One number.
    Constant(f64),
    /// The elements mirrored at the first and at the last one, which are not repeated.
    Reflect,
    /// The first and the last element again and again.
    Replicate,
    /// The elements from the other end.
    Circular,
}

#[derive(Debug)]
struct Pad {
    /// For each dimension, how many elements stand before the first.
    before: Vec<usize>,
    sizes: Vec<usize>,
}

impl<T: Real> Op<T> for Pad {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let ranges = self.before.iter().zip(&self.sizes).enumerate();
        inputs.add(0, || ranges.fold(grad, |part, (dim, (&start, &size))| {
            if part.shape()[dim] == size { part } else { part.narrow(dim, start, size) }
        }));
    }
}

/// The element that stands at place `i`, which may lie before the first or after the last of `n`.
fn source(mode: PadMode, i: isize, n: isize) -> usize {
    let i = match mode {
        PadMode::Reflect if i < 0 => -i,
        PadMode::Reflect if i >= n => 2 * (n - 1) - i,
        PadMode::Circular => i.rem_euclid(n),
        _ => i.clamp(0, n - 1),
    };
    i as usize
}

/// The tensor without what negative counts cut off.
#[track_caller]
fn cut<T: Real>(x: &Tensor<T>, pads: &[(isize, isize)]) -> Tensor<T> {
    let gone = |count: isize| count.min(0).unsigned_abs();
    pads.iter().enumerate().filter(|&(_, &(before, after))| before.min(after) < 0).fold(x.clone(), |x, (dim, &pair)| {
        let (start, end) = (gone(pair.0), gone(pair.1));
        x.narrow(dim, start, x.shape()[dim] - start - end)
    })
}

#[track_caller]
fn constant<T: Real>(inner: &Tensor<T>, pads: &[(isize, isize)], value: f64) -> Tensor<T> {
    let sizes = inner.shape().to_vec();
    let before: Vec<usize> = pads.iter().map(|&(before, _)| before.max(0) as usize).collect();
    let after = pads.iter().map(|&(_, after)| after.max(0) as usize);
    let shape: Vec<usize> = sizes.iter().zip(&before).zip(after).map(|((n, before), after)| before + n + after).collect();
    if shape == sizes {
        return inner.clone();
    }
    let padded = Tensor::build(shape.as_slice().into(), |out| {
        let places = shape.iter().zip(&sizes).zip(&before);
        let ranges: Vec<Range> = places.map(|((&size, &count), &start)| Range { size, start, count, step: 1 }).collect();
        place(&inner.to_slice(), &ranges, Put::Among(T::from_f64(value)), out);
    });
    Tensor::from_op(&INFO, padded, &[inner], || Pad { before, sizes })
}

impl<T: Real> Tensor<T> {
    /// The tensor with more elements before and after; with fewer where a count is negative.
    ///
    /// `pad` has two counts, before and after, for each of the last dimensions, the last dimension first, as in PyTorch:
    /// `[1, 2]` puts one column on the left and two on the right, `[0, 0, 3, 0]` three rows on top.
    ///
    /// # Panics
    /// If the number of counts is odd or larger than twice the number of dimensions; if more is cut off than there is; if a
    /// reflected dimension is not larger than its counts, a circular one smaller, or a replicated one empty.
    #[track_caller]
    pub fn pad(&self, pad: impl AsRef<[isize]>, mode: PadMode) -> Self {
        let (pad, rank) = (pad.as_ref(), self.rank());
        assert!(
            pad.len().is_multiple_of(2) && pad.len() / 2 <= rank,
            "pad: {pad:?} are not two counts for each of at most {rank} dimensions of shape {}",
            self.shape()
        );
        let mut pads = vec![(0, 0); rank];
        pads.iter_mut().rev().zip(pad.chunks(2)).for_each(|(to, pair)| *to = (pair[0], pair[1]));
        for (dim, &(before, after)) in pads.iter().enumerate() {
            let n = self.shape()[dim] as isize;
            // What is cut off at one end cannot be cut off at the other.
            let left = n + before.min(0) + after.min(0);
            assert!(
                left >= 0 && n + before + after >= 0,
                "pad: {before} before and {after} after cut off more than dimension {dim} of shape {} has",
                self.shape()
            );
            let widest = before.max(after);
            let (fits, rule) = match mode {
                PadMode::Constant(_) => (true, ""),
                PadMode::Reflect => (widest < n || widest <= 0, "must be less than its size"),
                PadMode::Replicate => (n > 0 || widest <= 0, "need an element to repeat"),
                PadMode::Circular => (widest <= left, "must be at most its size"),
            };
            assert!(
                fits,
                "pad: the counts {before} and {after} of dimension {dim} of shape {} {rule} in mode {mode:?}",
                self.shape()
            );
        }
        if let PadMode::Constant(value) = mode {
            return constant(&cut(self, &pads), &pads, value);
        }
        let mut x = self.clone();
        if mode == PadMode::Circular {
            // What is cut off does not come back at the other end.
            x = cut(&x, &pads);
            pads.iter_mut().for_each(|pair| *pair = (pair.0.max(0), pair.1.max(0)));
        }
        pads.iter().enumerate().fold(x, |x, (dim, &(before, after))| {
            if (before, after) == (0, 0) {
                return x;
            }
            let n = x.shape()[dim] as isize;
            let places: Vec<usize> = (-before..n + after).map(|i| source(mode, i, n)).collect();
            x.index_select(dim, places)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PadMode::{Circular, Constant, Reflect, Replicate};
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::from([[1.0f32, 2.0, 3.0]]);
        assert_eq!(x.pad([2, 2], Constant(0.0)).to_vec(), [0., 0., 1., 2., 3., 0., 0.]);
        assert_eq!(x.pad([2, 2], Reflect).to_vec(), [3., 2., 1., 2., 3., 2., 1.]);
        assert_eq!(x.pad([2, 2], Replicate).to_vec(), [1., 1., 1., 2., 3., 3., 3.]);
        assert_eq!(x.pad([2, 2], Circular).to_vec(), [2., 3., 1., 2., 3., 1., 2.]);
        assert_eq!(x.pad([0, 1, 1, 0], Constant(9.0)).to_vec(), [9., 9., 9., 9., 1., 2., 3., 9.]);
        assert_eq!(x.pad([-1, 1], Constant(0.0)).to_vec(), [2., 3., 0.]);
        assert_eq!(x.pad([-1, 2], Circular).to_vec(), [2., 3., 2., 3.]);
        assert_eq!(x.pad([-1, 2], Reflect).to_vec(), [2., 3., 2., 1.]);
        assert_eq!(Tensor::<f32>::zeros([2, 0]).pad([1, 1], Constant(5.0)).to_vec(), [5.; 4]);
        assert_eq!(Tensor::<f32>::scalar(7.0).pad([], Constant(5.0)).to_vec(), [7.]);
    }

    #[test]
    fn gradcheck() {
        let x = check::random([2, 3, 4], -1.0, 1.0);
        check::gradients(|x| x[0].pad([1, 2, 0, 1, 2, 0], Constant(0.5)).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().pad([-1, 1], Constant(0.5)).powf(2.0), &[&x]);
        for mode in [Constant(1.0), Reflect, Replicate, Circular] {
            check::gradients(|x| x[0].pad([2, 1, 1, 2], mode).powf(2.0), &[&x]);
            check::gradients(|x| x[0].slice(2, 0, 4, 2).pad([1, -1], mode).powf(2.0), &[&x]);
            check::gradients(|x| x[0].broadcast_to([2, 3]).pad([1, 1], mode).powf(2.0), &[&check::random([2, 1], -1.0, 1.0)]);
            check::layouts_agree(&x.select(0, 1), |x| x.pad([1, 1, 2, 1], mode));
        }
        check::gradients(|x| x[0].pad([1, 0], Constant(2.0)).powf(2.0), &[&check::random([1], -1.0, 1.0)]);
        check::gradients(|x| x[0].pad([1, 0], Constant(2.0)), &[&check::random([2, 0], -1.0, 1.0)]);
    }

    #[test]
    #[should_panic(expected = "pad: the counts 3 and 0 of dimension 1 of shape [2, 3] must be less than its size in mode Reflect")]
    fn reflections_stay_inside() {
        let _ = Tensor::<f32>::zeros([2, 3]).pad([3, 0], Reflect);
    }

    #[test]
    #[should_panic(expected = "pad: [1] are not two counts for each of at most 2 dimensions of shape [2, 3]")]
    fn counts_come_in_pairs() {
        let _ = Tensor::<f32>::zeros([2, 3]).pad([1], Constant(0.0));
    }
}
