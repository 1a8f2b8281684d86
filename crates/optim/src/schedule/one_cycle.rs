//! [`OneCycleLr`]: the rate rises to a maximum and falls to almost nothing, while the momentum does the opposite. As
//! `torch.optim.lr_scheduler.OneCycleLR`. With `n = total_steps`, `low = max_lr / div_factor` and `end = low / final_div_factor`,
//! the rate goes through these points, along half a cosine or a line:
//!
//! ```text
//! step               0     pct_start n - 1    n - 1                          momentum: max, base, max
//!     lr            low        max_lr          end
//! three phases       0     pct_start n - 1    2 pct_start n - 2    n - 1     momentum: max, base, max, max
//!     lr            low        max_lr          low                 end
//! ```
//!
//! It is meant to step after every batch. The momentum is the setting `momentum`, or `beta1` of the Adams.
//!
//! Source: L. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large learning rates" (2018).

use super::{Fields, Moment, Schedule, set_rates};
use crate::rules::{finite, hold, positive, unit};
use crate::{Groups, OptimError};
use std::f64::consts::PI;

/// One cycle of the rate, and of the momentum.
#[derive(Clone, Debug)]
pub struct OneCycleLr {
    /// One for all groups, or one for each.
    max_lr: Vec<f64>,
    total_steps: u64,
    pct_start: f64,
    linear: bool,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycleLr {
    /// A cycle of `total_steps` steps (at least 1) that rises to `max_lr` in all groups, whatever their own rates are.
    pub fn new(max_lr: f64, total_steps: usize) -> Self {
        Self::with_max_lrs([max_lr], total_steps)
    }

    /// The same with a maximum for each group.
    pub fn with_max_lrs(max_lrs: impl Into<Vec<f64>>, total_steps: usize) -> Self {
        OneCycleLr {
            max_lr: max_lrs.into(),
            total_steps: total_steps as u64,
            pct_start: 0.3,
            linear: false,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// The share of the steps in which the rate rises. Default 0.3.
    #[must_use]
    pub fn pct_start(self, pct_start: f64) -> Self {
        OneCycleLr { pct_start, ..self }
    }

    /// Whether to go along lines instead of cosines (PyTorch's `anneal_strategy`). Default false.
    #[must_use]
    pub fn linear(self, linear: bool) -> Self {
        OneCycleLr { linear, ..self }
    }

    /// Whether to change the momentum as well; the optimizer must have one. Default true.
    #[must_use]
    pub fn cycle_momentum(self, cycle_momentum: bool) -> Self {
        OneCycleLr { cycle_momentum, ..self }
    }

    /// The momentum where the rate is highest, and where it is lowest. Default 0.85 and 0.95.
    #[must_use]
    pub fn momentum(self, base_momentum: f64, max_momentum: f64) -> Self {
        OneCycleLr { base_momentum, max_momentum, ..self }
    }

    /// How many times smaller than the maximum the first rate is. Default 25.
    #[must_use]
    pub fn div_factor(self, div_factor: f64) -> Self {
        OneCycleLr { div_factor, ..self }
    }

    /// How many times smaller than the first rate the last one is. Default 1e4.
    #[must_use]
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        OneCycleLr { final_div_factor, ..self }
    }

    /// Whether to fall to the first rate as fast as it rose, and then on to the last one. Default false.
    #[must_use]
    pub fn three_phase(self, three_phase: bool) -> Self {
        OneCycleLr { three_phase, ..self }
    }

    /// The phases: the step in which each ends, and the rates and momenta it goes between.
    fn phases(&self, low: f64, high: f64) -> Vec<Phase> {
        let (steps, rise) = (self.total_steps as f64, self.pct_start * self.total_steps as f64);
        let (small, large) = (self.base_momentum, self.max_momentum);
        let (last, end) = (steps - 1.0, low / self.final_div_factor);
        let up = Phase { end: rise - 1.0, lr: [low, high], momentum: [large, small] };
        if self.three_phase {
            let down = Phase { end: 2.0 * self.pct_start * steps - 2.0, lr: [high, low], momentum: [small, large] };
            vec![up, down, Phase { end: last, lr: [low, end], momentum: [large, large] }]
        } else {
            vec![up, Phase { end: last, lr: [high, end], momentum: [small, large] }]
        }
    }

    /// Rate and momentum after so many steps.
    fn at(&self, step: u64, low: f64, high: f64) -> (f64, f64) {
        let phases = self.phases(low, high);
        let (step, mut start) = (step as f64, 0.0);
        for (i, phase) in phases.iter().enumerate() {
            if step <= phase.end || i == phases.len() - 1 {
                // A phase without length, in which PyTorch divides by 0, is over at once.
                let share = if phase.end == start { 1.0 } else { (step - start) / (phase.end - start) };
                return (self.between(phase.lr, share), self.between(phase.momentum, share));
            }
            start = phase.end;
        }
        unreachable!("the last phase takes every step")
    }

    fn between(&self, [start, end]: [f64; 2], share: f64) -> f64 {
        if self.linear { (end - start) * share + start } else { end + (start - end) / 2.0 * ((PI * share).cos() + 1.0) }
    }

    fn high(&self, group: usize) -> f64 {
        self.max_lr.get(group).or(self.max_lr.last()).copied().unwrap_or(0.0)
    }

    fn apply(&self, groups: &mut dyn Groups, step: u64, bases: &[f64]) {
        set_rates(groups, |group, _| self.at(step, bases[group], self.high(group)).0);
        if self.cycle_momentum {
            let name = momentum_name(groups);
            for (group, &base) in bases.iter().enumerate() {
                groups.set_option(group, name, self.at(step, base, self.high(group)).1);
            }
        }
    }
}

struct Phase {
    end: f64,
    lr: [f64; 2],
    momentum: [f64; 2],
}

/// What the optimizer calls its momentum.
fn momentum_name(groups: &dyn Groups) -> &'static str {
    let names = ["beta1", "momentum"].into_iter().find(|name| groups.option(0, name).is_some());
    names.expect("OneCycleLr: the optimizer has no momentum to cycle; say cycle_momentum(false)")
}

impl Schedule for OneCycleLr {
    fn kind(&self) -> String {
        "OneCycleLr".into()
    }

