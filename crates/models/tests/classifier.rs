//! Classifiers: what is saved comes back, and what is damaged does not.

use chainrule_data::{Dataset, digits, iris};
use chainrule_layers::{Metadata, Module, StateDict, load_safetensors, save_safetensors};
use chainrule_models::Classifier;
use chainrule_tensor::{Rng, Tensor};
use std::fs;
use std::path::Path;

const KEY: &str = "chainrule.classifier";

fn fresh(name: &str, data: &Dataset) -> Classifier {
    Classifier::for_data(name, data, "here", 5, &mut Rng::seed_from_u64(5)).unwrap()
}

fn inputs(data: &Dataset) -> Tensor {
    Tensor::from(data.inputs().clone())
}

#[test]
fn what_is_saved_predicts_as_before() {
    let folder = tempfile::tempdir().unwrap();
    for (name, data) in [("mlp", iris()), ("mlp", digits()), ("cnn", digits())] {
        let model = fresh(name, &data);
        let path = folder.path().join("model");
        model.save(&path).unwrap();
        let loaded = Classifier::load(&path).unwrap();
        assert_eq!(loaded.config(), model.config());
        let x = inputs(&data);
        assert_eq!(loaded.predict(&x).unwrap().to_vec(), model.predict(&x).unwrap().to_vec());
        assert_eq!(loaded.evaluate(data.clone()).unwrap(), model.evaluate(data).unwrap());
        let bytes = fs::read(&path).unwrap();
        loaded.save(&path).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
    }
}

#[test]
fn a_summary_follows_the_shapes() {
    let model = fresh("cnn", &digits());
    let layers = model.summary();
    let of = |name: &str| layers.iter().find(|layer| layer.name == name).unwrap();
    assert_eq!((&of("conv2").output[..], of("conv2").parameters), (&[64, 4, 4][..], 64 * 32 * 9 + 64));
    assert_eq!((&of("flatten").output[..], of("flatten").parameters), (&[256][..], 0));
    assert_eq!((&of("fc2").output[..], of("fc2").parameters), (&[10][..], 1290));
    assert_eq!(layers.iter().map(|layer| layer.parameters).sum::<usize>(), model.net.num_parameters());
}

#[test]
fn data_that_does_not_suit_is_refused() {
    let model = fresh("mlp", &iris());
    let message = model.evaluate(digits()).unwrap_err().to_string();
    assert_eq!(message, "the model takes inputs of shape [4], not [1, 8, 8]");
    assert_eq!(
        model.predict(&Tensor::zeros([2, 5])).unwrap_err().to_string(),
        "the model takes inputs of shape [4], not [5]"
    );
    assert!(model.predict(&Tensor::zeros([0, 4])).unwrap().shape() == &[0, 3]);

    let table = |rows: &[[f32; 4]]| ndarray::arr2(rows).into_dyn();
    let four = Dataset::new("four", table(&[[0.0; 4]]), vec![3], ["a", "b", "c", "d"]).unwrap();
    assert_eq!(model.evaluate(four).unwrap_err().to_string(), "the model knows 3 classes, the data has 4");
    let two = Dataset::new("two", table(&[[0.0; 4], [1.0; 4]]), vec![0, 1], ["a", "b"]).unwrap();
    let judged = model.evaluate(two).unwrap();
    assert_eq!((judged.confusion.classes(), judged.confusion.total()), (3, 2));
    let far = Dataset::new("far", table(&[[0.0; 4], [0.0, 0.0, 0.0, f32::MAX]]), vec![0, 1], ["a", "b"]).unwrap();
    let x = inputs(&far);
    assert!(model.predict(&x).unwrap_err().to_string().starts_with("sample 1 (from 0) is so far out of range"));
    assert!(model.evaluate(far).unwrap_err().to_string().contains("sample 1, feature 3 is inf"));
}

/// Loads a file of these bytes: a message of one line, or nothing if the damage went unnoticed.
fn damage(path: &Path, bytes: &[u8]) -> Option<String> {
    fs::write(path, bytes).unwrap();
    let message = Classifier::load(path).err()?.to_string();
    assert!(!message.contains('\n'), "{message}");
    Some(message)
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    fresh("mlp", &iris()).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7).chain(whole.len() - 9..whole.len()) {
        assert!(damage(&path, &whole[..length]).is_some(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn a_flipped_bit_in_the_header_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let model = fresh("cnn", &digits());
    model.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut bytes = whole.clone();
    let mut noticed = 0;
    for at in 0..header {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        match damage(&path, &bytes) {
            Some(_) => noticed += 1,
            // A letter of a class or a digit of a mean: such a model still works.
            None => assert!(!Classifier::load(&path).unwrap().summary().is_empty()),
        }
        bytes[at] ^= bit;
    }
    assert!(noticed > header / 2, "{noticed} of {header}");
}

#[test]
fn a_claim_that_the_weights_do_not_bear_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    fresh("mlp", &iris()).save(&path).unwrap();
    let (state, metadata): (StateDict, Metadata) = load_safetensors(&path).unwrap();
    let refuse = |from: &str, to: &str, part: &str| {
        assert!(metadata[KEY].contains(from), "{}", metadata[KEY]);
        let changed = Metadata::from([(KEY.to_string(), metadata[KEY].replace(from, to))]);
        save_safetensors(&path, &state, &changed).unwrap();
        let message = Classifier::load(&path).unwrap_err().to_string();
        assert!(message.contains(part) && !message.contains('\n'), "{message}");
    };
    refuse("\"hidden\":[128]", "\"hidden\":[1000000000000000]", "its configuration has 8000000000000003 parameters");
    refuse("\"hidden\":[128]", "\"hidden\":[18446744073709551615]", "the sizes are too large");
    refuse("\"hidden\":[128]", "\"hidden\":[127]", "its weights are 1027");
    refuse("\"hidden\":[128]", "\"hidden\":[-1]", "is no saved model");
    refuse("\"input\":[4]", "\"input\":[2,2,0]", "a size is 0");
    refuse("\"outputs\":3", "\"outputs\":4", "3 classes, 4 outputs");
    refuse("\"setosa\",", "", "2 classes, 3 outputs");
    refuse("\"model\":\"mlp\"", "\"model\":\"som\"", "som");
    refuse("\"mean\":[", "\"mean\":[0.0,", "5 means for 4 features");
    refuse("\"std\":[", "\"std\":[0.0],\"x\":[", "4 means and 1 deviations");
    refuse("\"scaling\"", "\"saling\"", "missing field");

    save_safetensors(&path, &state, &Metadata::new()).unwrap();
    let message = Classifier::load(&path).unwrap_err().to_string();
    assert!(message.ends_with("is no saved model: its metadata has no \"chainrule.classifier\""), "{message}");

    // As many numbers as the configuration wants, but other ones.
    let renamed: StateDict = state.iter().map(|(name, value)| (name.replace("fc1", "fc9"), value.clone())).collect();
    save_safetensors(&path, &renamed, &metadata).unwrap();
    let message = Classifier::load(&path).unwrap_err().to_string();
    assert!(message.contains("missing fc1.weight, fc1.bias; unexpected fc9"), "{message}");
    let mut broken = state.clone();
    broken.insert("fc2.bias", &Tensor::from([0.0, f32::INFINITY, 0.0]));
    save_safetensors(&path, &broken, &metadata).unwrap();
    let message = Classifier::load(&path).unwrap_err().to_string();
    assert!(message.ends_with("fc2.bias holds numbers that are not finite"), "{message}");
}
