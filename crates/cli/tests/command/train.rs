//! Training: results, files, output.

use crate::{command, metrics, names, prints, succeeds};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;

#[test]
fn no_arguments_train_a_good_net_on_digits() {
    let home = tempfile::tempdir().unwrap();
    let out = prints(home.path(), &[]);
    let run = home.path().join("runs/cnn-digits");
    assert!(metrics(&run)["test"]["accuracy"].as_f64().unwrap() >= 0.98, "{out}");
    for part in
        ["cnn on digits: 1438 training and 359 test samples", "epoch ", "accuracy ", "precision ", "recall ", "F1 "]
    {
        assert!(out.contains(part), "no {part} in {out}");
    }
    assert!(out.ends_with("\nsaved runs/cnn-digits/model.safetensors\nsaved runs/cnn-digits/metrics.json\n"), "{out}");
    assert_eq!(names(&run), ["metrics.json", "model.safetensors"]);
}

#[test]
fn tables_are_learned_with_either_optimizer() {
    let home = tempfile::tempdir().unwrap();
    for data in ["digits", "iris", "wine"] {
        for optimizer in ["adam", "sgd"] {
            let out = prints(home.path(), &["train", "mlp", "--data", data, "--optimizer", optimizer, "--out", "run"]);
            let accuracy = metrics(&home.path().join("run"))["test"]["accuracy"].as_f64().unwrap();
            assert!(accuracy > 0.9, "{data}, {optimizer}: {out}");
        }
    }
}

/// Metrics without what the machine and the number of threads decide.
fn timeless(run: &Path) -> Value {
    let mut metrics = metrics(run);
    let fields = metrics.as_object_mut().unwrap();
    fields.remove("train_seconds").unwrap();
    fields.remove("threads").unwrap();
    for epoch in fields["epochs"].as_array_mut().unwrap() {
        epoch.as_object_mut().unwrap().remove("seconds").unwrap();
    }
    metrics
}

#[test]
fn a_seed_gives_the_same_bits_with_any_number_of_threads() {
    let home = tempfile::tempdir().unwrap();
    let train = |model: &str, seed: &str, threads: &str| {
        let out = format!("{model}-{seed}-{threads}");
        let options = ["--epochs", "2", "--quiet", "--seed", seed, "--threads", threads, "--out", &out];
        prints(home.path(), &[&["train", model], &options[..]].concat());
        let run = home.path().join(out);
        assert_eq!(metrics(&run)["threads"].to_string(), threads);
        (fs::read(run.join("model.safetensors")).unwrap(), timeless(&run))
    };
    for model in ["mlp", "cnn"] {
        let one = train(model, "7", "1");
        for threads in ["1", "2", "3"] {
            assert!(train(model, "7", threads) == one, "{model} with {threads} threads");
        }
        assert!(train(model, "8", "1").0 != one.0);
    }
}

