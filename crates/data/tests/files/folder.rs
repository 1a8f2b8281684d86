//! Folders in MNIST's layout, sound and not.

use std::fs;
use std::path::Path;

use chainrule_data::{DataError, load, mnist_folder};
use tempfile::TempDir;

use crate::{gzip, idx_bytes};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// Three training and two test images of 2x3.
fn files() -> [(&'static str, Vec<u8>); 4] {
    let pixels: Vec<u8> = (0..18).map(|i| i * 15).collect();
    [
        (TRAIN_IMAGES, idx_bytes(&[3, 2, 3], &pixels)),
        (TRAIN_LABELS, idx_bytes(&[3], &[2, 0, 1])),
        (TEST_IMAGES, idx_bytes(&[2, 2, 3], &pixels[..12])),
        (TEST_LABELS, idx_bytes(&[2], &[3, 1])),
    ]
}

fn sound_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// What is said when one file of a sound folder holds these bytes instead; the folder's path is written `DIR`.
fn problem_with(name: &str, bytes: &[u8]) -> String {
    let folder = sound_folder();
    fs::write(folder.path().join(name), bytes).unwrap();
    message(folder.path())
}

fn message(folder: &Path) -> String {
    let message = mnist_folder(folder).expect_err("damage was accepted").to_string();
    assert!(!message.contains('\n'), "{message:?} is more than one line");
    message.replace(folder.to_str().unwrap(), "DIR")
}

#[test]
fn reads_images_scaled_with_their_labels() {
    let folder = sound_folder();
    let (train, test) = mnist_folder(folder.path()).unwrap();
    assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[3, 1, 2, 3][..], &[2, 1, 2, 3][..]));
    assert_eq!((train.labels(), test.labels()), (&[2, 0, 1][..], &[3, 1][..]));
    // The largest label is in the test part, and both parts know it.
    assert_eq!(train.class_names(), ["0", "1", "2", "3"]);
    assert_eq!(train.class_names(), test.class_names());
    assert_eq!(train.inputs()[[0, 0, 0, 1]], 15.0 / 255.0);
    assert_eq!(train.inputs()[[2, 0, 1, 2]], 1.0);
    assert_eq!(train.name(), folder.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn finds_every_way_to_name_the_files() {
    let expected = mnist_folder(sound_folder().path()).unwrap();
    for (dotted, packed) in [(false, true), (true, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files() {
            let name = if dotted { name.replace("-idx", ".idx") } else { name.to_owned() };
            let (name, bytes) = if packed { (name + ".gz", gzip(&bytes)) } else { (name, bytes) };
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let (train, test) = mnist_folder(folder.path()).unwrap();
        assert_eq!((train.inputs(), test.labels()), (expected.0.inputs(), expected.1.labels()));
    }
}

#[test]
fn a_folder_may_hold_films() {
    let folder = sound_folder();
    for (images, films, n) in [(TRAIN_IMAGES, "train-images-idx4-ubyte", 3), (TEST_IMAGES, "t10k-images-idx4-ubyte", 2)]
    {
        fs::remove_file(folder.path().join(images)).unwrap();
        let bytes: Vec<u8> = (0..12 * n as u8).collect();
        fs::write(folder.path().join(films), idx_bytes(&[n, 3, 2, 2], &bytes)).unwrap();
    }
    let (train, test) = mnist_folder(folder.path()).unwrap();
    assert_eq!((train.len(), test.len(), train.input_shape()), (3, 2, &[3, 1, 2, 2][..]));
    assert_eq!(train.inputs()[[1, 2, 0, 1, 0]], 22.0 / 255.0);
}

#[test]
fn a_folder_can_be_loaded() {
    let folder = sound_folder();
    let loaded = load(folder.path().to_str().unwrap(), 1).unwrap();
    assert_eq!((loaded.train, loaded.test), mnist_folder(folder.path()).unwrap());
}

#[test]
fn a_missing_file_is_told_by_all_its_names() {
    for (name, _) in files() {
        let folder = sound_folder();
        fs::remove_file(folder.path().join(name)).unwrap();
        let dotted = name.replace("-idx", ".idx");
        let names = format!("DIR has none of {name}, {name}.gz, {dotted}, {dotted}.gz");
        // Images may be films as well.
        let films = format!(", {}", name.replace("idx3", "idx4"));
        let told = message(folder.path());
        assert!(told == names || told.starts_with(&(names + &films)), "{told}");
    }
}

#[test]
fn a_missing_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    assert_eq!(message(&absent), "there is no folder DIR");
    fs::write(&absent, "a file").unwrap();
    assert!(matches!(mnist_folder(&absent), Err(DataError::MissingFolder { .. })));
}

#[test]
fn images_and_labels_must_fit() {
    assert_eq!(
        problem_with(TRAIN_LABELS, &idx_bytes(&[2], &[0, 1])),
        format!("DIR/{TRAIN_LABELS}: 2 labels for the 3 images of DIR/{TRAIN_IMAGES}")
    );
    assert_eq!(
        problem_with(TEST_IMAGES, &idx_bytes(&[2, 3, 2], &[0; 12])),
        format!("DIR/{TEST_IMAGES}: the images are [3, 2], those of DIR/{TRAIN_IMAGES} are [2, 3]")
    );
    assert_eq!(
        problem_with(TRAIN_IMAGES, &idx_bytes(&[3, 6], &[0; 18])),
        format!(
            "DIR/{TRAIN_IMAGES}: images have shape [n, height, width], films [n, frames, height, width], these [3, 6]"
        )
    );
    assert_eq!(
        problem_with(TEST_LABELS, &idx_bytes(&[2, 1], &[0; 2])),
        format!("DIR/{TEST_LABELS}: labels have shape [n], these [2, 1]")
    );
}

#[test]
fn a_label_above_nine_is_told_with_its_row() {
    assert_eq!(
        problem_with(TEST_LABELS, &idx_bytes(&[2], &[9, 10])),
        format!("DIR/{TEST_LABELS}: sample 1 (from 0) has label 10, above 9")
    );
}

#[test]
fn no_images_are_an_error() {
    for shape in [[0, 28, 28], [3, 0, 28]] {
        assert_eq!(
            problem_with(TRAIN_IMAGES, &idx_bytes(&shape, &[])),
            format!("DIR/{TRAIN_IMAGES}: there are no images: the shape is {shape:?}")
        );
    }
    assert_eq!(problem_with(TEST_IMAGES, &[]), format!("DIR/{TEST_IMAGES}: the file is empty"));
}

#[test]
fn damage_is_told_with_the_file() {
    for (name, bytes) in files() {
        let cut = &bytes[..bytes.len() - 1];
        assert!(problem_with(name, cut).starts_with(&format!("DIR/{name}: cut short")));
        assert!(problem_with(name, &gzip(&bytes)[..20]).starts_with(&format!("DIR/{name}: damaged gzip data")));
    }
}
