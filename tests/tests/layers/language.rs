//! BERT against Hugging Face's, with the weights of its files; and a GPT whose cache gives what the whole text gives.
//!
//! Where the variable `CHAINRULE_BERT` names a folder that `generate/bert.py --export` wrote, the models there are compared
//! too.

use crate::passes::load;
use chainrule::models::{
    Bert, BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs, Gpt, GptConfig, GptPositions,
    load_bert,
};
use chainrule_layers::{Mode, Module, StateDict, load_safetensors};
use chainrule_optim::{Adam, Optimizer};
use chainrule_tensor::{Mask, Rng, Tensor};
use chainrule_tests::record::{Record, Results};
use chainrule_tests::tree;
use std::path::Path;

fn rng() -> Rng {
    Rng::seed_from_u64(5)
}

fn config(hidden: usize, layers: usize, inner: usize, vocabulary: usize) -> BertConfig {
    BertConfig {
        vocab_size: vocabulary,
        hidden_size: hidden,
        num_hidden_layers: layers,
        num_attention_heads: 2,
        intermediate_size: inner,
        max_position_embeddings: 10,
        ..BertConfig::default()
    }
}

/// A batch as the fixture has it.
struct Batch {
    ids: Vec<usize>,
    shape: [usize; 2],
    types: Vec<usize>,
    mask: Mask,
}

impl Batch {
    fn read(record: &Record) -> Self {
        let mask: Vec<usize> = record.params.get("mask");
        let (ids, shape, types) = (record.params.get("ids"), record.params.get("shape"), record.params.get("types"));
        Batch { ids, shape, types, mask: Mask::from_fn(shape, |i| mask[i] != 0) }
    }

    fn inputs(&self) -> BertInputs<'_> {
        let Batch { ids, shape, types, mask } = self;
        BertInputs { input_ids: ids, shape: *shape, token_type_ids: Some(types), attention_mask: Some(mask) }
    }
}

fn file() -> std::path::PathBuf {
    tree::root().join("tests/fixtures/bert.safetensors")
}

/// The encoder, with the weights of Hugging Face's file under the names that it has there.
fn encoder() -> Bert {
    let mut bert = Bert::new(&config(16, 2, 20, 30), &mut rng()).expect("sizes that make a net");
    bert.load(file()).expect("the file fits");
    bert
}

/// All hidden states, and the pooler's output.
fn states(bert: &Bert, inputs: BertInputs<'_>) -> Vec<Tensor> {
    let mut states = bert.hidden_states(inputs, &mut Mode::Eval);
    states.extend(bert.forward(inputs, &mut Mode::Eval).pooler_output);
    states
}

pub(crate) fn bert(record: &Record) -> Results<f32> {
    let states = states(&encoder(), Batch::read(record).inputs());
    states.into_iter().enumerate().map(|(i, y)| (format!("y{i}"), y)).collect()
}

pub(crate) fn masked_lm(record: &Record) -> Results<f32> {
    let mut model = BertForMaskedLm::new(&config(8, 1, 6, 12), &mut rng()).expect("sizes that make a net");
    load(record, &mut model);
    let batch = Batch::read(record);
    let logits = model.forward(batch.inputs(), &mut Mode::Eval);
    let some = model.forward_at(batch.inputs(), &[1, 6], &mut Mode::Eval);
    let expected = Tensor::stack(&[&logits.select(0, 0).select(0, 1), &logits.select(0, 1).select(0, 2)], 0);
    assert!(some.to_vec().iter().zip(expected.to_vec()).all(|(a, b)| (a - b).abs() < 1e-5));
    vec![("y0".into(), logits)]
}

pub(crate) fn classifier(record: &Record) -> Results<f32> {
    let classes = record.params.get("num_labels");
    let mut model =
        BertForSequenceClassification::new(&config(8, 1, 6, 12), classes, &mut rng()).expect("sizes that make a net");
    load(record, &mut model);
    vec![("y0".into(), model.forward(Batch::read(record).inputs(), &mut Mode::Eval))]
}

#[test]
fn an_encoder_takes_a_head_and_a_head_an_encoder() {
    let encoder = encoder();
    let mut model = BertForSequenceClassification::new(encoder.config(), 3, &mut rng()).expect("sizes that make a net");
    let loaded = load_bert(&mut model, file()).expect("the file fits but for the head");
    assert_eq!((loaded.fresh, loaded.ignored.len()), (vec!["classifier.weight".into(), "classifier.bias".into()], 0));
    let inputs = BertInputs::new(&[1, 2, 3], [1, 3]);
    let pooled = |bert: &Bert| bert.forward(inputs, &mut Mode::Eval).pooler_output.expect("a pooler").to_vec();
    assert_eq!(pooled(&model.bert), pooled(&encoder));

    // Back, through a file of the whole model with what old files have besides.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bert-with-head.safetensors");
    let state: StateDict = model.state_dict();
    let renamed =
        state.iter().map(|(name, value)| (name.replace("LayerNorm.weight", "LayerNorm.gamma"), value.clone()));
    let state: StateDict = renamed.collect();
    chainrule_layers::save_safetensors(&path, &state, &Default::default()).expect("the folder can be written");
    let mut other = Bert::new(encoder.config(), &mut Rng::seed_from_u64(9)).expect("sizes that make a net");
    let loaded = load_bert(&mut other, &path).expect("the file fits");
    assert_eq!(loaded.ignored, ["classifier.weight", "classifier.bias"]);
    assert_eq!(pooled(&other), pooled(&encoder));

    let mut small = Bert::new(&config(16, 1, 20, 30), &mut rng()).expect("sizes that make a net");
    let error = load_bert(&mut small, &path).expect_err("a layer too many").to_string();
    assert!(error.contains("unexpected bert.encoder.layer.1."), "{error}");
}

