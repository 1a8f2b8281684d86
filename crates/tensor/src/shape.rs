//! Shapes, strides, and the rules by which shapes combine.

use crate::short::Short;
use std::fmt;
use std::ops::Deref;

/// The size of each dimension, outermost first. A scalar has the empty shape.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(pub(crate) Short<usize, 4>);

impl Shape {
    /// The number of elements: the product of the sizes, 1 for a scalar.
    ///
    /// # Panics
    /// If it does not fit into `usize`.
    #[inline]
    #[track_caller]
    pub fn numel(&self) -> usize {
        // What does not fit becomes the largest number.
        let numel = self.0.iter().fold(1usize, |numel, &n| numel.saturating_mul(n));
        if numel == usize::MAX {
            self.too_large()
        }
        numel
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn too_large(&self) -> ! {
        panic!("the shape {self} is too large: its elements cannot be counted")
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The strides of a row-major tensor of this shape.
    ///
    /// # Panics
    /// If the product of some sizes does not fit into `usize`, even if another size is 0.
    #[track_caller]
    pub(crate) fn row_major(&self) -> Shape {
        let mut strides = self.clone();
        let mut next = 1usize;
        for stride in strides.0.iter_mut().rev() {
            next = next.saturating_mul(std::mem::replace(stride, next).max(1));
        }
        if next == usize::MAX {
            self.too_large()
        }
        strides
    }

    /// The shape that two shapes broadcast to (NumPy's rule): aligned at the last dimension, sizes agree or one of them is 1.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        if self == other {
            return Some(self.clone());
        }
        let rank = self.rank().max(other.rank());
        let size = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(1, |i| s.0[i]);
        (0..rank)
            .map(|i| match (size(self, i), size(other, i)) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Shape)
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        sizes.as_slice().into()
    }
}
impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Shape(sizes.into())
    }
}
impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        sizes.as_slice().into()
    }
}
impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}
impl From<usize> for Shape {
    fn from(n: usize) -> Self {
        [n].into()
    }
}
impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        Shape(sizes.into_iter().collect())
    }
}
impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self.0[..] == *other
    }
}
impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self.0[..] == *other
    }
}

/// One or several dimensions, counted from the front (`0` is the first) or from the back (`-1` is the last).
///
/// An empty list names none of them: a sum over it leaves every element as it is. (PyTorch's sums all.)
#[derive(Clone, Debug)]
pub struct Dims(Short<isize, 4>);

impl Dims {
    /// The dimensions as indices into a shape of this rank, in the order given. As in PyTorch, a tensor without dimensions
    /// may be asked for its first or last: there is nothing to index.
    ///
    /// # Panics
    /// If one is out of range or named twice; the message begins with `op`.
    #[track_caller]
    pub(crate) fn resolve(&self, op: &str, rank: usize) -> Short<usize, 4> {
        let mut resolved: Short<usize, 4> = Short::default();
        if rank == 0 && matches!(self.0[..], [0 | -1]) {
            return resolved;
        }
        for &dim in &self.0 {
            let dim = resolve_dim(op, dim, rank);
            assert!(!resolved.contains(&dim), "{op}: dimension {dim} is named twice in {:?}", &self.0[..]);
            resolved.push(dim);
        }
        resolved
    }

    /// The one dimension named.
    ///
    /// # Panics
    /// If it is out of range, or not exactly one is named.
    #[track_caller]
    pub(crate) fn resolve_one(&self, op: &str, rank: usize) -> usize {
        assert!(self.0.len() == 1, "{op}: takes one dimension, not {:?}", &self.0[..]);
        resolve_dim(op, self.0[0], rank)
    }
}

#[track_caller]
fn resolve_dim(op: &str, dim: isize, rank: usize) -> usize {
    let resolved = if dim < 0 { dim + rank as isize } else { dim };
    assert!((0..rank as isize).contains(&resolved), "{op}: dimension {dim} is out of range for {rank} dimensions");
    resolved as usize
}

/// The sizes of a new shape; one of them may be -1, to be inferred from the number of elements.
#[derive(Clone, Debug)]
pub struct Sizes(Short<isize, 4>);

