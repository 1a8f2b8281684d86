//! [`BertConfig`]: the sizes of a BERT, in the words of Hugging Face's `config.json`.

use crate::ModelError;
use crate::error::affordable;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The sizes and settings. The defaults are those of `bert-base-uncased`; a `config.json` can leave out any of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// How many tokens there are. Default 30522.
    pub vocab_size: usize,
    /// Features of a token. Default 768.
    pub hidden_size: usize,
    /// Layers. Default 12.
    pub num_hidden_layers: usize,
    /// Heads of attention. Default 12.
    pub num_attention_heads: usize,
    /// Features between the dense layers. Default 3072.
    pub intermediate_size: usize,
    /// The nonlinearity between the dense layers; `gelu` and `relu` are known. Default `gelu`.
    pub hidden_act: String,
    /// The probability of dropout of features while training. Default 0.1.
    pub hidden_dropout_prob: f64,
    /// The probability of dropout of attention's weights while training. Default 0.1.
    pub attention_probs_dropout_prob: f64,
    /// The longest text, in tokens. Default 512.
    pub max_position_embeddings: usize,
    /// Kinds of segments, such as question and answer. Default 2.
    pub type_vocab_size: usize,
    /// The deviation of the weights at the start. Default 0.02.
    pub initializer_range: f64,
    /// Added to the variance in normalization. Default `1e-12`.
    pub layer_norm_eps: f64,
    /// The token that fills up short texts; its features start at 0 and get no gradient. Default 0.
    pub pad_token_id: Option<usize>,
}

impl Default for BertConfig {
    fn default() -> Self {
        BertConfig {
            vocab_size: 30_522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            pad_token_id: Some(0),
        }
    }
}

impl BertConfig {
    /// 128 features, 2 layers, 2 heads: `bert-tiny`.
    pub fn tiny() -> Self {
        BertConfig {
            hidden_size: 128,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 512,
            ..Self::default()
        }
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// If the file cannot be read, is no such configuration, or makes no net.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let refuse = |problem: String| ModelError::Configuration {
            model: "bert",
            problem: format!("{}: {problem}", path.display()),
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let config: Self = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        match config.check() {
            Ok(()) => Ok(config),
            Err(ModelError::Configuration { problem, .. }) => Err(refuse(problem)),
            Err(error) => Err(error),
        }
    }

    /// Whether these sizes make a net.
    ///
    /// # Errors
    /// If they do not: one line that says why.
    pub fn check(&self) -> Result<(), ModelError> {
        self.parameters().map(drop)
    }

    /// How many numbers the parameters of a [`Bert`](super::Bert) with a pooler hold, or why the sizes make no net.
    ///
    /// # Errors
    /// If a size is 0, they do not fit together or are too large, or a setting is out of range.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        if let Some(problem) = self.problem() {
            return Err(ModelError::Configuration { model: "bert", problem });
        }
        let hidden = self.hidden_size;
        let dense = |inputs: usize, outputs: usize| inputs.checked_add(1)?.checked_mul(outputs);
        let norm = || hidden.checked_mul(2);
        let count = || {
            let tables =
                self.vocab_size.checked_add(self.max_position_embeddings)?.checked_add(self.type_vocab_size)?;
            let attention = dense(hidden, hidden)?.checked_mul(4)?.checked_add(norm()?)?;
            let (up, down) = (dense(hidden, self.intermediate_size)?, dense(self.intermediate_size, hidden)?);
            let layer = attention.checked_add(up)?.checked_add(down)?.checked_add(norm()?)?;
            let embeddings = tables.checked_mul(hidden)?.checked_add(norm()?)?;
            let layers = layer.checked_mul(self.num_hidden_layers)?;
            embeddings.checked_add(layers)?.checked_add(dense(hidden, hidden)?)
        };
        affordable("bert", count())
    }

    /// What is wrong with the settings, apart from their being too large.
    fn problem(&self) -> Option<String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Some(format!("{name} must be at least 1"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (features, heads) = (self.hidden_size, self.num_attention_heads);
            return Some(format!("hidden_size {features} is no multiple of num_attention_heads {heads}"));
        }
        if !["gelu", "relu"].contains(&self.hidden_act.as_str()) {
            return Some(format!("hidden_act is {:?}; gelu and relu are known", self.hidden_act));
        }
        let probabilities = [self.hidden_dropout_prob, self.attention_probs_dropout_prob];
        if let Some(p) = probabilities.into_iter().find(|p| !(0.0..=1.0).contains(p)) {
            return Some(format!("{p} is no probability of dropout"));
        }
        let pad = self.pad_token_id.filter(|pad| *pad >= self.vocab_size)?;
        Some(format!("pad_token_id {pad} is not below vocab_size {}", self.vocab_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bert;
    use chainrule_layers::Module;
    use chainrule_tensor::Rng;

    #[test]
    fn bad_sizes_are_refused() {
        assert!(BertConfig::default().check().is_ok() && BertConfig::tiny().check().is_ok());
        for (config, message) in [
            (
                BertConfig { hidden_size: 10, ..BertConfig::default() },
                "bert: hidden_size 10 is no multiple of num_attention_heads 12",
            ),
            (BertConfig { vocab_size: 0, ..BertConfig::default() }, "bert: vocab_size must be at least 1"),
            (
                BertConfig { hidden_act: "silu".into(), ..BertConfig::default() },
                "bert: hidden_act is \"silu\"; gelu and relu are known",
            ),
            (
                BertConfig { hidden_dropout_prob: 1.5, ..BertConfig::default() },
                "bert: 1.5 is no probability of dropout",
            ),
            (
                BertConfig { pad_token_id: Some(40_000), ..BertConfig::default() },
                "bert: pad_token_id 40000 is not below vocab_size 30522",
            ),
        ] {
            assert_eq!(config.check().expect_err(message).to_string(), message);
        }
    }

    #[test]
    fn parameters_are_counted_without_building() {
        let config = BertConfig { vocab_size: 7, num_hidden_layers: 3, intermediate_size: 24, ..BertConfig::tiny() };
        let bert = Bert::new(&config, &mut Rng::seed_from_u64(1)).expect("a net");
        assert_eq!(config.parameters().expect("a number"), bert.num_parameters());
    }

    #[test]
    fn sizes_beyond_the_memory_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        let large = [
            BertConfig { vocab_size: usize::MAX, ..BertConfig::default() },
            BertConfig { vocab_size: usize::MAX / 8192, ..BertConfig::default() },
            BertConfig { num_hidden_layers: usize::MAX, ..BertConfig::tiny() },
            BertConfig { intermediate_size: 1 << 50, ..BertConfig::default() },
        ];
        for config in large {
            std::fs::write(&path, serde_json::to_string(&config).expect("JSON")).expect("written");
            let errors = [config.check().expect_err("too large"), BertConfig::read(&path).expect_err("too large")];
            let [checked, read] = errors.map(|error| error.to_string());
            assert!(checked.starts_with("bert: the sizes are too large"), "{checked}");
            assert!(read.contains("config.json: the sizes are too large"), "{read}");
        }
    }

    #[test]
    fn files_may_leave_out_and_add_settings() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, r#"{"model_type": "bert", "hidden_size": 24, "dtype": "float32"}"#).expect("written");
        assert_eq!(BertConfig::read(&path).expect("a configuration").hidden_size, 24);
        std::fs::write(&path, r#"{"hidden_size": 25}"#).expect("written");
        let error = BertConfig::read(&path).expect_err("25 is no multiple of 12").to_string();
        assert!(error.contains("config.json: hidden_size 25 is no multiple"), "{error}");
    }
}
