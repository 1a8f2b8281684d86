//! What a backward rule sees: which inputs need a gradient, and what the forward pass saved.

use super::engine::Pending;
use super::mode;
use super::node::{Edges, Node, NodeRef};
use crate::Tensor;
use crate::shape::broadcast_axes;
use chainrule_kernels::Real;

/// The inputs of the operation whose rule is running.
pub struct Inputs<'a, T: Real> {
    pub(super) node: &'a NodeRef<T>,
    pub(super) edges: &'a Edges<T>,
    pub(super) pending: &'a mut Pending<T>,
}

impl<T: Real> Inputs<'_, T> {
    /// The number of inputs.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Whether somebody asked for the gradient of input `i`.
    #[inline]
    pub fn needs(&self, i: usize) -> bool {
        self.edges[i].as_ref().is_some_and(|edge| self.pending.wants(edge))
    }

    /// Adds to the gradient of input `i`, if that is needed; otherwise `gradient` is not called.
    ///
    /// The gradient may have the shape that the input was broadcast to: it is summed to the input's shape here.
    ///
    /// # Panics
    /// If the gradient's shape is neither.
    pub fn add(&mut self, i: usize, gradient: impl FnOnce() -> Tensor<T>) {
        if self.needs(i) {
            self.deliver(i, gradient());
        }
    }

    /// [`add`](Inputs::add) of a gradient that is needed: apart, so that it is compiled once and not for every operation.
    fn deliver(&mut self, i: usize, mut gradient: Tensor<T>) {
        let Some(edge) = &self.edges[i] else { return };
        if gradient.shape() != &edge.shape {
            let Some(axes) = broadcast_axes(gradient.shape(), &edge.shape) else {
                panic!(
                    "backward of {} (called at {}): input {i} of shape {} got a gradient of shape {}",
                    self.node.info.name,
                    self.node.location,
                    edge.shape,
                    gradient.shape()
                )
            };
            gradient = gradient.sum_dim(axes, false).reshape(&edge.shape);
        }
        if self.pending.anomaly {
            check_gradient(self.node, i, &gradient);
        }
        self.pending.add(edge, gradient);
    }

    /// [`add`](Inputs::add) for a gradient that is zero but for a part: `part` writes that part into the sum so far, or into
    /// fresh zeros, and nothing else is touched. Only for passes that are not recorded, since a recorded sum is not changed
    /// in place.
    pub(crate) fn add_part(&mut self, i: usize, part: impl FnOnce(&mut [T])) {
        debug_assert!(!self.is_tracked());
        if !self.needs(i) {
            return;
        }
        let Some(edge) = &self.edges[i] else { return };
        self.pending.merge(edge, |sum| {
            let mut sum = sum.unwrap_or_else(|| Tensor::zeros(&edge.shape));
            part(sum.make_mut());
            sum
        });
    }

    /// Goes on with the backward pass at `y`, which was computed inside this rule, from node id `first` on, and leads to the
    /// inputs by nodes of its own.
    pub(super) fn go_on(&mut self, y: &Tensor<T>, gradient: Tensor<T>, first: u64) {
        if let Some(node) = y.node() {
            self.pending.recomputed = self.pending.recomputed.min(first);
            self.pending.add(node, gradient);
        }
    }

    /// Whether this pass records itself ([`CreateGraph`](super::CreateGraph)), so that what the rule computes will be
    /// differentiated again. A rule may then have to compose plain operations where it would else call a fused kernel.
    pub fn is_tracked(&self) -> bool {
        mode::is_grad_enabled()
    }
}

fn check_gradient<T: Real>(node: &Node<T>, i: usize, gradient: &Tensor<T>) {
    if let Some(at) = gradient.to_slice().iter().position(|x| x.is_nan()) {
        panic!(
            "anomaly: {}, called at {}: NaN in the gradient of its input {i} (element {at} of shape {})",
            node.info.name,
            node.location,
            gradient.shape()
        );
    }
}

/// An operation's own output, saved for its backward rule.
///
/// It is saved without its node (which would keep itself alive) and joined with it again when the rule reads it.
#[derive(Debug)]
pub struct SavedOutput<T: Real>(Tensor<T>);

impl<T: Real> SavedOutput<T> {
    /// Saves an output. Copies nothing.
    pub fn new(output: &Tensor<T>) -> Self {
        SavedOutput(output.detach())
    }

    /// The output, tracked as it was.
    pub fn get(&self, inputs: &Inputs<'_, T>) -> Tensor<T> {
        self.0.clone().with_node(Some(inputs.node.clone()))
    }

    /// The output's values, untracked, for fused kernels.
    pub(crate) fn value(&self) -> &Tensor<T> {
        &self.0
    }
}

/// An input that is saved only if another one, whose derivative reads it, is tracked.
#[derive(Debug)]
pub struct Saved<T: Real>(Option<Tensor<T>>);

impl<T: Real> Saved<T> {
    /// Saves `tensor` if `reader` is tracked. Copies nothing.
    pub fn for_input(reader: &Tensor<T>, tensor: &Tensor<T>) -> Self {
        Saved(reader.is_tracked().then(|| tensor.clone()))
    }

    /// The saved tensor. Call it only inside [`Inputs::add`] for the reader it was saved for.
    ///
    /// # Panics
    /// If it was not saved.
    pub fn get(&self) -> &Tensor<T> {
        self.0.as_ref().expect("saved, since the input that reads it is tracked")
    }
}
