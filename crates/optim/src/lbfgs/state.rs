//! The state of [`Lbfgs`] by name, PyTorch's where it has one: vectors as tensors, numbers as numbers.

use super::{Change, Lbfgs, Memory, NAME, Options};
use crate::rows::Rows;
use crate::rules::{count, finite};
use crate::{Groups, OptimError, OptimizerState};
use chainrule_kernels::Buffer;
use chainrule_tensor::{Real, Tensor};

pub(super) fn save<T: Real>(lbfgs: &Lbfgs<T>) -> OptimizerState<T> {
    let option = |name: &str| (name.to_string(), lbfgs.option(0, name).expect("one of its settings"));
    let mut state = OptimizerState::new(NAME, vec![Options::NAMES.into_iter().map(option).collect()]);
    let Memory { iterations, evaluations, direction, gradient, t, scale, history } = &lbfgs.memory;
    let mut number = |name: &str, value: f64| _ = state.numbers.insert(name.into(), value);
    number("n_iter", *iterations as f64);
    number("func_evals", *evaluations as f64);
    number("t", *t);
    number("H_diag", *scale);
    number("history", history.len() as f64);
    let mut tensor =
        |name: &str, values: &[T]| _ = state.tensors.insert(name.into(), Tensor::from_vec(values, [values.len()]));
    tensor("d", direction);
    tensor("prev_flat_grad", gradient);
    for (i, Change { y, s, rho }) in history.iter().enumerate() {
        tensor(&format!("old_dirs.{i}"), y);
        tensor(&format!("old_stps.{i}"), s);
        state.numbers.insert(format!("ro.{i}"), *rho);
    }
    state
}

pub(super) fn restored<T: Real>(state: &OptimizerState<T>) -> Result<Lbfgs<T>, OptimError> {
    state.check(NAME)?;
    if state.groups.len() != 1 {
        return Err(OptimError::Groups { expected: 1, found: state.groups.len() });
    }
    let mut lbfgs = Lbfgs::new(1.0);
    for name in Options::NAMES {
        let value = state.groups[0].get(name).ok_or_else(|| OptimError::Missing { name: name.into() })?;
        lbfgs.options.set(name, *value)?;
    }
    let stray = state.groups[0].keys().find(|name| !Options::NAMES.contains(&name.as_str()));
    let whole = |name: &'static str| state.number(name).and_then(|value| count(name, value).map(|()| value as u64));
    let real = |name: &'static str| state.number(name).and_then(|value| finite(name, value).map(|()| value));
    lbfgs.memory.iterations = whole("n_iter")?;
    lbfgs.memory.evaluations = whole("func_evals")?;
    lbfgs.memory.t = real("t")?;
    lbfgs.memory.scale = real("H_diag")?;
    let mut len = None;
    let mut vector = |name: &str| {
        let tensor = state.tensors.get(name).ok_or_else(|| OptimError::Missing { name: name.into() })?;
        let expected = *len.get_or_insert(tensor.numel());
        if tensor.shape() != &[expected] {
            let (name, found) = (name.into(), tensor.shape().to_vec());
            return Err(OptimError::Shape { name, expected: vec![expected], found });
        }
        Ok(Buffer::from_slice(&Rows::of(tensor)))
    };
    lbfgs.memory.direction = vector("d")?;
    lbfgs.memory.gradient = vector("prev_flat_grad")?;
    let history = whole("history")?;
    for i in 0..history {
        let (y, s) = (vector(&format!("old_dirs.{i}"))?, vector(&format!("old_stps.{i}"))?);
        lbfgs.memory.history.push_back(Change { y, s, rho: state.number(&format!("ro.{i}"))? });
    }
    // All names are known by now, so that what is left over shows in the count.
    let stray = stray.or_else(|| match () {
        () if state.tensors.len() as u64 > 2 + 2 * history => state.tensors.keys().find(|name| foreign(name, history)),
        () if state.numbers.len() as u64 > 5 + history => state.numbers.keys().find(|name| foreign(name, history)),
        () => state.members.keys().chain(state.steps.keys()).next(),
    });
    match stray {
        Some(name) => Err(OptimError::Unknown { name: name.clone() }),
        None => Ok(lbfgs),
    }
}

/// Whether a name is none that `save` writes.
fn foreign(name: &str, history: u64) -> bool {
    let single = ["n_iter", "func_evals", "t", "H_diag", "history", "d", "prev_flat_grad"].contains(&name);
    let listed = name.split_once('.').is_some_and(|(list, i)| {
        ["old_dirs", "old_stps", "ro"].contains(&list) && i.parse::<u64>().is_ok_and(|i| i < history)
    });
    !single && !listed
}
