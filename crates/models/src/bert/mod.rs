//! BERT: a transformer encoder whose tokens see both what comes before and what comes after them.
//!
//! [`Bert`] is the encoder, [`BertForMaskedLm`] guesses hidden words, [`BertForSequenceClassification`] sorts whole texts. Their
//! parameters have the names of Hugging Face's `BertModel`, `BertForMaskedLM` and `BertForSequenceClassification`:
//! [`load_bert`] reads what `save_pretrained` wrote there, and what [`Module::save`](chainrule_layers::Module::save) writes is
//! read there.
//!
//! Source: J. Devlin et al., "BERT: pre-training of deep bidirectional transformers", arXiv:1810.04805 (2018).

mod config;
mod encoder;
mod heads;
mod load;

pub use config::BertConfig;
pub use encoder::{Bert, BertInputs, BertOutput};
pub use heads::{BertForMaskedLm, BertForSequenceClassification};
pub use load::{BertLoaded, load_bert};

use chainrule_layers::{Embedding, LayerNorm, Linear, Param, init};
use chainrule_tensor::{Rng, Tensor};

/// A dense layer as BERT starts: normal weights, no bias.
fn dense(inputs: usize, outputs: usize, config: &BertConfig, rng: &mut Rng) -> Linear {
    let weight = Param::new(init::normal([outputs, inputs], config.initializer_range, rng));
    Linear { weight, bias: Some(Param::new(Tensor::zeros(outputs))) }
}

fn table(count: usize, config: &BertConfig, rng: &mut Rng) -> Embedding {
    let weight = Param::new(init::normal([count, config.hidden_size], config.initializer_range, rng));
    Embedding { weight, padding_idx: None }
}

fn norm(config: &BertConfig) -> LayerNorm {
    LayerNorm { eps: config.layer_norm_eps, ..LayerNorm::new(config.hidden_size) }
}
