//! [`SpectralNorm`]: a layer whose weight is divided by its largest singular value.
//!
//! | | |
//! |---|---|
//! | equation | `weight = original / sigma`, `sigma = u^T W v`, `W` the weight as a matrix with a row for each output |
//! | training | before each pass, one step of the power iteration: `u = W v / norm`, `v = W^T u / norm`, without gradient |
//! | evaluation | `u` and `v` stay |
//! | shapes | as the layer's |
//! | parameters | `parametrizations.weight.original`, and the layer's others; buffers `parametrizations.weight.0._u`, `.._v` |
//! | initialization | `u` and `v` random, then 15 steps |
//!
//! Names and values are those of PyTorch's `torch.nn.utils.parametrizations.spectral_norm`.
//!
//! Source: T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral normalization for generative adversarial networks", ICLR
//! 2018.

use crate::module::{Entry, EntryMut, Path};
use crate::{Buffer, Layer, Mode, Module, Param, Weighted};
use chainrule_tensor::{Real, Rng, Tensor, no_grad};

/// Steps of the power iteration at the beginning.
const FIRST_STEPS: usize = 15;

/// A layer whose weight has a largest singular value of 1, so that distances do not grow through it.
///
/// ```
/// use chainrule_layers::{Layer, Linear, Mode, SpectralNorm};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let layer: SpectralNorm<Linear> = SpectralNorm::new(Linear::new(4, 3, &mut rng), &mut rng);
/// let y = layer.call(&Tensor::ones([2, 4]), &mut Mode::Train(&mut rng));
/// assert_eq!(y.shape(), &[2, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct SpectralNorm<L, T: Real = f32> {
    /// The layer, whose own weight is the original one.
    layer: L,
    u: Buffer<T>,
    v: Buffer<T>,
    /// Steps of the power iteration in each training pass. 1 unless changed.
    pub iterations: usize,
    /// The least length that a vector is divided by. `1e-12` unless changed.
    pub eps: f64,
}

impl<T: Real, L: Weighted<T>> SpectralNorm<L, T> {
    /// The layer with random first guesses at its singular vectors.
    pub fn new(layer: L, rng: &mut Rng) -> Self {
        let (rows, cols) = {
            let matrix = no_grad(|| matrix(&layer, layer.weight()));
            (matrix.shape()[0], matrix.shape()[1])
        };
        let (u, v) = (Buffer::new(Tensor::randn(rows, rng)), Buffer::new(Tensor::randn(cols, rng)));
        let norm = SpectralNorm { layer, u, v, iterations: 1, eps: 1e-12 };
        norm.iterate(FIRST_STEPS);
        norm
    }

    /// The weight that the layer works with in evaluation.
    pub fn weight(&self) -> Tensor<T> {
        let (original, (u, v)): (&Tensor<T>, _) = (self.layer.weight(), (self.u.get(), self.v.get()));
        let sigma = u.dot(&matrix(&self.layer, original).matmul(&v));
        original / sigma
    }

    /// Steps of the power iteration.
    fn iterate(&self, steps: usize) {
        no_grad(|| {
            let matrix = matrix(&self.layer, self.layer.weight());
            for _ in 0..steps {
                self.u.set(&self.normalized(matrix.matmul(&self.v.get())));
                self.v.set(&self.normalized(matrix.t().matmul(&self.u.get())));
            }
        });
    }

    fn normalized(&self, x: Tensor<T>) -> Tensor<T> {
        let length = x.dot(&x).sqrt().item().maximum(T::from_f64(self.eps));
        x / length
    }

    /// The plain layer with the weight as it is now.
    pub fn into_layer(mut self) -> L {
        let weight = no_grad(|| self.weight());
        self.layer.weight_mut().set(&weight);
        self.layer
    }
}

/// A layer's weight with a row for each output.
fn matrix<T: Real>(layer: &impl Weighted<T>, weight: &Tensor<T>) -> Tensor<T> {
    let outputs = layer.output_dim();
    let order: Vec<usize> = std::iter::once(outputs).chain((0..weight.rank()).filter(|&d| d != outputs)).collect();
    let turned = weight.permute(order);
    // Sizes of 0 leave -1 undetermined.
    let rows = turned.shape()[0];
    let cols: usize = turned.shape()[1..].iter().product();
    turned.reshape([rows, cols])
}

