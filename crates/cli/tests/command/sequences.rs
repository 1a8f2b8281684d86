//! Time series and text, from training to use.

use crate::{fails, metrics, names, prints};
use std::fs;
use std::path::Path;

/// A column that rises in waves, beside one of text.
fn write_series(folder: &Path, steps: usize) {
    let value = |t: usize| 50.0 + 0.5 * t as f64 + 10.0 * (t as f64 * std::f64::consts::TAU / 6.0).sin();
    let rows: String = (0..steps).map(|t| format!("day {t},{:.3}\n", value(t))).collect();
    fs::write(folder.join("sales.csv"), format!("Day,Sold\n{rows}")).unwrap();
}

#[test]
fn a_column_is_learned_judged_and_continued() {
    let home = tempfile::tempdir().unwrap();
    write_series(home.path(), 150);
    let train = ["train", "lstm", "--data", "sales.csv", "--target", "Sold", "--window", "12", "--horizon", "3"];
    let log = prints(home.path(), &[&train[..], &["--epochs", "80"]].concat());
    assert!(log.contains("sales: 150 steps, the last 15 held out, a season of 6.0 steps"), "{log}");
    assert!(log.contains("RMSE below the naive forecast's by"), "{log}");
    let run = home.path().join("runs/lstm-sales");
    assert_eq!(names(&run), ["metrics.json", "model.safetensors"]);
    let metrics = metrics(&run);
    assert_eq!(metrics["task"], "forecasting");
    let rmse = |of: &serde_json::Value| of["rmse"].as_f64().unwrap();
    let test = &metrics["test"];
    assert!(rmse(test) < 0.5 * rmse(&test["naive"]) && rmse(test) < rmse(&test["seasonal_naive"]), "{test}");
    assert!(test["mae"].as_f64().unwrap() <= rmse(test) && test["mape"].as_f64().unwrap() < 0.1, "{test}");

    let judged = prints(home.path(), &["evaluate", "runs/lstm-sales"]);
    assert!(log.contains(judged.trim_end()), "{judged}");
    let forecast = prints(home.path(), &["predict", "runs/lstm-sales", "--input", "sales.csv"]);
    let rows: Vec<&str> = forecast.lines().collect();
    assert_eq!((rows[0], rows.len()), ("step,Sold", 4));
    let first: f64 = rows[1].strip_prefix("1,").unwrap().parse().unwrap();
    // 50 + 75 + 10 sin(0)
    assert!((first - 125.0).abs() < 6.0, "{forecast}");
    let shown = prints(home.path(), &["inspect", "runs/lstm-sales"]);
    assert!(shown.contains("window 12, horizon 3") && shown.contains("rnn.weight_hh_l0"), "{shown}");
}

#[test]
fn a_text_is_learned_judged_and_continued() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("verse.txt"), "to be or not to be, that is the question.\n".repeat(60)).unwrap();
    let options = ["--hidden", "32", "--length", "32", "--batch", "8", "--epochs", "12", "--lr", "0.01"];
    let log = prints(home.path(), &[&["train", "char-lm", "--data", "verse.txt"][..], &options].concat());
    assert!(log.contains("training and 252 test tokens, a vocabulary of 16"), "{log}");
    let run = "runs/char-lm-verse";
    let metrics = metrics(&home.path().join(run));
    let bits = metrics["test"]["bits_per_character"].as_f64().unwrap();
    let perplexity = metrics["test"]["perplexity"].as_f64().unwrap();
    assert!(bits < 1.0 && (perplexity.log2() - bits).abs() < 1e-9, "{metrics}");
    assert!(log.contains(prints(home.path(), &["evaluate", run]).trim_end()));

    let generate = ["generate", run, "--prompt", "to be or ", "--length", "12", "--temperature", "0"];
    assert_eq!(prints(home.path(), &generate), "to be or not to be, t\n");
    let hot = ["generate", run, "--length", "40", "--temperature", "2", "--top-k", "5", "--seed", "3"];
    let text = prints(home.path(), &hot);
    assert_eq!(text.chars().count(), 41);
    assert_eq!(text, prints(home.path(), &hot));
}

#[test]
fn a_series_can_be_generated() {
    let home = tempfile::tempdir().unwrap();
    let train = ["train", "gru", "--data", "mackey-glass", "--epochs", "2", "--season", "none"];
    let log = prints(home.path(), &train);
    assert!(log.contains("mackey-glass: 2000 steps, the last 200 held out\n"), "{log}");
    assert!(log.contains(prints(home.path(), &["evaluate", "runs/gru-mackey-glass"]).trim_end()));
}

