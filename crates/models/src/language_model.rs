//! [`LanguageModel`]: a net that continues text, with its vocabulary, saved as one file.

use crate::saved::{self, ModelFile};
use crate::{LanguageNet, LanguageNetConfig, ModelError, RecurrentState};
use chainrule_data::{TokenBatch, TokenStreams, Tokenization, Vocabulary};
use chainrule_layers::Mode;
use chainrule_tensor::{Rng, Tensor, no_grad};
use chainrule_train::{BatchLoss, LanguageMetrics, Objective};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::Path;

/// What a saved language model's weights do not say. It is kept as JSON in the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageModelConfig {
    /// The net.
    pub net: LanguageNetConfig,
    /// What a token is: `characters`, `words` or `byte-pairs`.
    pub tokenization: String,
    /// The bytes of each token.
    pub tokens: Vec<Vec<u8>>,
    /// The file it was trained on.
    pub data: String,
    /// The share of the text, at its end, that was held out.
    pub held_out: f64,
    /// The seed that drew the weights.
    pub seed: u64,
}

/// The names of the kinds of tokens in a saved model.
const TOKENIZATIONS: [(&str, Tokenization); 3] =
    [("characters", Tokenization::Characters), ("words", Tokenization::Words), ("byte-pairs", Tokenization::BytePairs)];

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits: below 1 the likely becomes likelier; at 0 the likeliest token is always chosen.
    pub temperature: f64,
    /// If given, only so many of the likeliest tokens are considered.
    pub top_k: Option<usize>,
}

impl Default for Sampling {
    /// Temperature 1, all tokens.
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: None }
    }
}

impl Sampling {
    /// Draws the number of a token.
    ///
    /// # Panics
    /// If there are no logits.
    pub fn choose(&self, logits: &[f32], rng: &mut Rng) -> usize {
        let mut ranked: Vec<usize> = (0..logits.len()).collect();
        // The sort is stable: of equal logits the first wins.
        ranked.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let first = ranked[0];
        if self.temperature <= 0.0 {
            return first;
        }
        ranked.truncate(self.top_k.unwrap_or(ranked.len()).max(1));
        let weight = |&token: &usize| ((f64::from(logits[token]) - f64::from(logits[first])) / self.temperature).exp();
        let mut left = rng.uniform() * ranked.iter().map(weight).sum::<f64>();
        for token in &ranked {
            left -= weight(token);
            if left < 0.0 {
                return *token;
            }
        }
        // Rounding may leave a crumb of the last token's weight.
        first
    }
}

/// A trained or fresh language model.
#[derive(Debug)]
pub struct LanguageModel {
    config: LanguageModelConfig,
    vocabulary: Vocabulary,
    /// The net from tokens to logits.
    pub net: LanguageNet,
}

impl LanguageModel {
    /// The key of the configuration in a saved model's metadata.
    pub(crate) const CONFIG_KEY: &str = "chainrule.language-model";

    /// A fresh model for this vocabulary. The size of the vocabulary in `net` is set by it.
    ///
    /// # Errors
    /// If the sizes make no net.
    pub fn new(
        vocabulary: Vocabulary,
        net: LanguageNetConfig,
        source: &str,
        held_out: f64,
        seed: u64,
        rng: &mut Rng,
    ) -> Result<Self, ModelError> {
        let (name, _) = TOKENIZATIONS[vocabulary.kind() as usize];
        let config = LanguageModelConfig {
            net: net.with_vocabulary(vocabulary.len()),
            tokenization: name.into(),
            tokens: vocabulary.tokens().to_vec(),
            data: source.into(),
            held_out,
            seed,
        };
        let net = config.net.build(rng)?;
        Ok(LanguageModel { config, vocabulary, net })
    }

