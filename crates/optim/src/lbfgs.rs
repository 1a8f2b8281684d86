//! [`Lbfgs`]: steps along gradients that are bent by an estimate of the curvature, from the last changes of the gradient.
//!
//! With parameters `x` (all of the model, as one vector), their gradient `g`, and the last changes `s_i = t d` of `x` and
//! `y_i = g - g_before` of `g`, as in `torch.optim.LBFGS`:
//!
//! ```text
//! q = -g;    from the latest to the oldest:  a_i = (s_i . q) / (y_i . s_i),   q -= a_i y_i
//! d = h q;   from the oldest to the latest:  d += (a_i - (y_i . d) / (y_i . s_i)) s_i       with h = (y . s) / (y . y)
//! x += t d
//! ```
//!
//! In the first iteration `d = -g` and `t = min(1, 1 / sum |g|) lr`, later `t = lr`, or what the line search
//! ([`crate::line_search`]) makes of it. One step of the optimizer is up to `max_iter` iterations.
//!
//! Sources: J. Nocedal, "Updating quasi-Newton matrices with limited storage" (1980); J. Nocedal, S. Wright, "Numerical
//! optimization" (2006), algorithms 7.4 and 7.5.

mod state;
#[cfg(test)]
mod tests;
mod vector;

use crate::line_search::{Point, strong_wolfe};
use crate::rules::{count, demand, flag, not_negative, positive};
use crate::{Evaluate, Evaluated, Groups, OptimError, Optimizer, OptimizerState};
use chainrule_kernels::{Buffer, update};
use chainrule_layers::Module;
use chainrule_tensor::{Gradients, Real};
use std::collections::VecDeque;
use vector::{add_to_model, flatten, read_model, sum_abs, write_model};

const NAME: &str = "Lbfgs";

/// Limited-memory BFGS, for small problems without noise. It evaluates the loss several times in a step: call
/// [`step_with`](Optimizer::step_with).
///
/// ```
/// use chainrule_layers::Param;
/// use chainrule_optim::{Lbfgs, Optimizer};
/// use chainrule_tensor::Tensor;
///
/// // Rosenbrock's valley: (1 - x)^2 + 100 (y - x^2)^2.
/// let mut point = vec![Param::new(Tensor::from([-1.5f64])), Param::new(Tensor::from([2.0]))];
/// let mut opt = Lbfgs::new(1.0).strong_wolfe(true).max_iter(100);
/// opt.step_with(&mut point, |point| {
///     let (x, y) = (&*point[0], &*point[1]);
///     let (a, b) = (1.0 - x, y - x * x);
///     (&a * &a + &b * &b * 100.0).sum()
/// });
/// assert!((point[0].item() - 1.0).abs() < 1e-4);
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs<T: Real = f32> {
    options: Options,
    memory: Memory<T>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Options {
    lr: f64,
    max_iter: u64,
    /// 5/4 of `max_iter` if nothing is said.
    max_eval: Option<u64>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: u64,
    strong_wolfe: bool,
    maximize: bool,
}

/// What one step leaves to the next. The vectors are empty before the first.
#[derive(Clone)]
struct Memory<T: Real> {
    iterations: u64,
    evaluations: u64,
    direction: Buffer<T>,
    /// The gradient of the iteration before.
    gradient: Buffer<T>,
    /// How far the last step went along the direction.
    t: f64,
    /// `(y . s) / (y . y)` of the last change.
    scale: f64,
    history: VecDeque<Change<T>>,
}

/// How gradient and parameters changed in one iteration.
#[derive(Clone)]
struct Change<T: Real> {
    y: Buffer<T>,
    s: Buffer<T>,
    /// `1 / (y . s)`.
    rho: f64,
}

impl<T: Real> Lbfgs<T> {
    /// At most 20 iterations and 25 evaluations in a step, tolerances 1e-7 for the gradient and 1e-9 for changes, 100 changes in
    /// memory, no line search. A rate of 1 is usual.
    ///
    /// # Panics
    /// If `lr` is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        demand(NAME, not_negative("lr", lr));
        let options = Options {
            lr,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            strong_wolfe: false,
            maximize: false,
        };
        Lbfgs { options, memory: Memory::new() }
    }

    /// How many iterations a step takes at most. Default 20.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.options.max_iter = max_iter as u64;
        self
    }

    /// How often a step may evaluate the loss: checked after each iteration, whose line search gets what is left. Default: 5/4 of
    /// `max_iter`.
    #[must_use]
    pub fn max_eval(mut self, max_eval: usize) -> Self {
        self.options.max_eval = Some(max_eval as u64);
        self
    }

    /// A step ends where no element of the gradient is larger. Default 1e-7.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn tolerance_grad(mut self, tolerance_grad: f64) -> Self {
        self.set_option(0, "tolerance_grad", tolerance_grad);
        self
    }

    /// A step ends where no parameter, or the loss, changes by more. Default 1e-9.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn tolerance_change(mut self, tolerance_change: f64) -> Self {
        self.set_option(0, "tolerance_change", tolerance_change);
        self
    }

    /// How many changes are remembered. Default 100.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn history_size(mut self, history_size: usize) -> Self {
        self.set_option(0, "history_size", history_size as f64);
        self
    }

    /// Whether to search along each direction for a point that fulfills the strong Wolfe conditions (PyTorch's
    /// `line_search_fn`). Default false.
    #[must_use]
    pub fn strong_wolfe(mut self, strong_wolfe: bool) -> Self {
        self.options.strong_wolfe = strong_wolfe;
        self
    }

    /// Whether to make the loss larger instead of smaller. Default false.
    #[must_use]
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.options.maximize = maximize;
        self
    }

    /// The loss and its gradient as a vector, with the sign of something to be made smaller.
    fn evaluate(&mut self, problem: &mut dyn Evaluate<T>) -> (f64, Buffer<T>) {
        let Evaluated { loss, grads } = problem.evaluate();
        self.memory.evaluations = self.memory.evaluations.saturating_add(1);
        let gradient = flatten(problem.model(), &grads, self.options.maximize);
        (if self.options.maximize { -loss } else { loss }, gradient)
    }

    /// The next direction, and how far to go along it at first; `None` where it leads down no more.
    fn iterate(&mut self, gradient: &Buffer<T>) -> Option<(f64, f64)> {
        let first = self.memory.iterations == 0;
        self.memory.iterations = self.memory.iterations.saturating_add(1);
        self.memory.turn(gradient, first, self.options.history_size);
        let reach = if first { (1.0 / sum_abs(gradient)).min(1.0) } else { 1.0 };
        self.memory.t = reach * self.options.lr;
        let slope = update::dot(gradient, &self.memory.direction);
        (slope <= -self.options.tolerance_change).then_some((self.memory.t, slope))
    }
}

