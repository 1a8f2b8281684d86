//! Nodes: what an operation left behind for its backward pass.

use super::inputs::Inputs;
use super::mode;
use crate::short::Short;
use crate::{Shape, Tensor};
use chainrule_kernels::Real;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// What is known of an operation: shown in pictures, messages and documentation.
#[derive(Debug)]
pub struct OpInfo {
    /// The operation's name, as users call it.
    pub name: &'static str,
    /// What it computes.
    pub equation: &'static str,
    /// How the gradient of its inputs follows from the gradient of its output. `x'` stands for the gradient of the loss
    /// with respect to `x`.
    pub derivative: &'static str,
    /// PyTorch's name for it.
    pub torch: &'static str,
}

/// An operation's backward half: a struct that holds what the forward pass saved.
///
/// The engine calls [`backward`](Op::backward) once with the gradient of the output; accumulation and the undoing of
/// broadcasts are its business, so a rule is nothing but calculus. A rule is written with tensor operations and is
/// therefore differentiable again. [`Tensor::from_op`] joins a value with its rule:
///
/// ```
/// use chainrule_tensor::{Inputs, Op, OpInfo, Tensor, gradcheck, gradgradcheck};
///
/// /// y = x^3
/// #[derive(Debug)]
/// struct Cube { x: Tensor<f64> }
///
/// static CUBE: OpInfo = OpInfo { name: "cube", equation: "y = x^3", derivative: "x' = 3 x^2 y'", torch: "" };
///
/// impl Op<f64> for Cube {
///     fn backward(&self, grad: Tensor<f64>, inputs: &mut Inputs<'_, f64>) {
///         inputs.add(0, || &self.x * &self.x * 3.0 * grad);
///     }
/// }
///
/// fn cube(x: &Tensor<f64>) -> Tensor<f64> {
///     let value = Tensor::from(x.view().mapv(|x| x * x * x));
///     Tensor::from_op(&CUBE, value, &[x], || Cube { x: x.clone() })
/// }
///
/// let x = Tensor::from([0.5, -2.0]);
/// gradcheck(|x| cube(&x[0]), &[&x]).unwrap();
/// gradgradcheck(|x| cube(&x[0]), &[&x]).unwrap();
/// ```
///
/// A rule that needs the operation's own output saves it with [`SavedOutput`](super::SavedOutput): a clone of the tracked
/// output would keep its own node alive forever.
pub trait Op<T: Real>: Debug + Send + Sync + 'static {
    /// Adds the gradient of each input that needs one, given the gradient of the output (which has the output's shape).
    fn backward(&self, grad: Tensor<T>, inputs: &mut Inputs<'_, T>);

    /// [`backward`](Op::backward) in a pass that frees the graph. A rule may free what it saved as soon as it was used, so
    /// that gradients computed later find memory.
    fn backward_once(self: Box<Self>, grad: Tensor<T>, inputs: &mut Inputs<'_, T>) {
        self.backward(grad, inputs);
    }
}

/// The nodes of an operation's inputs; `None` where an input was untracked.
pub(crate) type Edges<T> = Short<Option<NodeRef<T>>, 3>;

/// What a node still holds.
pub(crate) enum State<T: Real> {
    /// A tensor made by [`Tensor::requires_grad`].
    Leaf,
    /// The result of an operation.
    Op { edges: Edges<T>, op: Box<dyn Op<T>> },
    /// The result of an operation whose graph a backward pass used up.
    Freed,
}

type HookFn<T> = Arc<dyn Fn(&Tensor<T>) -> Option<Tensor<T>> + Send + Sync>;
/// Hooks with the ids of their handles, in the order in which they were registered.
type Hooks<T> = Mutex<Vec<(u64, HookFn<T>)>>;

/// A point of the graph: a leaf or the result of an operation.
pub(crate) struct Node<T: Real> {
    pub(crate) id: u64,
    pub(crate) info: &'static OpInfo,
    pub(crate) shape: Shape,
    pub(crate) location: &'static Location<'static>,
    pub(crate) state: RwLock<State<T>>,
    hooks: OnceLock<Hooks<T>>,
}

static LEAF: OpInfo = OpInfo { name: "leaf", equation: "x", derivative: "", torch: "requires_grad_" };
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The id that the next node gets, unless another thread makes one first: this thread's later nodes have no smaller one.
pub(super) fn next_id() -> u64 {
    NEXT_ID.load(Ordering::Relaxed)
}

/// A shared handle on a node. Dropping the last one frees the graph behind it without deep recursion.
#[derive(Clone)]
pub(crate) struct NodeRef<T: Real>(Option<Arc<Node<T>>>);

impl<T: Real> NodeRef<T> {
    fn new(info: &'static OpInfo, shape: Shape, location: &'static Location<'static>, state: State<T>) -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        NodeRef(Some(Arc::new(Node { id, info, shape, location, state: RwLock::new(state), hooks: OnceLock::new() })))
    }

    pub(crate) fn info(&self) -> &'static OpInfo {
        self.info
    }

    pub(crate) fn is_leaf(&self) -> bool {
        std::ptr::eq(self.info, &LEAF)
    }

    /// The gradient after all hooks that are there now.
    pub(crate) fn run_hooks(&self, mut grad: Tensor<T>) -> Tensor<T> {
        if let Some(hooks) = self.hooks.get() {
            // Not under the lock: a hook may remove itself, register another, or go backward through this node again.
            let hooks = hooks.lock().unwrap_or_else(|e| e.into_inner()).clone();
            for (_, hook) in hooks {
                if let Some(replaced) = hook(&grad) {
                    assert!(
                        replaced.shape() == &self.shape,
                        "hook: a gradient of shape {} was replaced by one of shape {}",
                        self.shape,
                        replaced.shape()
                    );
                    grad = replaced;
                }
            }
        }
        grad
    }
}

