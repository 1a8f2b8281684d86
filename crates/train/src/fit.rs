//! [`fit`]: the training loop.

use crate::{Objective, Progress};
use chainrule_layers::{Mode, Module};
use chainrule_optim::{Optimizer, clip_grad_norm};
use chainrule_tensor::Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Instant;

/// How [`fit`] runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitOptions {
    /// How often the training data is passed through.
    pub epochs: usize,
    /// Samples in a batch; the last one of an epoch may have fewer.
    pub batch: usize,
    /// Whether the learning rate falls from batch to batch, on a straight line from what the optimizer has to 0 after the
    /// last batch, or stays. Every epoch has the same part of the line, however many batches it has.
    pub anneal: bool,
    /// The largest norm that the gradient of a batch may have, if there is one: longer gradients are shortened to it.
    pub clip: Option<f64>,
}

/// What one epoch came to. Loss and accuracy are those of the training batches as they went by, while the parameters
/// changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The number of the epoch, from 1 on.
    pub epoch: usize,
    /// The mean loss of a sample.
    pub loss: f64,
    /// The share of samples whose class was predicted, where there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// How long the epoch took.
    pub seconds: f64,
}

/// Why training stopped.
#[derive(Clone, Debug, PartialEq)]
pub enum FitError {
    /// The loss became infinite or NaN.
    Diverged {
        /// The number of the epoch, from 1 on.
        epoch: usize,
        /// The number of the batch in it, from 1 on.
        batch: usize,
        /// The loss.
        loss: f64,
    },
    /// The last steps made parameters infinite or NaN.
    NotFinite {
        /// The name of the first such parameter.
        parameter: String,
    },
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FitError::Diverged { epoch, batch, loss } => write!(
                f,
                "training diverged: the loss of batch {batch} in epoch {epoch} is {loss}; try a smaller learning rate"
            ),
            FitError::NotFinite { parameter } => write!(
                f,
                "training diverged: {parameter} ends with numbers that are not finite; try a smaller learning rate"
            ),
        }
    }
}

impl std::error::Error for FitError {}

/// Trains a net for an objective: on a [`Dataset`](chainrule_data::Dataset), a classifier from inputs to logits, with the mean
/// cross entropy; on [`Windows`](chainrule_data::Windows), a forecaster with the mean squared error.
///
/// All randomness (order of the samples, dropout) comes from `rng`, so the same seed gives the same bits. Afterwards, on an
/// error too, the optimizer has the learning rates that it came with.
///
/// # Errors
/// If the loss or, in the end, a parameter becomes infinite or NaN. The net keeps what it has become.
///
/// # Panics
/// If the batch size is 0, or the net's outputs are not what the objective expects.
pub fn fit<N: Module, O: Objective<N> + ?Sized>(
    net: &mut N,
    optimizer: &mut dyn Optimizer,
    data: &O,
    options: FitOptions,
    rng: &mut Rng,
    progress: &mut dyn Progress,
) -> Result<Vec<EpochMetrics>, FitError> {
    let rates = rates(optimizer);
    let history = run(net, optimizer, &rates, data, options, rng, progress);
    set_rates(optimizer, &rates, 1.0);
    let history = history?;
    // The last step's effect shows in no batch's loss.
    let state = net.state_dict();
    match state.iter().find(|(_, value)| value.view().iter().any(|x| !x.is_finite())) {
        Some((name, _)) => Err(FitError::NotFinite { parameter: name.into() }),
        None => Ok(history),
    }
}

/// All epochs. The optimizer is left with the rates of the last step.
fn run<N: Module, O: Objective<N> + ?Sized>(
    net: &mut N,
    optimizer: &mut dyn Optimizer,
    rates: &[f64],
    data: &O,
    options: FitOptions,
    rng: &mut Rng,
    progress: &mut dyn Progress,
) -> Result<Vec<EpochMetrics>, FitError> {
    let mut history = Vec::new();
    for epoch in 1..=options.epochs {
        let started = Instant::now();
        let batches = data.batches(options.batch, rng);
        let count = batches.len();
        progress.epoch_started(epoch, count);
        let (mut total_loss, mut hits, mut samples) = (0.0, Some(0), 0);
        for (i, batch) in batches.enumerate() {
            let outcome = data.loss(net, batch, &mut Mode::Train(rng));
            let value = f64::from(outcome.loss.item());
            if !value.is_finite() {
                return Err(FitError::Diverged { epoch, batch: i + 1, loss: value });
            }
            let mut grads = outcome.loss.backward();
            drop(outcome.loss);
            if let Some(norm) = options.clip {
                clip_grad_norm(&mut grads, norm);
            }
            if options.anneal {
                set_rates(optimizer, rates, share_left((epoch, options.epochs), (i, count)));
            }
            optimizer.step(net, &grads);
            total_loss += value * outcome.samples as f64;
            samples += outcome.samples;
            hits = hits.zip(outcome.hits).map(|(all, new)| all + new);
            progress.batch_done(value);
        }
        let samples = samples as f64;
        let metrics = EpochMetrics {
            epoch,
            loss: total_loss / samples,
            accuracy: hits.map(|hits| hits as f64 / samples),
            seconds: started.elapsed().as_secs_f64(),
        };
        progress.epoch_done(&metrics);
        history.push(metrics);
    }
    Ok(history)
}

/// How much of the way is left before a batch, counted from 0, of an epoch, counted from 1: at most 1, and more than 0. It
/// depends on the epoch's own number of batches alone, as epochs may differ in theirs.
fn share_left((epoch, epochs): (usize, usize), (batch, batches): (usize, usize)) -> f64 {
    // The product of the numbers need not fit in a `usize`.
    let (epoch, epochs, batches) = ((epoch - 1) as f64, epochs as f64, batches as f64);
    1.0 - (epoch * batches + batch as f64) / (epochs * batches)
}

/// The learning rates of all groups.
fn rates(optimizer: &dyn Optimizer) -> Vec<f64> {
    (0..optimizer.groups()).filter_map(|group| optimizer.option(group, "lr")).collect()
}

/// Sets each group's rate to a share of what it was.
fn set_rates(optimizer: &mut dyn Optimizer, rates: &[f64], share: f64) {
    rates.iter().enumerate().for_each(|(group, rate)| optimizer.set_option(group, "lr", rate * share));
}
