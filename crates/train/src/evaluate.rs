//! Judging a classifier.

use crate::Confusion;
use chainrule_data::Dataset;
use chainrule_layers::{Layer, Mode};
use chainrule_tensor::{Tensor, no_grad};

/// How well a classifier does on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean cross entropy of a sample.
    pub loss: f64,
    /// Which class was taken for which.
    pub confusion: Confusion,
}

/// Samples that pass through a net at once when nothing is learned.
const BATCH: usize = 256;

/// Judges a classifier in evaluation mode, without recording a graph.
///
/// # Panics
/// If the net does not map the inputs to a logit for each class.
pub fn evaluate(net: &impl Layer, data: &Dataset) -> Evaluation {
    let mut confusion = Confusion::new(data.num_classes());
    let mut loss = 0.0;
    no_grad(|| {
        for (x, labels) in data.batches_in_order(BATCH) {
            let logits = net.call(&x, &mut Mode::Eval);
            loss += f64::from(logits.cross_entropy(&labels).item()) * labels.len() as f64;
            predicted_classes(&logits).zip(&labels).for_each(|(predicted, &label)| confusion.add(label, predicted));
        }
    });
    Evaluation { loss: loss / data.len() as f64, confusion }
}

/// The probability of each class for each of the inputs `[n, features..]`: a row of `[n, classes]` for each.
///
/// # Panics
/// If the net does not map the inputs to a row of logits each.
pub fn predict_probabilities(net: &impl Layer, inputs: &Tensor) -> Tensor {
    no_grad(|| {
        let n = inputs.shape()[0];
        let parts: Vec<Tensor> = (0..n)
            .step_by(BATCH)
            .map(|start| inputs.narrow(0, start, BATCH.min(n - start)))
            .map(|part| net.call(&part, &mut Mode::Eval).softmax(-1))
            .collect();
        Tensor::cat(&parts.iter().collect::<Vec<_>>(), 0)
    })
}

/// The class with the largest logit in each row; the first of equals.
pub(crate) fn predicted_classes(logits: &Tensor) -> impl Iterator<Item = usize> {
    logits.argmax(-1).into_iter()
}