impl<T: Real, L: Weighted<T>> Module<T> for SpectralNorm<L, T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        let original = self.layer.weight();
        self.layer.visit(path, &mut |path, entry| match entry {
            Entry::Param(param) if std::ptr::eq(param, original) => {}
            other => visitor(path, other),
        });
        let path = path.field("parametrizations");
        let path = path.field("weight");
        visitor(&path.field("original"), Entry::Param(original));
        let path = path.index(0);
        visitor(&path.field("_u"), Entry::Buffer(&self.u));
        visitor(&path.field("_v"), Entry::Buffer(&self.v));
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        let place: *const Param<T> = self.layer.weight();
        let mut original = None;
        self.layer.visit_mut(path, &mut |path, entry| match entry {
            EntryMut::Param(param) if std::ptr::eq(param, place) => original = Some(param),
            other => visitor(path, other),
        });
        let path = path.field("parametrizations");
        let path = path.field("weight");
        visitor(&path.field("original"), EntryMut::Param(original.expect("a layer visits its weight")));
        let path = path.index(0);
        visitor(&path.field("_u"), EntryMut::Buffer(&mut self.u));
        visitor(&path.field("_v"), EntryMut::Buffer(&mut self.v));
    }
}

impl<T: Real, L: Weighted<T>> Layer<T> for SpectralNorm<L, T> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        if mode.is_train() {
            self.iterate(self.iterations);
        }
        self.layer.call_with(&self.weight(), x, mode)
    }
    fn describe(&self) -> String {
        format!("SpectralNorm({})", self.layer.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Linear};

    fn layer(weight: Tensor<f64>) -> SpectralNorm<Linear<f64>, f64> {
        SpectralNorm::new(Linear { weight: Param::new(weight), bias: None }, &mut Rng::seed_from_u64(3))
    }

    #[test]
    fn the_largest_singular_value_becomes_one() {
        // Singular values 4, 2 and 1, turned.
        let turn = Tensor::from([[0.6f64, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]);
        let norm = layer(turn.matmul(&Tensor::from([4.0, 2.0, -1.0]).diag(0)));
        norm.iterate(20);
        let weight = norm.weight();
        assert!((weight.matmul(&Tensor::from([1.0, 0.0, 0.0])).to_vec()[0] - 0.6).abs() < 1e-12);
        assert_eq!(norm.into_layer().weight.to_vec(), weight.to_vec());
    }

    #[test]
    fn training_goes_on_with_the_iteration_and_evaluation_does_not() {
        let mut rng = Rng::seed_from_u64(1);
        let layer: SpectralNorm<Conv2d> = SpectralNorm::new(Conv2d::new(2, 3, 2, &mut rng), &mut rng);
        let x = Tensor::randn([1, 2, 3, 3], &mut rng);
        let before = layer.u.get().to_vec();
        layer.call(&x, &mut Mode::Eval);
        assert_eq!(layer.u.get().to_vec(), before);
        let grads = layer.call(&x, &mut Mode::Train(&mut rng)).sum().backward();
        assert_ne!(layer.u.get().to_vec(), before);
        assert_eq!(grads.len(), layer.parameters().len());
        let state = layer.state_dict();
        let names: Vec<&str> = state.names().collect();
        assert_eq!(
            names,
            [
                "bias",
                "parametrizations.weight.original",
                "parametrizations.weight.0._u",
                "parametrizations.weight.0._v"
            ]
        );
    }

    #[test]
    fn the_gradient_keeps_the_norm() {
        // Scaling the original weight changes nothing, so the gradient is at right angles to it.
        let norm = layer(Tensor::from([[3.0, 1.0], [-0.5, 2.0]]));
        let grads = norm.call(&Tensor::from([[0.3, -1.2]]), &mut Mode::Eval).sum().backward();
        let original = norm.layer.weight();
        assert!((grads.get(original).expect("a gradient") * original.detach()).sum().item().abs() < 1e-12);
    }
}
