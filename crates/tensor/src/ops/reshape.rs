//! The same elements in another shape, in row-major order.
//!
//! | | |
//! |---|---|
//! | equation | `y = x`, renumbered |
//! | derivative | `x' = y'`, renumbered back |
//! | shapes | any two with the same number of elements |
//! | saved | the input's shape |
//!
//! A view where strides can describe the new shape, a copy where they cannot: merging the dimensions of a transposed matrix
//! needs one, splitting or adding dimensions never does.

use crate::{Dims, Inputs, Op, OpInfo, Shape, Sizes, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "reshape",
    equation: "y = x in another shape",
    derivative: "x' = y' in the shape of x",
    torch: "torch.reshape",
};

#[derive(Debug)]
struct Reshape {
    from: Shape,
}

impl<T: Real> Op<T> for Reshape {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        inputs.add(0, || grad.reshape(&self.from));
    }
}

/// The strides with which elements of one shape and strides are read as if they had another shape, if there are any.
fn view_strides(shape: &[usize], strides: &[usize], to: &Shape) -> Option<Shape> {
    if shape.contains(&0) {
        return Some(to.row_major());
    }
    // Dimensions of size 1 never move; runs of the others that lie one inside the other count as one.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (&n, &stride) in shape.iter().zip(strides).filter(|&(&n, _)| n != 1) {
        match runs.last_mut() {
            Some((size, inner)) if *inner == n * stride => (*size, *inner) = (*size * n, stride),
            _ => runs.push((n, stride)),
        }
    }
    // From the back, each run is cut into the new sizes.
    let mut view = to.clone();
    let (mut left, mut next) = (1, 1);
    for (stride, &n) in view.0.iter_mut().zip(to.iter()).rev() {
        if left == 1 && n != 1 {
            (left, next) = runs.pop()?;
        }
        *stride = next;
        if !left.is_multiple_of(n) {
            return None;
        }
        (left, next) = (left / n, next * n);
    }
    (left == 1 && runs.is_empty()).then_some(view)
}

