//! [`Classifier`]: a net with its classes and the scaling of its inputs, saved as one file.

use crate::saved::{self, ModelFile};
use crate::{Architecture, ModelError};
use chainrule_data::{Dataset, Standardizer};
use chainrule_layers::{Mode, Sequential};
use chainrule_tensor::{Rng, Tensor, no_grad};
use chainrule_train::{Evaluation, evaluate, predict_probabilities};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How inputs are scaled before they reach the net: `(x - mean) / std`, with one pair for each feature or one for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The means.
    pub mean: Vec<f64>,
    /// The standard deviations, all above 0.
    pub std: Vec<f64>,
}

/// What a saved classifier's weights do not say. It is kept as JSON in the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierConfig {
    /// The net.
    pub architecture: Architecture,
    /// What each output stands for.
    pub classes: Vec<String>,
    /// How inputs are scaled.
    pub scaling: Scaling,
    /// The name or folder of the data it was trained on.
    pub data: String,
    /// The seed that split the data and drew the weights.
    pub seed: u64,
}

/// One line of [`Classifier::summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name.
    pub name: String,
    /// Its kind and sizes.
    pub layer: String,
    /// The shape of its output for one sample, without the batch.
    pub output: Vec<usize>,
    /// How many numbers its parameters hold.
    pub parameters: usize,
}

/// A trained or fresh classifier.
#[derive(Debug)]
pub struct Classifier {
    config: ClassifierConfig,
    scale: Standardizer,
    /// The net from scaled inputs to logits.
    pub net: Sequential,
}

impl Classifier {
    /// The key of the configuration in a saved model's metadata.
    pub(crate) const CONFIG_KEY: &str = "chainrule.classifier";

    /// A fresh classifier of the named kind for this training data, whose scaling is learned from it: one mean and
    /// deviation for each feature of tables, one for all pixels of images. The weights are drawn from `rng`.
    ///
    /// # Errors
    /// If there is no such model, or it does not take such inputs.
    pub fn for_data(name: &str, train: &Dataset, source: &str, seed: u64, rng: &mut Rng) -> Result<Self, ModelError> {
        let architecture = Architecture::by_name(name, train.input_shape(), train.num_classes())?;
        let images = train.input_shape().len() > 1;
        let fit = if images { Standardizer::global } else { Standardizer::per_feature };
        let scale = fit(train.inputs());
        let config = ClassifierConfig {
            architecture,
            classes: train.class_names().to_vec(),
            scaling: Scaling { mean: scale.mean().to_vec(), std: scale.std().to_vec() },
            data: source.into(),
            seed,
        };
        let net = config.architecture.build(rng)?;
        Ok(Classifier { config, scale, net })
    }

    /// The configuration.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// What each class is called.
    pub fn classes(&self) -> &[String] {
        &self.config.classes
    }

    /// The data set, scaled for the net and with the classes of the model. Some of them may have no sample.
    ///
    /// # Errors
    /// If its inputs have another shape, if it has more classes than the model knows, or if a scaled input is not finite.
    pub fn prepare(&self, data: Dataset) -> Result<Dataset, ModelError> {
        self.check_input(data.input_shape())?;
        if data.num_classes() > self.classes().len() {
            return Err(ModelError::Classes { known: self.classes().len(), found: data.num_classes() });
        }
        let scaled = self.scale.transform(data.inputs());
        Ok(Dataset::new(data.name(), scaled, data.labels().to_vec(), self.classes())?)
    }

    /// Judges the classifier on unscaled data.
    ///
    /// # Errors
    /// As [`prepare`](Classifier::prepare).
    pub fn evaluate(&self, data: Dataset) -> Result<Evaluation, ModelError> {
        Ok(evaluate(&self.net, &self.prepare(data)?))
    }

    /// The probability of each class, a row for each of the unscaled inputs `[n, features..]`.
    ///
    /// # Errors
    /// If the inputs have another shape, or hold numbers so large that what the net makes of them is not finite.
    pub fn predict(&self, inputs: &Tensor) -> Result<Tensor, ModelError> {
        self.check_input(inputs.shape().get(1..).unwrap_or(&[]))?;
        if inputs.shape()[0] == 0 {
            return Ok(Tensor::zeros([0, self.classes().len()]));
        }
        let scaled = Tensor::from(self.scale.transform(&inputs.to_array()));
        let probabilities = predict_probabilities(&self.net, &scaled);
        match probabilities.view().outer_iter().position(|row| row.iter().any(|p| !p.is_finite())) {
            Some(row) => Err(ModelError::NotFinite { row }),
            None => Ok(probabilities),
        }
    }

    fn check_input(&self, found: &[usize]) -> Result<(), ModelError> {
        let expected = self.config.architecture.input();
        if expected == found {
            return Ok(());
        }
        Err(ModelError::InputShape { expected: expected.to_vec(), found: found.to_vec() })
    }

    /// The layers, what they put out, and how many parameters they have.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let mut shape = vec![1];
        shape.extend(self.config.architecture.input());
        let mut x = Tensor::zeros(shape);
        no_grad(|| {
            self.net
                .iter()
                .map(|(name, layer)| {
                    x = layer.call(&x, &mut Mode::Eval);
                    LayerSummary {
                        name: name.to_string(),
                        layer: layer.describe(),
                        output: x.shape()[1..].to_vec(),
                        parameters: layer.num_parameters(),
                    }
                })
                .collect()
        })
    }

    /// Writes weights and configuration to one safetensors file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        saved::save(path.as_ref(), Self::CONFIG_KEY, &self.config, &self.net)
    }

    /// Reads what [`save`](Classifier::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_file(&ModelFile::read(path.as_ref())?)
    }

    pub(crate) fn from_file(file: &ModelFile<'_>) -> Result<Self, ModelError> {
        let config: ClassifierConfig = file.config(Self::CONFIG_KEY)?;
        if config.classes.len() != config.architecture.outputs() {
            let (classes, outputs) = (config.classes.len(), config.architecture.outputs());
            return Err(file.refuse(format!("{classes} classes, {outputs} outputs")));
        }
        file.check_parameters(config.architecture.parameters())?;
        let features: usize = config.architecture.input().iter().product();
        let Scaling { mean, std } = config.scaling.clone();
        if mean.len() != 1 && mean.len() != features {
            return Err(file.refuse(format!("{} means for {features} features", mean.len())));
        }
        let scale = Standardizer::from_parts(mean, std).map_err(|error| file.refuse(error.to_string()))?;
        let mut net = config.architecture.build(&mut Rng::seed_from_u64(0))?;
        file.load_into(&mut net)?;
        Ok(Classifier { config, scale, net })
    }
}