#[test]
fn bad_input_is_one_clear_line() {
    let home = tempfile::tempdir().unwrap();
    write_series(home.path(), 20);
    fs::write(home.path().join("empty.csv"), "Day,Sold\n").unwrap();
    fs::write(home.path().join("nothing.csv"), "").unwrap();
    fs::write(home.path().join("holes.csv"), "Day,Sold\n1,2\n2,\n").unwrap();
    fs::write(home.path().join("large.csv"), "Day,Sold\n1,2\n2,1e39\n").unwrap();
    fs::write(home.path().join("empty.txt"), "").unwrap();
    fs::write(home.path().join("long.txt"), "to be or n".repeat(10)).unwrap();
    fs::write(home.path().join("short.txt"), "ab").unwrap();
    fs::write(home.path().join("binary.txt"), [0xff, 0xfe, 0]).unwrap();
    for (args, part) in [
        (&["lstm", "--data", "empty.csv", "--target", "Sold"][..], "empty.csv: there is no row of values below"),
        (&["lstm", "--data", "nothing.csv", "--target", "Sold"], "nothing.csv: the file is empty"),
        (&["lstm", "--data", "holes.csv", "--target", "Sold"], "line 3, column \"Sold\": \"\" is no finite number"),
        (
            &["lstm", "--data", "sales.csv", "--target", "Price"],
            "no column \"Price\"; the columns are \"Day\", \"Sold\"",
        ),
        (&["lstm", "--data", "sales.csv", "--target", "Day"], "line 2, column \"Day\": \"day 0\" is no finite number"),
        (&["lstm", "--data", "sales.csv"], "which column of sales.csv to forecast: --target COLUMN"),
        (&["gru", "--data", "sales.csv", "--target", "Sold"], "a window of 24 and a horizon of 1 do not fit"),
        (&["gru", "--data", "sales.csv", "--target", "Sold", "--window", "9", "--held-out", "30"], "30 are held out"),
        (&["rnn", "--data", "sales.csv", "--target", "Sold", "--window", "0"], "must be at least 1"),
        (&["rnn", "--data", "none.csv", "--target", "Sold"], "cannot read none.csv: No such file"),
        (&["rnn", "--data", "mackey-glass", "--target", "x"], "mackey-glass has no column \"x\""),
        (
            &["lstm", "--data", "sales.csv", "--target", "Sold", "--length", "3"],
            "--length means nothing for forecasting",
        ),
        (&["lstm", "--data", "sales.csv", "--covariates", "Sold"], "say which with --target COLUMN"),
        (&["lstm", "--data", "sales.csv", "--target", "Sold", "--covariates", "Sold"], "\"Sold\" is asked for twice"),
        (
            &["lstm", "--data", "sales.csv", "--target", "Sold", "--window", "4", "--hidden", "10000000"],
            "no memory for",
        ),
        (&["lstm", "--data", "large.csv", "--target", "Sold"], "large.csv: line 3, column \"Sold\": 1e39 is beyond"),
        (&["mlp", "--target", "x"], "--target means nothing for classification"),
        (&["lstm", "--target", "Sold"], "say in which series the column is: --data FILE"),
        (&["char-lm", "--data", "long.txt", "--net", "gpt", "--hidden", "4000000", "--length", "9"], "no memory for"),
        (&["mlp", "--held-out", "5"], "--held-out means nothing for classification"),
        (&["mlp", "--data", "sales.csv"], "sales.csv is a file, but a classifier learns from"),
        (&["char-lm", "--data", "long.txt", "--vocabulary", "9"], "--vocabulary means nothing for characters"),
        (&["char-lm", "--data", "long.txt", "--heads", "2"], "--heads means nothing without --net gpt"),
        (&["char-lm", "--data", "long.txt", "--length", "91"], "--length 91 is more than the 90 tokens"),
        (&["char-lm", "--data", "short.txt"], "the text is too short: of 2 tokens"),
        (&["char-lm", "--data", "short.txt", "--held-out", "90"], "0 are left for the training part"),
        (&["char-lm", "--data", "empty.txt"], "empty.txt: the file is empty"),
        (&["char-lm", "--data", "binary.txt"], "binary.txt: this is no UTF-8 text"),
        (&["char-lm", "--data", "none.txt"], "none.txt: No such file"),
        (&["char-lm"], "say which text to learn: --data FILE"),
        (&["char-lm", "--data", "short.txt", "--length", "0"], "must be at least 1"),
        (&["char-lm", "--data", "short.txt", "--window", "4"], "--window means nothing for language models"),
        (&["char-lm", "--data", "short.txt", "--held-out", "1.5"], "a share between 0 and 1 or a whole number"),
        (&["char-lm", "--data", "short.txt", "--tokens", "words", "--vocabulary", "1"], "a size of at least 2"),
    ] {
        let message = fails(home.path(), &[&["train"], args].concat());
        assert!(message.contains(part), "{args:?}: {message}");
    }
    assert!(!home.path().join("runs").exists());
    prints(home.path(), &["train", "mlp", "--data", "iris", "--epochs", "1"]);
    let message = fails(home.path(), &["generate", "runs/mlp-iris"]);
    assert_eq!(message, "runs/mlp-iris holds no language model");
}
