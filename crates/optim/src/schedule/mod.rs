//! Schedules: settings that change while training goes on, mostly the learning rate.
//!
//! A schedule says how; a [`Scheduler`] applies it to an optimizer, once when it is made and then after each epoch, or each
//! batch: [`Scheduler::step`]. With groups each group's own rate is what is scaled. The schedules are PyTorch's, and go
//! from rate to rate as PyTorch's do, so that several can act on one optimizer ([`ChainedScheduler`]).
//!
//! ```
//! use chainrule_optim::{CosineAnnealingLr, Groups, LinearLr, Scheduler, SequentialLr, Sgd};
//!
//! let mut opt: Sgd = Sgd::new(0.1);
//! // Five epochs of warm-up, then half a cosine over twenty.
//! let warm_up = LinearLr::new(5).start_factor(0.1);
//! let schedule = SequentialLr::new(warm_up).then(5, CosineAnnealingLr::new(20));
//! let mut schedule = Scheduler::new(schedule, &mut opt);
//! assert_eq!(opt.lr(), 0.1 * 0.1);
//! for _epoch in 0..25 {
//!     // .. all batches of an epoch, then:
//!     schedule.step(&mut opt);
//! }
//! assert!(opt.lr() < 1e-12);
//! ```

mod chained;
mod constant;
mod cosine;
mod cosine_restarts;
mod exponential;
mod fields;
mod lambda;
mod linear;
mod multi_step;
mod one_cycle;
mod plateau;
mod polynomial;
mod scheduler;
mod sequential;
mod step;

pub use chained::ChainedScheduler;
pub use constant::ConstantLr;
pub use cosine::CosineAnnealingLr;
pub use cosine_restarts::CosineAnnealingWarmRestarts;
pub use exponential::ExponentialLr;
pub use fields::Fields;
pub use lambda::{LambdaLr, MultiplicativeLr};
pub use linear::LinearLr;
pub use multi_step::MultiStepLr;
pub use one_cycle::OneCycleLr;
pub use plateau::ReduceLrOnPlateau;
pub use polynomial::PolynomialLr;
pub use scheduler::{ScheduleState, Scheduler};
pub use sequential::SequentialLr;
pub use step::StepLr;

use crate::{Groups, OptimError};
use std::fmt::Debug;

/// How settings change from epoch to epoch. A [`Scheduler`] counts the epochs (or batches: whatever it is told to step after).
pub trait Schedule: CloneSchedule + Debug + Send {
    /// The name, for files: PyTorch's, in this language's spelling.
    fn kind(&self) -> String;

    /// That the settings are in their ranges.
    ///
    /// # Errors
    /// If one is not.
    fn check(&self) -> Result<(), OptimError> {
        Ok(())
    }

    /// Before the first epoch: changes the settings to what they are to begin with. `bases` are the groups' own rates;
    /// whoever sets rates of its own writes them there.
    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>);

    /// After an epoch, where `moment` says which.
    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>);

    /// In the middle of a [`SequentialLr`]: what `start` does, but for rates that another schedule has left behind.
    fn restart(&mut self, groups: &mut dyn Groups, bases: &[f64]) {
        set_rates(groups, |group, _| bases[group]);
        self.start(groups, &mut bases.to_vec());
    }

    /// Names all numbers that a file has to hold, settings and progress; each is read or written, as `fields` likes.
    fn fields(&mut self, fields: &mut Fields<'_>);
}

/// When a schedule steps.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// How many epochs are over: 1 after the first.
    pub epoch: u64,
    /// The groups' own rates.
    pub bases: &'a [f64],
    /// What is to become smaller or larger, if it was told.
    pub metric: Option<f64>,
}

/// A schedule whose rate follows from the number of epochs, the rate now, and the group's own.
pub(crate) trait Curve: Clone + Debug + Send + 'static {
    const KIND: &'static str;

    fn check(&self) -> Result<(), OptimError> {
        Ok(())
    }

    /// The rate after `epoch` epochs, where it was `now` so far. At epoch 0 `now` is what other schedules of the same
    /// optimizer have made of `base`.
    fn rate(&self, epoch: u64, now: f64, base: f64) -> f64;

    /// The rate at epoch 0 in the middle of a sequence.
    fn restarted(&self, _now: f64, base: f64) -> f64 {
        self.rate(0, base, base)
    }

    fn fields(&mut self, fields: &mut Fields<'_>);
}

impl<C: Curve> Schedule for C {
    fn kind(&self) -> String {
        C::KIND.into()
    }

    fn check(&self) -> Result<(), OptimError> {
        Curve::check(self)
    }

    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        set_rates(groups, |group, now| self.rate(0, now, bases[group]));
    }

    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        set_rates(groups, |group, now| self.rate(moment.epoch, now, moment.bases[group]));
    }

    fn restart(&mut self, groups: &mut dyn Groups, bases: &[f64]) {
        set_rates(groups, |group, now| self.restarted(now, bases[group]));
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        Curve::fields(self, fields);
    }
}

/// Sets each group's rate to what `rate` says, given the group and its rate now.
fn set_rates(groups: &mut dyn Groups, mut rate: impl FnMut(usize, f64) -> f64) {
    for group in 0..groups.groups() {
        let now = groups.option(group, "lr").expect("every optimizer has a learning rate");
        groups.set_option(group, "lr", rate(group, now));
    }
}

/// The groups' rates.
fn rates(groups: &dyn Groups) -> Vec<f64> {
    (0..groups.groups()).map(|group| groups.option(group, "lr").expect("every optimizer has a learning rate")).collect()
}

/// A copy of a schedule of any kind; implemented for all that are `Clone`.
pub trait CloneSchedule {
    /// The copy.
    fn clone_schedule(&self) -> Box<dyn Schedule>;
}

impl<S: Schedule + Clone + 'static> CloneSchedule for S {
    fn clone_schedule(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Schedule> {
    fn clone(&self) -> Self {
        (**self).clone_schedule()
    }
}

/// A schedule that is chosen at run time can stand wherever one can.
impl Schedule for Box<dyn Schedule> {
    fn kind(&self) -> String {
        (**self).kind()
    }
    fn check(&self) -> Result<(), OptimError> {
        (**self).check()
    }
    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        (**self).start(groups, bases);
    }
    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        (**self).step(groups, moment);
    }
    fn restart(&mut self, groups: &mut dyn Groups, bases: &[f64]) {
        (**self).restart(groups, bases);
    }
    fn fields(&mut self, fields: &mut Fields<'_>) {
        (**self).fields(fields);
    }
}

#[cfg(test)]
mod tests;