    fn check(&self) -> Result<(), OptimError> {
        positive("total_steps", self.total_steps as f64)?;
        positive("max_lrs", self.max_lr.len() as f64)?;
        self.max_lr.iter().try_for_each(|&lr| finite("max_lr", lr))?;
        unit("pct_start", self.pct_start)?;
        finite("base_momentum", self.base_momentum)?;
        finite("max_momentum", self.max_momentum)?;
        for (name, value) in [("div_factor", self.div_factor), ("final_div_factor", self.final_div_factor)] {
            hold(value.is_finite() && value > 0.0, name, value, "must be finite and above 0")?;
        }
        Ok(())
    }

    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        let (many, maxima) = (groups.groups(), self.max_lr.len());
        assert!(maxima == 1 || maxima == many, "OneCycleLr: {maxima} maxima for {many} groups");
        *bases = (0..many).map(|group| self.high(group) / self.div_factor).collect();
        self.apply(groups, 0, bases);
    }

    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        let (epoch, total) = (moment.epoch, self.total_steps);
        assert!(epoch <= total, "OneCycleLr: step {epoch} of a cycle of {total} steps");
        self.apply(groups, epoch, moment.bases);
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.numbers("max_lr", &mut self.max_lr);
        fields.count("total_steps", &mut self.total_steps);
        fields.number("pct_start", &mut self.pct_start);
        fields.flag("linear", &mut self.linear);
        fields.flag("cycle_momentum", &mut self.cycle_momentum);
        fields.number("base_momentum", &mut self.base_momentum);
        fields.number("max_momentum", &mut self.max_momentum);
        fields.number("div_factor", &mut self.div_factor);
        fields.number("final_div_factor", &mut self.final_div_factor);
        fields.flag("three_phase", &mut self.three_phase);
    }
}