    /// The configuration.
    pub fn config(&self) -> &LanguageModelConfig {
        &self.config
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Judges the model on text that it has not seen, in 16 parts that each begin without a past. A transformer is judged on
    /// pieces of its context's length, each without a past.
    ///
    /// # Errors
    /// If there are fewer than two tokens.
    ///
    /// # Panics
    /// If a token is not in the vocabulary.
    pub fn evaluate(&self, tokens: &[usize]) -> Result<LanguageMetrics, ModelError> {
        const STREAMS: usize = 16;
        const LENGTH: usize = 128;
        let length = self.config.net.context().unwrap_or(LENGTH);
        let streams = TokenStreams::new(tokens, STREAMS, length)?;
        let (mut total, mut count, mut characters, mut state) = (0.0, 0, 0, None);
        no_grad(|| {
            for batch in streams.batches(0) {
                let (logits, next) = self.net.forward(&batch.inputs, batch.shape, state.as_ref(), &mut Mode::Eval);
                let loss = rows(&logits).cross_entropy(&batch.targets);
                total += f64::from(loss.item()) * batch.targets.len() as f64;
                count += batch.targets.len();
                characters += self.vocabulary.decode(&batch.targets).chars().count();
                state = next;
            }
        });
        Ok(LanguageMetrics::new(total / count as f64, characters as f64 / count as f64))
    }

    /// Continues a text by `length` tokens, each drawn from what the net expects. An empty prompt starts a new line, or, where the
    /// vocabulary has none, with its first token. `write` gets every piece of text as soon as it is complete.
    ///
    /// # Errors
    /// If a character of the prompt is not in the vocabulary.
    pub fn generate(
        &self,
        prompt: &str,
        length: usize,
        sampling: Sampling,
        rng: &mut Rng,
        write: &mut dyn FnMut(&str),
    ) -> Result<(), ModelError> {
        let mut tokens = self.vocabulary.encode(prompt)?;
        if tokens.is_empty() {
            tokens = self.vocabulary.encode("\n").unwrap_or_else(|_| vec![0]);
        }
        let mut pending = Vec::new();
        self.net.generate(&tokens, length, &mut |logits| {
            let token = sampling.choose(logits, rng);
            pending.extend_from_slice(&self.vocabulary.tokens()[token]);
            flush(&mut pending, write);
            token
        });
        if !pending.is_empty() {
            write(&String::from_utf8_lossy(&pending));
        }
        Ok(())
    }

    /// Writes weights, vocabulary and configuration to one safetensors file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        saved::save(path.as_ref(), Self::CONFIG_KEY, &self.config, &self.net)
    }

    /// Reads what [`save`](LanguageModel::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_file(&ModelFile::read(path.as_ref())?)
    }

    pub(crate) fn from_file(file: &ModelFile<'_>) -> Result<Self, ModelError> {
        let config: LanguageModelConfig = file.config(Self::CONFIG_KEY)?;
        let Some((_, kind)) = TOKENIZATIONS.into_iter().find(|(name, _)| *name == config.tokenization) else {
            return Err(file.refuse(format!("unknown tokens {:?}", config.tokenization)));
        };
        let vocabulary = Vocabulary::from_tokens(kind, config.tokens.clone());
        let vocabulary = vocabulary.map_err(|error| file.refuse(error.to_string()))?;
        if vocabulary.len() != config.net.vocabulary() {
            let (tokens, claimed) = (vocabulary.len(), config.net.vocabulary());
            return Err(file.refuse(format!("a net for {claimed} tokens, a vocabulary of {tokens}")));
        }
        file.check_parameters(config.net.parameters())?;
        let mut net = config.net.build(&mut Rng::seed_from_u64(0))?;
        file.load_into(&mut net)?;
        Ok(LanguageModel { config, vocabulary, net })
    }
}

/// Writes the pending bytes but for a last character that lacks bytes: it may lie across tokens.
fn flush(pending: &mut Vec<u8>, write: &mut dyn FnMut(&str)) {
    loop {
        let done = match std::str::from_utf8(pending) {
            Ok(text) => text.len(),
            // What no byte to come can mend is written as the sign for it.
            Err(error) => error.valid_up_to() + error.error_len().unwrap_or(0),
        };
        if done == 0 {
            return;
        }
        write(&String::from_utf8_lossy(&pending[..done]));
        pending.drain(..done);
    }
}

