//! [`LanguageNet`]: the nets that continue text, and what they remember of it.

use crate::{Gpt, GptConfig, ModelError, RecurrentLanguageNet, RecurrentLanguageNetConfig, RecurrentState};
use chainrule_layers::{Entry, EntryMut, Mode, Module, Path};
use chainrule_tensor::{Rng, Tensor, no_grad};
use serde::{Deserialize, Serialize};

/// The kind and sizes of a [`LanguageNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum LanguageNetConfig {
    /// Recurrent layers.
    Recurrent(RecurrentLanguageNetConfig),
    /// A transformer.
    Gpt(GptConfig),
}

impl LanguageNetConfig {
    /// What is usually called the model: `lstm`, `gpt`, ..
    pub fn name(&self) -> &'static str {
        match self {
            LanguageNetConfig::Recurrent(config) => config.cell.name(),
            LanguageNetConfig::Gpt(_) => "gpt",
        }
    }

    /// The number of tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        match self {
            LanguageNetConfig::Recurrent(config) => config.vocabulary,
            LanguageNetConfig::Gpt(config) => config.vocabulary,
        }
    }

    /// The same for another vocabulary.
    #[must_use]
    pub fn with_vocabulary(self, vocabulary: usize) -> Self {
        match self {
            LanguageNetConfig::Recurrent(config) => {
                LanguageNetConfig::Recurrent(RecurrentLanguageNetConfig { vocabulary, ..config })
            }
            LanguageNetConfig::Gpt(config) => LanguageNetConfig::Gpt(GptConfig { vocabulary, ..config }),
        }
    }

    /// The most tokens that the net can look at in one piece, where there is a bound.
    pub fn context(&self) -> Option<usize> {
        match self {
            LanguageNetConfig::Recurrent(_) => None,
            LanguageNetConfig::Gpt(config) => Some(config.context),
        }
    }

    /// How many numbers the net's parameters hold, or why the sizes make no net.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        match self {
            LanguageNetConfig::Recurrent(config) => config.parameters(),
            LanguageNetConfig::Gpt(config) => config.parameters(),
        }
    }

    /// The net with fresh weights.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn build(&self, rng: &mut Rng) -> Result<LanguageNet, ModelError> {
        match self {
            LanguageNetConfig::Recurrent(config) => config.build(rng).map(|net| LanguageNet::Recurrent(Box::new(net))),
            LanguageNetConfig::Gpt(config) => Gpt::new(config, rng).map(|net| LanguageNet::Gpt(Box::new(net))),
        }
    }
}

/// A net that continues text.
#[derive(Debug)]
pub enum LanguageNet {
    /// Recurrent layers.
    Recurrent(Box<RecurrentLanguageNet>),
    /// A transformer.
    Gpt(Box<Gpt>),
}

impl LanguageNet {
    /// The logits `[N, L, V]` of what follows each of the tokens `[N, L]`, given row by row. Recurrent nets go on from a state and
    /// give the next one; a transformer knows nothing but the piece.
    ///
    /// # Panics
    /// If there are not as many tokens as the shape says, one is not in the vocabulary, or a piece is longer than the context.
    #[track_caller]
    pub fn forward(
        &self,
        tokens: &[usize],
        shape: [usize; 2],
        state: Option<&RecurrentState>,
        mode: &mut Mode<'_>,
    ) -> (Tensor, Option<RecurrentState>) {
        match self {
            LanguageNet::Recurrent(net) => {
                let (logits, state) = net.forward(tokens, shape, state, mode);
                (logits, Some(state))
            }
            LanguageNet::Gpt(net) => (net.forward(tokens, shape, mode), None),
        }
    }

    /// Continues a text by `length` tokens, each of which `choose` picks from the logits of the next token.
    ///
    /// # Panics
    /// If the prompt is empty, or a token is not in the vocabulary.
    #[track_caller]
    pub fn generate(&self, prompt: &[usize], length: usize, choose: &mut dyn FnMut(&[f32]) -> usize) {
        let net = match self {
            LanguageNet::Recurrent(net) => net,
            LanguageNet::Gpt(net) => {
                net.generate(prompt, length, choose);
                return;
            }
        };
        let (mut tokens, mut state) = (prompt.to_vec(), None);
        no_grad(|| {
            for _ in 0..length {
                let shape = [1, tokens.len()];
                let (logits, next) = net.forward(&tokens, shape, state.as_ref(), &mut Mode::Eval);
                let last = logits.select(0, 0).select(0, shape[1] - 1);
                (tokens, state) = (vec![choose(&last.to_vec())], Some(next));
            }
        });
    }
}

impl Module for LanguageNet {
    fn visit<'a>(&'a self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Entry<'a>)) {
        match self {
            LanguageNet::Recurrent(net) => net.visit(path, visitor),
            LanguageNet::Gpt(net) => net.visit(path, visitor),
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, EntryMut<'a>)) {
        match self {
            LanguageNet::Recurrent(net) => net.visit_mut(path, visitor),
            LanguageNet::Gpt(net) => net.visit_mut(path, visitor),
        }
    }
}