#[test]
fn exported_models_give_the_same_hidden_states() {
    let Some(folder) = std::env::var_os("CHAINRULE_BERT") else {
        eprintln!("CHAINRULE_BERT is not set: only the small fixture was compared");
        return;
    };
    for entry in std::fs::read_dir(&folder).expect("the folder of generate/bert.py --export") {
        let folder = entry.expect("a folder that stays as it is").path();
        let config = BertConfig::read(folder.join("config.json")).expect("a configuration");
        let mut bert = Bert::new(&config, &mut rng()).expect("sizes that make a net");
        load_bert(&mut bert, folder.join("model.safetensors")).expect("the file fits");
        let (given, _) = load_safetensors::<f32>(folder.join("outputs.safetensors")).expect("outputs");
        let numbers =
            |name: &str| given.get(name).expect("an input").to_vec().into_iter().map(|x| x as usize).collect();
        let mask: Vec<usize> = numbers("mask");
        let shape = given.get("ids").expect("tokens").shape();
        let shape = [shape[0], shape[1]];
        let mask = Mask::from_fn(shape, |i| mask[i] != 0);
        let batch = Batch { ids: numbers("ids"), shape, types: numbers("types"), mask };
        let mut largest = 0f32;
        for (i, ours) in states(&bert, batch.inputs()).iter().enumerate() {
            let theirs = given.get(&format!("y{i}")).expect("a state").to_vec();
            for (a, b) in ours.to_vec().into_iter().zip(theirs) {
                largest = largest.max((a - b).abs());
            }
        }
        eprintln!("{}: the largest difference is {largest:e}", folder.display());
        assert!(largest <= 1e-4, "{}: {largest}", folder.display());
    }
}

fn gpt(positions: GptPositions, tied: bool) -> Gpt {
    let sizes =
        GptConfig { vocabulary: 11, context: 12, features: 16, heads: 2, layers: 2, positions, tied, dropout: 0.0 };
    Gpt::new(&sizes, &mut rng()).expect("sizes that make a net")
}

#[test]
fn a_cache_gives_what_the_whole_text_gives() {
    let tokens: Vec<usize> = (0..20).map(|i| i * i % 11).collect();
    for (positions, tied) in [(GptPositions::Learned, true), (GptPositions::Rotary, false)] {
        let gpt = gpt(positions, tied);
        let whole = gpt.forward(&tokens, [2, 10], &mut Mode::Eval);
        let mut cache = gpt.cache();
        let mut start = 0;
        for length in [4, 1, 1, 3, 1] {
            let part: Vec<usize> = [0, 10].iter().flat_map(|at| &tokens[at + start..][..length]).copied().collect();
            let logits = gpt.forward_with_cache(&part, [2, length], &mut cache, &mut Mode::Eval);
            let expected = whole.narrow(1, start, length);
            assert!(logits.to_vec().iter().zip(expected.to_vec()).all(|(a, b)| (a - b).abs() < 1e-5));
            start += length;
        }
        assert_eq!(cache.len(), 10);
    }
}

#[test]
fn a_gpt_learns_to_count() {
    for (positions, tied) in [(GptPositions::Learned, true), (GptPositions::Rotary, false)] {
        let mut gpt = gpt(positions, tied);
        let mut optimizer = Adam::new(0.01);
        let tokens: Vec<usize> = (0..44).map(|i| (i % 11 + i / 11 * 3) % 11).collect();
        let targets: Vec<usize> = tokens.iter().map(|token| (token + 1) % 11).collect();
        for _ in 0..60 {
            let loss = gpt.forward(&tokens, [4, 11], &mut Mode::Eval).reshape([44, 11]).cross_entropy(&targets);
            let grads = loss.backward();
            drop(loss);
            optimizer.step(&mut gpt, &grads);
        }
        let best = |logits: &[f32]| (0..11).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("tokens");
        // Beyond the context of 12 tokens, too.
        let expected: Vec<usize> = (5..35).map(|i| i % 11).collect();
        assert_eq!(gpt.generate(&[3, 4], 30, best), expected);
    }
}

#[test]
fn bad_sizes_are_refused() {
    for (config, message) in [
        (GptConfig { features: 10, ..Default::default() }, "gpt: 10 features cannot be cut into 4 heads"),
        (
            GptConfig { vocabulary: 0, ..Default::default() },
            "gpt: vocabulary, context, features and heads must be at least 1",
        ),
        (
            GptConfig { features: 12, positions: GptPositions::Rotary, ..Default::default() },
            "gpt: rotary positions need an even number of features in each head, not 3",
        ),
        (GptConfig { dropout: 2.0, ..Default::default() }, "gpt: 2 is no probability of dropout"),
    ] {
        assert_eq!(Gpt::new(&config, &mut rng()).expect_err(message).to_string(), message);
    }
}

#[test]
#[should_panic(expected = "Bert: texts of 11 tokens are longer than max_position_embeddings, 10")]
fn texts_have_a_longest_length() {
    encoder().forward(BertInputs::new(&[1; 11], [1, 11]), &mut Mode::Eval);
}
