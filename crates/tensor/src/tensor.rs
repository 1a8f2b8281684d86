//! [`Tensor`]: numbers, how they lie in memory, and the node that made them.

use crate::graph::NodeRef;
use crate::shape::Shape;
use chainrule_kernels::{Buffer, Real, View, view};
use std::sync::Arc;

/// An n-dimensional array of numbers that remembers how it was computed.
///
/// Cheap to clone, `Send + Sync`, and immutable: operations return new tensors. Views (transposed, sliced, broadcast)
/// share the memory of their source. A tensor is *tracked* if a gradient can flow through it: after
/// [`requires_grad`](Tensor::requires_grad), and in all that is computed from such a tensor outside
/// [`no_grad`](crate::no_grad).
#[derive(Clone)]
pub struct Tensor<T: Real = f32> {
    storage: Arc<Buffer<T>>,
    shape: Shape,
    strides: Shape,
    offset: usize,
    node: Option<NodeRef<T>>,
}

impl<T: Real> Tensor<T> {
    /// A row-major tensor of the numbers in `buffer`, untracked.
    #[track_caller]
    pub(crate) fn from_buffer(buffer: Buffer<T>, shape: Shape) -> Self {
        debug_assert_eq!(buffer.len(), shape.numel());
        let strides = shape.row_major();
        Tensor { storage: Arc::new(buffer), shape, strides, offset: 0, node: None }
    }

    /// A row-major tensor whose numbers `fill` writes into memory of unspecified content.
    #[track_caller]
    pub(crate) fn build(shape: Shape, fill: impl FnOnce(&mut [T])) -> Self {
        let mut buffer = Buffer::unspecified(shape.numel());
        fill(&mut buffer);
        Self::from_buffer(buffer, shape)
    }

    /// Another window on the same memory, untracked.
    pub(crate) fn window(&self, shape: Shape, strides: Shape, offset: usize) -> Self {
        debug_assert_eq!(shape.rank(), strides.rank());
        Tensor { storage: self.storage.clone(), shape, strides, offset, node: None }
    }

    /// The size of each dimension.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The distance in memory between neighbors along each dimension, in elements.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of elements.
    #[track_caller]
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// The size of one dimension; negative ones count from the back.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn size(&self, dim: impl Into<crate::Dims>) -> usize {
        self.shape[dim.into().resolve_one("size", self.rank())]
    }

    pub(crate) fn node(&self) -> Option<&NodeRef<T>> {
        self.node.as_ref()
    }

    pub(crate) fn with_node(mut self, node: Option<NodeRef<T>>) -> Self {
        self.node = node;
        self
    }

    /// Whether a gradient can flow through this tensor.
    #[inline]
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    /// The same values, cut off from the graph: no gradient flows through the result. Copies nothing.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.window(self.shape.clone(), self.strides.clone(), self.offset)
    }

    /// The elements as the kernels take them.
    pub(crate) fn as_view(&self) -> View<'_, T> {
        let data: &[T] = &self.storage;
        View::new(&data[self.offset.min(data.len())..], &self.shape, &self.strides)
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.as_view().as_slice().is_some()
    }

    /// The elements in row-major order, if they lie so in memory without gaps.
    pub fn as_slice(&self) -> Option<&[T]> {
        self.as_view().as_slice()
    }

    /// The elements in row-major order, lent or copied.
    pub(crate) fn to_slice(&self) -> Elements<'_, T> {
        match self.as_slice() {
            Some(slice) => Elements::Lent(slice),
            None => Elements::Copied(self.packed()),
        }
    }

    fn packed(&self) -> Buffer<T> {
        let mut buffer = Buffer::unspecified(self.numel());
        view::copy(self.as_view(), &mut buffer);
        buffer
    }

    /// The same values, untracked, lying in row-major order without gaps. Copies only if they do not lie so already.
    pub(crate) fn to_row_major(&self) -> Self {
        if self.is_contiguous() { self.detach() } else { Self::from_buffer(self.packed(), self.shape.clone()) }
    }

    /// The elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        self.to_slice().to_vec()
    }

    /// The value of a tensor of one element.
    ///
    /// # Panics
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item(&self) -> T {
        assert!(self.numel() == 1, "item: a tensor of shape {} has {} elements, not one", self.shape, self.numel());
        self.as_view().data()[0]
    }

    /// The elements in row-major order, to be changed in place.
    ///
    /// Others who share the memory (clones, views, a graph) keep the old values: what is shared is copied first. This is
    /// how optimizers update parameters; the tensor stays the same leaf of later graphs.
    ///
    /// # Panics
    /// If the tensor is the result of a tracked operation, whose value must stay what the graph recorded.
    #[track_caller]
    pub fn make_mut(&mut self) -> &mut [T] {
        assert!(
            self.node.as_ref().is_none_or(NodeRef::is_leaf),
            "make_mut: a tensor of shape {} is the result of a tracked operation; detach it first",
            self.shape
        );
        if Arc::get_mut(&mut self.storage).is_none() || !self.is_contiguous() {
            self.storage = Arc::new(self.packed());
            self.strides = self.shape.row_major();
            self.offset = 0;
        }
        let (offset, numel) = (self.offset, self.numel());
        let buffer = Arc::get_mut(&mut self.storage).expect("the memory is ours alone");
        &mut buffer[offset..offset + numel]
    }

    /// The elements for an update in place, if this tensor is row-major and nobody else sees its memory.
    pub(crate) fn unique_slice(&mut self) -> Option<&mut [T]> {
        if !self.is_contiguous() {
            return None;
        }
        let (offset, numel) = (self.offset, self.numel());
        Arc::get_mut(&mut self.storage).map(|buffer| &mut buffer[offset..offset + numel])
    }
}

/// The elements of a tensor in row-major order.
pub(crate) enum Elements<'a, T: Real> {
    Lent(&'a [T]),
    Copied(Buffer<T>),
}

impl<T: Real> std::ops::Deref for Elements<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Elements::Lent(slice) => slice,
            Elements::Copied(buffer) => buffer,
        }
    }
}
