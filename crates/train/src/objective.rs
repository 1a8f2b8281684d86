//! [`Objective`]: what a net is trained for.

use crate::evaluate::predicted_classes;
use chainrule_data::{Dataset, Windows};
use chainrule_layers::{Layer, Mode};
use chainrule_tensor::{Rng, Tensor};

/// Data together with what nets `N` are to learn from it: what [`fit`](crate::fit) has to know of a task.
pub trait Objective<N: ?Sized> {
    /// What is looked at in one step.
    type Batch;

    /// One pass over the data, in batches of this size.
    fn batches<'a>(&'a self, size: usize, rng: &mut Rng) -> Box<dyn ExactSizeIterator<Item = Self::Batch> + 'a>;

    /// What the net makes of a batch.
    fn loss(&self, net: &N, batch: Self::Batch, mode: &mut Mode<'_>) -> BatchLoss;
}

/// The outcome of a batch.
#[derive(Debug)]
pub struct BatchLoss {
    /// The mean loss of a sample: what is differentiated.
    pub loss: Tensor,
    /// The number of samples.
    pub samples: usize,
    /// How many were classified rightly, where there are classes.
    pub hits: Option<usize>,
}

/// Classification: the mean cross entropy of the net's logits.
impl<N: Layer + ?Sized> Objective<N> for Dataset {
    type Batch = (Tensor, Vec<usize>);

    fn batches<'a>(&'a self, size: usize, rng: &mut Rng) -> Box<dyn ExactSizeIterator<Item = Self::Batch> + 'a> {
        Box::new(self.batches(size, rng))
    }

    fn loss(&self, net: &N, (x, labels): Self::Batch, mode: &mut Mode<'_>) -> BatchLoss {
        let logits = net.call(&x, mode);
        let hits = predicted_classes(&logits).zip(&labels).filter(|(predicted, label)| predicted == *label).count();
        BatchLoss { loss: logits.cross_entropy(&labels), samples: labels.len(), hits: Some(hits) }
    }
}

/// Forecasting: the mean squared error of the net's outputs.
impl<N: Layer + ?Sized> Objective<N> for Windows {
    type Batch = (Tensor, Tensor);

    fn batches<'a>(&'a self, size: usize, rng: &mut Rng) -> Box<dyn ExactSizeIterator<Item = Self::Batch> + 'a> {
        Box::new(self.batches(size, rng))
    }

    fn loss(&self, net: &N, (x, targets): Self::Batch, mode: &mut Mode<'_>) -> BatchLoss {
        BatchLoss { loss: net.call(&x, mode).mse_loss(&targets), samples: targets.shape()[0], hits: None }
    }
}
