//! Layers, optimizers and whole trainings against PyTorch: see `generate/layers.py`.
//!
//! Every module takes PyTorch's state dict by PyTorch's names, so that names, shapes and layouts are checked with the numbers.
//! Compared are outputs, running statistics, the gradients of inputs and parameters (from the fused backward pass and from the
//! one that is differentiated again), their own gradients, and the weights after ten steps of training.
//!
//! Files travel both ways. `fixtures/cnn.safetensors` was written by PyTorch and is loaded here. The test
//! `files_travel_both_ways` leaves the file that we write in cargo's folder for such things; that PyTorch takes it with
//! `strict=True` and computes the same is checked by hand:
//!
//! ```text
//! cargo test -p chainrule-tests --test layers files
//! python tests/generate/layers.py --check target/tmp/ours.safetensors
//! ```

mod activations;
mod behavior;
mod language;
mod nets;
mod passes;
mod recurrent;
mod reparametrized;
mod training;
mod transformers;
mod vision;

use chainrule_layers::{Layer, Mode, Module, load_safetensors};
use chainrule_tensor::{Real, Rng, Tensor};
use chainrule_tests::compare::Tolerance;
use chainrule_tests::fixture;
use chainrule_tests::record::{self, Record, Results};
use chainrule_tests::tree;
use std::path::{Path, PathBuf};

/// The net that PyTorch has saved.
fn their_file() -> PathBuf {
    tree::root().join("tests/fixtures/cnn.safetensors")
}

/// The records of one kind.
fn records(kind: &str) -> Vec<Record> {
    let mut records: Vec<Record> = fixture::files("layers").iter().flat_map(|path| record::read(path)).collect();
    records.retain(|record| record.kind == kind);
    assert!(!records.is_empty(), "the fixture has nothing of the kind {kind}");
    records
}

/// Runs all records of a kind and reports every failure at once.
fn check<T: Real>(kind: &str, run: impl Fn(&Record) -> Results<T>) {
    let mut failures = Vec::new();
    for record in records(kind) {
        let complaints = record.compare(&run(&record), &tolerance_of::<T>(kind));
        failures
            .extend(complaints.iter().map(|message| format!("{}: {message}\n    {:?}", record.name, record.params)));
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} disagreements with PyTorch in {}:\n{}", T::NAME, failures.join("\n"));
}

/// For one pass, for second derivatives, and for ten steps of training alike.
fn tolerance<T: Real>() -> Tolerance {
    Tolerance::of::<T>([1e-11, 1e-13], [1e-5, 2e-6])
}

/// Second derivatives through softmax and normalization are differences of numbers that nearly cancel, and some nets have many
/// layers: single precision loses one more digit there. Twenty steps of a stack enlarge the last bit of its weights as much, in
/// PyTorch too.
fn tolerance_of<T: Real>(kind: &str) -> Tolerance {
    match kind {
        "attention" | "encoder" | "decoder" | "attention_train" | "encoder_train" | "decoder_train" | "bert"
        | "bert_masked_lm" | "bert_classifier" => Tolerance::of::<T>([1e-11, 1e-13], [1e-5, 2e-5]),
        _ => tolerance::<T>(),
    }
}

macro_rules! in_both_precisions {
    ($($test:ident: $kind:literal, $run:path;)*) => { $(
        mod $test {
            #[test]
            fn in_double_precision() {
                crate::check::<f64>($kind, $run);
            }
            #[test]
            fn in_single_precision() {
                crate::check::<f32>($kind, $run);
            }
        }
    )* };
}

in_both_precisions! {
    layers: "layer", crate::passes::layer;
    bilinears: "bilinear", crate::reparametrized::bilinear;
    weight_norms: "weight_norm", crate::reparametrized::weight_norm;
    spectral_norms: "spectral_norm", crate::reparametrized::spectral_norm;
    lstm_cells: "lstm_cell", crate::passes::lstm_cell;
    lstms: "lstm", crate::passes::lstm;
    recurrent_layers: "recurrent", crate::recurrent::layer;
    recurrent_cells: "recurrent_cell", crate::recurrent::cell;
    recurrent_training: "recurrent_train", crate::recurrent::train;
    saliency: "saliency", crate::passes::saliency;
    attention: "attention", crate::transformers::attention;
    attention_steps: "attention_train", crate::transformers::attention_train;
    encoders: "encoder", crate::transformers::encoder;
    encoder_steps: "encoder_train", crate::transformers::encoder_train;
    decoders: "decoder", crate::transformers::decoder;
    decoder_steps: "decoder_train", crate::transformers::decoder_train;
    ten_steps: "train", crate::training::train;
    their_file: "file", crate::from_file;
}

macro_rules! in_single_precision {
    ($($test:ident: $kind:literal, $run:path;)*) => { $(
        #[test]
        fn $test() {
            crate::check::<f32>($kind, $run);
        }
    )* };
}

in_single_precision! {
    bert_agrees: "bert", crate::language::bert;
    bert_guesses_words: "bert_masked_lm", crate::language::masked_lm;
    bert_sorts_texts: "bert_classifier", crate::language::classifier;
}

/// The outputs of a net that was loaded from PyTorch's file.
fn from_file<T: Real>(record: &Record) -> Results<T> {
    let mut net = nets::build::<T>(&record.params.get("net"), &mut Rng::seed_from_u64(1));
    net.load(their_file()).expect("PyTorch's file fits");
    vec![("y0".into(), net.call(&record.inputs()[0], &mut Mode::Eval))]
}

#[test]
fn files_travel_both_ways() {
    let ours = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ours.safetensors");
    let record = &records("file")[0];
    let mut net = nets::build::<f32>(&record.params.get("net"), &mut Rng::seed_from_u64(1));
    net.load(their_file()).expect("PyTorch's file fits");
    net.save(&ours).expect("the folder can be written");
    let (written, _) = load_safetensors::<f32>(&ours).expect("our file can be read");
    let (theirs, _) = load_safetensors::<f32>(their_file()).expect("PyTorch's file can be read");
    // PyTorch counts batches also where nobody asks for the count.
    let needed: Vec<_> = theirs.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).collect();
    assert_eq!(written.len(), needed.len());
    for (name, value) in needed {
        assert_eq!(written.get(name).map(|ours| ours.to_vec()), Some(value.to_vec()), "{name}");
    }
}

#[test]
fn a_wrong_number_is_noticed() {
    let record = &records("lstm_cell")[1];
    let mut results = passes::lstm_cell::<f64>(record);
    assert!(record.compare(&results, &tolerance::<f64>()).is_empty());
    let wrong = &results[0].1 * (1.0 + 1e-7);
    let (name, right) = std::mem::replace(&mut results[0], ("y0".into(), wrong));
    assert!(record.compare(&results, &tolerance::<f64>())[0].starts_with("y0: element"));
    results[0] = (name, right);
    results.retain(|(name, _)| name != "h.weight_hh");
    assert_eq!(record.compare(&results, &tolerance::<f64>()), ["h.weight_hh was not computed"]);
    results.push(("h.no_such".into(), Tensor::from([1e-6])));
    assert!(record.compare(&results, &tolerance::<f64>())[0].starts_with("h.no_such: element 0"));
}
