//! [`Mask`]: a yes or no for each element, made by comparisons. No gradient flows through it.
//!
//! ```
//! use chainrule_tensor::{Mask, Tensor};
//!
//! let x = Tensor::from([3.0f32, -1.0, 0.5]);
//! let positive = x.gt(0.0);
//! assert_eq!(positive.to_vec(), [true, false, true]);
//! assert_eq!(Tensor::where_(&positive, &x, 0.0).to_vec(), [3.0, 0.0, 0.5]);
//! assert_eq!((positive & x.lt(1.0)).count(), 1);
//! ```

use crate::ops::elementwise::{broadcast_shape, broadcast_strides};
use crate::shape::Sizes;
use crate::{Shape, Tensor};
use chainrule_kernels::mask::{Comparison, compare, to_numbers};
use chainrule_kernels::{Buffer, Real, View};
use std::fmt;
use std::ops::{BitAnd, BitOr, Not};
use std::sync::Arc;

/// An array of yes and no, which picks elements of tensors: see [`Tensor::where_`]. Cheap to clone; it broadcasts against
/// tensors as tensors do.
#[derive(Clone)]
pub struct Mask {
    /// In row-major order, 0 or 1.
    values: Arc<Buffer<u8>>,
    shape: Shape,
}

impl Mask {
    /// A mask of the given row-major values.
    ///
    /// # Panics
    /// If `values` has another length than the shape has elements.
    #[track_caller]
    pub fn from_vec(values: impl AsRef<[bool]>, shape: impl Into<Shape>) -> Self {
        let (values, shape) = (values.as_ref(), shape.into());
        assert!(
            values.len() == shape.numel(),
            "Mask::from_vec: {} values do not fill the shape {shape} of {} elements",
            values.len(),
            shape.numel()
        );
        Self::from_fn(shape, |i| values[i])
    }

    /// A mask whose `i`-th element in row-major order is `value(i)`.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, mut value: impl FnMut(usize) -> bool) -> Self {
        Self::build(shape.into(), |out| out.iter_mut().enumerate().for_each(|(i, out)| *out = value(i).into()))
    }

    #[track_caller]
    fn build(shape: Shape, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut values = Buffer::unspecified(shape.numel());
        fill(&mut values);
        Mask { values: Arc::new(values), shape }
    }

    /// The size of each dimension.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// The elements in row-major order, as bytes of 0 or 1.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.values
    }

    /// The strides with which the elements are read as if the mask had a larger shape.
    pub(crate) fn broadcast_strides(&self, shape: &Shape) -> Shape {
        broadcast_strides(&self.shape, &self.shape.row_major(), shape)
    }

    /// The elements in row-major order.
    pub fn to_vec(&self) -> Vec<bool> {
        self.values.iter().map(|&x| x != 0).collect()
    }

    /// How many elements are true.
    pub fn count(&self) -> usize {
        self.values.iter().map(|&x| usize::from(x)).sum()
    }

    /// Whether an element is true.
    pub fn any(&self) -> bool {
        self.values.contains(&1)
    }

    /// Whether all elements are true.
    pub fn all(&self) -> bool {
        !self.values.contains(&0)
    }

    /// The same elements in another shape of the same number of elements; one size may be -1, to be inferred.
    ///
    /// # Panics
    /// If the number of elements would change.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Sizes>) -> Self {
        Mask { values: self.values.clone(), shape: shape.into().resolve("Mask::reshape", &self.shape) }
    }

    /// 1 where the mask is true, 0 elsewhere.
    pub fn to_tensor<T: Real>(&self) -> Tensor<T> {
        Tensor::build(self.shape.clone(), |out| to_numbers(&self.values, out))
    }

    #[track_caller]
    fn combine(&self, op: &str, other: &Self, f: impl Fn(u8, u8) -> u8) -> Self {
        let shape = broadcast_shape(op, &self.shape, &other.shape);
        let read = |mask: &Self, out: &mut [u8]| {
            View::new(&mask.values, &shape, &mask.broadcast_strides(&shape)).read(0, out);
        };
        let mut second = Buffer::unspecified(shape.numel());
        read(other, &mut second);
        Self::build(shape.clone(), |out| {
            read(self, out);
            out.iter_mut().zip(second.iter()).for_each(|(a, &b)| *a = f(*a, b));
        })
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.values[..] == other.values[..]
    }
}
impl Eq for Mask {}

impl<const N: usize> From<[bool; N]> for Mask {
    fn from(values: [bool; N]) -> Self {
        Self::from_vec(values, N)
    }
}
impl<const N: usize, const M: usize> From<[[bool; N]; M]> for Mask {
    fn from(rows: [[bool; N]; M]) -> Self {
        Self::from_vec(rows.as_flattened(), [M, N])
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask {} {:?}", self.shape, self.to_vec())
    }
}

