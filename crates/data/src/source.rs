//! From a name or a folder to a training and a test set.

use std::env;
use std::path::{Path, PathBuf};

use chainrule_tensor::Rng;

use crate::catalog::{EMBEDDED, EXTERNAL};
use crate::mnist::{mnist_folder, named_folder};
use crate::{DataError, Dataset};

/// The environment variable that names the folder of the data sets that are not embedded.
pub const DATA_VARIABLE: &str = "CHAINRULE_DATA";

/// The share of an embedded set that [`load`] puts in the training part.
pub const TRAIN_FRACTION: f64 = 0.8;

/// A data set in two parts with the same inputs and classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to learn from.
    pub train: Dataset,
    /// What to judge by.
    pub test: Dataset,
}

/// Loads a data set by its name or its folder.
///
/// * `digits`, `iris`, `wine`: the embedded sets, split 80/20 by class. The seed fixes the split, on every platform.
/// * `mnist`, `fashion-mnist`: the folder of that name under the folder that `CHAINRULE_DATA` names.
/// * anything else: a folder in MNIST's layout (see [`mnist_folder`]). One that is called like a known set is written
///   `./digits`.
///
/// Folders bring their own test set; the seed has no effect on them. Values are as they come from the source (pixels of
/// IDX files scaled to 0..1); to standardize them is the caller's choice.
///
/// # Errors
/// If there is no such data set, or as [`mnist_folder`].
pub fn load(name_or_folder: &str, seed: u64) -> Result<Loaded, DataError> {
    load_under(data_root().as_deref(), name_or_folder, seed)
}

/// The folder that `CHAINRULE_DATA` names, if it is set.
pub(crate) fn data_root() -> Option<PathBuf> {
    env::var_os(DATA_VARIABLE).filter(|root| !root.is_empty()).map(PathBuf::from)
}

fn load_under(root: Option<&Path>, name: &str, seed: u64) -> Result<Loaded, DataError> {
    if let Some(set) = EMBEDDED.iter().find(|set| set.name == name) {
        let (train, test) = (set.read)().split(TRAIN_FRACTION, &mut Rng::seed_from_u64(seed));
        return Ok(Loaded { train, test });
    }
    let (train, test) = if let Some(set) = EXTERNAL.iter().find(|set| set.name == name) {
        let Some(root) = root else {
            return Err(DataError::NotConfigured { name: name.to_owned(), variable: DATA_VARIABLE });
        };
        named_folder(&root.join(name), name, Some(&set.class_names))?
    } else if Path::new(name).is_dir() {
        mnist_folder(name)?
    } else {
        return Err(DataError::UnknownName { name: name.to_owned(), available: available(root) });
    };
    Ok(Loaded { train, test })
}

/// All names that [`load`] knows, and what those that are absent lack.
fn available(root: Option<&Path>) -> String {
    let embedded = EMBEDDED.iter().map(|set| set.name.to_owned());
    let external = EXTERNAL.iter().map(|set| match root {
        Some(root) if root.join(set.name).is_dir() => set.name.to_owned(),
        Some(root) => format!("{} (absent: no folder {})", set.name, root.join(set.name).display()),
        None => format!("{} (absent: {DATA_VARIABLE} is not set)", set.name),
    });
    embedded.chain(external).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digits, iris, wine};

    #[test]
    fn embedded_sets_are_split_by_seed() {
        for (name, read, train, test) in
            [("digits", digits as fn() -> Dataset, 1438, 359), ("iris", iris, 120, 30), ("wine", wine, 142, 36)]
        {
            let first = load_under(None, name, 1).unwrap();
            assert_eq!((first.train.len(), first.test.len(), first.train.name()), (train, test, name));
            assert_eq!(first, load_under(None, name, 1).unwrap());
            assert_ne!(first, load_under(None, name, 2).unwrap());
            for (part, whole) in first.test.class_counts().into_iter().zip(read().class_counts()) {
                assert!((part as f64 - 0.2 * whole as f64).abs() < 1.0, "{name}: {part} of {whole}");
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let message = |root: Option<&Path>, name| load_under(root, name, 1).unwrap_err().to_string();
        assert_eq!(
            message(None, "digit"),
            "there is no data set or folder \"digit\"; the data sets are digits, iris, wine, \
             mnist (absent: CHAINRULE_DATA is not set), fashion-mnist (absent: CHAINRULE_DATA is not set)"
        );
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("mnist")).unwrap();
        let fashion = root.path().join("fashion-mnist");
        assert_eq!(
            message(Some(root.path()), "two\nlines"),
            format!(
                "there is no data set or folder \"two\\nlines\"; the data sets are digits, iris, wine, mnist, \
                 fashion-mnist (absent: no folder {})",
                fashion.display()
            )
        );
    }

    #[test]
    fn a_set_that_is_elsewhere_says_where_it_was_looked_for() {
        assert_eq!(
            load_under(None, "mnist", 1).unwrap_err().to_string(),
            "mnist is not embedded: set CHAINRULE_DATA to the folder that holds mnist/ with its IDX files"
        );
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            load_under(Some(root.path()), "mnist", 1).unwrap_err().to_string(),
            format!("there is no folder {}", root.path().join("mnist").display())
        );
    }
}
