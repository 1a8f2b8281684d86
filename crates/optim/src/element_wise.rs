//! [`ElementWise`]: an optimizer that treats every element of every parameter by itself. All but L-BFGS are of this kind,
//! and differ in their rule ([`chainrule_kernels::update`]) and in the names of their settings, which a [`Method`] lists.

use crate::memory::Memory;
use crate::rules::{Range, demand, not_negative};
use crate::{Groups, OptimError, Optimizer, OptimizerState};
use chainrule_kernels::update::{ARRAYS, Options, Rule, Slot};
use chainrule_layers::{Module, Param};
use chainrule_tensor::{Gradients, Real};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is particular to an element-wise optimizer.
pub trait Method: Clone + 'static {
    /// What it does to an element.
    type Rule: Rule;
    /// The optimizer's name, in messages and files.
    const NAME: &'static str;
    /// What the rule's arrays are called in files (PyTorch's names); empty where there is none.
    const ARRAYS: [&'static str; ARRAYS];
    /// What the rule's number besides the arrays is called in files, if there is one.
    const PRODUCT: Option<&'static str> = None;
    /// The settings besides `lr`, `weight_decay` and `maximize`.
    const SETTINGS: &'static [Setting<Self::Rule>];

    /// That the settings do not contradict each other.
    ///
    /// # Errors
    /// If they do.
    fn check(_: &Options<Self::Rule>) -> Result<(), OptimError> {
        Ok(())
    }

    /// Whether a step leaves something to remember.
    fn remembers(_: &Options<Self::Rule>) -> bool {
        true
    }
}

/// A setting: its name, its range, and where it stands.
#[derive(Debug)]
pub struct Setting<R> {
    pub(crate) name: &'static str,
    pub(crate) range: Range,
    pub(crate) get: fn(&Options<R>) -> f64,
    pub(crate) set: fn(&mut Options<R>, f64),
}

/// A [`Setting`] that is a number: `number!("eps", not_negative, |o| o.rule.eps)`.
macro_rules! number {
    ($name:literal, $range:path, |$o:ident| $place:expr) => {
        $crate::element_wise::Setting { name: $name, range: $range, get: |$o| $place, set: |$o, x| $place = x }
    };
}
/// A [`Setting`] that is yes or no: `yes_no!("amsgrad", |o| o.rule.amsgrad)`.
macro_rules! yes_no {
    ($name:literal, |$o:ident| $place:expr) => {
        $crate::element_wise::Setting {
            name: $name,
            range: $crate::rules::flag,
            get: |$o| f64::from(u8::from($place)),
            set: |$o, x| $place = x != 0.0,
        }
    };
}
pub(crate) use {number, yes_no};

/// An optimizer that treats every element by itself: [`Sgd`](crate::Sgd), [`Adam`](crate::Adam) and the others are names for it.
#[derive(Clone)]
pub struct ElementWise<M: Method, T: Real = f32> {
    /// At least one.
    groups: Vec<Group<M::Rule, T>>,
    memory: Memory<T>,
}

/// Whether a parameter, by its name and itself, belongs to a group.
type Select<T> = Arc<dyn Fn(&str, &Param<T>) -> bool + Send + Sync>;

#[derive(Clone)]
struct Group<R, T: Real> {
    options: Options<R>,
    /// Nothing for group 0, and for groups that came from a file and have their members by name.
    select: Option<Select<T>>,
}

impl<M: Method, T: Real> ElementWise<M, T> {
    /// An optimizer with one group of these settings.
    #[track_caller]
    pub(crate) fn start(options: Options<M::Rule>) -> Self {
        demand(M::NAME, not_negative("lr", options.lr));
        let memory = Memory::new(M::NAME, M::ARRAYS, M::PRODUCT);
        ElementWise { groups: vec![Group { options, select: None }], memory }
    }

    /// The same optimizer with another setting of group 0.
    #[track_caller]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<f64>) -> Self {
        self.set_option(0, name, value.into());
        self
    }

    /// How much of the parameter is added to its gradient or, decoupled, taken off the parameter at the rate `lr`.
    /// Default 0; AdamW 0.01.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        self.with("weight_decay", weight_decay)
    }

    /// Whether to make the loss larger instead of smaller. Default false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        self.with("maximize", maximize)
    }

    /// A group of parameters with settings of their own: those for which `select` holds, by name and value, and that no
    /// earlier group has taken. `configure` gets an optimizer with the settings so far and changes what is to differ, so
    /// groups come last. The groups' members are fixed in the first step.
    ///
    /// ```
    /// use chainrule_optim::{AdamW, Groups};
    /// // Biases and the scales of normalizations are vectors: no weight decay for them. The head learns faster.
    /// let opt: AdamW = AdamW::new(1e-3)
    ///     .group(|name, _| name.starts_with("head."), |group| group.with_lr(1e-2))
    ///     .group(|_, param| param.rank() < 2, |group| group.weight_decay(0.0));
    /// assert_eq!(opt.groups(), 3);
    /// assert_eq!(opt.option(2, "weight_decay"), Some(0.0));
    /// ```
    ///
    /// # Panics
    /// If `configure` makes groups itself.
    #[must_use]
    #[track_caller]
    pub fn group(
        mut self,
        select: impl Fn(&str, &Param<T>) -> bool + Send + Sync + 'static,
        configure: impl FnOnce(Self) -> Self,
    ) -> Self {
        let group = configure(Self::start(self.groups[0].options));
        assert!(group.groups.len() == 1, "{}: a group has no groups of its own", M::NAME);
        self.groups.push(Group { options: group.groups[0].options, select: Some(Arc::new(select)) });
        self
    }

    /// Another learning rate: of use inside [`group`](ElementWise::group).
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[must_use]
    #[track_caller]
    pub fn with_lr(self, lr: f64) -> Self {
        self.with("lr", lr)
    }

    /// All settings.
    fn settings() -> impl Iterator<Item = &'static Setting<M::Rule>> {
        <Self as Common<M::Rule>>::COMMON.iter().chain(M::SETTINGS)
    }

    fn find(name: &str) -> Option<&'static Setting<M::Rule>> {
        Self::settings().find(|setting| setting.name == name)
    }
}

