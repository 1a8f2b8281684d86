//! [`Embedding`]: a vector of learned features for each of a number of things, such as the words of a vocabulary.
//!
//! | | |
//! |---|---|
//! | equation | `y[i] = weight[index_i]` |
//! | shapes | indices of any shape `[..]` -> `y [.., features]` |
//! | parameters | `weight [count, features]` |
//! | initialization | normal with deviation 1; the padding row 0 |

use crate::{Layer, Mode, Module, Param, init};
use chainrule_tensor::{Real, Rng, Shape, Tensor};

/// A table with a row of features for each of `count` things.
///
/// ```
/// use chainrule_layers::Embedding;
/// use chainrule_tensor::Rng;
///
/// let layer: Embedding = Embedding::new(10, 4, &mut Rng::seed_from_u64(1));
/// // Two sentences of three words.
/// let y = layer.forward(&[7, 2, 9, 1, 1, 0], [2, 3]);
/// assert_eq!(y.shape(), &[2, 3, 4]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Embedding<T: Real = f32> {
    /// `[count, features]`.
    pub weight: Param<T>,
    /// A row that stands for nothing: it gets no gradient.
    #[module(skip)]
    pub padding_idx: Option<usize>,
}

impl<T: Real> Embedding<T> {
    /// A table of normal numbers.
    pub fn new(count: usize, features: usize, rng: &mut Rng) -> Self {
        Embedding { weight: Param::new(init::normal([count, features], 1.0, rng)), padding_idx: None }
    }

    /// The table with a padding row: zeros that get no gradient.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    #[must_use]
    pub fn with_padding(mut self, row: usize) -> Self {
        let [count, features] = [self.count(), self.features()];
        assert!(row < count, "Embedding: there is no row {row} to pad with among {count}");
        self.weight.values_mut()[row * features..][..features].fill(T::ZERO);
        Embedding { padding_idx: Some(row), ..self }
    }

    /// The rows with these numbers, which are given in row-major order of a shape: `[.., features]`.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape has elements, or one is not below the number of rows.
    #[track_caller]
    pub fn forward(&self, indices: &[usize], shape: impl Into<Shape>) -> Tensor<T> {
        let shape = shape.into();
        assert!(
            indices.len() == shape.numel(),
            "Embedding: {} indices do not fill the shape {shape} of {} elements",
            indices.len(),
            shape.numel()
        );
        let rows = self.weight.embedding(indices, self.padding_idx);
        rows.reshape(shape.iter().copied().chain([self.features()]).collect::<Shape>())
    }

    /// The number of rows.
    pub fn count(&self) -> usize {
        self.weight.shape()[0]
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.weight.shape()[1]
    }
}

/// In a chain of layers, the indices come as a tensor of whole numbers; no gradient flows to them.
impl<T: Real> Layer<T> for Embedding<T> {
    fn call(&self, x: &Tensor<T>, _: &mut Mode<'_>) -> Tensor<T> {
        let index = |x: T| {
            let x = x.to_f64();
            assert!(x >= 0.0 && x.fract() == 0.0, "Embedding: {x} is no index: indices are whole numbers from 0 on");
            x as usize
        };
        self.forward(&x.to_vec().into_iter().map(index).collect::<Vec<_>>(), x.shape())
    }
    fn describe(&self) -> String {
        let padding = self.padding_idx.map_or(String::new(), |row| format!(", padding_idx={row}"));
        format!("Embedding({}, {}{padding})", self.count(), self.features())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> Rng {
        Rng::seed_from_u64(4)
    }

    #[test]
    fn rows_are_picked_and_get_their_gradients() {
        let layer: Embedding = Embedding::new(3, 2, &mut rng()).with_padding(1);
        let table = layer.weight.to_vec();
        assert_eq!(table[2..4], [0.0, 0.0]);
        let y = layer.forward(&[2, 1, 2, 0], [2, 2]);
        assert_eq!((y.shape().to_vec(), y.to_vec()[..2].to_vec()), (vec![2, 2, 2], table[4..].to_vec()));
        let grads = y.sum().backward();
        assert_eq!(grads.get(&layer.weight).unwrap().to_vec(), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
        assert_eq!(layer.describe(), "Embedding(3, 2, padding_idx=1)");
        let numbers = Tensor::from([[2.0, 1.0], [2.0, 0.0]]);
        assert_eq!(layer.call(&numbers, &mut Mode::Eval).to_vec(), y.to_vec());
    }

    #[test]
    fn it_starts_normal() {
        let values = Embedding::<f64>::new(100, 50, &mut rng()).weight.to_vec();
        let square = values.iter().map(|x| x * x).sum::<f64>() / 5000.0;
        assert!((0.9..1.1).contains(&square), "{square}");
    }

    #[test]
    #[should_panic(expected = "Embedding: 3 indices do not fill the shape [2, 2] of 4 elements")]
    fn indices_fill_the_shape() {
        Embedding::<f32>::new(3, 2, &mut rng()).forward(&[0, 1, 2], [2, 2]);
    }

    #[test]
    #[should_panic(expected = "Embedding: 0.5 is no index")]
    fn indices_are_whole() {
        Embedding::<f32>::new(3, 2, &mut rng()).call(&Tensor::from([0.5]), &mut Mode::Eval);
    }
}
