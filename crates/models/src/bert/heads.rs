//! Heads on [`Bert`]: guessing hidden words, and sorting whole texts.

use super::encoder::{Bert, BertInputs};
use super::{BertConfig, dense, norm};
use crate::ModelError;
use chainrule_layers::{LayerNorm, Linear, Mode, Module, Param};
use chainrule_tensor::{Rng, Tensor};

/// An encoder that guesses words. Its state dict is that of `BertForMaskedLM`, whose last dense layer has the words'
/// embeddings for a weight: they are kept once.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct BertForMaskedLm {
    /// The encoder, without a pooler.
    pub bert: Bert,
    cls: Cls,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Cls {
    predictions: Predictions,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Predictions {
    bias: Param,
    transform: Transform,
}

#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
struct Transform {
    dense: Linear,
    #[module(rename = "LayerNorm")]
    norm: LayerNorm,
}

impl BertForMaskedLm {
    /// A fresh model.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn new(config: &BertConfig, rng: &mut Rng) -> Result<Self, ModelError> {
        let bert = Bert::new(config, rng)?.without_pooler();
        let transform =
            Transform { dense: dense(config.hidden_size, config.hidden_size, config, rng), norm: norm(config) };
        let bias = Param::new(Tensor::zeros(config.vocab_size));
        Ok(BertForMaskedLm { bert, cls: Cls { predictions: Predictions { bias, transform } } })
    }

    /// For each token of each text, a logit for each word: `[texts, tokens, vocab_size]`.
    ///
    /// # Panics
    /// As [`Bert::forward`].
    #[track_caller]
    pub fn forward(&self, inputs: BertInputs<'_>, mode: &mut Mode<'_>) -> Tensor {
        self.words(&self.bert.forward(inputs, mode).last_hidden_state)
    }

    /// The same for some tokens alone, which is all that training needs: `[positions, vocab_size]`. Positions count through
    /// all texts, one after the other.
    ///
    /// # Panics
    /// As [`Bert::forward`], and if there is no such position.
    #[track_caller]
    pub fn forward_at(&self, inputs: BertInputs<'_>, positions: &[usize], mode: &mut Mode<'_>) -> Tensor {
        let features = self.bert.forward(inputs, mode).last_hidden_state;
        let rows = features.reshape([inputs.input_ids.len(), self.bert.config().hidden_size]);
        self.words(&rows.embedding(positions, None))
    }

    fn words(&self, features: &Tensor) -> Tensor {
        let Predictions { bias, transform } = &self.cls.predictions;
        let x = transform.dense.forward(features);
        let x = if self.bert.config().hidden_act == "relu" { x.relu() } else { x.gelu() };
        transform.norm.forward(&x).linear(&self.bert.embeddings.word_embeddings.weight, Some(bias))
    }
}

/// An encoder that sorts texts into classes. Its state dict is that of `BertForSequenceClassification`.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct BertForSequenceClassification {
    /// The encoder.
    pub bert: Bert,
    /// From the pooled features to the classes.
    pub classifier: Linear,
}

impl BertForSequenceClassification {
    /// A fresh model for this many classes.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn new(config: &BertConfig, classes: usize, rng: &mut Rng) -> Result<Self, ModelError> {
        let bert = Bert::new(config, rng)?;
        Ok(BertForSequenceClassification { bert, classifier: dense(config.hidden_size, classes, config, rng) })
    }

    /// A logit for each class of each text: `[texts, classes]`.
    ///
    /// # Panics
    /// As [`Bert::forward`], and if texts have no token.
    #[track_caller]
    pub fn forward(&self, inputs: BertInputs<'_>, mode: &mut Mode<'_>) -> Tensor {
        let pooled = self.bert.forward(inputs, mode).pooler_output.expect("Bert: a text has a token at least");
        self.classifier.forward(&mode.drop_out(pooled, self.bert.config().hidden_dropout_prob))
    }
}
