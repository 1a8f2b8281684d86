//! [`GradientAccumulator`]: the gradients of several small batches as those of one large batch.
//!
//! ```text
//! g = (w_1 g_1 + w_2 g_2 + ..) / (w_1 + w_2 + ..)
//! ```
//!
//! With the batches' sizes for weights, and losses that are means over their batch, `g` is the gradient of the mean over all
//! samples, also where the last batch is smaller.

use crate::clip::values_mut;
use chainrule_kernels::update;
use chainrule_tensor::{Gradients, Real};

/// Sums gradients until they are taken.
///
/// ```
/// use chainrule_layers::Param;
/// use chainrule_optim::{GradientAccumulator, Optimizer, Sgd};
/// use chainrule_tensor::Tensor;
///
/// let mut x = Param::new(Tensor::from([1.0f32]));
/// let mut opt = Sgd::new(0.5);
/// let mut accumulator = GradientAccumulator::new();
/// for (batch, size) in [([1.0f32, 3.0], 2.0), ([5.0, 5.0], 2.0)] {
///     accumulator.add_weighted((&*x * Tensor::from(batch)).mean().backward(), size);
/// }
/// opt.step(&mut x, &accumulator.take());
/// assert_eq!(x.item(), 1.0 - 0.5 * 3.5);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GradientAccumulator<T: Real = f32> {
    sum: Gradients<T>,
    weight: f64,
    batches: usize,
}

impl<T: Real> GradientAccumulator<T> {
    /// Nothing yet.
    pub fn new() -> Self {
        GradientAccumulator { sum: Gradients::default(), weight: 0.0, batches: 0 }
    }

    /// Adds gradients that count once.
    pub fn add(&mut self, grads: Gradients<T>) {
        self.add_weighted(grads, 1.0);
    }

    /// Adds gradients that count `weight` times, such as the size of their batch.
    ///
    /// # Panics
    /// If `weight` is not above 0 and finite.
    #[track_caller]
    pub fn add_weighted(&mut self, mut grads: Gradients<T>, weight: f64) {
        assert!(weight > 0.0 && weight.is_finite(), "GradientAccumulator: weight must be above 0, got {weight}");
        if weight != 1.0 {
            scale(&mut grads, weight);
        }
        self.sum.accumulate(grads);
        self.weight += weight;
        self.batches += 1;
    }

    /// How many gradients were added since the last [`take`](GradientAccumulator::take).
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// The mean of the gradients so far, without any of what was added before; none if nothing was.
    #[must_use]
    pub fn take(&mut self) -> Gradients<T> {
        let GradientAccumulator { sum: mut mean, weight, batches } = std::mem::take(self);
        if batches > 0 && weight != 1.0 {
            scale(&mut mean, 1.0 / weight);
        }
        mean
    }
}

fn scale<T: Real>(grads: &mut Gradients<T>, factor: f64) {
    let mut slices: Vec<&mut [T]> = grads.iter_mut().map(values_mut).collect();
    update::scale(&mut slices, T::from_f64(factor));
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_layers::Param;
    use chainrule_tensor::Tensor;

    #[test]
    fn the_mean_is_that_of_the_whole_batch() {
        let (w, b) = (Param::new(Tensor::from([0.5f64, -0.25])), Param::new(Tensor::from([2.0f64])));
        let x = Tensor::from_fn([7, 2], |i| (i * i % 11) as f64 / 4.0 - 1.0);
        let loss = |rows: Tensor<f64>| ((rows * &*w).sum() + &*b * 0.5).mean() / 1.0;
        let mean = |from: usize, len: usize| loss(x.narrow(0, from, len)) / len as f64;
        let mut accumulator = GradientAccumulator::new();
        for (from, len) in [(0, 3), (3, 3), (6, 1)] {
            accumulator.add_weighted(mean(from, len).backward(), len as f64);
        }
        assert_eq!(accumulator.batches(), 3);
        let grads = accumulator.take();
        let (whole, got) = (mean(0, 7).backward(), grads.get(&w).unwrap().to_vec());
        assert!(got.iter().zip(whole.get(&w).unwrap().to_vec()).all(|(a, b)| (a - b).abs() < 1e-15));
        // Three losses had b / 2 over their sizes.
        assert!((grads.get(&b).unwrap().item() - 1.5 / 7.0).abs() < 1e-15);
        assert_eq!((accumulator.batches(), accumulator.take().len()), (0, 0));
    }

    #[test]
    fn one_batch_is_itself() {
        let p = Param::new(Tensor::from([3.0f32, 1.0]));
        let mut accumulator = GradientAccumulator::new();
        accumulator.add((&*p * &*p).sum().backward());
        assert_eq!(accumulator.take().get(&p).unwrap().to_vec(), [6.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "GradientAccumulator: weight must be above 0, got 0")]
    fn weights_are_positive() {
        GradientAccumulator::<f32>::new().add_weighted(Gradients::default(), 0.0);
    }
}
