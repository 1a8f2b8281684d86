//! What all element-wise operations share: results in fresh or recycled memory, and broadcasting.

use crate::{Shape, Tensor};
use chainrule_kernels::map::{self, Binary, Unary};
use chainrule_kernels::{Real, View};

/// `f` of every element, untracked.
pub(crate) fn map1<T: Real, F: Unary>(f: F, x: &Tensor<T>) -> Tensor<T> {
    Tensor::build(x.shape().clone(), |out| map::map1(f, x.as_view(), out))
}

/// `f` of every element, untracked, in place if nobody else sees the memory of `x`.
pub(crate) fn map1_owned<T: Real, F: Unary>(f: F, mut x: Tensor<T>) -> Tensor<T> {
    match x.unique_slice() {
        Some(data) => {
            map::map1_in_place(f, data);
            x.with_node(None)
        }
        None => map1(f, &x),
    }
}

/// `f` of every pair of elements, broadcast, untracked.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub(crate) fn map2<T: Real, F: Binary>(op: &str, f: F, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let shape = broadcast_shape(op, a.shape(), b.shape());
    let strides_a = broadcast_strides(a.shape(), a.strides(), &shape);
    let strides_b = broadcast_strides(b.shape(), b.strides(), &shape);
    Tensor::build(shape.clone(), |out| {
        let a = View::new(a.as_view().data(), &shape, &strides_a);
        let b = View::new(b.as_view().data(), &shape, &strides_b);
        map::map2(f, a, b, out);
    })
}

/// [`map2`] in place of `a`, if it has the result's shape and nobody else sees its memory.
#[track_caller]
pub(crate) fn map2_owned<T: Real, F: Binary>(op: &str, f: F, mut a: Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    if &broadcast_shape(op, a.shape(), b.shape()) == a.shape() {
        let shape = a.shape().clone();
        if let Some(data) = a.unique_slice() {
            let strides = broadcast_strides(b.shape(), b.strides(), &shape);
            map::map2_in_place(f, data, View::new(b.as_view().data(), &shape, &strides));
            return a.with_node(None);
        }
    }
    map2(op, f, &a, b)
}

/// The shape that two operands broadcast to.
///
/// # Panics
/// If they do not.
#[track_caller]
pub(crate) fn broadcast_shape(op: &str, a: &Shape, b: &Shape) -> Shape {
    a.broadcast(b).unwrap_or_else(|| {
        panic!(
            "{op}: shapes {a} and {b} do not broadcast: from the last dimension on, sizes must agree or one must be 1"
        )
    })
}

/// The strides with which a tensor of some shape and strides is read as if it had a larger shape.
pub(crate) fn broadcast_strides(from: &Shape, strides: &[usize], to: &Shape) -> Shape {
    if from == to {
        return strides.into();
    }
    let extra = to.rank() - from.rank();
    (0..to.rank())
        .map(|i| match i.checked_sub(extra) {
            Some(i) if from[i] == to[i + extra] => strides[i],
            _ => 0,
        })
        .collect()
}
