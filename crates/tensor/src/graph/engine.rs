//! The backward pass: the chain rule, from the largest node id down.

use super::gradients::Gradients;
use super::inputs::Inputs;
use super::mode;
use super::node::{Node, NodeRef, State};
use crate::Tensor;
use chainrule_kernels::Real;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

/// What becomes of the graph in a backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphMode {
    /// What the operations saved is freed as soon as it was used; a second pass panics. The default.
    FreeGraph,
    /// The graph stays for further passes.
    KeepGraph,
    /// The graph stays, and the pass is recorded itself, so that gradients can be differentiated again.
    CreateGraph,
}

/// Gradients on their way, by the node they belong to.
pub(super) struct Pending<T: Real> {
    /// Ordered by id, so that the last entry is the next to visit: all that flows into it has a larger id.
    /// A sum is only missing while it is added to.
    gradients: BTreeMap<u64, (NodeRef<T>, Option<Tensor<T>>)>,
    /// The nodes that lead to a wanted tensor; `None` if every leaf is wanted.
    useful: Option<HashSet<u64>>,
    /// From this id on, nodes were made by checkpoints in the course of this pass. They are all visited.
    pub(super) recomputed: u64,
    /// Whether every gradient is checked for NaN.
    pub(super) anomaly: bool,
}

impl<T: Real> Pending<T> {
    #[inline]
    pub(super) fn wants(&self, node: &NodeRef<T>) -> bool {
        self.useful.as_ref().is_none_or(|useful| node.id >= self.recomputed || useful.contains(&node.id))
    }

    /// Adds to a node's gradient: in place, if nobody else holds the sum so far.
    pub(super) fn add(&mut self, node: &NodeRef<T>, gradient: Tensor<T>) {
        self.merge(node, |sum| match sum {
            Some(sum) => sum + gradient,
            None => gradient,
        });
    }

    /// Replaces a node's gradient so far by what `merge` makes of it.
    pub(super) fn merge(&mut self, node: &NodeRef<T>, merge: impl FnOnce(Option<Tensor<T>>) -> Tensor<T>) {
        match self.gradients.entry(node.id) {
            Entry::Vacant(place) => {
                place.insert((node.clone(), Some(merge(None))));
            }
            Entry::Occupied(mut place) => {
                let sum = &mut place.get_mut().1;
                *sum = Some(merge(sum.take()));
            }
        }
    }
}

/// Runs the graph of `root` backward from the gradient `seed`. Returns the gradients of the leaves, or of the `wanted`
/// node ids if there are any.
#[inline(never)]
fn run<T: Real>(root: &Tensor<T>, seed: Tensor<T>, graph: GraphMode, wanted: Option<&HashSet<u64>>) -> Gradients<T> {
    let mut found = Gradients::new();
    let Some(node) = root.node() else { return found };
    let mut pending = Pending {
        gradients: BTreeMap::new(),
        useful: wanted.map(|wanted| ancestors(node, wanted)),
        recomputed: u64::MAX,
        anomaly: mode::is_anomaly_mode(),
    };
    if pending.wants(node) {
        pending.add(node, seed);
    }
    mode::in_backward(graph == GraphMode::CreateGraph, || {
        while let Some((id, (node, Some(gradient)))) = pending.gradients.pop_last() {
            let gradient = node.run_hooks(gradient);
            match wanted {
                Some(wanted) if wanted.contains(&id) => found.set(id, gradient.clone()),
                None if node.is_leaf() => found.set(id, gradient.clone()),
                _ => {}
            }
            visit(&node, gradient, graph, &mut pending);
        }
    });
    found
}

/// Applies one node's rule.
fn visit<T: Real>(node: &NodeRef<T>, gradient: Tensor<T>, graph: GraphMode, pending: &mut Pending<T>) {
    if node.is_leaf() {
        return;
    }
    const UNPOISONED: &str = "no rule panics while it holds the lock for writing";
    if graph == GraphMode::FreeGraph {
        let state = std::mem::replace(&mut *node.state.write().expect(UNPOISONED), State::Freed);
        match state {
            State::Op { edges, op } => op.backward_once(gradient, &mut Inputs { node, edges: &edges, pending }),
            _ => panic_freed(node),
        }
    } else {
        match &*node.state.read().expect(UNPOISONED) {
            State::Op { edges, op } => op.backward(gradient, &mut Inputs { node, edges, pending }),
            _ => panic_freed(node),
        }
    }
}

fn panic_freed<T: Real>(node: &Node<T>) -> ! {
    panic!(
        "backward: the graph of {} (called at {}) was used up by an earlier pass; use KeepGraph in that one",
        node.info.name, node.location
    )
}

