//! [`WeightAverage`]: an average of the weights over the steps of a training, which often does better than the last weights.
//!
//! With parameter `p`, its average `a`, and `t` the number of updates, this one included:
//!
//! ```text
//! exponential           a = p  at t = 1,   a += (1 - decay) (p - a)  then
//! with bias correction  a += (1 - decay) / (1 - decay^t) (p - a)
//! equal                 a += (p - a) / t
//! ```
//!
//! The first and the third are those of `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn` and
//! `get_swa_multi_avg_fn`. With bias correction the first weights do not count for more than the others: the average is
//! that of Adam's moments, `sum of decay^(t - i) p_i` over the sum of its factors. Buffers, such as running means, are not
//! averaged: a net keeps its latest.
//!
//! Sources: B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging" (1992); P. Izmailov et al.,
//! "Averaging weights leads to wider optima and better generalization" (2018).

use crate::rows::Rows;
use crate::rules::{count, demand, flag, unit};
use crate::{AverageState, OptimError};
use chainrule_kernels::{Buffer, update};
use chainrule_layers::{Module, Param};
use chainrule_tensor::{Real, Shape, Tensor};
use std::collections::BTreeMap;
use std::fmt;

const NAME: &str = "WeightAverage";

/// An average of a model's parameters.
///
/// ```
/// use chainrule_layers::Param;
/// use chainrule_optim::{Optimizer, Sgd, WeightAverage};
/// use chainrule_tensor::Tensor;
///
/// let mut x = Param::new(Tensor::from([4.0f32]));
/// let mut opt = Sgd::new(0.1);
/// let mut average = WeightAverage::ema(0.9);
/// for _ in 0..20 {
///     let grads = (&*x * &*x).sum().backward();
///     opt.step(&mut x, &grads);
///     average.update(&x);
/// }
/// let last = x.item();
/// average.swap(&mut x); // evaluate with the average ..
/// assert!(x.item() > last);
/// average.swap(&mut x); // .. and go on with the weights
/// assert_eq!(x.item(), last);
/// ```
#[derive(Clone)]
pub struct WeightAverage<T: Real = f32> {
    /// Nothing for the equal average.
    decay: Option<f64>,
    bias_correction: bool,
    updates: u64,
    entries: Vec<Entry<T>>,
}

#[derive(Clone)]
struct Entry<T: Real> {
    name: String,
    shape: Shape,
    values: Buffer<T>,
}

impl<T: Real> WeightAverage<T> {
    /// The exponential moving average, which keeps the share `decay` of itself in each update; 0.999 is usual.
    ///
    /// # Panics
    /// If `decay` is not in `[0, 1]`.
    #[track_caller]
    pub fn ema(decay: f64) -> Self {
        demand(NAME, unit("decay", decay));
        WeightAverage { decay: Some(decay), bias_correction: false, updates: 0, entries: Vec::new() }
    }

    /// The average in which all updates count the same: stochastic weight averaging.
    pub fn equal() -> Self {
        WeightAverage { decay: None, bias_correction: false, updates: 0, entries: Vec::new() }
    }

    /// Whether the first weights of an exponential average are kept from counting for more than the others: a warm-up.
    /// Default false.
    #[must_use]
    pub fn bias_correction(self, bias_correction: bool) -> Self {
        WeightAverage { bias_correction, ..self }
    }

    /// How many updates there have been.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Takes the model's parameters into the average.
    ///
    /// # Panics
    /// If they are not, in number, names and shapes, those of the first update.
    #[track_caller]
    pub fn update(&mut self, model: &dyn Module<T>) {
        if self.entries.is_empty() && self.updates == 0 {
            let entry = |(name, param): (String, &Param<T>)| Entry {
                name,
                shape: param.shape().clone(),
                values: Buffer::from_slice(&Rows::of(param)),
            };
            self.entries = model.named_parameters().into_iter().map(entry).collect();
            self.updates = 1;
            return;
        }
        let params = model.parameters();
        self.check(&params);
        self.updates = self.updates.saturating_add(1);
        let t = self.updates as f64;
        let weight = match self.decay {
            None => 1.0 / t,
            // With decay 1 every factor is the same.
            Some(1.0) if self.bias_correction => 1.0 / t,
            Some(decay) if self.bias_correction => (1.0 - decay) / (1.0 - decay.powf(t)),
            Some(decay) => 1.0 - decay,
        };
        let rows: Vec<Rows<'_, T>> = params.iter().map(|param| Rows::of(param)).collect();
        let entries = self.entries.iter_mut().map(|entry| &mut entry.values[..]);
        let mut pairs: Vec<update::Pair<'_, T>> = entries.zip(rows.iter().map(|rows| &**rows)).collect();
        update::lerp(&mut pairs, T::from_f64(weight));
    }

