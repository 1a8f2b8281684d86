//! Real MNIST, where it lies at hand.

use crate::{command, metrics, succeeds};
use std::path::{Path, PathBuf};

/// The folder that holds `mnist/`: `CHAINRULE_DATA`, or `shared/datasets` beside the workspace.
fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    let root = std::env::var_os("CHAINRULE_DATA").map_or(beside, PathBuf::from);
    root.join("mnist").is_dir().then(|| root.canonicalize().unwrap())
}

#[test]
fn three_epochs_of_mnist_are_enough_for_the_mlp() {
    let Some(root) = data() else { return println!("skipped: there is no MNIST under CHAINRULE_DATA") };
    let home = tempfile::tempdir().unwrap();
    let args = ["train", "mlp", "--data", "mnist", "--out", "run"];
    let out = succeeds(&command(home.path(), args).env("CHAINRULE_DATA", &root).output().unwrap());
    let metrics = metrics(&home.path().join("run"));
    assert_eq!(metrics["epochs"].as_array().unwrap().len(), 3);
    assert!(metrics["test"]["accuracy"].as_f64().unwrap() >= 0.972, "{out}");
    let out = succeeds(&command(home.path(), ["datasets"]).env("CHAINRULE_DATA", &root).output().unwrap());
    assert!(out.contains("mnist     70000"), "{out}");
}
