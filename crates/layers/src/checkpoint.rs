//! [`Checkpoint`]: a layer that is computed again in the backward pass instead of keeping what it computed.
//!
//! | | |
//! |---|---|
//! | equation | that of the layer |
//! | shapes | those of the layer |
//! | parameters | those of the layer, under their own names |
//! | memory | the input alone, until the backward pass runs the layer again |
//!
//! See [`chainrule_tensor::checkpoint`] for how and why.

use crate::module::{Entry, EntryMut, Path};
use crate::{Layer, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor, checkpoint_with};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A layer, or a chain of layers, that trades time for memory: in training it keeps its input only, and is computed a second
/// time, with the same random numbers, when gradients come. Gradients have the same bits.
///
/// Buffers such as running means move once a pass, not twice: the second run finds them as the first did, and leaves them
/// alone.
///
/// ```
/// use chainrule_layers::{Checkpoint, Dropout, Layer, Linear, Mode, Module, Sequential, Tanh};
/// use chainrule_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed_from_u64(1);
/// let block: Sequential = Sequential::new().add(Linear::new(4, 4, &mut rng)).add(Tanh).add(Dropout::new(0.5));
/// let net: Sequential = Sequential::new().add(Checkpoint::new(block)).add(Linear::new(4, 1, &mut rng));
/// assert_eq!(net.named_parameters()[0].0, "0.0.weight");
/// let loss = net.forward(&Tensor::ones([8, 4]), &mut Mode::Train(&mut rng)).mean();
/// assert_eq!(loss.backward().len(), 4);
/// ```
///
/// The graph refers to the layer without owning it. If the layer is dropped, or its parameters are changed (by an optimizer, or
/// a state dict), before a backward pass through the old graph, that pass panics: it could only compute something else.
#[derive(Debug)]
pub struct Checkpoint<L> {
    /// There but while its owner changes.
    layer: Option<Arc<L>>,
}

impl<L> Checkpoint<L> {
    /// The layer, checkpointed.
    pub fn new(layer: L) -> Self {
        Checkpoint { layer: Some(Arc::new(layer)) }
    }

    /// The layer.
    pub fn layer(&self) -> &L {
        self.shared()
    }

    fn shared(&self) -> &Arc<L> {
        self.layer.as_ref().expect("it is there but while its owner changes")
    }

    /// The layer, to change it. Graphs that refer to it lose it.
    ///
    /// # Panics
    /// If a backward pass is running through it on another thread.
    pub fn layer_mut(&mut self) -> &mut L {
        if self.layer.as_mut().is_none_or(|layer| Arc::get_mut(layer).is_none()) {
            let layer = self.layer.take().and_then(Arc::into_inner);
            self.layer = Some(Arc::new(layer.expect("Checkpoint: a backward pass is running through the layer")));
        }
        self.layer.as_mut().and_then(Arc::get_mut).expect("the layer has one owner")
    }
}

impl<L: Clone> Clone for Checkpoint<L> {
    fn clone(&self) -> Self {
        Checkpoint::new(self.layer().clone())
    }
}

impl<T: Real, L: Module<T>> Module<T> for Checkpoint<L> {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a, T>)) {
        self.layer().visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a, T>)) {
        self.layer_mut().visit_mut(path, visitor);
    }
}

/// The values of all buffers now.
fn buffers<T: Real>(module: &impl Module<T>) -> Vec<Tensor<T>> {
    let mut values = Vec::new();
    module.visit(&Path::ROOT, &mut |_, entry| {
        if let Entry::Buffer(buffer) = entry {
            values.push(buffer.get());
        }
    });
    values
}

/// Gives all buffers these values.
fn set_buffers<T: Real>(module: &impl Module<T>, values: &[Tensor<T>]) {
    let mut values = values.iter();
    module.visit(&Path::ROOT, &mut |_, entry| {
        if let Entry::Buffer(buffer) = entry {
            buffer.set(values.next().expect("as many values as buffers"));
        }
    });
}