    /// Exchanges the model's parameters with the average: once to evaluate with it, and again to go on.
    ///
    /// # Panics
    /// If there has been no update, or the parameters are others than then.
    #[track_caller]
    pub fn swap(&mut self, model: &mut dyn Module<T>) {
        let params = self.params(model);
        for (param, entry) in params.into_iter().zip(&mut self.entries) {
            param.values_mut().swap_with_slice(&mut entry.values);
        }
    }

    /// Sets the model's parameters to the average.
    ///
    /// # Panics
    /// If there has been no update, or the parameters are others than then.
    #[track_caller]
    pub fn apply(&self, model: &mut dyn Module<T>) {
        let params = self.params(model);
        for (param, entry) in params.into_iter().zip(&self.entries) {
            param.values_mut().copy_from_slice(&entry.values);
        }
    }

    /// All it would take to go on from here.
    pub fn state(&self) -> AverageState<T> {
        let yes_no = |flag: bool| f64::from(u8::from(flag));
        let numbers = [
            ("equal", yes_no(self.decay.is_none())),
            ("decay", self.decay.unwrap_or(0.0)),
            ("bias_correction", yes_no(self.bias_correction)),
            ("updates", self.updates as f64),
        ];
        let tensor = |entry: &Entry<T>| (entry.name.clone(), Tensor::from_vec(&entry.values[..], &entry.shape));
        AverageState {
            numbers: numbers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            tensors: self.entries.iter().map(tensor).collect(),
        }
    }

    /// Goes on from a saved state, settings included, with the same bits.
    ///
    /// # Errors
    /// If the state is damaged, or its parameters are not, in names and shapes, those of the model.
    pub fn resume(state: &AverageState<T>, model: &dyn Module<T>) -> Result<Self, OptimError> {
        let mut known: BTreeMap<&str, f64> =
            state.numbers.iter().map(|(name, &value)| (name.as_str(), value)).collect();
        let mut take = |name: &'static str, range: crate::rules::Range| {
            let value = known.remove(name).ok_or_else(|| OptimError::Missing { name: name.into() })?;
            range(name, value).map(|()| value)
        };
        let equal = take("equal", flag)? == 1.0;
        let decay = take("decay", unit)?;
        let bias_correction = take("bias_correction", flag)? == 1.0;
        let updates = take("updates", count)? as u64;
        if let Some(name) = known.keys().next() {
            return Err(OptimError::Unknown { name: (*name).into() });
        }
        let mut average =
            WeightAverage { decay: (!equal).then_some(decay), bias_correction, updates, entries: Vec::new() };
        let params = if updates == 0 { Vec::new() } else { model.named_parameters() };
        for (name, param) in &params {
            let tensor = state.tensors.get(name).ok_or_else(|| OptimError::Missing { name: name.clone() })?;
            if tensor.shape() != param.shape() {
                let (expected, found) = (param.shape().to_vec(), tensor.shape().to_vec());
                return Err(OptimError::Shape { name: name.clone(), expected, found });
            }
            let values = Buffer::from_slice(&Rows::of(tensor));
            average.entries.push(Entry { name: name.clone(), shape: param.shape().clone(), values });
        }
        match state.tensors.keys().find(|name| params.iter().all(|(own, _)| own != *name)) {
            Some(name) => Err(OptimError::Unknown { name: name.clone() }),
            None => Ok(average),
        }
    }

    #[track_caller]
    fn params<'a>(&self, model: &'a mut dyn Module<T>) -> Vec<&'a mut Param<T>> {
        assert!(self.updates > 0, "{NAME}: there has been no update yet");
        let params = model.parameters_mut();
        self.check(&params.iter().map(|param| &**param).collect::<Vec<_>>());
        params
    }

    #[track_caller]
    fn check(&self, params: &[&Param<T>]) {
        let (now, before) = (params.len(), self.entries.len());
        assert!(now == before, "{NAME}: the model has {now} parameters, but had {before} in the first update");
        for (param, Entry { name, shape, .. }) in params.iter().zip(&self.entries) {
            let found = param.shape();
            assert!(
                found == shape,
                "{NAME}: parameter {name:?} has shape {found}, but had {shape} in the first update"
            );
        }
    }
}

