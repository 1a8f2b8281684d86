//! Damaged and foreign models. `crates/models` tests every byte; here, that the commands pass its messages on.

use crate::{fails, prints};
use std::fs;

#[test]
fn damaged_models_are_refused_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("in.csv"), "1,2,3,4\n").unwrap();
    prints(home.path(), &["train", "mlp", "--data", "iris", "--epochs", "1", "--quiet", "--out", "run"]);
    let file = home.path().join("run/model.safetensors");
    let whole = fs::read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut not_a_number = whole.clone();
    not_a_number[header..header + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut long_header = whole.clone();
    long_header[7] = 0x7f;
    let foreign = [&[64, 0, 0, 0, 0, 0, 0, 0][..], format!("{:64}{:4}", EMPTY, "").as_bytes()].concat();
    let cases = [
        (Vec::new(), "too short for a safetensors file"),
        (whole[..4].to_vec(), "too short for a safetensors file"),
        (whole[..header / 2].to_vec(), "cut off"),
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        ([&whole[..], b"x"].concat(), "belong to no tensor"),
        (not_a_number, "fc1.weight holds numbers that are not finite"),
        (long_header, "cut off"),
        (foreign, "its metadata does not say what model it is"),
        (b"not a model, but a text that someone renamed".to_vec(), "cut off"),
    ];
    for (bytes, part) in cases {
        fs::write(&file, bytes).unwrap();
        for args in [&["inspect", "run"][..], &["evaluate", "run"], &["predict", "run", "--input", "in.csv"]] {
            let message = fails(home.path(), args);
            assert!(message.contains(part) && message.contains("run/model.safetensors"), "{message}");
        }
    }
}

/// The header of a file with one tensor of one number, as other programs write it.
const EMPTY: &str = r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