/// Logits `[N, L, V]` as rows `[N L, V]`.
fn rows(logits: &Tensor) -> Tensor {
    let [n, l, v] = [0, 1, 2].map(|dim| logits.shape()[dim]);
    logits.reshape([n * l, v])
}

/// Learning to continue text: the mean cross entropy of the next token. The state is carried from chunk to chunk, without
/// gradients: truncated backpropagation through time. The size of a batch is the number of parallel streams.
///
/// Source: R. Williams, J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
/// Neural Computation 2 (1990).
#[derive(Debug)]
pub struct LanguageObjective<'a> {
    tokens: &'a [usize],
    length: usize,
    state: RefCell<Option<RecurrentState>>,
}

impl<'a> LanguageObjective<'a> {
    /// Trains on these tokens, in chunks of `length`.
    ///
    /// # Errors
    /// If there are fewer than 2 tokens or the length is 0.
    pub fn new(tokens: &'a [usize], length: usize) -> Result<Self, ModelError> {
        TokenStreams::new(tokens, 1, length)?;
        Ok(LanguageObjective { tokens, length, state: RefCell::new(None) })
    }
}

impl Objective<LanguageNet> for LanguageObjective<'_> {
    type Batch = TokenBatch;

    fn batches<'b>(&'b self, size: usize, rng: &mut Rng) -> Box<dyn ExactSizeIterator<Item = TokenBatch> + 'b> {
        let streams = TokenStreams::new(self.tokens, size, self.length).expect("checked when the objective was made");
        Box::new(streams.batches(rng.below(self.length)))
    }

    fn loss(&self, net: &LanguageNet, batch: TokenBatch, mode: &mut Mode<'_>) -> BatchLoss {
        let state = self.state.take().filter(|_| batch.continues);
        let (logits, next) = net.forward(&batch.inputs, batch.shape, state.as_ref(), mode);
        self.state.replace(next.map(|state| state.detach()));
        let loss = rows(&logits).cross_entropy(&batch.targets);
        BatchLoss { loss, samples: batch.targets.len(), hits: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_token_is_drawn_by_its_probability() {
        let logits = [0.0, 2f32.ln(), f32::NEG_INFINITY, 1f32.ln()];
        let mut rng = Rng::seed_from_u64(1);
        let mut counts = [0; 4];
        (0..4000).for_each(|_| counts[Sampling::default().choose(&logits, &mut rng)] += 1);
        assert!(counts[2] == 0 && (900..1100).contains(&counts[0]) && (1880..2120).contains(&counts[1]), "{counts:?}");
        let greedy = Sampling { temperature: 0.0, top_k: None };
        let best = Sampling { temperature: 9.0, top_k: Some(1) };
        assert_eq!((greedy.choose(&logits, &mut rng), best.choose(&logits, &mut rng)), (1, 1));
        let two = Sampling { temperature: 1.0, top_k: Some(2) };
        assert!((0..100).all(|_| two.choose(&logits, &mut rng) < 2), "of equal logits the first is kept");
    }

    #[test]
    fn characters_are_written_whole() {
        let mut written = Vec::new();
        let mut pending = vec![b'a', 0xc3];
        flush(&mut pending, &mut |text| written.push(text.to_string()));
        pending.push(0xa9);
        flush(&mut pending, &mut |text| written.push(text.to_string()));
        pending.extend([0xff, b'b']);
        flush(&mut pending, &mut |text| written.push(text.to_string()));
        assert_eq!((written.concat(), pending), ("a\u{e9}\u{fffd}b".to_string(), vec![]));
    }

    #[test]
    fn a_character_behind_a_byte_that_is_none_waits_for_its_rest() {
        let mut written = String::new();
        let mut pending = Vec::new();
        // Two stray bytes, one of which begins a character that does not go on.
        for token in [&[0xff, b'x', 0xe2, 0xff, 0xe2, 0x82][..], &[0xac, 0xc3]] {
            pending.extend_from_slice(token);
            flush(&mut pending, &mut |text| written.push_str(text));
        }
        assert_eq!((&written[..], &pending[..]), ("\u{fffd}x\u{fffd}\u{fffd}\u{20ac}", &[0xc3][..]));
    }
}
