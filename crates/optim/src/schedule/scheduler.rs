//! [`Scheduler`]: a schedule at work on an optimizer.

use super::fields::Way;
use super::{Fields, Moment, Schedule, rates};
use crate::rules::{demand, not_negative};
use crate::{Groups, OptimError};
use std::collections::{BTreeMap, BTreeSet};

/// A schedule, the rates it started from, and the number of epochs since.
#[derive(Clone, Debug)]
pub struct Scheduler {
    running: Running,
}

/// What [`Scheduler::state`] returns: settings and progress of a schedule. All numbers are exact.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleState {
    /// Whose state it is: `"StepLr"`, `"SequentialLr(LinearLr, StepLr)"`.
    pub kind: String,
    /// All numbers by name; those of schedules inside others with their places before the name.
    pub numbers: BTreeMap<String, f64>,
}

impl Scheduler {
    /// Starts a schedule: the optimizer gets the settings of the first epoch.
    ///
    /// # Panics
    /// If a setting of the schedule or the first learning rate is out of range, or the optimizer lacks what the schedule is to change.
    #[track_caller]
    pub fn new(schedule: impl Schedule + 'static, optimizer: &mut dyn Groups) -> Self {
        demand(&schedule.kind(), schedule.check());
        let mut running = Running::new(Box::new(schedule));
        let mut bases = rates(optimizer);
        let mut checked = Checked::new(optimizer);
        running.start(&mut checked, &mut bases);
        let refused = checked.refused;
        demand(&running.place(), refused);
        Scheduler { running }
    }

    /// Goes on from a saved state; the optimizer, which has a state of its own, stays as it is. The schedule has to be of
    /// the saved kind; its settings come from the state (but for functions, which no state can hold).
    ///
    /// # Errors
    /// If the state is another schedule's, or damaged.
    pub fn resume(schedule: impl Schedule + 'static, state: &ScheduleState) -> Result<Self, OptimError> {
        if schedule.kind() != state.kind {
            return Err(OptimError::Kind { expected: schedule.kind(), found: state.kind.clone() });
        }
        let mut running = Running::new(Box::new(schedule));
        let mut way = Way::Load { from: state.numbers.clone(), used: BTreeSet::new(), problem: None };
        running.fields(&mut Fields::new(&mut way));
        if let Way::Load { from, used, problem } = way {
            let stray = from.into_keys().find(|name| !used.contains(name));
            if let Some(problem) = problem.or(stray.map(|name| OptimError::Unknown { name })) {
                return Err(problem);
            }
        }
        // Schedules inside one another act on the same groups.
        let groups = |name: &&String| *name == "base" || name.ends_with(".base");
        if state.numbers.keys().filter(groups).any(|name| state.numbers[name] != running.bases.len() as f64) {
            return Err(OptimError::Contradiction("the schedule's parts know different numbers of groups"));
        }
        running.schedule.check()?;
        Ok(Scheduler { running })
    }

    /// After an epoch (or batch): the optimizer gets the settings of the next one.
    ///
    /// # Panics
    /// If the schedule needs a metric ([`step_on`](Scheduler::step_on)), the optimizer has other groups than it had, or a
    /// learning rate becomes negative or infinite, as it may where several schedules act at once.
    #[track_caller]
    pub fn step(&mut self, optimizer: &mut dyn Groups) {
        self.advance(optimizer, None);
    }

    /// [`step`](Scheduler::step) with the value that [`ReduceLrOnPlateau`](super::ReduceLrOnPlateau) watches, such as a loss. Other schedules
    /// ignore it.
    ///
    /// # Panics
    /// If the optimizer has other groups than it had, or a learning rate becomes negative or infinite.
    #[track_caller]
    pub fn step_on(&mut self, optimizer: &mut dyn Groups, metric: f64) {
        self.advance(optimizer, Some(metric));
    }

    #[track_caller]
    fn advance(&mut self, optimizer: &mut dyn Groups, metric: Option<f64>) {
        let mut checked = Checked::new(optimizer);
        self.running.step(&mut checked, metric);
        let refused = checked.refused;
        demand(&self.running.place(), refused);
    }

    /// How often it has stepped.
    pub fn epoch(&self) -> u64 {
        self.running.epoch
    }

    /// All it would take to go on from here.
    pub fn state(&self) -> ScheduleState {
        let mut way = Way::Save(BTreeMap::new());
        self.running.clone().fields(&mut Fields::new(&mut way));
        let numbers = if let Way::Save(numbers) = way { numbers } else { BTreeMap::new() };
        ScheduleState { kind: self.running.schedule.kind(), numbers }
    }
}

/// A schedule with its progress.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) schedule: Box<dyn Schedule>,
    epoch: u64,
    /// The rates of the groups in the beginning.
    bases: Vec<f64>,
}

impl Running {
    pub(super) fn new(schedule: Box<dyn Schedule>) -> Self {
        Running { schedule, epoch: 0, bases: Vec::new() }
    }

    /// `bases` are the rates before any schedule; one that sets others writes them there.
    pub(super) fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        self.epoch = 0;
        self.schedule.start(groups, bases);
        self.bases.clone_from(bases);
    }

    /// Starts again, from the rates of the first time.
    pub(super) fn start_again(&mut self, groups: &mut dyn Groups) {
        self.epoch = 0;
        self.schedule.start(groups, &mut self.bases.clone());
    }

    pub(super) fn restart(&mut self, groups: &mut dyn Groups) {
        self.epoch = 0;
        self.schedule.restart(groups, &self.bases);
    }

    /// Whose doing something is, and when, for a message.
    fn place(&self) -> String {
        format!("{}, step {}", self.schedule.kind(), self.epoch)
    }

    #[track_caller]
    pub(super) fn step(&mut self, groups: &mut dyn Groups, metric: Option<f64>) {
        let (now, before) = (groups.groups(), self.bases.len());
        assert!(now == before, "{}: the optimizer has {now} groups, but had {before}", self.schedule.kind());
        self.epoch += 1;
        self.schedule.step(groups, &Moment { epoch: self.epoch, bases: &self.bases, metric });
    }

    pub(super) fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.count("epoch", &mut self.epoch);
        fields.numbers("base", &mut self.bases);
        self.schedule.fields(fields);
    }
}

/// An optimizer that notes a learning rate out of range and keeps the one before: only the scheduler can tell whose it was.
struct Checked<'a> {
    groups: &'a mut dyn Groups,
    refused: Result<(), OptimError>,
}

impl<'a> Checked<'a> {
    fn new(groups: &'a mut dyn Groups) -> Self {
        Checked { groups, refused: Ok(()) }
    }
}

impl Groups for Checked<'_> {
    fn groups(&self) -> usize {
        self.groups.groups()
    }

    fn option(&self, group: usize, name: &str) -> Option<f64> {
        self.groups.option(group, name)
    }

    fn set_option(&mut self, group: usize, name: &str, value: f64) {
        let rate = if name == "lr" { not_negative("lr", value) } else { Ok(()) };
        match rate {
            Ok(()) => self.groups.set_option(group, name, value),
            Err(refused) => self.refused = std::mem::replace(&mut self.refused, Ok(())).and(Err(refused)),
        }
    }
}
