//! Weights from Hugging Face's files: the same names, but for a few habits.

use chainrule_layers::{Module, StateDict, StateError, load_safetensors};
use std::path::Path;

/// What [`load_bert`] did besides loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BertLoaded {
    /// Entries of the file that the model has no use for: other heads, tied copies.
    pub ignored: Vec<String>,
    /// Parameters of heads that the file does not have: they keep their values.
    pub fresh: Vec<String>,
}

/// Reads the weights of a [`Bert`](super::Bert), or of a model with a head on it, from a safetensors file.
///
/// The file may be that of the encoder or of a model with any head: `bert.` in front of names comes and goes, old files'
/// `gamma` and `beta` are understood, and integers such as `position_ids` are passed over. Heads that the model lacks are
/// ignored, heads that the file lacks keep their values: the result tells. All else must fit exactly.
///
/// # Errors
/// If the file cannot be read or is damaged, or its entries do not fit the model. Nothing has changed then.
pub fn load_bert(model: &mut impl Module, path: impl AsRef<Path>) -> Result<BertLoaded, StateError> {
    let path = path.as_ref();
    let (file, _) = load_safetensors::<f32>(path)?;
    let own = model.state_dict();
    let mut state = StateDict::new();
    let mut loaded = BertLoaded::default();
    for (name, value) in file.iter() {
        match spellings(name).into_iter().find(|name| own.get(name).is_some()) {
            Some(name) => {
                state.insert(name, value);
            }
            None if is_head(name) => loaded.ignored.push(name.into()),
            None => {
                state.insert(name, value);
            }
        }
    }
    for (name, value) in own.iter().filter(|(name, _)| is_head(name)) {
        if state.get(name).is_none() {
            state.insert(name, value);
            loaded.fresh.push(name.into());
        }
    }
    model.load_state_dict(&state).map_err(|error| error.at(path))?;
    Ok(loaded)
}

/// How a model may spell the name of a file.
fn spellings(name: &str) -> [String; 3] {
    let name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias");
    let plain = name.strip_prefix("bert.").unwrap_or(&name).to_string();
    [format!("bert.{plain}"), plain, name]
}

/// Whether a name belongs to no encoder.
fn is_head(name: &str) -> bool {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    ["cls.", "classifier.", "pooler.", "qa_outputs."].iter().any(|head| name.starts_with(head))
}