impl<T: Real> Memory<T> {
    fn new() -> Self {
        let empty = || Buffer::zeroed(0);
        let history = VecDeque::new();
        Memory { iterations: 0, evaluations: 0, direction: empty(), gradient: empty(), t: 0.0, scale: 1.0, history }
    }

    /// Takes note of the last change and bends the gradient into the next direction.
    fn turn(&mut self, gradient: &Buffer<T>, first: bool, history_size: u64) {
        let mut d = Buffer::from_slice(gradient);
        update::scale(&mut [&mut d], -T::ONE);
        if first {
            self.history.clear();
            self.scale = 1.0;
        } else {
            let (mut y, mut s) =
                (Buffer::from_slice(gradient), std::mem::replace(&mut self.direction, Buffer::zeroed(0)));
            update::add_scaled(&mut [(&mut y, &self.gradient)], -T::ONE);
            update::scale(&mut [&mut s], T::from_f64(self.t));
            let ys = update::dot(&y, &s);
            if ys > 1e-10 {
                if self.history.len() as u64 >= history_size {
                    self.history.pop_front();
                }
                self.scale = ys / update::dot(&y, &y);
                self.history.push_back(Change { y, s, rho: 1.0 / ys });
            }
            let mut steps = Vec::with_capacity(self.history.len());
            for Change { y, s, rho } in self.history.iter().rev() {
                let a = update::dot(s, &d) * rho;
                update::add_scaled(&mut [(&mut d, y)], T::from_f64(-a));
                steps.push(a);
            }
            update::scale(&mut [&mut d], T::from_f64(self.scale));
            for (Change { y, s, rho }, a) in self.history.iter().zip(steps.into_iter().rev()) {
                let b = update::dot(y, &d) * rho;
                update::add_scaled(&mut [(&mut d, s)], T::from_f64(a - b));
            }
        }
        self.direction = d;
        self.gradient = Buffer::from_slice(gradient);
    }
}

/// The largest absolute value.
fn largest<T: Real>(vector: &[T]) -> f64 {
    vector.iter().fold(T::ZERO, |max, x| max.maximum(x.abs())).to_f64()
}

