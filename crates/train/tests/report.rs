//! Reports: what is written can be read, and a failure leaves what was there.

use chainrule_train::{Confusion, EpochMetrics, Evaluation, Report, TestMetrics};
use std::fs;

fn report() -> Report {
    let mut confusion = Confusion::new(2);
    [(0, 0), (0, 1), (1, 1), (1, 1)].into_iter().for_each(|(truth, predicted)| confusion.add(truth, predicted));
    Report {
        model: "mlp".into(),
        data: "clouds".into(),
        task: "classification".into(),
        seed: u64::MAX,
        threads: 2,
        epochs: vec![EpochMetrics { epoch: 1, loss: 0.1 + 0.2, accuracy: Some(1.0 / 3.0), seconds: 1e-9 }],
        test: TestMetrics::from(&Evaluation { loss: 0.7, confusion }),
        train_seconds: 1.5,
    }
}

#[test]
fn reports_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.json");
    fs::write(&path, "old").unwrap();
    report().save(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report());
    assert!(text.starts_with("{\n  \"model\": \"mlp\",\n  \"data\"") && text.ends_with("}\n"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let TestMetrics { accuracy, recall, .. } = report().test;
    assert_eq!((accuracy, recall), (0.75, 0.75));
}

#[test]
fn a_failure_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/metrics.json");
    let message = report().save(&path).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot write {}: ", path.display())), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