/// The ids of the nodes behind `root`, `root` included, through which a gradient has to flow to reach a wanted one.
fn ancestors<T: Real>(root: &NodeRef<T>, wanted: &HashSet<u64>) -> HashSet<u64> {
    let oldest = wanted.iter().min().copied().unwrap_or(u64::MAX);
    // Ids grow from inputs to results, so in ascending order inputs are decided before what is computed from them.
    let mut nodes: BTreeMap<u64, NodeRef<T>> = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(node) = open.pop() {
        if node.id < oldest || nodes.contains_key(&node.id) {
            continue;
        }
        if let State::Op { edges, .. } = &*node.state.read().unwrap_or_else(|e| e.into_inner()) {
            open.extend(edges.iter().flatten().cloned());
        }
        nodes.insert(node.id, node);
    }
    let mut useful = HashSet::new();
    for (id, node) in &nodes {
        let leads = match &*node.state.read().unwrap_or_else(|e| e.into_inner()) {
            State::Op { edges, .. } => edges.iter().flatten().any(|edge| useful.contains(&edge.id)),
            _ => false,
        };
        if leads || wanted.contains(id) {
            useful.insert(*id);
        }
    }
    useful
}

impl<T: Real> Tensor<T> {
    /// The gradients of this one number with respect to every leaf it was computed from.
    ///
    /// The graph is freed on the way, as in PyTorch; [`backward_with`](Tensor::backward_with) has other modes. Of an
    /// untracked tensor the result is empty.
    ///
    /// # Panics
    /// If there is not exactly one element, or if the graph was freed already.
    #[track_caller]
    pub fn backward(&self) -> Gradients<T> {
        self.backward_with(None, GraphMode::FreeGraph)
    }

    /// The gradients of `sum(seed * self)` with respect to every leaf; `seed` defaults to 1 for a tensor of one element.
    ///
    /// # Panics
    /// If the seed has another shape, is missing where there is not exactly one element, or if the graph was freed already.
    #[track_caller]
    pub fn backward_with(&self, seed: Option<&Self>, mode: GraphMode) -> Gradients<T> {
        run(self, seed_for("backward", self, seed), mode, None)
    }
}

#[track_caller]
fn seed_for<T: Real>(name: &str, output: &Tensor<T>, seed: Option<&Tensor<T>>) -> Tensor<T> {
    match seed {
        Some(seed) => {
            assert!(
                seed.shape() == output.shape(),
                "{name}: the output has shape {}, its seed gradient {}",
                output.shape(),
                seed.shape()
            );
            seed.clone()
        }
        None => {
            assert!(
                output.numel() == 1,
                "{name}: the output has shape {}, not one element: sum it or give a seed gradient",
                output.shape()
            );
            Tensor::ones(output.shape())
        }
    }
}

/// The gradients of one number with respect to given tensors, leaves or not; zeros where it does not depend on one.
///
/// With [`CreateGraph`](GraphMode::CreateGraph) the gradients are tracked and can be differentiated again, to any order.
///
/// ```
/// use chainrule_tensor::{CreateGraph, FreeGraph, Tensor, grad};
/// let x = Tensor::from(2.0f64).requires_grad();
/// let y = x.powf(3.0);
/// let dy = &grad(&y, &[&x], CreateGraph)[0]; // 3 x^2
/// let d2y = &grad(dy, &[&x], FreeGraph)[0]; // 6 x
/// assert_eq!((dy.item(), d2y.item()), (12.0, 12.0));
/// ```
///
/// # Panics
/// If `output` has not exactly one element, one of `wrt` is untracked, or the graph was freed already.
#[track_caller]
pub fn grad<T: Real>(output: &Tensor<T>, wrt: &[&Tensor<T>], mode: GraphMode) -> Vec<Tensor<T>> {
    let ids: Vec<u64> = wrt
        .iter()
        .enumerate()
        .map(|(i, x)| x.node().unwrap_or_else(|| panic!("grad: tensor {i} of shape {} is untracked", x.shape())).id)
        .collect();
    let wanted = ids.iter().copied().collect();
    let mut found = run(output, seed_for("grad", output, None), mode, Some(&wanted));
    // One tensor may be asked for twice.
    let take = |(i, id): (usize, &u64)| {
        let gradient = if ids[i + 1..].contains(id) { found.get(wrt[i]).cloned() } else { found.remove(*id) };
        gradient.unwrap_or_else(|| Tensor::zeros_like(wrt[i]))
    };
    ids.iter().enumerate().map(take).collect()
}