/// The settings that every optimizer has. (A trait, as constants of a generic type need a place.)
trait Common<R: 'static> {
    const COMMON: &'static [Setting<R>] = &[
        number!("lr", not_negative, |o| o.lr),
        number!("weight_decay", not_negative, |o| o.weight_decay),
        yes_no!("maximize", |o| o.maximize),
    ];
}
impl<M: Method, T: Real> Common<M::Rule> for ElementWise<M, T> {}

impl<M: Method, T: Real> Groups for ElementWise<M, T> {
    fn groups(&self) -> usize {
        self.groups.len()
    }

    fn option(&self, group: usize, name: &str) -> Option<f64> {
        Some((Self::find(name)?.get)(&self.groups.get(group)?.options))
    }

    #[track_caller]
    fn set_option(&mut self, group: usize, name: &str, value: f64) {
        let setting = Self::find(name).unwrap_or_else(|| panic!("{}: there is no setting {name:?}", M::NAME));
        demand(M::NAME, (setting.range)(setting.name, value));
        let groups = self.groups.len();
        assert!(group < groups, "{}: there is no group {group}, only {groups}", M::NAME);
        (setting.set)(&mut self.groups[group].options, value);
    }
}

impl<M: Method, T: Real> Optimizer<T> for ElementWise<M, T> {
    #[inline(never)]
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<T>, grads: &Gradients<T>) {
        let ElementWise { groups, memory } = self;
        groups.iter().for_each(|group| demand(M::NAME, M::check(&group.options)));
        let selected = |name: &str, param: &Param<T>| {
            groups.iter().position(|g| g.select.as_ref().is_some_and(|select| select(name, param))).unwrap_or(0)
        };
        let mut changes = memory.changes(model, grads, &selected);
        let mut slots = Vec::with_capacity(changes.len());
        for change in &mut changes {
            let (param, record) = (change.param.values_mut(), &mut *change.record);
            let options = &groups[record.group].options;
            let rule = options.rule;
            // A damaged file may claim any count.
            let step = record.steps.saturating_add(1);
            if M::remembers(options) {
                record.steps = step;
                record.product = rule.product(step, record.product);
            }
            let product = record.product;
            let arrays = record.arrays(param.len(), rule.arrays(), rule.initial());
            slots.push(Slot { options, param, grad: &change.grad, arrays, step, product });
        }
        M::Rule::step(&mut slots);
    }

    #[inline(never)]
    fn state(&self) -> OptimizerState<T> {
        let values = |group: &Group<M::Rule, T>| {
            Self::settings().map(|setting| (setting.name.into(), (setting.get)(&group.options))).collect()
        };
        let mut state = OptimizerState::new(M::NAME, self.groups.iter().map(values).collect());
        self.memory.save(&mut state);
        state
    }

    #[inline(never)]
    fn load_state(&mut self, state: &OptimizerState<T>) -> Result<(), OptimError> {
        state.check(M::NAME)?;
        // Without a step there are no members by name, and the own groups have to do.
        if state.groups.is_empty() || state.steps.is_empty() && state.groups.len() != self.groups.len() {
            return Err(OptimError::Groups { expected: self.groups.len(), found: state.groups.len() });
        }
        let mut groups = Vec::new();
        for (i, values) in state.groups.iter().enumerate() {
            let mut group = Group { options: self.groups[0].options, select: None };
            group.select = self.groups.get(i).and_then(|own| own.select.clone());
            read_settings(values, Self::settings(), &mut group.options)?;
            M::check(&group.options)?;
            groups.push(group);
        }
        let needed = |group: usize| -> [bool; ARRAYS] { groups[group].options.rule.arrays() };
        self.memory = self.memory.restored(state, &needed)?;
        self.groups = groups;
        Ok(())
    }
}

/// Takes over the values from a file: all settings, each in its range, and no others.
fn read_settings<R: 'static>(
    values: &BTreeMap<String, f64>,
    settings: impl Iterator<Item = &'static Setting<R>>,
    options: &mut Options<R>,
) -> Result<(), OptimError> {
    let mut left: Vec<&String> = values.keys().collect();
    for Setting { name, range, set, .. } in settings {
        let &value = values.get(*name).ok_or_else(|| OptimError::Missing { name: (*name).into() })?;
        range(name, value)?;
        set(options, value);
        left.retain(|other| other != name);
    }
    match left.first() {
        Some(name) => Err(OptimError::Unknown { name: (*name).clone() }),
        None => Ok(()),
    }
}

impl<M: Method, T: Real> fmt::Debug for ElementWise<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(|group| &group.options).collect();
        f.debug_struct(M::NAME).field("groups", &groups).field("memory", &self.memory).finish()
    }
}
