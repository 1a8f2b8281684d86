//! Tensors from scratch.

use crate::{Rng, Shape, Tensor};
use chainrule_kernels::{Buffer, Real};

impl<T: Real> Tensor<T> {
    /// A tensor of the given row-major values.
    ///
    /// # Panics
    /// If `values` has another length than the shape has elements.
    #[track_caller]
    pub fn from_vec(values: impl AsRef<[T]>, shape: impl Into<Shape>) -> Self {
        let (values, shape) = (values.as_ref(), shape.into());
        assert!(
            values.len() == shape.numel(),
            "from_vec: {} values do not fill the shape {shape} of {} elements",
            values.len(),
            shape.numel()
        );
        Self::from_buffer(Buffer::from_slice(values), shape)
    }

    /// A tensor of one element and no dimension.
    pub fn scalar(value: T) -> Self {
        Self::full([], value)
    }

    /// A tensor filled with one value.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        Self::build(shape.into(), |out| out.fill(value))
    }

    /// A tensor of zeros.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        Self::from_buffer(Buffer::zeroed(shape.numel()), shape)
    }

    /// A tensor of ones.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::full(shape, T::ONE)
    }

    /// A tensor of zeros with the shape of another.
    pub fn zeros_like(other: &Self) -> Self {
        Self::zeros(other.shape())
    }

    /// A tensor of ones with the shape of another.
    pub fn ones_like(other: &Self) -> Self {
        Self::ones(other.shape())
    }

    /// The numbers `0, 1, .. n - 1`.
    pub fn arange(n: usize) -> Self {
        Self::from_fn(n, T::from_usize)
    }

    /// The `n x n` matrix with ones on the diagonal, zeros elsewhere.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Self::from_fn([n, n], |i| if i / n == i % n { T::ONE } else { T::ZERO })
    }

    /// A tensor whose `i`-th element in row-major order is `value(i)`.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, mut value: impl FnMut(usize) -> T) -> Self {
        Self::build(shape.into(), |out| out.iter_mut().enumerate().for_each(|(i, x)| *x = value(i)))
    }

    /// Independent draws from the uniform distribution on `[low, high)`.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: T, high: T, rng: &mut Rng) -> Self {
        Self::from_fn(shape, |_| between(low, high, rng.uniform()))
    }

    /// Independent draws from the normal distribution with mean 0 and standard deviation 1.
    ///
    /// # Panics
    /// If the shape has more elements than `usize` can count.
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>, rng: &mut Rng) -> Self {
        Self::from_fn(shape, |_| T::from_f64(rng.normal()))
    }
}

/// The number at `share`, which is less than 1, of the way from `low` to `high`, and less than `high`.
fn between<T: Real>(low: T, high: T, share: f64) -> T {
    let x = T::from_f64(low.to_f64() + (high.to_f64() - low.to_f64()) * share);
    // Rounding may have closed the interval.
    if low < high && x >= high { high.next_down() } else { x }
}

impl<T: Real> From<&Tensor<T>> for Tensor<T> {
    fn from(tensor: &Tensor<T>) -> Self {
        tensor.clone()
    }
}
impl From<f32> for Tensor<f32> {
    fn from(value: f32) -> Self {
        Self::scalar(value)
    }
}
impl From<f64> for Tensor<f64> {
    fn from(value: f64) -> Self {
        Self::scalar(value)
    }
}
impl<T: Real> From<Vec<T>> for Tensor<T> {
    fn from(values: Vec<T>) -> Self {
        values.as_slice().into()
    }
}
impl<T: Real> From<&[T]> for Tensor<T> {
    fn from(values: &[T]) -> Self {
        Self::from_buffer(Buffer::from_slice(values), values.len().into())
    }
}
impl<T: Real, const N: usize> From<[T; N]> for Tensor<T> {
    fn from(values: [T; N]) -> Self {
        values.as_slice().into()
    }
}
impl<T: Real, const N: usize, const M: usize> From<[[T; N]; M]> for Tensor<T> {
    fn from(rows: [[T; N]; M]) -> Self {
        Self::from_buffer(Buffer::from_slice(rows.as_flattened()), [M, N].into())
    }
}
impl<T: Real, const N: usize, const M: usize, const L: usize> From<[[[T; N]; M]; L]> for Tensor<T> {
    fn from(blocks: [[[T; N]; M]; L]) -> Self {
        Self::from_buffer(Buffer::from_slice(blocks.as_flattened().as_flattened()), [L, M, N].into())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Mask, Tensor};

    #[test]
    fn the_upper_bound_is_no_draw() {
        let largest = 1.0 - f64::EPSILON / 2.0;
        assert_eq!(super::between(0f32, 1.0, largest), 1f32.next_down());
        assert_eq!(super::between(-1f32, 0.0, largest), (-1.0 + largest) as f32);
        assert_eq!(super::between(1f64, 3.0, largest), 3f64.next_down());
        assert_eq!(super::between(1f64, 1.0 + f64::EPSILON, largest), 1.0);
        assert_eq!(super::between(2f32, 2.0, 0.5), 2.0);
        // All others are rounded as they always were.
        assert_eq!(super::between(-2f32, 3.0, 0.7), (-2.0 + 5.0 * 0.7) as f32);
    }

    #[test]
    #[should_panic(expected = "the shape [274177, 67280421310721] is too large")]
    fn a_product_that_wraps_to_one_is_not_one() {
        let _ = Tensor::from_vec([1.0f32], [274_177, 67_280_421_310_721]);
    }

    #[test]
    #[should_panic(expected = "the shape [274177, 67280421310721] is too large")]
    fn masks_count_too() {
        let _ = Mask::from_vec([true], [274_177, 67_280_421_310_721]);
    }

    #[test]
    #[should_panic(expected = "the shape [0, 4294967296, 4294967296] is too large")]
    fn strides_fit_even_where_there_is_nothing() {
        let _ = Tensor::<f32>::zeros([0, 1 << 32, 1 << 32]);
    }

    #[test]
    #[should_panic(expected = "the shape [4294967296, 4294967296] is too large")]
    fn repetitions_are_counted() {
        let _ = Tensor::scalar(1.0f32).broadcast_to([1 << 32, 1 << 32]);
    }
}
