//! [`Optimizer`]: what a training loop knows of an optimizer.

use crate::evaluate::Closure;
use crate::{Evaluate, Evaluated, Groups, OptimError, OptimizerState};
use chainrule_layers::Module;
use chainrule_tensor::{Gradients, Real};
use std::fmt::Debug;

/// Something that changes a model's parameters by the gradients of a loss.
///
/// What it remembers of each parameter (momentum, moments) it keeps in the model's order, from the first step on. One
/// optimizer serves one model.
pub trait Optimizer<T: Real = f32>: Groups + Debug + Send {
    /// Changes every parameter of the model that has a gradient, in place. The others (frozen, or not used by the loss)
    /// stay as they are, and so does what is remembered of them.
    ///
    /// Whoever still shares a parameter's memory, such as the graph of a loss that is still alive, keeps the old values;
    /// the parameter is then copied. Drop the loss first to save the copy.
    ///
    /// # Panics
    /// If the model's parameters are not, in number and shapes, those of the first step (or, in the first step after
    /// [`load_state`](Optimizer::load_state), those of the state), two have the same name, or the settings contradict
    /// each other.
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>);

    /// Evaluates a problem, once or more often, and changes the model's parameters to make it smaller. Returns the loss
    /// at the start. All optimizers but [`Lbfgs`](crate::Lbfgs) evaluate once and [`step`](Optimizer::step).
    ///
    /// # Panics
    /// As [`step`](Optimizer::step).
    #[track_caller]
    fn step_on(&mut self, problem: &mut dyn Evaluate<T>) -> f64 {
        let Evaluated { loss, grads } = problem.evaluate();
        self.step(problem.model(), &grads);
        loss
    }

    /// [`step_on`](Optimizer::step_on) for a model and a closure that calculates its loss.
    ///
    /// ```
    /// use chainrule_layers::Param;
    /// use chainrule_optim::{Lbfgs, Optimizer};
    /// use chainrule_tensor::Tensor;
    ///
    /// let mut x = Param::new(Tensor::from([3.0f64, -4.0]));
    /// let mut opt = Lbfgs::new(1.0).strong_wolfe(true);
    /// let loss = opt.step_with(&mut x, |x| (&**x * &**x).sum());
    /// assert_eq!(loss, 25.0);
    /// assert!(x.to_vec().iter().all(|x| x.abs() < 1e-6));
    /// ```
    ///
    /// The closure returns the loss as a tensor, or a loss and gradients (clipped, for instance) as a pair.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step).
    #[track_caller]
    fn step_with<M: Module<T>, E: Into<Evaluated<T>>>(&mut self, model: &mut M, closure: impl FnMut(&mut M) -> E) -> f64
    where
        Self: Sized,
    {
        self.step_on(&mut Closure { model, closure })
    }

    /// All it would take to go on from here: the settings, and a copy of what is remembered of each parameter.
    fn state(&self) -> OptimizerState<T>;

    /// Goes on from a saved state, settings included: the steps that follow give the same bits as those that would have
    /// followed the saved one.
    ///
    /// # Errors
    /// If the state is another optimizer's, or damaged. The optimizer is then as before.
    fn load_state(&mut self, state: &OptimizerState<T>) -> Result<(), OptimError>;
}

/// An optimizer that is chosen at run time can stand wherever one can.
impl<T: Real, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O> {
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>) {
        (**self).step(model, grads);
    }
    #[track_caller]
    fn step_on(&mut self, problem: &mut dyn Evaluate<T>) -> f64 {
        (**self).step_on(problem)
    }
    fn state(&self) -> OptimizerState<T> {
        (**self).state()
    }
    fn load_state(&mut self, state: &OptimizerState<T>) -> Result<(), OptimError> {
        (**self).load_state(state)
    }
}

impl<G: Groups + ?Sized> Groups for Box<G> {
    fn groups(&self) -> usize {
        (**self).groups()
    }
    fn option(&self, group: usize, name: &str) -> Option<f64> {
        (**self).option(group, name)
    }
    #[track_caller]
    fn set_option(&mut self, group: usize, name: &str, value: f64) {
        (**self).set_option(group, name, value);
    }
}

#[cfg(test)]
mod tests;
