//! [`fit`]: the training loop.

use crate::Progress;
use crate::evaluate::predicted_classes;
use chainrule_data::Dataset;
use chainrule_layers::{Layer, Mode};
use chainrule_optim::Optimizer;
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How [`fit`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitOptions {
    /// How often the training data is passed through.
    pub epochs: usize,
    /// Samples in a batch; the last one of an epoch may have fewer.
    pub batch: usize,
    /// Whether the learning rate falls from batch to batch, on a straight line from what the optimizer has to 0 after the
    /// last batch, or stays.
    pub anneal: bool,
}

/// What one epoch came to. Loss and accuracy are those of the training batches as they went by, while the parameters
/// changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The number of the epoch, from 1 on.
    pub epoch: usize,
    /// The mean loss of a sample.
    pub loss: f64,
    /// The share of samples whose class was predicted.
    pub accuracy: f64,
    /// How long the epoch took.
    pub seconds: f64,
}

/// Why training stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// The loss became infinite or NaN.
    #[error("training diverged: the loss of batch {batch} in epoch {epoch} is {loss}; try a smaller learning rate")]
    Diverged {
        /// The number of the epoch, from 1 on.
        epoch: usize,
        /// The number of the batch in it, from 1 on.
        batch: usize,
        /// The loss.
        loss: f64,
    },
    /// The last steps made parameters infinite or NaN.
    #[error("training diverged: {parameter} ends with numbers that are not finite; try a smaller learning rate")]
    NotFinite {
        /// The name of the first such parameter.
        parameter: String,
    },
}

/// Trains a classifier, a net from inputs to logits, with the mean cross entropy.
///
/// All randomness (order of the samples, dropout) comes from `rng`, so the same seed gives the same bits.
///
/// # Errors
/// If the loss or, in the end, a parameter becomes infinite or NaN. The net keeps what it has become.
///
/// # Panics
/// If the batch size is 0, or the net does not map the inputs to a logit for each class.
pub fn fit(
    net: &mut impl Layer,
    optimizer: &mut dyn Optimizer,
    data: &Dataset,
    options: FitOptions,
    rng: &mut Rng,
    progress: &mut dyn Progress,
) -> Result<Vec<EpochMetrics>, FitError> {
    let mut history = Vec::new();
    let initial_lr = optimizer.lr();
    let steps = options.epochs as f64 * data.len().div_ceil(options.batch) as f64;
    let mut step = 0.0;
    for epoch in 1..=options.epochs {
        let started = Instant::now();
        let batches = data.batches(options.batch, rng);
        progress.epoch_started(epoch, batches.len());
        let (mut total_loss, mut hits) = (0.0, 0);
        for (i, (x, labels)) in batches.enumerate() {
            let logits = net.call(&x, &mut Mode::Train(rng));
            let loss = logits.cross_entropy(&labels);
            let value = f64::from(loss.item());
            if !value.is_finite() {
                return Err(FitError::Diverged { epoch, batch: i + 1, loss: value });
            }
            let grads = loss.backward();
            if options.anneal {
                optimizer.set_lr(initial_lr * (1.0 - step / steps));
            }
            optimizer.step(net, &grads);
            step += 1.0;
            total_loss += value * labels.len() as f64;
            hits += predicted_classes(&logits).zip(&labels).filter(|(predicted, label)| predicted == *label).count();
            progress.batch_done(value);
        }
        let samples = data.len() as f64;
        let metrics = EpochMetrics {
            epoch,
            loss: total_loss / samples,
            accuracy: hits as f64 / samples,
            seconds: started.elapsed().as_secs_f64(),
        };
        progress.epoch_done(&metrics);
        history.push(metrics);
    }
    optimizer.set_lr(initial_lr);
    // The last step's effect shows in no batch's loss.
    let state = net.state_dict();
    match state.iter().find(|(_, value)| value.view().iter().any(|x| !x.is_finite())) {
        Some((name, _)) => Err(FitError::NotFinite { parameter: name.into() }),
        None => Ok(history),
    }
}
