//! [`Fields`]: one list of a schedule's numbers serves for writing and for reading them.

use super::Schedule;
use crate::OptimError;
use crate::rules::{count, flag};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of a schedule on their way into a state or out of one.
#[derive(Debug)]
pub struct Fields<'a> {
    /// What stands before all names: where in a nest of schedules this one is.
    prefix: String,
    way: &'a mut Way,
}

#[derive(Debug)]
pub(super) enum Way {
    /// Into the map.
    Save(BTreeMap<String, f64>),
    /// Out of the map, with the names that were asked for and the first thing that was wrong.
    Load { from: BTreeMap<String, f64>, used: BTreeSet<String>, problem: Option<OptimError> },
}

impl<'a> Fields<'a> {
    pub(super) fn new(way: &'a mut Way) -> Self {
        Fields { prefix: String::new(), way }
    }

    /// A number.
    pub fn number(&mut self, name: &str, field: &mut f64) {
        let name = format!("{}{name}", self.prefix);
        match self.way {
            Way::Save(to) => _ = to.insert(name, *field),
            Way::Load { from, used, problem } => match from.get(&name) {
                Some(&value) => {
                    *field = value;
                    used.insert(name);
                }
                None => _ = problem.get_or_insert(OptimError::Missing { name }),
            },
        }
    }

    /// A whole number.
    pub fn count(&mut self, name: &'static str, field: &mut u64) {
        let mut value = *field as f64;
        self.number(name, &mut value);
        if self.holds(count(name, value)) {
            *field = value as u64;
        }
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &'static str, field: &mut bool) {
        let mut value = f64::from(u8::from(*field));
        self.number(name, &mut value);
        if self.holds(flag(name, value)) {
            *field = value != 0.0;
        }
    }

    /// A list of numbers.
    pub fn numbers(&mut self, name: &'static str, field: &mut Vec<f64>) {
        let mut len = field.len() as u64;
        self.count(name, &mut len);
        for i in 0..len {
            // A damaged file may claim any length.
            let i = i as usize;
            if i == field.len() {
                field.push(0.0);
            }
            self.number(&format!("{name}.{i}"), &mut field[i]);
            if matches!(self.way, Way::Load { problem: Some(_), .. }) {
                return;
            }
        }
        field.truncate(len as usize);
    }

    /// A schedule inside this one.
    pub fn child(&mut self, index: usize, child: &mut dyn Schedule) {
        self.inside(index, |fields| child.fields(fields));
    }

    /// Names with `index` and a dot before them.
    pub(super) fn inside(&mut self, index: usize, work: impl FnOnce(&mut Fields<'_>)) {
        work(&mut Fields { prefix: format!("{}{index}.", self.prefix), way: self.way });
    }

    fn holds(&mut self, rule: Result<(), OptimError>) -> bool {
        match (rule, &mut *self.way) {
            (Err(broken), Way::Load { problem, .. }) => {
                problem.get_or_insert(broken);
                false
            }
            _ => true,
        }
    }
}