impl<T: Real> std::ops::Deref for NodeRef<T> {
    type Target = Node<T>;
    #[inline]
    fn deref(&self) -> &Node<T> {
        self.0.as_ref().expect("a node is only taken out when it is dropped")
    }
}

/// Nodes that are dropped inside the drop of another: up to this depth at once, beyond it one after another.
const DROP_DEPTH: usize = 64;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static WAITING: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

impl<T: Real> Drop for NodeRef<T> {
    fn drop(&mut self) {
        let Some(node) = self.0.take().and_then(Arc::into_inner) else { return };
        // A thread that is shutting down has lost its counters; it can only drop at once.
        let Ok(depth) = DEPTH.try_with(Cell::get) else { return };
        if depth >= DROP_DEPTH {
            let _ = WAITING.try_with(|waiting| waiting.borrow_mut().push(Box::new(node)));
            return;
        }
        DEPTH.set(depth + 1);
        drop(node);
        if depth == 0 {
            while let Some(node) = WAITING.with(|waiting| waiting.borrow_mut().pop()) {
                drop(node);
            }
        }
        DEPTH.set(depth);
    }
}

/// Removes its hook from the tensor's gradient when asked to.
pub struct HookHandle<T: Real> {
    node: NodeRef<T>,
    id: u64,
}

impl<T: Real> HookHandle<T> {
    /// Removes the hook, even from within it. (Dropping the handle leaves it in place.)
    pub fn remove(self) {
        if let Some(hooks) = self.node.hooks.get() {
            hooks.lock().unwrap_or_else(|e| e.into_inner()).retain(|(id, _)| *id != self.id);
        }
    }
}

impl<T: Real> Tensor<T> {
    /// The same values as a leaf of new graphs: gradients with respect to the result are collected by
    /// [`backward`](Tensor::backward). Copies nothing.
    #[track_caller]
    #[must_use]
    pub fn requires_grad(&self) -> Self {
        let node = NodeRef::new(&LEAF, self.shape().clone(), Location::caller(), State::Leaf);
        self.detach().with_node(Some(node))
    }

    /// Joins the `value` of an operation on `inputs` with its backward rule.
    ///
    /// `op` makes the rule; it is called only if an input is tracked, outside [`no_grad`](crate::no_grad). Otherwise the
    /// value is returned untracked. See [`Op`] for an example.
    #[track_caller]
    pub fn from_op<O: Op<T>>(info: &'static OpInfo, value: Self, inputs: &[&Self], op: impl FnOnce() -> O) -> Self {
        Self::from_edges(info, value, edges_of(inputs), op)
    }

    /// [`from_op`](Tensor::from_op) for an operation that has overwritten an input with its value.
    // Not inlined, so that programs link to the rules that a crate below has compiled.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn from_edges<O: Op<T>>(
        info: &'static OpInfo,
        value: Self,
        edges: Option<Edges<T>>,
        op: impl FnOnce() -> O,
    ) -> Self {
        let location = Location::caller();
        if mode::is_anomaly_mode() {
            check_value(info, &value, location);
        }
        match edges {
            Some(edges) => value.recorded(info, location, State::Op { edges, op: Box::new(op()) }),
            None => value.with_node(None),
        }
    }

    /// This value as an operation's: apart, so that it is compiled once and not for every operation.
    fn recorded(self, info: &'static OpInfo, location: &'static Location<'static>, state: State<T>) -> Self {
        let node = NodeRef::new(info, self.shape().clone(), location, state);
        self.with_node(Some(node))
    }

    /// Calls `hook` with the gradient of the loss with respect to this tensor, whenever a backward pass has summed it up.
    /// If the hook returns a tensor, that takes the gradient's place. Hooks that a hook adds or removes are those of later passes.
    ///
    /// # Panics
    /// If the tensor is untracked.
    #[track_caller]
    pub fn register_hook(&self, hook: impl Fn(&Self) -> Option<Self> + Send + Sync + 'static) -> HookHandle<T> {
        let node =
            self.node().unwrap_or_else(|| panic!("register_hook: the tensor is untracked, no gradient will come"));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        node.hooks.get_or_init(Mutex::default).lock().unwrap_or_else(|e| e.into_inner()).push((id, Arc::new(hook)));
        HookHandle { node: node.clone(), id }
    }
}

/// The nodes of an operation's inputs, if the operation becomes part of a graph.
pub(crate) fn edges_of<T: Real>(inputs: &[&Tensor<T>]) -> Option<Edges<T>> {
    let recorded = mode::is_grad_enabled() && inputs.iter().any(|input| input.is_tracked());
    recorded.then(|| inputs.iter().map(|input| input.node().cloned()).collect())
}

fn check_value<T: Real>(info: &OpInfo, value: &Tensor<T>, location: &Location<'_>) {
    if let Some(at) = value.to_slice().iter().position(|x| x.is_nan()) {
        panic!(
            "anomaly: {}, called at {location}: NaN in its value (element {at} of shape {})",
            info.name,
            value.shape()
        );
    }
}
