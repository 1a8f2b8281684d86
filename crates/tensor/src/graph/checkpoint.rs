//! Gradient checkpointing: a segment of the graph that keeps its inputs only, and is computed once more when gradients come.
//!
//! | | |
//! |---|---|
//! | value | that of the segment |
//! | derivative | the segment is run again, recorded this time, and the backward pass goes on through it |
//! | saved | the inputs, the segment, and the random numbers that it began with |
//! | cost | the segment's forward pass a second time |
//!
//! A net of `n` equal operations in segments of `sqrt(n)` keeps about `2 sqrt(n)` results at a time instead of `n`.
//!
//! The forward pass records the segment too, and drops the record at once after it has read from it where the segment begins:
//! the inputs that it depends on, and whatever else its closure holds, such as parameters. All of these are inputs of the one
//! node that stays. In the backward pass the record of the second run hangs on the same nodes. Its own nodes are the newest of
//! all, so the engine visits them next, as if the segment had been recorded from the beginning: gradients are summed in the
//! same order and have the same bits, hooks run, and a recorded pass can be differentiated again.
//!
//! Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174 (2016).

use super::inputs::Inputs;
use super::mode;
use super::node::{Edges, NodeRef, Op, OpInfo, State, next_id};
use crate::{Rng, Tensor};
use chainrule_kernels::Real;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

static INFO: OpInfo = OpInfo {
    name: "checkpoint",
    equation: "y = f(x)",
    derivative: "that of f, computed once more",
    torch: "torch.utils.checkpoint.checkpoint",
};

/// A part of a computation that can be run again.
type Segment<T> = dyn Fn(&[Tensor<T>], &mut Rng) -> Tensor<T> + Send + Sync;

struct Checkpoint<T: Real> {
    segment: Box<Segment<T>>,
    inputs: Vec<Tensor<T>>,
    rng: Rng,
}

impl<T: Real> fmt::Debug for Checkpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("inputs", &self.inputs).field("rng", &self.rng).finish_non_exhaustive()
    }
}

impl<T: Real> Op<T> for Checkpoint<T> {
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        let first = next_id();
        let y = mode::enable_grad(|| (self.segment)(&self.inputs, &mut self.rng.clone()));
        assert!(
            y.shape() == grad.shape(),
            "checkpoint: the segment gave shape {} at first and {} when it was run again",
            grad.shape(),
            y.shape()
        );
        inputs.go_on(&y, grad, first);
    }
}

/// The nodes before `first` that the nodes from `first` on behind `root` begin at.
fn beginnings<T: Real>(root: &NodeRef<T>, first: u64) -> Edges<T> {
    let mut found: BTreeMap<u64, NodeRef<T>> = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut open = vec![root.clone()];
    while let Some(node) = open.pop() {
        if node.id < first {
            found.insert(node.id, node);
        } else if seen.insert(node.id)
            && let State::Op { edges, .. } = &*node.state.read().unwrap_or_else(|e| e.into_inner())
        {
            open.extend(edges.iter().flatten().cloned());
        }
    }
    found.into_values().map(Some).collect()
}

/// `segment(inputs)`, of which the graph keeps the inputs only: the backward pass runs the segment again.
///
/// Gradients flow to the inputs and to every tracked tensor that the segment holds, such as parameters, and are the same, bit
/// for bit, as without a checkpoint. Checkpoints can be nested, and differentiated more than once. The segment must compute the
/// same whenever it is called; random numbers come to it through [`checkpoint_with`].
///
/// ```
/// use chainrule_tensor::{Tensor, checkpoint};
/// let (x, w) = (Tensor::from([0.5f32, 1.0]).requires_grad(), Tensor::from([2.0f32, 3.0]).requires_grad());
/// let held = w.clone();
/// let y = checkpoint(&[&x], move |inputs| (&inputs[0] * &held).tanh().exp());
/// let grads = y.sum().backward();
/// assert!(grads.get(&x).is_some() && grads.get(&w).is_some());
/// ```
///
/// # Panics
/// In the backward pass, if the segment then gives another shape.
#[track_caller]
pub fn checkpoint<T: Real>(
    inputs: &[&Tensor<T>],
    segment: impl Fn(&[Tensor<T>]) -> Tensor<T> + Send + Sync + 'static,
) -> Tensor<T> {
    checkpoint_with(inputs, &mut Rng::seed_from_u64(0), move |inputs, _| segment(inputs))
}

/// [`checkpoint`] of a segment that draws random numbers: the second run draws the same ones.
///
/// # Panics
/// In the backward pass, if the segment then gives another shape.
#[track_caller]
pub fn checkpoint_with<T: Real>(
    inputs: &[&Tensor<T>],
    rng: &mut Rng,
    segment: impl Fn(&[Tensor<T>], &mut Rng) -> Tensor<T> + Send + Sync + 'static,
) -> Tensor<T> {
    let inputs: Vec<Tensor<T>> = inputs.iter().map(|&x| x.clone()).collect();
    let (before, first) = (rng.clone(), next_id());
    let y = segment(&inputs, rng);
    let edges = match y.node() {
        // The segment has done something, and something before it wants a gradient.
        Some(node) if node.id >= first => beginnings(node, first),
        _ => return y,
    };
    if edges.is_empty() {
        return y;
    }
    let value = y.detach();
    drop(y);
    Tensor::from_edges(&INFO, value, Some(edges), || Checkpoint { segment: Box::new(segment), inputs, rng: before })
}
