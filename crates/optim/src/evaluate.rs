//! [`Evaluate`]: a model together with a loss that can be evaluated again and again, as a line search does.

use chainrule_layers::Module;
use chainrule_tensor::{Gradients, Real, Tensor};

/// A loss and its gradients at one point.
#[derive(Clone, Debug)]
pub struct Evaluated<T: Real = f32> {
    /// The loss.
    pub loss: f64,
    /// Its gradients.
    pub grads: Gradients<T>,
}

impl<T: Real> From<Tensor<T>> for Evaluated<T> {
    /// Runs the backward pass of a loss.
    fn from(loss: Tensor<T>) -> Self {
        Evaluated { loss: loss.item().to_f64(), grads: loss.backward() }
    }
}

impl<T: Real> From<(f64, Gradients<T>)> for Evaluated<T> {
    fn from((loss, grads): (f64, Gradients<T>)) -> Self {
        Evaluated { loss, grads }
    }
}

/// What [`Optimizer::step_on`](crate::Optimizer::step_on) makes smaller.
pub trait Evaluate<T: Real = f32> {
    /// The model whose parameters may change.
    fn model(&mut self) -> &mut dyn Module<T>;

    /// The loss and its gradients with the parameters as they are.
    fn evaluate(&mut self) -> Evaluated<T>;
}

/// A model and a closure over it.
pub(crate) struct Closure<'a, M, F> {
    pub(crate) model: &'a mut M,
    pub(crate) closure: F,
}

impl<T: Real, M: Module<T>, E: Into<Evaluated<T>>, F: FnMut(&mut M) -> E> Evaluate<T> for Closure<'_, M, F> {
    fn model(&mut self) -> &mut dyn Module<T> {
        self.model
    }

    fn evaluate(&mut self) -> Evaluated<T> {
        (self.closure)(self.model).into()
    }
}
