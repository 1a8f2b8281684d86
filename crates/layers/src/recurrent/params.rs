//! [`RecurrentParams`]: the parameters of a cell, or of one layer in one direction.

use crate::module::{Entry, EntryMut, Module, Path};
use crate::{Param, init};
use chainrule_tensor::ops::{RecurrentWeights, RnnActivation};
use chainrule_tensor::{Real, Rng};

/// What is repeated step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rnn(RnnActivation),
    Lstm,
    Gru,
}

impl Kind {
    pub(super) fn gates(self) -> usize {
        match self {
            Kind::Rnn(_) => 1,
            Kind::Lstm => 4,
            Kind::Gru => 3,
        }
    }
}

/// The parameters of a cell, or of one layer in one direction: `G` gates of `H` units over `F` features.
#[derive(Clone, Debug)]
pub struct RecurrentParams<T: Real = f32> {
    /// `[G H, F]`, for the input.
    pub weight_ih: Param<T>,
    /// `[G H, H]`, for the state.
    pub weight_hh: Param<T>,
    /// `[G H]`, for the input.
    pub bias_ih: Option<Param<T>>,
    /// `[G H]`, for the state. There if `bias_ih` is.
    pub bias_hh: Option<Param<T>>,
    names: [String; 4],
}

impl<T: Real> RecurrentParams<T> {
    /// Parameters whose names end in `suffix`.
    pub(super) fn new(
        kind: Kind,
        inputs: usize,
        hidden: usize,
        bias: bool,
        suffix: &str,
        rng: &mut Rng,
    ) -> RecurrentParams<T> {
        let (rows, bound) = (kind.gates() * hidden, 1.0 / (hidden as f64).sqrt());
        let weight_ih = Param::new(init::symmetric([rows, inputs], bound, rng));
        let weight_hh = Param::new(init::symmetric([rows, hidden], bound, rng));
        let mut draw = || bias.then(|| Param::new(init::symmetric(rows, bound, rng)));
        let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|name| format!("{name}{suffix}"));
        RecurrentParams { weight_ih, weight_hh, bias_ih: draw(), bias_hh: draw(), names }
    }

    /// The number of features of the input.
    pub fn inputs(&self) -> usize {
        self.weight_ih.shape()[1]
    }

    /// The number of units of the state.
    pub fn hidden(&self) -> usize {
        self.weight_hh.shape()[1]
    }

    pub(super) fn weights(&self) -> RecurrentWeights<'_, T> {
        let bias = self.bias_ih.as_deref().zip(self.bias_hh.as_deref());
        RecurrentWeights { weight_ih: &self.weight_ih, weight_hh: &self.weight_hh, bias }
    }
}

impl<T: Real> Module<T> for RecurrentParams<T> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        let params = [Some(&self.weight_ih), Some(&self.weight_hh), self.bias_ih.as_ref(), self.bias_hh.as_ref()];
        for (name, param) in self.names.iter().zip(params) {
            if let Some(param) = param {
                visitor(&path.field(name), Entry::Param(param));
            }
        }
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        let RecurrentParams { weight_ih, weight_hh, bias_ih, bias_hh, names } = self;
        let params = [Some(weight_ih), Some(weight_hh), bias_ih.as_mut(), bias_hh.as_mut()];
        for (name, param) in names.iter().zip(params) {
            if let Some(param) = param {
                visitor(&path.field(name), EntryMut::Param(param));
            }
        }
    }
}
