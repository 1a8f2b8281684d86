//! Data in a folder of IDX files.

use crate::{fails, idx, metrics, names, prints};
use std::fs;
use std::path::Path;

/// Writes a folder of 6x6 images, in which class `k` has a bright row `k`.
fn write(folder: &Path, train: &[u8], test: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    for (part, labels) in [("train", train), ("t10k", test)] {
        let pixel =
            |(i, k): (usize, u8), at: usize| if at / 6 == k as usize { 200 + i as u8 % 50 } else { (at % 7) as u8 };
        let pixels: Vec<u8> =
            labels.iter().copied().enumerate().flat_map(|sample| (0..36).map(move |at| pixel(sample, at))).collect();
        let n = labels.len() as u32;
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), idx(&[n, 6, 6], &pixels)).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), idx(&[n], labels)).unwrap();
    }
}

#[test]
fn a_folder_is_learned_judged_and_named() {
    let home = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = (0..60).map(|i| i % 3).collect();
    write(&home.path().join("my/rows"), &labels, &labels[..9]);
    prints(home.path(), &["train", "cnn", "--data", "my/rows", "--epochs", "30"]);
    let run = home.path().join("runs/cnn-rows");
    let metrics = metrics(&run);
    assert_eq!((metrics["data"].as_str(), metrics["test"]["accuracy"].as_f64()), (Some("my/rows"), Some(1.0)));

    // Test data in which the last classes happen not to occur, and some with a class too many.
    write(&home.path().join("fewer"), &[0, 1], &[0, 1, 1]);
    let out = prints(home.path(), &["evaluate", "runs/cnn-rows", "--data", "fewer"]);
    assert!(out.contains("accuracy   100.00 %") && out.lines().last().unwrap().starts_with('2'), "{out}");
    write(&home.path().join("more"), &[0, 3], &[0, 1]);
    let message = fails(home.path(), &["evaluate", "runs/cnn-rows", "--data", "more"]);
    assert_eq!(message, "the model knows 3 classes, the data has 4");
    let message = fails(home.path(), &["evaluate", "runs/cnn-rows", "--data", "iris"]);
    assert_eq!(message, "the model takes inputs of shape [1, 6, 6], not [4]");
}

#[test]
fn films_are_learned() {
    let home = tempfile::tempdir().unwrap();
    // A dot that goes right in class 0, left in class 1.
    let film = |class: usize| (0..4 * 64).map(move |at| if at % 8 == [at / 64, 7 - at / 64][class] { 255 } else { 0 });
    let folder = home.path().join("films");
    fs::create_dir(&folder).unwrap();
    for part in ["train", "t10k"] {
        let films: Vec<u8> = (0..32).flat_map(|i| film(i % 2)).collect();
        let labels: Vec<u8> = (0..32).map(|i| i % 2).collect();
        fs::write(folder.join(format!("{part}-images-idx4-ubyte")), idx(&[32, 4, 8, 8], &films)).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), idx(&[32], &labels)).unwrap();
    }
    prints(home.path(), &["train", "cnn-lstm", "--data", "films", "--epochs", "30"]);
    assert_eq!(metrics(&home.path().join("runs/cnn-lstm-films"))["test"]["accuracy"].as_f64(), Some(1.0));
    let input = ["predict", "runs/cnn-lstm-films", "--input", "films/t10k-images-idx4-ubyte"];
    let classes: Vec<String> = prints(home.path(), &input).lines().skip(1).map(|line| line[..1].into()).collect();
    assert!(classes.iter().enumerate().all(|(i, class)| class == ["0", "1"][i % 2]), "{classes:?}");
    let message = fails(home.path(), &["train", "cnn-lstm"]);
    assert!(message.contains("inputs must be films [frames, channels, height, width], not [1, 8, 8]"), "{message}");
}

#[test]
fn damage_is_named_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let check = |file: &str, content: Option<&[u8]>, part: &str| {
        write(&folder, &[0, 1, 2, 0], &[0, 1]);
        match content {
            Some(content) => fs::write(folder.join(file), content).unwrap(),
            None => fs::remove_file(folder.join(file)).unwrap(),
        }
        let message = fails(home.path(), &["train", "mlp", "--data", "data", "--out", "new/run"]);
        assert!(message.contains(part), "{message}");
        assert_eq!(names(home.path()), ["data"]);
    };
    let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    check(labels, None, "data has none of train-labels-idx1-ubyte");
    check(labels, Some(&idx(&[4], &[0, 1, 10, 0])), "sample 2 (from 0) has label 10, above 9");
    check(labels, Some(&idx(&[3], &[0, 1, 2])), "3 labels for the 4 images");
    check(labels, Some(b""), "the file is empty");
    check(images, Some(&idx(&[4, 6, 6], &[0; 100])), "cut short");
    check(images, Some(&idx(&[u32::MAX, u32::MAX, u32::MAX], &[])), "more than can be addressed");
    check(images, Some(&idx(&[u32::MAX, 28, 28], &[1])), "cut short");
    check(images, Some(&idx(&[0, 6, 6], &[])), "there are no images");
    check(images, Some(b"\x1f\x8b\x08\0\0\0\0\0\0\xffxx"), "train-images");
    check("t10k-images-idx3-ubyte", Some(&idx(&[2, 5, 5], &[0; 50])), "[5, 5]");
    check("t10k-labels-idx1-ubyte", Some(b"text, not IDX"), "not an IDX file");
}

#[test]
fn images_too_small_for_the_net_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for (part, n) in [("train", 4), ("t10k", 2)] {
        fs::write(home.path().join(format!("{part}-images-idx3-ubyte")), idx(&[n, 3, 3], &vec![1; 9 * n as usize]))
            .unwrap();
        fs::write(home.path().join(format!("{part}-labels-idx1-ubyte")), idx(&[n], &vec![0; n as usize])).unwrap();
    }
    let message = fails(home.path(), &["train", "cnn", "--data", "."]);
    assert_eq!(message, "cnn: images of [3, 3] are too small for 2 poolings");
}
