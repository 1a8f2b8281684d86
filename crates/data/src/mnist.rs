//! A folder in MNIST's layout: four IDX files, images `[n, h, w]` (or films `[n, frames, h, w]`) and labels `[n]` for training and
//! test.
//!
//! ```text
//! train-images-idx3-ubyte    train-labels-idx1-ubyte    t10k-images-idx3-ubyte    t10k-labels-idx1-ubyte
//! ```
//!
//! Each may be packed (`.gz`), and may have a dot for the dash before `idx`, as some archives unpack. Fashion-MNIST,
//! KMNIST and others come in the same layout. Files of films say `idx4`.

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};

use crate::{DataError, Dataset, Idx, read_idx};

/// The largest label that MNIST's layout knows.
const LARGEST_LABEL: u8 = 9;

/// Reads a folder in MNIST's layout: the training and the test set, pixels scaled to 0..1, inputs `[n, 1, h, w]`,
/// of films `[n, frames, 1, h, w]`.
///
/// The classes are the labels from 0 to the largest that occurs, named by their number; the sets are named after the
/// folder.
///
/// # Errors
/// If a file is missing, damaged or empty, if images and labels differ in number, if the test images have another size
/// than the training images, or if a label is above 9.
pub fn mnist_folder(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset), DataError> {
    let folder = folder.as_ref();
    let name =
        folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned());
    named_folder(folder, &name, None)
}

/// [`mnist_folder`] with a name for the sets, and names for the ten classes if the caller knows them.
pub(crate) fn named_folder(
    folder: &Path,
    name: &str,
    class_names: Option<&[&str; 10]>,
) -> Result<(Dataset, Dataset), DataError> {
    let files = MnistFiles::find(folder)?;
    let train = Part::read(&files.train_images, &files.train_labels)?;
    let test = Part::read(&files.test_images, &files.test_labels)?;
    if train.images.shape[1..] != test.images.shape[1..] {
        let problem = format!(
            "the images are {:?}, those of {} are {:?}",
            &test.images.shape[1..],
            files.train_images.display(),
            &train.images.shape[1..]
        );
        return Err(DataError::File { path: files.test_images, problem });
    }
    let largest = train.labels.iter().chain(&test.labels).max().copied().unwrap_or(0);
    let class_names: Vec<String> = match class_names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => (0..=largest).map(|label| label.to_string()).collect(),
    };
    Ok((train.into_dataset(name, &class_names)?, test.into_dataset(name, &class_names)?))
}

/// Where the four files of a folder are.
pub(crate) struct MnistFiles {
    pub(crate) train_images: PathBuf,
    pub(crate) train_labels: PathBuf,
    pub(crate) test_images: PathBuf,
    pub(crate) test_labels: PathBuf,
}

impl MnistFiles {
    /// Finds the files under any of their names; does not open them.
    pub(crate) fn find(folder: &Path) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(DataError::MissingFolder { folder: folder.to_owned() });
        }
        Ok(Self {
            train_images: find(folder, "train-images", &[3, 4])?,
            train_labels: find(folder, "train-labels", &[1])?,
            test_images: find(folder, "t10k-images", &[3, 4])?,
            test_labels: find(folder, "t10k-labels", &[1])?,
        })
    }
}

/// The first of a file's possible names that exists.
fn find(folder: &Path, stem: &str, dimensions: &[u8]) -> Result<PathBuf, DataError> {
    let mut looked_for = Vec::new();
    for (dimensions, separator) in dimensions.iter().flat_map(|d| [(d, '-'), (d, '.')]) {
        for packing in ["", ".gz"] {
            let name = format!("{stem}{separator}idx{dimensions}-ubyte{packing}");
            let path = folder.join(&name);
            if path.is_file() {
                return Ok(path);
            }
            looked_for.push(name);
        }
    }
    Err(DataError::MissingFile { folder: folder.to_owned(), looked_for })
}

/// Images and labels that fit each other.
struct Part {
    images: Idx,
    labels: Vec<u8>,
}

impl Part {
    fn read(images_path: &Path, labels_path: &Path) -> Result<Self, DataError> {
        let fail = |path: &Path, problem: String| Err(DataError::File { path: path.to_owned(), problem });
        let images = read_idx(images_path)?;
        if ![3, 4].contains(&images.shape.len()) {
            let shapes = "images have shape [n, height, width], films [n, frames, height, width]";
            return fail(images_path, format!("{shapes}, these {:?}", images.shape));
        }
        if images.data.is_empty() {
            return fail(images_path, format!("there are no images: the shape is {:?}", images.shape));
        }
        let labels = read_idx(labels_path)?;
        if labels.shape.len() != 1 {
            return fail(labels_path, format!("labels have shape [n], these {:?}", labels.shape));
        }
        if labels.shape[0] != images.shape[0] {
            let problem =
                format!("{} labels for the {} images of {}", labels.shape[0], images.shape[0], images_path.display());
            return fail(labels_path, problem);
        }
        if let Some(row) = labels.data.iter().position(|&label| label > LARGEST_LABEL) {
            let problem = format!("sample {row} (from 0) has label {}, above {LARGEST_LABEL}", labels.data[row]);
            return fail(labels_path, problem);
        }
        Ok(Self { images, labels: labels.data })
    }

    fn into_dataset(self, name: &str, class_names: &[String]) -> Result<Dataset, DataError> {
        let mut shape = self.images.shape;
        shape.insert(shape.len() - 2, 1);
        let pixels = self.images.data.into_iter().map(|pixel| f32::from(pixel) / 255.0).collect();
        let inputs = ArrayD::from_shape_vec(IxDyn(&shape), pixels).expect("an IDX file fits its shape");
        Dataset::new(name, inputs, self.labels.into_iter().map(usize::from).collect(), class_names)
    }
}
