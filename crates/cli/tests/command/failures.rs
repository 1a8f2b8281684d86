//! Every failure is one line, and leaves everything as it was.

use crate::{command, complaint, fails, names, prints};
use std::fs;

#[test]
fn bad_arguments_say_what_would_be_good() {
    let home = tempfile::tempdir().unwrap();
    for (args, part) in [
        (&["train", "cnnn"][..], "possible values: mlp, cnn, rnn, lstm, gru, cnn-lstm, char-lm"),
        (&["trian"], "tip: a similar subcommand exists: 'train'"),
        (
            &["train", "--data", "digit"],
            "the data sets are digits, iris, wine, mnist (absent: CHAINRULE_DATA is not set)",
        ),
        (&["train", "--data", "mnist"], "set CHAINRULE_DATA to the folder that holds mnist/"),
        (&["train", "--data", "a\nb"], "\"a\\nb\""),
        (
            &["train", "cnn", "--data", "iris"],
            "inputs must be images [channels, height, width], not [4]; the mlp takes any",
        ),
        (&["train", "--epochs", "0"], "'--epochs <N>': must be at least 1"),
        (&["train", "--batch", "many"], "must be a whole number"),
        (&["train", "--lr", "inf"], "must be a number above 0"),
        (&["train", "--lr", "-1"], "-1"),
        (&["train", "--threads", "1000000"], "must be at most 1024"),
        (&["train", "--optimizer", "adm"], "possible values: adam, sgd"),
        (&["train", "--seed", "x\n\ny"], "x; y"),
        (&["train", "--out", ""], "--out <DIR>"),
        (&["train", "mlp", "cnn"], "unexpected argument 'cnn'"),
        (&["evaluate"], "not provided: <DIR>"),
        (&["predict", "x"], "not provided: --input <FILE>"),
        (&["evaluate", "nowhere"], "cannot read nowhere: No such file"),
        (&["evaluate", "."], "cannot read ./model.safetensors: No such file"),
        (&["inspect", "two\nlines"], "two\\nlines"),
    ] {
        let message = fails(home.path(), args);
        assert!(message.contains(part), "{args:?}: {message}");
    }
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_bad_environment_is_named() {
    let home = tempfile::tempdir().unwrap();
    let message = complaint(&command(home.path(), ["datasets"]).env("CHAINRULE_SIMD", "bogus").output().unwrap());
    assert!(message.contains("CHAINRULE_SIMD=bogus"), "{message}");
    let train = ["train", "mlp", "--data", "mnist"];
    let message = complaint(&command(home.path(), train).env("CHAINRULE_DATA", "/nowhere").output().unwrap());
    assert_eq!(message, "there is no folder /nowhere/mnist");
}

#[test]
fn divergence_leaves_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let diverge = |options: &[&str]| {
        let message = fails(home.path(), &[&["train", "mlp", "--data", "iris", "--quiet"], options].concat());
        assert!(
            message.starts_with("training diverged") && message.ends_with("try a smaller learning rate"),
            "{message}"
        );
    };
    // In the midst of training, in the weights after the last step, and only on the test data.
    diverge(&["--lr", "1e300", "--out", "x/y"]);
    diverge(&["--lr", "1e300", "--epochs", "1", "--batch", "1000", "--out", "x/y"]);
    diverge(&["--lr", "1e30", "--epochs", "1", "--batch", "1000", "--out", "x/y"]);
    assert!(names(home.path()).is_empty());

    prints(home.path(), &["train", "mlp", "--data", "iris", "--epochs", "1", "--out", "run"]);
    let files =
        || ["model.safetensors", "metrics.json"].map(|name| fs::read(home.path().join("run").join(name)).unwrap());
    let before = files();
    diverge(&["--lr", "1e300", "--out", "run"]);
    assert!(files() == before && names(&home.path().join("run")).len() == 2);
}

#[test]
fn what_is_in_the_way_is_found_before_training() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "mine").unwrap();
    for (run, file) in [("one", "model.safetensors"), ("two", "metrics.json")] {
        fs::create_dir_all(home.path().join(run).join(file)).unwrap();
    }
    for (out, part) in [
        ("file", "cannot use the folder file: "),
        ("file/x/y", "cannot use the folder file/x/y: "),
        ("one", "there is a folder model.safetensors in it"),
        ("two", "there is a folder metrics.json in it"),
    ] {
        let output = command(home.path(), ["train", "mlp", "--data", "iris", "--out", out]).output().unwrap();
        let message = complaint(&output);
        assert!(message.contains(part) && output.stdout.is_empty(), "{out}: {message}");
    }
    assert_eq!(names(home.path()), ["file", "one", "two"]);
    assert_eq!(names(&home.path().join("one")), ["model.safetensors"]);
    assert_eq!(names(&home.path().join("two")), ["metrics.json"]);
    assert_eq!(fs::read_to_string(home.path().join("file")).unwrap(), "mine");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for args in [&["train", "mlp", "--data", "iris", "--epochs", "1", "--out", "run"][..], &["inspect", "run"]] {
        let message = complaint(&command(home.path(), args).stdout(full()).output().unwrap());
        assert!(message.starts_with("cannot write the output: "), "{message}");
    }
    assert_eq!(names(&home.path().join("run")), ["metrics.json", "model.safetensors"]);
}
