//! [`Penalty`]: what large weights cost.
//!
//! ```text
//! R = l1 sum |p| + l2 / 2 sum p^2,    dR/dp = l1 sign(p) + l2 p     (sign(0) = 0)
//! ```
//!
//! over all selected parameters. L2 alone is what an optimizer's coupled weight decay does. L1 drives weights to zero.

use crate::clip::values_mut;
use crate::rows::Rows;
use crate::rules::{demand, not_negative};
use chainrule_kernels::update;
use chainrule_layers::{Module, Param};
use chainrule_tensor::{Gradients, Real, Tensor};
use std::fmt;
use std::sync::Arc;

/// An L1 and L2 penalty on a model's trainable parameters.
///
/// ```
/// use chainrule_layers::{Linear, Module};
/// use chainrule_optim::{Optimizer, Penalty, Sgd};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut net: Linear = Linear::new(3, 2, &mut Rng::seed_from_u64(1));
/// let penalty = Penalty::new().l1(1e-3).l2(1e-2).only(|name, _| name.ends_with("weight"));
/// let mut opt = Sgd::new(0.1);
/// let loss = net.forward(&Tensor::ones([5, 3])).sum();
/// let mut grads = loss.backward();
/// penalty.add_to(&mut grads, &net); // the same as the gradients of loss + penalty.loss(&net)
/// opt.step(&mut net, &grads);
/// ```
#[derive(Clone)]
pub struct Penalty<T: Real = f32> {
    l1: f64,
    l2: f64,
    select: Option<Select<T>>,
}

type Select<T> = Arc<dyn Fn(&str, &Param<T>) -> bool + Send + Sync>;

impl<T: Real> Penalty<T> {
    /// No penalty yet.
    pub fn new() -> Self {
        Penalty { l1: 0.0, l2: 0.0, select: None }
    }

    /// The factor of the absolute values. Default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn l1(self, l1: f64) -> Self {
        demand("Penalty", not_negative("l1", l1));
        Penalty { l1, ..self }
    }

    /// The factor of half the squares. Default 0.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn l2(self, l2: f64) -> Self {
        demand("Penalty", not_negative("l2", l2));
        Penalty { l2, ..self }
    }

    /// Only for the parameters, by name and value, for which `select` holds. Default: all.
    #[must_use]
    pub fn only(self, select: impl Fn(&str, &Param<T>) -> bool + Send + Sync + 'static) -> Self {
        Penalty { select: Some(Arc::new(select)), ..self }
    }

    fn selected<'a>(&self, model: &'a dyn Module<T>) -> impl Iterator<Item = &'a Param<T>> {
        let wanted = |name: &str, param: &Param<T>| {
            param.is_trainable() && self.select.as_ref().is_none_or(|select| select(name, param))
        };
        model.named_parameters().into_iter().filter(move |(name, param)| wanted(name, param)).map(|(_, param)| param)
    }

    /// Adds the penalty's gradients to those of a loss, in one pass over the parameters.
    pub fn add_to(&self, grads: &mut Gradients<T>, model: &dyn Module<T>) {
        let mut sums: Vec<(&Param<T>, Tensor<T>)> = self
            .selected(model)
            .map(|param| (param, grads.take(param).unwrap_or_else(|| Tensor::zeros_like(param).detach())))
            .collect();
        let rows: Vec<Rows<'_, T>> = sums.iter().map(|(param, _)| Rows::of(param)).collect();
        let slices = sums.iter_mut().map(|(_, sum)| values_mut(sum));
        let mut pairs: Vec<update::Pair<'_, T>> = slices.zip(rows.iter().map(|rows| &**rows)).collect();
        update::penalize(&mut pairs, T::from_f64(self.l1), T::from_f64(self.l2));
        drop(rows);
        sums.into_iter().for_each(|(param, sum)| grads.insert(param, sum));
    }

    /// The penalty, a scalar, to be added to a loss before the backward pass.
    pub fn loss(&self, model: &dyn Module<T>) -> Tensor<T> {
        let (l1, half) = (T::from_f64(self.l1), T::from_f64(self.l2 / 2.0));
        self.selected(model).fold(Tensor::zeros([]), |mut sum, param| {
            if self.l1 > 0.0 {
                sum = sum + param.abs().sum() * l1;
            }
            if self.l2 > 0.0 {
                sum = sum + (&**param * &**param).sum() * half;
            }
            sum
        })
    }
}

impl<T: Real> Default for Penalty<T> {
    fn default() -> Self {
        Penalty::new()
    }
}

impl<T: Real> fmt::Debug for Penalty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Penalty").field("l1", &self.l1).field("l2", &self.l2).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> Vec<Param<f64>> {
        vec![
            Param::new(Tensor::from([[2.0, -1.0], [0.0, 4.0]]).transpose(0, 1)),
            Param::new(Tensor::from([3.0])),
            Param::new(Tensor::from([5.0])),
        ]
    }

    #[test]
    fn a_penalty_by_hand() {
        let mut net = net();
        net[2].freeze();
        let penalty = Penalty::new().l1(0.5).l2(0.25);
        assert_eq!(penalty.loss(&net).item(), 0.5 * 10.0 + 0.125 * 30.0);
        let mut grads = (&*net[0] * 10.0).sum().backward();
        penalty.add_to(&mut grads, &net);
        assert_eq!(grads.get(&net[0]).unwrap().to_vec(), [11.0, 10.0, 9.25, 11.5]);
        // No gradient before; frozen parameters have none after.
        assert_eq!(grads.get(&net[1]).unwrap().to_vec(), [1.25]);
        assert_eq!(grads.len(), 2);
    }

    #[test]
    fn both_ways_agree() {
        let net = net();
        for penalty in [Penalty::new().l1(0.3), Penalty::new().l2(0.7), Penalty::new().l1(0.1).l2(0.2)] {
            let penalty = penalty.only(|name, _| name != "1");
            let loss = || (&*net[0] * &*net[0] * 0.1).sum() + (&*net[1] * &*net[2]).sum();
            let (whole, mut grads) = ((loss() + penalty.loss(&net)).backward(), loss().backward());
            penalty.add_to(&mut grads, &net);
            for param in &net {
                let (a, b) = (whole.get(param).unwrap().to_vec(), grads.get(param).unwrap().to_vec());
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15));
            }
        }
    }

    #[test]
    #[should_panic(expected = "Penalty: l1 must be finite and at least 0, got -1")]
    fn penalties_are_not_negative() {
        let _ = Penalty::<f32>::new().l1(-1.0);
    }
}
