//! [`SequentialLr`]: one schedule after another. As `torch.optim.lr_scheduler.SequentialLR`: each starts, at its milestone,
//! from the groups' own rates and its own epoch 0.

use super::chained::kinds;
use super::scheduler::Running;
use super::{Fields, Moment, Schedule, set_rates};
use crate::rules::count;
use crate::{Groups, OptimError};

/// Applies schedules in turn.
#[derive(Clone, Debug)]
pub struct SequentialLr {
    parts: Vec<Running>,
    /// When each part but the first begins.
    milestones: Vec<f64>,
}

impl SequentialLr {
    /// The schedule of the beginning.
    pub fn new(first: impl Schedule + 'static) -> Self {
        SequentialLr { parts: vec![Running::new(Box::new(first))], milestones: Vec::new() }
    }

    /// The one that takes over after `milestone` epochs.
    #[must_use]
    pub fn then(mut self, milestone: usize, next: impl Schedule + 'static) -> Self {
        self.milestones.push(milestone as f64);
        self.parts.push(Running::new(Box::new(next)));
        self
    }

    /// The part that is at work after so many epochs.
    fn part(&self, epoch: u64) -> usize {
        self.milestones.partition_point(|&milestone| milestone <= epoch as f64)
    }
}

impl Schedule for SequentialLr {
    fn kind(&self) -> String {
        format!("SequentialLr({})", kinds(&self.parts))
    }

    fn check(&self) -> Result<(), OptimError> {
        self.milestones.iter().try_for_each(|&milestone| count("milestones", milestone))?;
        let fits = self.milestones.is_sorted() && self.milestones.len() + 1 == self.parts.len();
        if !fits {
            return Err(OptimError::Contradiction("the milestones must rise, one for each schedule but the first"));
        }
        self.parts.iter().try_for_each(|part| part.schedule.check())
    }

    fn start(&mut self, groups: &mut dyn Groups, bases: &mut Vec<f64>) {
        // All parts get to know the groups' own rates; the first begins with them.
        self.parts.iter_mut().for_each(|part| part.start(groups, bases));
        set_rates(groups, |group, _| bases[group]);
        let first = self.part(0);
        self.parts[first].start_again(groups);
    }

    fn step(&mut self, groups: &mut dyn Groups, moment: &Moment<'_>) {
        let at = self.part(moment.epoch);
        if at > 0 && self.milestones[at - 1] == moment.epoch as f64 {
            self.parts[at].restart(groups);
        } else {
            self.parts[at].step(groups, moment.metric);
        }
    }

    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.numbers("milestones", &mut self.milestones);
        for (i, part) in self.parts.iter_mut().enumerate() {
            fields.inside(i, |fields| part.fields(fields));
        }
    }
}