impl<T: Real, L: Layer<T> + 'static> Layer<T> for Checkpoint<L> {
    fn call(&self, x: &Tensor<T>, mode: &mut Mode<'_>) -> Tensor<T> {
        let (train, before, name) = (mode.is_train(), buffers(self.layer()), self.layer().describe());
        let (layer, first) = (Arc::downgrade(self.shared()), AtomicBool::new(true));
        let segment = move |inputs: &[Tensor<T>], rng: &mut Rng| {
            let Some(layer) = layer.upgrade() else {
                panic!(
                    "Checkpoint: {name} was changed or dropped after its forward pass, and cannot be computed again"
                );
            };
            let mut mode = if train { Mode::Train(rng) } else { Mode::Eval };
            if first.swap(false, Ordering::Relaxed) {
                return layer.call(&inputs[0], &mut mode);
            }
            let now = buffers(&*layer);
            set_buffers(&*layer, &before);
            let y = layer.call(&inputs[0], &mut mode);
            set_buffers(&*layer, &now);
            y
        };
        match mode {
            Mode::Train(rng) => checkpoint_with(&[x], rng, segment),
            Mode::Eval => checkpoint_with(&[x], &mut Rng::seed_from_u64(0), segment),
        }
    }
    fn describe(&self) -> String {
        format!("Checkpoint({})", self.layer().describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm2d, Conv2d, Dropout, Linear, Relu, Sequential, SpectralNorm};

    fn block(rng: &mut Rng) -> Sequential {
        let conv = SpectralNorm::new(Conv2d::builder(2, 2, 3).padding(1).build(rng), rng);
        Sequential::new().add(conv).add(BatchNorm2d::new(2)).add(Relu).add(Dropout::new(0.4))
    }

    /// A step of training through two blocks: the loss, the gradients, the state, and where the random numbers are.
    fn step(checkpointed: bool) -> (Vec<Vec<f32>>, Rng) {
        let mut rng = Rng::seed_from_u64(7);
        let (a, b) = (block(&mut rng), block(&mut rng));
        let net = match checkpointed {
            true => Sequential::new().add(Checkpoint::new(a)).add(Checkpoint::new(b)),
            false => Sequential::new().add(a).add(b),
        };
        let loss = net.forward(&Tensor::randn([3, 2, 4, 4], &mut rng), &mut Mode::Train(&mut rng)).exp().mean();
        let grads = loss.backward();
        let of = |param: &crate::Param| grads.get(param).expect("a gradient").to_vec();
        let gradients = net.parameters().into_iter().map(of);
        let state: Vec<Vec<f32>> = net.state_dict().iter().map(|(_, value)| value.to_vec()).collect();
        ([loss.to_vec()].into_iter().chain(gradients).chain(state).collect(), rng)
    }

    #[test]
    fn bits_buffers_and_random_numbers_are_those_of_the_plain_layers() {
        assert_eq!(step(true), step(false));
    }

    #[test]
    fn parameters_can_change_while_an_old_graph_is_alive() {
        let mut layer = Checkpoint::new(Linear::<f32>::new(2, 1, &mut Rng::seed_from_u64(1)));
        let old = layer.call(&Tensor::ones([1, 2]), &mut Mode::Eval);
        layer.parameters_mut()[0].values_mut().fill(2.0);
        let new = layer.call(&Tensor::ones([1, 2]), &mut Mode::Eval);
        assert!(old.is_tracked());
        assert_eq!(new.sum().backward().get(&layer.layer().weight).expect("a gradient").to_vec(), [1.0, 1.0]);
        assert_eq!(Layer::<f32>::describe(&layer), "Checkpoint(Linear(2, 1))");
    }

    #[test]
    #[should_panic(expected = "Checkpoint: Linear(2, 1) was changed or dropped after its forward pass")]
    fn an_old_graph_cannot_be_run_with_new_parameters() {
        let mut layer = Checkpoint::new(Linear::<f32>::new(2, 1, &mut Rng::seed_from_u64(1)));
        let old = layer.call(&Tensor::ones([1, 2]), &mut Mode::Eval);
        layer.parameters_mut()[0].values_mut().fill(2.0);
        old.sum().backward();
    }
}
