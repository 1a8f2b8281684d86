//! [`RecurrentLanguageNet`]: recurrent layers from tokens to what may follow each of them.
//!
//! ```text
//! tokens [N, L] -> embedding [N, L, E] -> recurrent layers [N, L, H] -> dropout -> linear -> logits [N, L, V]
//! ```
//!
//! Source: T. Mikolov et al., "Recurrent neural network based language model", Interspeech (2010); with LSTM: M. Sundermeyer, R.
//! Schlueter, H. Ney, "LSTM neural networks for language modeling", Interspeech (2012).

use crate::error::affordable;
use crate::recurrence::RecurrentSizes;
use crate::{ModelError, Recurrence, RecurrentKind, RecurrentState};
use chainrule_layers::{Dropout, Embedding, Layer, Linear, Mode, Module};
use chainrule_tensor::{Rng, Tensor};
use serde::{Deserialize, Serialize};

/// The sizes of a [`RecurrentLanguageNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecurrentLanguageNetConfig {
    /// The kind of recurrent layers.
    pub cell: RecurrentKind,
    /// The number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// The width of the embedding.
    pub embedding: usize,
    /// The width of the recurrent layers.
    pub hidden: usize,
    /// How many recurrent layers there are.
    pub layers: usize,
    /// The probability with which an output of a recurrent layer is dropped in training.
    pub dropout: f64,
}

impl RecurrentLanguageNetConfig {
    /// How many numbers the net's parameters hold, or why the sizes make no net.
    ///
    /// # Errors
    /// If a size is 0, they are too large, or the dropout is not in `[0, 1)`.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: "char-lm", problem });
        let &Self { cell, vocabulary, embedding, hidden, layers, dropout } = self;
        if [vocabulary, embedding, hidden, layers].contains(&0) || !(0.0..1.0).contains(&dropout) {
            return fail(format!("sizes that make no net: {self:?}"));
        }
        let total = || {
            let table = vocabulary.checked_mul(embedding)?;
            let recurrent = cell.parameters(self.recurrent())?;
            table.checked_add(recurrent)?.checked_add(hidden.checked_add(1)?.checked_mul(vocabulary)?)
        };
        affordable("char-lm", total())
    }

    fn recurrent(&self) -> RecurrentSizes {
        RecurrentSizes { inputs: self.embedding, hidden: self.hidden, layers: self.layers, bidirectional: false }
    }

    /// The net with fresh weights.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters).
    pub fn build(&self, rng: &mut Rng) -> Result<RecurrentLanguageNet, ModelError> {
        self.parameters()?;
        let &Self { cell, vocabulary, embedding, hidden, dropout, .. } = self;
        Ok(RecurrentLanguageNet {
            embedding: Embedding::new(vocabulary, embedding, rng),
            rnn: cell.build(self.recurrent(), dropout, rng),
            dropout: Dropout::new(dropout),
            fc: Linear::new(hidden, vocabulary, rng),
        })
    }
}

/// An embedding, recurrent layers and a dense layer, from tokens to the logits of what follows each.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct RecurrentLanguageNet {
    /// A vector for each token.
    pub embedding: Embedding,
    /// The recurrent layers.
    pub rnn: Recurrence,
    dropout: Dropout,
    /// From the last layer's outputs to logits.
    pub fc: Linear,
}

impl RecurrentLanguageNet {
    /// The logits `[N, L, V]` of what follows each of the tokens `[N, L]`, given row by row, and the state after the last column.
    ///
    /// # Panics
    /// If there are not as many tokens as the shape says, or one is not in the vocabulary.
    #[track_caller]
    pub fn forward(
        &self,
        tokens: &[usize],
        shape: [usize; 2],
        state: Option<&RecurrentState>,
        mode: &mut Mode<'_>,
    ) -> (Tensor, RecurrentState) {
        let (outputs, state) = self.rnn.forward(&self.embedding.forward(tokens, shape), state, mode);
        (self.fc.forward(&self.dropout.call(&outputs, mode)), state)
    }
}
