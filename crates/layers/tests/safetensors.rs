//! Safetensors files: what is written comes back, other programs agree, and damage is an error.

use chainrule_layers::{
    BatchNorm2d, Layer, Linear, Metadata, Module, Param, Sequential, StateDict, load_safetensors, save_safetensors,
};
use chainrule_tensor::{Rng, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn state() -> StateDict {
    let mut state = StateDict::new();
    state.insert("z.weight", &Tensor::from([[1.0, -2.5], [f32::MIN_POSITIVE, 1e30]]));
    state.insert("a \"quoted\"\n name", &Tensor::from([0.1, 0.2, 0.3]));
    state.insert("scalar", &Tensor::scalar(7.0));
    state.insert("empty", &Tensor::zeros([3, 0, 2]));
    state
}

fn metadata() -> Metadata {
    [("format", "pt"), ("config", "{\"layers\": [1, 2]}"), ("zeta", "ζ")].map(|(k, v)| (k.into(), v.into())).into()
}

/// Names, shapes and values.
fn content(state: &StateDict<f32>) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    state.iter().map(|(name, t)| (name.into(), t.shape().to_vec(), t.to_vec())).collect()
}

fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("file.safetensors");
    fs::write(&path, bytes).unwrap();
    path
}

/// A file with this header and this many bytes of numbers.
fn file(header: &str, numbers: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; numbers][..]].concat()
}

/// The message for a file with these bytes, without the path.
fn error_of(folder: &TempDir, bytes: &[u8]) -> String {
    let path = write(folder, bytes);
    let error = load_safetensors::<f32>(&path).expect_err("the file is damaged").to_string();
    assert!(!error.contains('\n'), "{error}");
    error.strip_prefix(&format!("{}: ", path.display())).expect("the message begins with the path").into()
}

#[test]
fn what_is_written_comes_back() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    save_safetensors(&path, &state(), &metadata()).unwrap();
    let (loaded, texts) = load_safetensors(&path).unwrap();
    assert_eq!(texts, metadata());
    let by_name = |state| {
        let mut content = content(state);
        content.sort_by(|a, b| a.0.cmp(&b.0));
        content
    };
    assert_eq!(by_name(&loaded), by_name(&state()));

    let bytes = fs::read(&path).unwrap();
    save_safetensors(&path, &state(), &metadata()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "the same state gives the same bytes");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn tensors_keep_their_order() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let state: StateDict = ["z", "m", "a"].into_iter().map(|name| (name.to_string(), Tensor::ones(2))).collect();
    save_safetensors(&path, &state, &Metadata::new()).unwrap();
    assert_eq!(content(&load_safetensors(&path).unwrap().0), content(&state));
}

#[test]
fn views_are_written_in_row_major_order() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let mut state = StateDict::new();
    state.insert("t", &Tensor::<f32>::arange(6).reshape([2, 3]).t());
    save_safetensors(&path, &state, &Metadata::new()).unwrap();
    assert_eq!(load_safetensors::<f32>(&path).unwrap().0.get("t").unwrap().to_vec(), [0., 3., 1., 4., 2., 5.]);
}

#[test]
fn numbers_are_converted() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let mut state = StateDict::new();
    state.insert("x", &Tensor::from([0.1f64, 1e300]));
    save_safetensors(&path, &state, &Metadata::new()).unwrap();
    assert_eq!(load_safetensors::<f64>(&path).unwrap().0.get("x").unwrap().to_vec(), [0.1, 1e300]);
    assert_eq!(load_safetensors::<f32>(&path).unwrap().0.get("x").unwrap().to_vec(), [0.1, f32::INFINITY]);
    let mut state32 = StateDict::new();
    state32.insert("x", &Tensor::from([0.1f32]));
    save_safetensors(&path, &state32, &Metadata::new()).unwrap();
    assert_eq!(load_safetensors::<f64>(&path).unwrap().0.get("x").unwrap().to_vec(), [f64::from(0.1f32)]);
}

#[test]
fn the_reference_implementation_reads_what_we_write() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    save_safetensors(&path, &state(), &metadata()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.len(), 4);
    for (name, tensor) in state().iter() {
        let view = read.tensor(name).unwrap();
        assert_eq!((view.dtype(), view.shape()), (Dtype::F32, &tensor.shape()[..]));
        let expected: Vec<u8> = tensor.to_vec().iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(view.data(), expected);
    }
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().clone().unwrap().into_iter().collect::<Metadata>(), metadata());
}