impl Not for &Mask {
    type Output = Mask;
    fn not(self) -> Mask {
        Mask::from_fn(&self.shape, |i| self.values[i] == 0)
    }
}
impl Not for Mask {
    type Output = Mask;
    fn not(self) -> Mask {
        !&self
    }
}

macro_rules! logic {
    ($($Trait:ident, $method:ident, $op:tt;)*) => { $(
        impl $Trait for &Mask {
            type Output = Mask;
            #[track_caller]
            fn $method(self, other: &Mask) -> Mask {
                self.combine(stringify!($method), other, |a, b| a $op b)
            }
        }
        impl $Trait for Mask {
            type Output = Mask;
            #[track_caller]
            fn $method(self, other: Mask) -> Mask {
                (&self).$method(&other)
            }
        }
    )* };
}
logic! { BitAnd, bitand, &; BitOr, bitor, |; }

impl<T: Real> Tensor<T> {
    #[track_caller]
    fn compare(&self, op: &str, comparison: Comparison, other: &Self) -> Mask {
        let shape = broadcast_shape(op, self.shape(), other.shape());
        let strides = [self, other].map(|x| broadcast_strides(x.shape(), x.strides(), &shape));
        let a = View::new(self.as_view().data(), &shape, &strides[0]);
        let b = View::new(other.as_view().data(), &shape, &strides[1]);
        Mask::build(shape.clone(), |out| compare(comparison, a, b, out))
    }

    /// Where the elements equal those of another tensor, or a number. NaN equals nothing.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn eq(&self, other: impl Into<Self>) -> Mask {
        self.compare("eq", Comparison::Equal, &other.into())
    }

    /// Where the elements differ from those of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn ne(&self, other: impl Into<Self>) -> Mask {
        self.compare("ne", Comparison::NotEqual, &other.into())
    }

    /// Where the elements are less than those of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn lt(&self, other: impl Into<Self>) -> Mask {
        self.compare("lt", Comparison::Less, &other.into())
    }

    /// Where the elements are at most those of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn le(&self, other: impl Into<Self>) -> Mask {
        self.compare("le", Comparison::LessOrEqual, &other.into())
    }

    /// Where the elements are greater than those of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn gt(&self, other: impl Into<Self>) -> Mask {
        other.into().compare("gt", Comparison::Less, self)
    }

    /// Where the elements are at least those of another tensor, or a number.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn ge(&self, other: impl Into<Self>) -> Mask {
        other.into().compare("ge", Comparison::LessOrEqual, self)
    }

    /// Where the elements are NaN.
    pub fn isnan(&self) -> Mask {
        self.compare("isnan", Comparison::NotEqual, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_follow_ieee() {
        let x = Tensor::from([1.0f32, 2.0, f32::NAN, 3.0]);
        assert_eq!(x.eq(2.0).to_vec(), [false, true, false, false]);
        assert_eq!(x.ne(2.0).to_vec(), [true, false, true, true]);
        assert_eq!(x.lt(2.0).to_vec(), [true, false, false, false]);
        assert_eq!(x.le(2.0).to_vec(), [true, true, false, false]);
        assert_eq!(x.gt(2.0).to_vec(), [false, false, false, true]);
        assert_eq!(x.ge(2.0).to_vec(), [false, true, false, true]);
        assert_eq!(x.isnan().to_vec(), [false, false, true, false]);
    }

    #[test]
    fn comparisons_broadcast_and_take_any_layout() {
        let x = Tensor::<f64>::arange(6).reshape([2, 3]);
        let mask = x.t().gt(Tensor::from([1.0, 4.0]));
        assert_eq!(mask.shape(), &[3, 2]);
        assert_eq!(mask.to_vec(), [false, false, false, false, true, true]);
        assert_eq!(Tensor::<f32>::zeros([0, 2]).eq(0.0).shape(), &[0, 2]);
    }

    #[test]
    fn logic() {
        let (a, b) = (Mask::from([[true], [false]]), Mask::from([true, false]));
        assert_eq!((&a & &b).to_vec(), [true, false, false, false]);
        assert_eq!((&a | &b).to_vec(), [true, true, true, false]);
        assert_eq!(!&b, Mask::from([false, true]));
        assert!(a.any() && !a.all() && a.count() == 1);
        assert_eq!(a.reshape([-1]).to_tensor::<f32>().to_vec(), [1.0, 0.0]);
    }

    #[test]
    #[should_panic(expected = "gt: shapes [2] and [3] do not broadcast")]
    fn shapes_must_broadcast() {
        let _ = Tensor::<f32>::zeros([3]).gt(Tensor::zeros([2]));
    }
}
