//! Predictions for CSV and IDX files.

use crate::{fails, idx, prints};
use std::fs;
use std::io::Write;
use std::path::Path;

/// One sample of each of iris's species, near the middle of each.
const ROWS: [&str; 3] = ["5.0,3.4,1.5,0.2", "5.9,2.8,4.3,1.3", "6.6,3.0,5.6,2.0"];
const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

fn trained_on_iris(home: &Path) {
    prints(home, &["train", "mlp", "--data", "iris", "--quiet", "--out", "run"]);
}

#[test]
fn tables_are_read_as_programs_write_them() {
    let home = tempfile::tempdir().unwrap();
    trained_on_iris(home.path());
    let plain = ROWS.join("\n");
    let spaced = ROWS.map(|row| row.replace(',', " ,\t")).join("\n \n\n");
    let quoted = ROWS.map(|row| format!("\"{}\"", row.replace(',', "\",\""))).join("\n");
    let header = "sepal length,sepal width,petal length,petal width";
    for text in [
        plain.clone(),
        format!("{header}\n{plain}\n"),
        format!("\n\n{header}\n{plain}\n\n"),
        format!("{header}\r\n{}\r\n", ROWS.join("\r\n")),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{header}\n{plain}"),
        spaced,
        quoted,
    ] {
        fs::write(home.path().join("in.csv"), &text).unwrap();
        let out = prints(home.path(), &["predict", "run", "--input", "in.csv"]);
        let lines: Vec<(&str, &str)> = out.lines().map(|line| line.split_once(',').unwrap()).collect();
        assert_eq!(lines[0], ("class", "probability"));
        assert_eq!(lines[1..].iter().map(|line| line.0).collect::<Vec<_>>(), SPECIES, "{text:?}");
        assert!(lines[1..].iter().all(|line| (0.5..=1.0).contains(&line.1.parse::<f64>().unwrap())), "{out}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let home = tempfile::tempdir().unwrap();
    trained_on_iris(home.path());
    let row = ROWS[0];
    let long = format!("{row}\n1,2,3,{}", "9".repeat(1 << 20));
    for (content, part) in [
        (&b""[..], "there are no samples"),
        (b"a,b,c,d\n", "there are no samples"),
        (b"1,2,3\n", "line 1 has 3 values, the model takes 4"),
        (b"1,2,3,4,5\n", "line 1 has 5 values, the model takes 4"),
        (b"h,h,h,h\n1,2,3,4\n1,2\n", "line 3 has 2 values"),
        (b"1;2;3;4\n1;2;3;4\n", "line 2 has 1 value,"),
        (b"1,2,x,4\n", "line 1, column 3: \"x\" is no finite number"),
        (b"1,2,3,4\n1,NaN,3,4\n", "line 2, column 2: \"NaN\" is no finite number"),
        (b"1,2,3,-inf\n", "line 1, column 4: \"-inf\" is no finite number"),
        (b"1,2,3,1e39\n", "line 1, column 4: \"1e39\" is no finite number"),
        (b"3e38,-3e38,3e38,3e38\n", "sample 0 (from 0) is so far out of range that the model's answer is not finite"),
        (b"1,2,,4\n", "line 1, column 3: \"\" is no finite number"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "neither text nor an IDX file"),
        (b"\0\0\x08\x03\0\0", "cut short"),
        (b"\x1f\x8b\x08garbage", "in.csv"),
        (long.as_bytes(), "is no finite number"),
    ] {
        fs::write(home.path().join("in.csv"), content).unwrap();
        let message = fails(home.path(), &["predict", "run", "--input", "in.csv"]);
        assert!(message.contains(part) && message.len() < 200, "{part}: {message}");
    }
    assert!(fails(home.path(), &["predict", "run", "--input", "."]).starts_with(".: "));
    assert!(fails(home.path(), &["predict", "run", "--input", "nothing"]).contains("nothing: No such file"));
}

#[test]
fn images_are_read_plain_and_packed() {
    let home = tempfile::tempdir().unwrap();
    prints(home.path(), &["train", "cnn", "--epochs", "1", "--quiet", "--out", "run"]);
    let pixels: Vec<u8> = (0..5 * 64).map(|i| (i * 37 % 256) as u8).collect();
    let plain = idx(&[5, 8, 8], &pixels);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&plain).unwrap();
    let lines =
        pixels.chunks(64).map(|row| row.iter().map(|&p| (f32::from(p) / 255.0).to_string()).collect::<Vec<_>>());
    let table = lines.map(|row| row.join(",")).collect::<Vec<_>>().join("\n");
    let read = |content: &[u8]| {
        fs::write(home.path().join("in"), content).unwrap();
        prints(home.path(), &["predict", "run", "--input", "in"])
    };
    let out = read(&plain);
    assert_eq!(out.lines().count(), 6);
    assert_eq!(read(&packed.finish().unwrap()), out);
    assert_eq!(read(table.as_bytes()), out);
    assert_eq!(read(&idx(&[5, 1, 8, 8], &pixels)), out);
    assert_eq!(read(&idx(&[0, 8, 8], &[])), "class,probability\n");

    fs::write(home.path().join("in"), idx(&[5, 4, 16], &pixels)).unwrap();
    let message = fails(home.path(), &["predict", "run", "--input", "in"]);
    assert_eq!(message, "in: images of [4, 16], but the model takes [1, 8, 8]");
}
