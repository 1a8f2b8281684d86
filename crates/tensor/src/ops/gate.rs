//! What piecewise linear operations share: a gradient that passes, is scaled or stops, by where the input lies.
//!
//! Such a rule is linear in the gradient and constant almost everywhere in `x`, so it is an operation whose rule is itself.

use super::elementwise::map2_owned;
use crate::graph::edges_of;
use crate::{Inputs, Op, OpInfo, Tensor};
use chainrule_kernels::Real;
use chainrule_kernels::map::Binary;
use std::fmt::Debug;

/// The rule `x' = gate(y', x)`, and the rule of that rule.
#[derive(Debug)]
pub(super) struct Gate<T: Real, F> {
    pub(super) info: &'static OpInfo,
    pub(super) x: Tensor<T>,
    /// `gate(g, x)`, linear in `g`.
    pub(super) gate: F,
}

impl<T: Real, F: Binary + Debug + 'static> Op<T> for Gate<T, F> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let Gate { info, ref x, gate } = *self;
        inputs.add(0, || {
            let edges = edges_of(&[&grad]);
            let gated = map2_owned(info.name, gate, grad, x);
            Tensor::from_edges(info, gated, edges, || Gate { info, x: x.clone(), gate })
        });
    }
}

/// The description of a gate.
macro_rules! gate_info {
    ($name:literal, $rule:literal) => {
        crate::OpInfo { name: $name, equation: $rule, derivative: "y'' = x'' through the same gate", torch: "" }
    };
}
pub(super) use gate_info;