#[test]
fn metrics_have_the_promised_shape() {
    let home = tempfile::tempdir().unwrap();
    let options = ["--data", "wine", "--seed", "5", "--threads", "1", "--epochs", "3", "--out", "."];
    prints(home.path(), &[&["train", "mlp"], &options[..]].concat());
    let metrics = metrics(home.path());
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    assert_eq!(keys(&metrics), set(&["model", "data", "task", "seed", "threads", "epochs", "test", "train_seconds"]));
    assert_eq!(keys(&metrics["test"]), set(&["loss", "accuracy", "precision", "recall", "f1"]));
    assert!(metrics["test"].as_object().unwrap().values().all(Value::is_f64));
    let expected = ["mlp", "wine", "classification"].map(Value::from);
    assert_eq!([&metrics["model"], &metrics["data"], &metrics["task"]], expected.each_ref());
    assert_eq!((metrics["seed"].as_u64(), metrics["threads"].as_u64()), (Some(5), Some(1)));
    let epochs = metrics["epochs"].as_array().unwrap();
    assert!(epochs.iter().map(|epoch| epoch["epoch"].as_u64().unwrap()).eq(1..=3));
    assert!(epochs.iter().all(|epoch| keys(epoch) == set(&["epoch", "loss", "accuracy", "seconds"])));
    assert!(metrics["train_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn evaluation_repeats_the_judgment_of_training() {
    let home = tempfile::tempdir().unwrap();
    for (data, seed) in [("iris", "3"), ("digits", "4")] {
        let out =
            prints(home.path(), &["train", "mlp", "--data", data, "--seed", seed, "--epochs", "4", "--out", "run"]);
        let start = out.find("test loss").unwrap();
        let end = out.find("\nsaved").unwrap();
        let judgment = prints(home.path(), &["evaluate", "run"]);
        assert_eq!(judgment, out[start..end]);
        assert_eq!(prints(home.path(), &["evaluate", "run/model.safetensors", "--data", data]), judgment);
        let test = &metrics(&home.path().join("run"))["test"];
        assert!(judgment.starts_with(&format!("test loss  {:.4} ", test["loss"].as_f64().unwrap())));
        for (line, key) in [("accuracy   ", "accuracy"), ("F1         ", "f1")] {
            assert!(judgment.contains(&format!("{line}{:.2} %", 100.0 * test[key].as_f64().unwrap())), "{judgment}");
        }
    }
}

#[test]
fn the_confusion_matrix_is_aligned() {
    let home = tempfile::tempdir().unwrap();
    for data in ["iris", "digits"] {
        let out = prints(home.path(), &["train", "mlp", "--data", data, "--epochs", "1", "--out", "run"]);
        let matrix = out.split("predicted)\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let widths: Vec<usize> = matrix.lines().map(str::len).collect();
        assert_eq!(widths.len(), if data == "iris" { 4 } else { 11 });
        assert!(widths.iter().all(|width| *width == widths[0]), "{matrix}");
    }
}

#[test]
fn quiet_prints_nothing_and_folders_are_made() {
    let home = tempfile::tempdir().unwrap();
    let args = ["train", "mlp", "--data", "iris", "--epochs", "1", "--quiet", "--out", "a/b/../c"];
    for _ in 0..2 {
        assert_eq!(prints(home.path(), &args), "");
        assert_eq!(names(&home.path().join("a/c")), ["metrics.json", "model.safetensors"]);
    }
}

#[test]
fn another_run_replaces_the_files_and_leaves_the_rest() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("notes"), "mine").unwrap();
    for seed in ["1", "2"] {
        prints(home.path(), &["train", "mlp", "--data", "iris", "--epochs", "1", "--seed", seed, "--out", "."]);
        assert_eq!(metrics(home.path())["seed"].to_string(), seed);
    }
    assert_eq!(names(home.path()), ["metrics.json", "model.safetensors", "notes"]);
}

#[test]
fn a_reader_that_leaves_costs_neither_model_nor_panic() {
    let home = tempfile::tempdir().unwrap();
    let unread = |args: &[&str]| {
        let mut child = command(home.path(), args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        succeeds(&child.wait_with_output().unwrap())
    };
    unread(&["train", "mlp", "--data", "iris", "--epochs", "2", "--out", "run"]);
    assert_eq!(names(&home.path().join("run")), ["metrics.json", "model.safetensors"]);
    for args in [&["inspect", "run"][..], &["evaluate", "run"], &["datasets"], &["train", "--help"]] {
        unread(args);
    }
}

#[test]
fn every_command_has_help() {
    let home = tempfile::tempdir().unwrap();
    let help = prints(home.path(), &["--help"]);
    for command in ["train", "evaluate", "predict", "inspect", "datasets"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let help = prints(home.path(), &[command, "--help"]);
        assert!(help.contains(&format!("Usage: chainrule {command}")), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    let help = prints(home.path(), &["train", "--help"]);
    for flag in ["data", "epochs", "batch", "lr", "optimizer", "seed", "threads", "out", "quiet"] {
        assert!(help.contains(&format!("--{flag}")), "{help}");
    }
}

#[test]
fn a_saved_model_can_be_inspected() {
    let home = tempfile::tempdir().unwrap();
    prints(home.path(), &["train", "cnn", "--epochs", "1", "--quiet", "--out", "run"]);
    let out = prints(home.path(), &["inspect", "run"]);
    let rows: Vec<Vec<&str>> =
        out.lines().map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect()).collect();
    let row = |name: &str| rows.iter().find(|row| row.first() == Some(&name)).unwrap_or_else(|| panic!("{out}"));
    assert_eq!(row("conv1")[2..].iter().map(|cell| cell.trim()).collect::<Vec<_>>(), ["[32, 8, 8]", "320"]);
    assert_eq!(row("pool2")[2..].iter().map(|cell| cell.trim()).collect::<Vec<_>>(), ["[64, 2, 2]", "0"]);
    assert!(out.ends_with("\n53002 parameters\n"), "{out}");
}

#[test]
fn embedded_data_sets_are_listed() {
    let home = tempfile::tempdir().unwrap();
    let out = prints(home.path(), &["datasets"]);
    for part in ["digits     1797", "iris        150", "wine        178", "mnist: set CHAINRULE_DATA (now not set)"] {
        assert!(out.contains(part), "no {part} in {out}");
    }
}
