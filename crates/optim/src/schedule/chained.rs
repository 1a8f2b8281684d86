//! [`ChainedScheduler`]: several schedules at once, each multiplying what the others have made of the rate. As
//! `torch.optim.lr_scheduler.ChainedScheduler`.

use super::scheduler::Running;
use super::{Fields, Moment, Schedule};
use crate::{Groups, OptimError};

/// Applies schedules one after another, all in every epoch.
#[derive(Clone, Debug)]
pub struct ChainedScheduler {
    parts: Vec<Running>,
}

impl ChainedScheduler {
    /// One schedule.
    pub fn new(first: impl Schedule + 'static) -> Self {
        ChainedScheduler { parts: vec![Running::new(Box::new(first))] }
    }

    /// And another, which acts after those before it.
    #[must_use]
    pub fn and(mut self, next: impl Schedule + 'static) -> Self {
        self.parts.push(Running::new(Box::new(next)));
        self
    }
}

impl Schedule for ChainedScheduler {
    fn kind(&self) -> String {
        format!("ChainedScheduler({})", kinds(&self.parts))
    }

    fn check(&self) -> Result<(), OptimError> {
        self.parts.iter().try_for_each(|part| part.schedule.check())
    }

    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        self.parts.iter_mut().for_each(|part| part.start(groups, bases));
    }

    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        self.parts.iter_mut().for_each(|part| part.step(groups, moment.metric));
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        for (i, part) in self.parts.iter_mut().enumerate() {
            fields.inside(i, |fields| part.fields(fields));
        }
    }
}

/// The names of schedules inside another.
pub(super) fn kinds(parts: &[Running]) -> String {
    parts.iter().map(|part| part.schedule.kind()).collect::<Vec<_>>().join(", ")
}