impl Sizes {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The sizes as they were given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = isize> + '_ {
        self.0.iter().copied()
    }

    /// The sizes with -1 filled in for a tensor of shape `from`.
    ///
    /// # Panics
    /// If the number of elements would change, or more than one size is -1.
    #[track_caller]
    pub(crate) fn resolve(&self, op: &str, from: &Shape) -> Shape {
        let known: usize = self.0.iter().filter(|&&n| n != -1).map(|&n| n.max(0) as usize).product();
        let unknown = self.0.iter().filter(|&&n| n == -1).count();
        assert!(
            unknown <= 1 && self.0.iter().all(|&n| n >= -1),
            "{op}: {:?} is no shape: one size may be -1",
            &self.0[..]
        );
        let numel = from.numel();
        let inferred = numel.checked_div(known).unwrap_or(0);
        let shape: Shape = self.0.iter().map(|&n| if n == -1 { inferred } else { n as usize }).collect();
        assert!(
            shape.numel() == numel && (unknown == 0 || known > 0),
            "{op}: a tensor of shape {from} has {numel} elements, which {:?} cannot hold",
            &self.0[..]
        );
        shape
    }
}

macro_rules! signed_lists {
    ($List:ident, $($t:ty),*) => { $(
        impl From<$t> for $List {
            fn from(n: $t) -> Self { $List([n as isize].as_slice().into()) }
        }
        impl<const N: usize> From<[$t; N]> for $List {
            fn from(list: [$t; N]) -> Self { list.as_slice().into() }
        }
        impl From<&[$t]> for $List {
            fn from(list: &[$t]) -> Self { $List(list.iter().map(|&n| n as isize).collect()) }
        }
        impl From<Vec<$t>> for $List {
            fn from(list: Vec<$t>) -> Self { list.as_slice().into() }
        }
        impl From<&Vec<$t>> for $List {
            fn from(list: &Vec<$t>) -> Self { list.as_slice().into() }
        }
    )* };
}
signed_lists!(Dims, i32, isize, usize);
signed_lists!(Sizes, i32, isize, usize);

impl From<&Shape> for Sizes {
    fn from(shape: &Shape) -> Self {
        shape[..].into()
    }
}
impl From<Shape> for Sizes {
    fn from(shape: Shape) -> Self {
        shape[..].into()
    }
}

/// The axes of a shape by which a gradient of shape `from` has to be summed to become a gradient of shape `to`, if `to`
/// broadcasts to `from`.
pub(crate) fn broadcast_axes(from: &Shape, to: &Shape) -> Option<Vec<usize>> {
    let extra = from.rank().checked_sub(to.rank())?;
    let mut axes: Vec<usize> = (0..extra).collect();
    for (i, (&big, &small)) in from[extra..].iter().zip(to.iter()).enumerate() {
        if big != small {
            if small != 1 {
                return None;
            }
            axes.push(extra + i);
        }
    }
    Some(axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let shape = |s: &[usize]| Shape::from(s);
        assert_eq!(shape(&[2, 1, 3]).broadcast(&shape(&[4, 1])), Some(shape(&[2, 4, 3])));
        assert_eq!(shape(&[]).broadcast(&shape(&[2])), Some(shape(&[2])));
        assert_eq!(shape(&[0]).broadcast(&shape(&[1])), Some(shape(&[0])));
        assert_eq!(shape(&[2]).broadcast(&shape(&[3])), None);
    }

    #[test]
    fn sizes_are_inferred() {
        let from = Shape::from([4, 6]);
        assert_eq!(Sizes::from([-1, 8]).resolve("reshape", &from), [3, 8]);
        assert_eq!(Sizes::from([24usize]).resolve("reshape", &from), [24]);
    }

    #[test]
    #[should_panic(expected = "reshape: a tensor of shape [4, 6] has 24 elements, which [-1, 7] cannot hold")]
    fn sizes_must_fit() {
        Sizes::from([-1, 7]).resolve("reshape", &Shape::from([4, 6]));
    }

    #[test]
    #[should_panic(expected = "sum: dimension 2 is out of range for 2 dimensions")]
    fn dims_must_exist() {
        Dims::from(2).resolve("sum", 2);
    }

    #[test]
    #[should_panic(expected = "sum: dimension 1 is out of range for 0 dimensions")]
    fn a_scalar_has_no_second_dimension() {
        assert!(Dims::from(0).resolve("sum", 0).is_empty() && Dims::from(-1).resolve("sum", 0).is_empty());
        Dims::from(1).resolve("sum", 0);
    }
}
