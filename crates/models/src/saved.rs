//! Saved models: one safetensors file with the weights under their usual names and the configuration in the metadata.
//!
//! Nothing that a file merely claims is believed: sizes are counted before anything is built from them.

use crate::{Classifier, Forecaster, LanguageModel, ModelError};
use chainrule_layers::{Module, StateDict, load_safetensors, save_safetensors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// A saved model of any kind.
#[derive(Debug)]
pub enum Saved {
    /// What tells classes apart.
    Classifier(Box<Classifier>),
    /// What continues a time series.
    Forecaster(Box<Forecaster>),
    /// What continues text.
    LanguageModel(Box<LanguageModel>),
}

impl Saved {
    /// Reads a model that was saved by this crate, whatever it is.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let file = ModelFile::read(path)?;
        if file.metadata.contains_key(Classifier::CONFIG_KEY) {
            return Classifier::from_file(&file).map(|model| Saved::Classifier(Box::new(model)));
        }
        if file.metadata.contains_key(Forecaster::CONFIG_KEY) {
            return Forecaster::from_file(&file).map(|model| Saved::Forecaster(Box::new(model)));
        }
        if file.metadata.contains_key(LanguageModel::CONFIG_KEY) {
            return LanguageModel::from_file(&file).map(|model| Saved::LanguageModel(Box::new(model)));
        }
        Err(file.refuse("its metadata does not say what model it is".into()))
    }
}

/// What a file holds.
pub(crate) struct ModelFile<'a> {
    path: &'a Path,
    state: StateDict,
    metadata: BTreeMap<String, String>,
}

impl<'a> ModelFile<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, ModelError> {
        let (state, metadata) = load_safetensors::<f32>(path)?;
        Ok(ModelFile { path, state, metadata })
    }

    /// The error that the file is no model of the kind that is looked for.
    pub(crate) fn refuse(&self, problem: String) -> ModelError {
        ModelError::NotAModel { path: self.path.to_owned(), problem }
    }

    /// The configuration under this key.
    pub(crate) fn config<C: DeserializeOwned>(&self, key: &str) -> Result<C, ModelError> {
        let Some(config) = self.metadata.get(key) else {
            return Err(self.refuse(format!("its metadata has no \"{key}\"")));
        };
        serde_json::from_str(config).map_err(|error| self.refuse(error.to_string()))
    }

    /// Sizes that the file merely claims must not decide how much is allocated: what they come to has to be there.
    pub(crate) fn check_parameters(&self, claimed: Result<usize, ModelError>) -> Result<(), ModelError> {
        let claimed = claimed.map_err(|error| self.refuse(error.to_string()))?;
        let held: usize = self.state.iter().map(|(_, tensor)| tensor.numel()).sum();
        if claimed != held {
            return Err(self.refuse(format!("its configuration has {claimed} parameters, its weights are {held}")));
        }
        Ok(())
    }

    /// Gives a net the weights, which have to be finite.
    pub(crate) fn load_into(&self, net: &mut impl Module) -> Result<(), ModelError> {
        if let Some((name, _)) = self.state.iter().find(|(_, tensor)| tensor.view().iter().any(|x| !x.is_finite())) {
            return Err(self.refuse(format!("{name} holds numbers that are not finite")));
        }
        Ok(net.load_state_dict(&self.state)?)
    }
}

/// Writes a net and its configuration to one file, which appears whole or not at all.
pub(crate) fn save(path: &Path, key: &str, config: &impl Serialize, net: &impl Module) -> Result<(), ModelError> {
    let config = serde_json::to_string(config).expect("plain data can be written as JSON");
    let metadata = BTreeMap::from([(key.to_string(), config)]);
    Ok(save_safetensors(path, &net.state_dict(), &metadata)?)
}