impl<T: Real> fmt::Debug for WeightAverage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut average = f.debug_struct(NAME);
        average.field("decay", &self.decay).field("bias_correction", &self.bias_correction);
        average.field("updates", &self.updates).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(values: [f64; 2]) -> Vec<Param<f64>> {
        vec![Param::new(Tensor::from([values[0]])), Param::new(Tensor::from([values[1]]))]
    }

    fn averages(mut average: WeightAverage<f64>) -> Vec<f64> {
        for values in [[1.0, 0.0], [2.0, 4.0], [4.0, -4.0]] {
            average.update(&point(values));
        }
        let mut net = point([0.0; 2]);
        average.apply(&mut net);
        net.iter().map(|p| p.item()).collect()
    }

    #[test]
    fn three_updates_by_hand() {
        // 0.75 (0.75 * 1 + 0.25 * 2) + 0.25 * 4, and so on.
        assert_eq!(averages(WeightAverage::ema(0.75)), [1.9375, -0.25]);
        // Weights 0.25, 0.5, 1 over 1.75.
        let corrected = averages(WeightAverage::ema(0.5).bias_correction(true));
        assert!((corrected[0] - 5.25 / 1.75).abs() < 1e-15 && (corrected[1] + 2.0 / 1.75).abs() < 1e-15);
        let equal = averages(WeightAverage::equal());
        assert!((equal[0] - 7.0 / 3.0).abs() < 1e-15 && equal[1].abs() < 1e-15);
        assert_eq!(averages(WeightAverage::ema(1.0).bias_correction(true)), averages(WeightAverage::equal()));
        assert_eq!(averages(WeightAverage::ema(1.0)), [1.0, 0.0]);
        assert_eq!(averages(WeightAverage::ema(0.0)), [4.0, -4.0]);
    }

    #[test]
    fn swapping_twice_changes_nothing() {
        let mut net = point([3.0, 5.0]);
        let mut average = WeightAverage::ema(0.5);
        average.update(&net);
        net[0].values_mut()[0] = 5.0;
        average.update(&net);
        average.swap(&mut net);
        assert_eq!((net[0].item(), net[1].item()), (4.0, 5.0));
        average.swap(&mut net);
        assert_eq!((net[0].item(), net[1].item()), (5.0, 5.0));
    }

    #[test]
    fn resumed_averages_have_the_same_bits() {
        for make in [|| WeightAverage::ema(0.9).bias_correction(true), || WeightAverage::equal()] {
            for before in 0..3 {
                let (mut average, mut net) = (make(), point([0.1, 0.7]));
                let go_on = |average: &mut WeightAverage<f64>, net: &mut [Param<f64>]| {
                    net.iter_mut().for_each(|p| p.values_mut()[0] *= -1.7);
                    average.update(&net.to_vec());
                };
                (0..before).for_each(|_| go_on(&mut average, &mut net));
                let mut resumed = WeightAverage::resume(&average.state(), &net).expect("a sound state");
                let mut copy = net.clone();
                (0..3).for_each(|_| go_on(&mut average, &mut net));
                (0..3).for_each(|_| go_on(&mut resumed, &mut copy));
                assert_eq!(format!("{:?}", average.state()), format!("{:?}", resumed.state()));
            }
        }
    }

    #[test]
    fn damaged_states_are_told_apart() {
        let refuse = |damage: &dyn Fn(&mut AverageState<f64>), message: &str| {
            let (mut average, net) = (WeightAverage::ema(0.9), point([1.0, 2.0]));
            average.update(&net);
            let mut state = average.state();
            damage(&mut state);
            assert_eq!(WeightAverage::resume(&state, &net).expect_err(message).to_string(), message);
        };
        refuse(&|s| _ = s.numbers.remove("decay"), "the optimizer state lacks \"decay\"");
        refuse(&|s| _ = s.numbers.insert("decay".into(), 2.0), "decay must be at least 0 and at most 1, got 2");
        refuse(
            &|s| _ = s.numbers.insert("x".into(), 2.0),
            "the optimizer state holds \"x\", which this optimizer does not have",
        );
        refuse(&|s| _ = s.tensors.remove("1"), "the optimizer state lacks \"1\"");
        refuse(
            &|s| _ = s.tensors.insert("1".into(), Tensor::zeros([3])),
            "the optimizer state holds \"1\" in shape [3], where [1] is expected",
        );
    }

    #[test]
    #[should_panic(expected = "WeightAverage: there has been no update yet")]
    fn nothing_to_apply() {
        WeightAverage::<f64>::equal().apply(&mut point([1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "WeightAverage: the model has 0 parameters, but had 2 in the first update")]
    fn another_model() {
        let mut average = WeightAverage::ema(0.9);
        average.update(&point([1.0, 2.0]));
        average.update(&());
    }
}
