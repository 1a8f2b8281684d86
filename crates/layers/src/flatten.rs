//! [`Flatten`]: several dimensions become one, as between convolutions and dense layers; [`Unflatten`]: one becomes several.
//!
//! | | shapes |
//! |---|---|
//! | [`Flatten`] | `x [N, d1, d2, ..]` -> `y [N, d1 * d2 * ..]` |
//! | [`Unflatten`] | `x [.., d1 * d2 * .., ..]` -> `y [.., d1, d2, .., ..]` |
//!
//! Neither has parameters. Unless said otherwise, `Flatten` merges from dimension 1 to the last: the batch stays.

use crate::module::no_parameters;
use crate::{Layer, Mode};
use chainrule_tensor::{Real, Tensor};

/// Makes one dimension of those from `start` to `end`.
///
/// ```
/// use chainrule_layers::Flatten;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::<f32>::zeros([8, 16, 5, 5]);
/// assert_eq!(Flatten::new().forward(&x).shape(), &[8, 400]);
/// assert_eq!(Flatten { end: -2, ..Flatten::new() }.forward(&x).shape(), &[8, 80, 5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flatten {
    /// The first dimension that is merged; counts from the back if negative.
    pub start: isize,
    /// The last dimension that is merged; counts from the back if negative.
    pub end: isize,
}

no_parameters!(Flatten);

impl Flatten {
    /// Flattens each sample of a batch: from dimension 1 to the last.
    pub fn new() -> Self {
        Flatten { start: 1, end: -1 }
    }

    /// The same elements in fewer dimensions.
    ///
    /// # Panics
    /// If `x` has no dimension `start` or `end`, or `end` is before `start`.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.flatten_dims(self.start, self.end)
    }
}

impl Default for Flatten {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for Flatten {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        let end = if self.end == -1 { String::new() } else { format!(", end_dim={}", self.end) };
        format!("Flatten(start_dim={}{end})", self.start)
    }
}

/// Makes several dimensions of one.
///
/// ```
/// use chainrule_layers::Unflatten;
/// use chainrule_tensor::Tensor;
///
/// let x = Tensor::<f32>::zeros([8, 400]);
/// assert_eq!(Unflatten::new(1, [16, 5, 5]).forward(&x).shape(), &[8, 16, 5, 5]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unflatten {
    dim: isize,
    sizes: Vec<usize>,
}

no_parameters!(Unflatten);

impl Unflatten {
    /// Dimension `dim`, which counts from the back if negative, in these sizes.
    pub fn new(dim: isize, sizes: impl Into<Vec<usize>>) -> Self {
        Unflatten { dim, sizes: sizes.into() }
    }

    /// The same elements in more dimensions.
    ///
    /// # Panics
    /// If `x` has no dimension `dim`, or its size is not the product of the sizes.
    #[track_caller]
    pub fn forward<T: Real>(&self, x: &Tensor<T>) -> Tensor<T> {
        x.unflatten(self.dim, &self.sizes)
    }
}

impl<T: Real> Layer<T> for Unflatten {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        self.forward(x)
    }
    fn describe(&self) -> String {
        format!("Unflatten(dim={}, unflattened_size={:?})", self.dim, self.sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_the_elements() {
        let x = Tensor::<f32>::arange(12).reshape([2, 3, 2]);
        let y = Flatten::default().call(&x, &mut Mode::Eval);
        assert_eq!(y.shape(), &[2, 6]);
        assert_eq!(y.to_vec(), x.to_vec());
        assert_eq!(Layer::<f32>::describe(&Flatten::new()), "Flatten(start_dim=1)");
        let back = Unflatten::new(-1, [3, 2]);
        assert_eq!(back.forward(&y).shape(), x.shape());
        assert_eq!(Layer::<f32>::describe(&back), "Unflatten(dim=-1, unflattened_size=[3, 2])");
    }

    #[test]
    fn any_range_can_be_merged() {
        let x = Tensor::<f32>::zeros([2, 3, 4, 5]);
        let flat = |start, end| Flatten { start, end }.forward(&x).shape().to_vec();
        assert_eq!(flat(0, -1), [120]);
        assert_eq!(flat(1, 2), [2, 12, 5]);
        assert_eq!(flat(-2, -1), [2, 3, 20]);
        assert_eq!(flat(2, 2), [2, 3, 4, 5]);
        assert_eq!(Flatten { start: 0, end: -1 }.forward(&Tensor::<f32>::zeros([])).shape(), &[1]);
    }

    #[test]
    #[should_panic(expected = "unflatten: a tensor of shape [5] has 5 elements, which [2, 3] cannot hold")]
    fn sizes_must_fit() {
        Unflatten::new(1, [2, 3]).forward(&Tensor::<f32>::zeros([2, 5]));
    }
}
