//! The real MNIST, where it is at hand.

use std::env;
use std::path::{Path, PathBuf};

use chainrule_data::{DATA_VARIABLE, Standardizer, mnist_folder};

/// The folder under `CHAINRULE_DATA`, or beside the project.
fn folder() -> Option<PathBuf> {
    let named = env::var_os(DATA_VARIABLE).map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    named.into_iter().chain([beside]).map(|root| root.join("mnist")).find(|folder| folder.is_dir())
}

#[test]
fn mnist_is_what_was_published() {
    let Some(folder) = folder() else {
        eprintln!("skipped: there is no mnist/ under {DATA_VARIABLE} or beside the project");
        return;
    };
    let (train, test) = mnist_folder(folder).unwrap();
    assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[60_000, 1, 28, 28][..], &[10_000, 1, 28, 28][..]));
    assert_eq!(train.num_classes(), 10);
    assert_eq!(train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(test.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    assert_eq!(train.class_counts(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    // The mean and deviation that every tutorial quotes.
    let scale = Standardizer::global(train.inputs());
    assert!((scale.mean()[0] - 0.1307).abs() < 5e-5 && (scale.std()[0] - 0.3081).abs() < 5e-5, "{scale:?}");
}