#[test]
fn what_pytorch_writes_is_read() {
    let count = 17i64.to_le_bytes();
    let floats: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let doubles: Vec<u8> = [4.0f64, 5.0, 6.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let view = |dtype, shape: &[usize], data| TensorView::new(dtype, shape.into(), data).unwrap();
    let entries = || {
        [
            ("bn.weight", view(Dtype::F32, &[3], &floats)),
            ("bn.bias", view(Dtype::F32, &[3], &floats)),
            ("bn.running_mean", view(Dtype::F64, &[3], &doubles)),
            ("bn.running_var", view(Dtype::F32, &[3], &floats)),
            ("bn.num_batches_tracked", view(Dtype::I64, &[], &count)),
        ]
    };
    #[derive(Module)]
    #[module(crate = chainrule_layers)]
    struct Net {
        bn: BatchNorm2d,
    }
    let folder = folder();
    let mut net = Net { bn: BatchNorm2d::new(3) };
    let path = write(&folder, &safetensors::serialize(entries(), None).unwrap());
    net.load(&path).unwrap();
    assert_eq!(net.bn.running_mean.unwrap().get().to_vec(), [4.0, 5.0, 6.0]);
    assert_eq!(net.bn.weight.unwrap().to_vec(), [1.0, 2.0, 3.0]);

    let half = [0u8; 6];
    let entries = entries().into_iter().chain([("fc.weight", view(Dtype::F16, &[3], &half))]);
    let error = error_of(&folder, &safetensors::serialize(entries, None).unwrap());
    assert_eq!(error, "\"fc.weight\" has numbers of type \"F16\"; only F32 and F64 can be read");
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    save_safetensors(&path, &state(), &metadata()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        assert!(!error_of(&folder, &bytes[..length]).is_empty());
    }
    let error = error_of(&folder, &[&bytes[..], &[0]].concat());
    assert_eq!(error, "damaged: 1 bytes belong to no tensor");
}

#[test]
fn no_damage_panics() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    save_safetensors(&path, &state(), &metadata()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut failures = 0;
    for position in 0..bytes.len() {
        for value in [b'9', b'}', 0xff, bytes[position] ^ 1] {
            let mut damaged = bytes.clone();
            damaged[position] = value;
            match load_safetensors::<f32>(write(&folder, &damaged)) {
                // A changed number, or a changed letter of a text, is not noticed.
                Ok((state, _)) => assert!(state.len() <= 4),
                Err(error) => {
                    failures += 1;
                    assert!(!error.to_string().contains('\n'), "{error}");
                }
            }
        }
    }
    assert!(failures > bytes.len());
}

#[test]
fn false_claims_are_errors() {
    let folder = folder();
    for (header, numbers, message) in [
        ("[]", 0, "the header is damaged: it is no object"),
        ("{\"a\": 3}", 0, "the header's entry for \"a\" is damaged"),
        ("{\"__metadata__\": {\"a\": 3}}", 0, "the metadata are damaged: they are no texts by key"),
        (
            // Larger than any memory.
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [1099511627776], \"data_offsets\": [0, 4398046511104]}}",
            8,
            "cut off or damaged: \"a\" should lie at 0..4398046511104 of 8 bytes",
        ),
        (
            // Sizes that overflow when multiplied, in either order.
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [0, 9223372036854775808, 4], \"data_offsets\": [0, 0]}}",
            0,
            "the header's entry for \"a\" is damaged",
        ),
        (
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}}",
            8,
            "the header's entry for \"a\" is damaged",
        ),
        (
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 8]}}",
            8,
            "the header's entry for \"a\" is damaged",
        ),
        (
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 8]}}",
            8,
            "\"a\" of shape [3] cannot have 8 bytes",
        ),
        (
            // The same bytes twice.
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},
              \"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}",
            8,
            "cut off or damaged: \"b\" should lie at 0..8 of 8 bytes",
        ),
        (
            "{\"n.num_batches_tracked\": {\"dtype\": \"F16\", \"shape\": [], \"data_offsets\": [0, 2]}}",
            2,
            "\"n.num_batches_tracked\" has numbers of type \"F16\"; only F32 and F64 can be read",
        ),
        (
            "{\"steps\": {\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [0, 8]}}",
            8,
            "\"steps\" has numbers of type \"I64\"; only F32 and F64 can be read",
        ),
    ] {
        assert_eq!(error_of(&folder, &file(header, numbers)), message);
    }
    assert_eq!(error_of(&folder, &[0xff; 20]), "no safetensors file, or cut off within its header");
    let deep = "[".repeat(100_000);
    assert!(error_of(&folder, &file(&deep, 0)).starts_with("the header is damaged: "));
}

#[test]
fn files_that_cannot_be_opened_are_named() {
    let folder = folder();
    let message = |path: &Path| load_safetensors::<f32>(path).unwrap_err().to_string();
    let absent = folder.path().join("absent.safetensors");
    assert!(message(&absent).starts_with(&format!("cannot read {}: ", absent.display())));
    assert!(message(folder.path()).starts_with("cannot read "));

    let nowhere = folder.path().join("no/such/folder.safetensors");
    let error = save_safetensors(&nowhere, &state(), &metadata()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", nowhere.display())), "{error}");
    let error = save_safetensors("..", &state(), &metadata()).unwrap_err().to_string();
    assert_eq!(error, "cannot write ..: this is no name for a file");
}

#[test]
fn a_failed_save_leaves_nothing_behind() {
    let folder = folder();
    // A folder with something in it cannot be replaced by a file.
    let target = folder.path().join("model.safetensors");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("kept"), "kept").unwrap();
    save_safetensors(&target, &state(), &metadata()).unwrap_err();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert!(target.join("kept").exists());

    let mut reserved = state();
    reserved.insert("__metadata__", &Tensor::zeros(1));
    let path = folder.path().join("reserved.safetensors");
    save_safetensors(&path, &reserved, &Metadata::new()).unwrap_err();
    assert!(!path.exists());
}

#[test]
fn modules_save_and_load_themselves() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let net = |seed| Sequential::new().add(Linear::<f32>::new(2, 3, &mut Rng::seed_from_u64(seed)));
    let (trained, mut fresh) = (net(1), net(2));
    trained.save(&path).unwrap();
    fresh.load(&path).unwrap();
    assert_eq!(content(&fresh.state_dict()), content(&trained.state_dict()));

    let mut boxed: Box<dyn Layer> = Box::new(net(3));
    boxed.load(&path).unwrap();
    assert_eq!(content(&boxed.state_dict()), content(&trained.state_dict()));

    let mut other = vec![Param::new(Tensor::from([1.0f32]))];
    let error = other.load(&path).unwrap_err().to_string();
    let expected = "the state does not fit the module: missing 0; unexpected 0.weight, 0.bias";
    assert_eq!(error, format!("{}: {expected}", path.display()));
    assert_eq!(other[0].item(), 1.0);
}