impl<T: Real> Optimizer<T> for Lbfgs<T> {
    /// One iteration, without a line search.
    ///
    /// # Panics
    /// If a line search is asked for, as it would have to evaluate the loss: [`step_with`](Optimizer::step_with) does.
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>) {
        assert!(!self.options.strong_wolfe, "{NAME}: a line search has to evaluate the loss: call step_with");
        let gradient = flatten(model, grads, self.options.maximize);
        self.memory.check(gradient.len());
        if gradient.is_empty() || largest(&gradient) <= self.options.tolerance_grad {
            return;
        }
        if let Some((t, _)) = self.iterate(&gradient) {
            add_to_model(model, t, &self.memory.direction);
        }
    }

    #[track_caller]
    fn step_on(&mut self, problem: &mut dyn Evaluate<T>) -> f64 {
        let options = self.options;
        let max_eval = options.max_eval.unwrap_or(options.max_iter.saturating_mul(5) / 4);
        let (mut loss, mut gradient) = self.evaluate(problem);
        self.memory.check(gradient.len());
        let start = if options.maximize { -loss } else { loss };
        if gradient.is_empty() || largest(&gradient) <= options.tolerance_grad {
            return start;
        }
        let before_step = self.memory.evaluations - 1;
        for iteration in 1..=options.max_iter {
            let Some((mut t, slope)) = self.iterate(&gradient) else { break };
            let previous = loss;
            if options.strong_wolfe {
                let direction = Buffer::from_slice(&self.memory.direction);
                let origin = read_model(problem.model());
                let left = max_eval.saturating_sub(self.memory.evaluations - before_step);
                let start = Point { t: 0.0, loss, slope, gradient };
                let mut along = |t: f64| {
                    add_to_model(problem.model(), t, &direction);
                    let (loss, gradient) = self.evaluate(problem);
                    write_model(problem.model(), &origin);
                    Point { t, loss, slope: update::dot(&gradient, &direction), gradient }
                };
                let found = strong_wolfe(&mut along, start, t, largest(&direction), left);
                (t, loss, gradient) = (found.t, found.loss, found.gradient);
                self.memory.t = t;
                add_to_model(problem.model(), t, &direction);
            } else {
                add_to_model(problem.model(), t, &self.memory.direction);
                if iteration != options.max_iter {
                    (loss, gradient) = self.evaluate(problem);
                }
            }
            let change = t.abs() * largest(&self.memory.direction);
            let settled = change <= options.tolerance_change || (loss - previous).abs() < options.tolerance_change;
            let exhausted = self.memory.evaluations - before_step >= max_eval;
            if exhausted || settled || largest(&gradient) <= options.tolerance_grad {
                break;
            }
        }
        start
    }

    fn state(&self) -> OptimizerState<T> {
        state::save(self)
    }

    fn load_state(&mut self, state: &OptimizerState<T>) -> Result<(), OptimError> {
        *self = state::restored(state)?;
        Ok(())
    }
}

impl<T: Real> Groups for Lbfgs<T> {
    fn groups(&self) -> usize {
        1
    }

    fn option(&self, group: usize, name: &str) -> Option<f64> {
        let yes_no = |flag: bool| f64::from(u8::from(flag));
        let o = &self.options;
        let value = match name {
            "lr" => o.lr,
            "max_iter" => o.max_iter as f64,
            "max_eval" => o.max_eval.map_or(0.0, |n| n as f64),
            "tolerance_grad" => o.tolerance_grad,
            "tolerance_change" => o.tolerance_change,
            "history_size" => o.history_size as f64,
            "strong_wolfe" => yes_no(o.strong_wolfe),
            "maximize" => yes_no(o.maximize),
            _ => return None,
        };
        (group == 0).then_some(value)
    }

    #[track_caller]
    fn set_option(&mut self, group: usize, name: &str, value: f64) {
        assert!(group == 0, "{NAME}: there is no group {group}, only 1");
        demand(NAME, self.options.set(name, value));
    }
}

impl Options {
    /// All settings by name. `max_eval` is 0 where nothing was said.
    const NAMES: [&str; 8] = [
        "lr",
        "max_iter",
        "max_eval",
        "tolerance_grad",
        "tolerance_change",
        "history_size",
        "strong_wolfe",
        "maximize",
    ];

    fn set(&mut self, name: &str, value: f64) -> Result<(), OptimError> {
        match name {
            "lr" => not_negative("lr", value).map(|()| self.lr = value),
            "max_iter" => count("max_iter", value).map(|()| self.max_iter = value as u64),
            "max_eval" => count("max_eval", value).map(|()| self.max_eval = (value > 0.0).then_some(value as u64)),
            "tolerance_grad" => not_negative("tolerance_grad", value).map(|()| self.tolerance_grad = value),
            "tolerance_change" => not_negative("tolerance_change", value).map(|()| self.tolerance_change = value),
            "history_size" => positive("history_size", value).map(|()| self.history_size = value as u64),
            "strong_wolfe" => flag("strong_wolfe", value).map(|()| self.strong_wolfe = value != 0.0),
            "maximize" => flag("maximize", value).map(|()| self.maximize = value != 0.0),
            _ => Err(OptimError::Unknown { name: name.into() }),
        }
    }
}