impl<T: Real> Tensor<T> {
    /// The same elements in another shape. One size may be -1: it is inferred.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, sizes: impl Into<Sizes>) -> Self {
        let shape = sizes.into().resolve(INFO.name, self.shape());
        if &shape == self.shape() {
            return self.clone();
        }
        let value = match view_strides(self.shape(), self.strides(), &shape) {
            Some(strides) => self.window(shape, strides, self.offset()),
            None => {
                let source = self.to_row_major();
                source.window(shape.clone(), shape.row_major(), source.offset())
            }
        };
        Self::from_op(&INFO, value, &[self], || Reshape { from: self.shape().clone() })
    }

    /// All dimensions from `start` on as one. A tensor without dimensions gets one.
    ///
    /// # Panics
    /// If there is no dimension `start`.
    #[track_caller]
    pub fn flatten(&self, start: impl Into<Dims>) -> Self {
        self.flatten_dims(start, -1)
    }

    /// The dimensions from `start` to `end`, which counts too, as one. A tensor without dimensions gets one.
    ///
    /// # Panics
    /// If one of them does not exist, or `end` comes before `start`.
    #[track_caller]
    pub fn flatten_dims(&self, start: impl Into<Dims>, end: impl Into<Dims>) -> Self {
        let rank = self.rank().max(1);
        let (start, end) = (start.into().resolve_one("flatten", rank), end.into().resolve_one("flatten", rank));
        assert!(start <= end, "flatten: dimension {end} comes before dimension {start} of shape {}", self.shape());
        if self.rank() == 0 {
            return self.reshape(1usize);
        }
        let sizes = self.shape();
        let merged: usize = sizes[start..=end].iter().product();
        let shape: Shape = sizes[..start].iter().copied().chain([merged]).chain(sizes[end + 1..].iter().copied()).collect();
        self.reshape(shape)
    }

    /// One dimension cut into several of the given sizes, one of which may be -1.
    ///
    /// # Panics
    /// If there is no such dimension or the sizes do not multiply to its own.
    #[track_caller]
    pub fn unflatten(&self, dim: impl Into<Dims>, sizes: impl Into<Sizes>) -> Self {
        let dim = dim.into().resolve_one("unflatten", self.rank());
        let parts = sizes.into().resolve("unflatten", &self.shape()[dim].into());
        let (before, after) = (&self.shape()[..dim], &self.shape()[dim + 1..]);
        let shape: Shape = before.iter().chain(parts.iter()).chain(after).copied().collect();
        self.reshape(shape)
    }

    /// Without those of the given dimensions that have size 1; the others stay.
    ///
    /// # Panics
    /// If there is no such dimension, or one is named twice.
    #[track_caller]
    pub fn squeeze(&self, dims: impl Into<Dims>) -> Self {
        let dims = dims.into().resolve("squeeze", self.rank());
        let sizes = self.shape().iter().enumerate();
        let shape: Shape = sizes.filter(|&(d, &n)| n != 1 || !dims.contains(&d)).map(|(_, &n)| n).collect();
        self.reshape(shape)
    }

    /// Without all dimensions of size 1.
    #[track_caller]
    pub fn squeeze_all(&self) -> Self {
        let shape: Shape = self.shape().iter().copied().filter(|&n| n != 1).collect();
        self.reshape(shape)
    }

    /// With a new dimension of size 1 at `dim`; `-1` puts it last.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: impl Into<Dims>) -> Self {
        let dim = dim.into().resolve_one("unsqueeze", self.rank() + 1);
        let mut shape = self.shape().clone();
        shape.0.insert(dim, 1);
        self.reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let x = Tensor::<f32>::arange(6).reshape([2, -1]);
        assert_eq!(x.shape(), &[2, 3]);
        assert_eq!(x.t().reshape([6]).to_vec(), [0., 3., 1., 4., 2., 5.]);
        assert_eq!(x.flatten(0).shape(), &[6]);
        assert_eq!(Tensor::<f32>::zeros([2, 3, 4]).flatten(1).shape(), &[2, 12]);
        assert_eq!(Tensor::<f32>::zeros([]).flatten(0).shape(), &[1]);
        assert_eq!(x.unsqueeze(0).shape(), &[1, 2, 3]);
        assert_eq!(x.unsqueeze(-1).shape(), &[2, 3, 1]);
        assert_eq!(x.unsqueeze(1).squeeze(1).shape(), &[2, 3]);
        assert_eq!(x.squeeze(0).shape(), &[2, 3]);
        let y = Tensor::<f32>::zeros([1, 2, 1, 3, 1]);
        assert_eq!((y.squeeze([0, -1, 1]).shape().to_vec(), y.squeeze_all().shape().to_vec()), (vec![2, 1, 3], vec![2, 3]));
        assert_eq!(y.flatten_dims(1, -2).shape(), &[1, 6, 1]);
        assert_eq!(y.unflatten(-2, [3, -1]).shape(), &[1, 2, 1, 3, 1, 1]);
    }

    #[test]
    fn copies_only_where_strides_cannot_describe_the_shape() {
        let x = Tensor::<f32>::arange(24).reshape([2, 3, 4]);
        let shares = |y: &Tensor, z: &Tensor| y.as_view().data().as_ptr() == z.as_view().data().as_ptr();
        let turned = x.permute([2, 0, 1]);
        for (from, to, shared) in [
            (&turned, &[4, 6][..], true),
            (&turned, &[2, 2, 1, 6], true),
            (&turned, &[1, 4, 2, 3, 1], true),
            (&turned, &[8, 3], false),
            (&x.slice(2, 0, 4, 2), &[6, 2], true),
            (&x.slice(2, 0, 3, 1), &[2, 9], false),
            (&x.narrow(0, 1, 1), &[12], true),
            (&x.broadcast_to([5, 2, 3, 4]), &[5, 24], true),
            (&x.broadcast_to([5, 2, 3, 4]), &[120], false),
            (&x.select(0, 1).select(0, 1).select(0, 1), &[1, 1], true),
        ] {
            let y = from.reshape(to);
            assert_eq!((y.to_vec(), shares(from, &y)), (from.to_vec(), shared), "{from:?} {to:?}");
        }
    }

    #[test]
    fn gradcheck() {
        check::unary(|x| x.reshape([x.numel()]), -1.0, 1.0);
        let x = check::random([2, 6], -1.0, 1.0);
        check::gradients(|x| x[0].reshape([3, 4]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().unflatten(0, [3, 2]).powf(2.0), &[&x]);
        check::gradients(|x| x[0].t().flatten(-2).unsqueeze(0).squeeze_all().powf(2.0), &[&x]);
    }

    #[test]
    #[should_panic(expected = "reshape: a tensor of shape [2, 3] has 6 elements, which [4, 2] cannot hold")]
    fn elements_must_fit() {
        let _ = Tensor::<f32>::zeros([2, 3]).reshape([4, 2]);
    }
}
