//! [`ReduceLrOnPlateau`]: the rate falls when a metric has stopped to improve. As
//! `torch.optim.lr_scheduler.ReduceLROnPlateau`:
//!
//! ```text
//! better    metric < best (1 - threshold)        maximizing: metric > best (1 + threshold)
//!           metric < best - threshold                        metric > best + threshold       (absolute)
//! reduce    lr = max(factor lr, min_lr)          after more than `patience` epochs that were not better
//! ```
//!
//! After a reduction, `cooldown` epochs are not counted; a reduction by no more than `eps` is not made.

use super::{Fields, Moment, Schedule, set_rates};
use crate::rules::{finite, hold};
use crate::{Groups, OptimError};

/// Multiplies the rate by `factor` when a metric has not become better for more than `patience` epochs. It steps with
/// [`Scheduler::step_on`](super::Scheduler::step_on).
#[derive(Clone, Debug)]
pub struct ReduceLrOnPlateau {
    maximize: bool,
    factor: f64,
    patience: u64,
    threshold: f64,
    absolute: bool,
    cooldown: u64,
    /// One for all groups, or one for each.
    min_lr: Vec<f64>,
    eps: f64,
    best: f64,
    bad_epochs: u64,
    cooling: u64,
}

impl ReduceLrOnPlateau {
    /// For a metric that is to become smaller, such as a loss: factor 0.1, patience 10, relative threshold 1e-4, no cooldown, no
    /// smallest rate, eps 1e-8.
    pub fn min() -> Self {
        ReduceLrOnPlateau {
            maximize: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: vec![0.0],
            eps: 1e-8,
            best: f64::INFINITY,
            bad_epochs: 0,
            cooling: 0,
        }
    }

    /// For a metric that is to become larger, such as an accuracy.
    pub fn max() -> Self {
        ReduceLrOnPlateau { maximize: true, best: f64::NEG_INFINITY, ..Self::min() }
    }

    /// The factor, below 1. Default 0.1.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        ReduceLrOnPlateau { factor, ..self }
    }

    /// How many epochs in a row may pass without improvement. Default 10.
    #[must_use]
    pub fn patience(self, patience: usize) -> Self {
        ReduceLrOnPlateau { patience: patience as u64, ..self }
    }

    /// By which share of the best value so far a metric must be better. Default 1e-4.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Self {
        ReduceLrOnPlateau { threshold, absolute: false, ..self }
    }

    /// By how much a metric must be better than the best value so far.
    #[must_use]
    pub fn absolute_threshold(self, threshold: f64) -> Self {
        ReduceLrOnPlateau { threshold, absolute: true, ..self }
    }

    /// How many epochs after a reduction are not counted. Default 0.
    #[must_use]
    pub fn cooldown(self, cooldown: usize) -> Self {
        ReduceLrOnPlateau { cooldown: cooldown as u64, ..self }
    }

    /// The smallest rate. Default 0.
    #[must_use]
    pub fn min_lr(self, min_lr: f64) -> Self {
        self.min_lrs([min_lr])
    }

    /// The smallest rate of each group.
    #[must_use]
    pub fn min_lrs(self, min_lrs: impl Into<Vec<f64>>) -> Self {
        ReduceLrOnPlateau { min_lr: min_lrs.into(), ..self }
    }

    /// The largest reduction that is not worth it. Default 1e-8.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        ReduceLrOnPlateau { eps, ..self }
    }

    /// Whether this is the best value so far, by more than the threshold.
    fn is_better(&self, metric: f64) -> bool {
        match (self.maximize, self.absolute) {
            (false, false) => metric < self.best * (1.0 - self.threshold),
            (false, true) => metric < self.best - self.threshold,
            (true, false) => metric > self.best * (self.threshold + 1.0),
            (true, true) => metric > self.best + self.threshold,
        }
    }
}

impl Schedule for ReduceLrOnPlateau {
    fn kind(&self) -> String {
        "ReduceLrOnPlateau".into()
    }

    fn check(&self) -> Result<(), OptimError> {
        hold(self.factor < 1.0, "factor", self.factor, "must be below 1")?;
        finite("threshold", self.threshold)?;
        hold(!self.min_lr.is_empty(), "min_lrs", 0.0, "must be at least one number")?;
        self.min_lr.iter().try_for_each(|&lr| finite("min_lr", lr))?;
        finite("eps", self.eps)
    }

    fn start(&mut self, groups: &mut dyn Groups, _: &mut Vec<f64>) {
        let (many, minima) = (groups.groups(), self.min_lr.len());
        assert!(minima == 1 || minima == many, "ReduceLrOnPlateau: {minima} smallest rates for {many} groups");
    }

    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        let metric = moment.metric.expect("ReduceLrOnPlateau: a step needs a metric: Scheduler::step_on");
        if self.is_better(metric) {
            self.best = metric;
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > self.patience {
            set_rates(groups, |group, now| {
                let least = self.min_lr.get(group).or(self.min_lr.last()).copied().unwrap_or(0.0);
                let reduced = (now * self.factor).max(least);
                if now - reduced > self.eps { reduced } else { now }
            });
            self.cooling = self.cooldown;
            self.bad_epochs = 0;
        }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.flag("maximize", &mut self.maximize);
        fields.number("factor", &mut self.factor);
        fields.count("patience", &mut self.patience);
        fields.number("threshold", &mut self.threshold);
        fields.flag("absolute", &mut self.absolute);
        fields.count("cooldown", &mut self.cooldown);
        fields.numbers("min_lr", &mut self.min_lr);
        fields.number("eps", &mut self.eps);
        fields.number("best", &mut self.best);
        fields.count("bad_epochs", &mut self.bad_epochs);
        fields.count("cooling", &mut self.cooling);
    }
}
