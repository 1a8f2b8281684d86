//! What data sets there are: the embedded ones, and those found under the folder that `CHAINRULE_DATA` names.

use std::path::{Path, PathBuf};

use crate::mnist::MnistFiles;
use crate::source::data_root;
use crate::{DataError, Dataset, digits, iris, read_idx_shape, wine};

/// A data set that [`load`](crate::load) finds by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The name for [`load`](crate::load).
    pub name: &'static str,
    /// The number of samples, training and test together.
    pub samples: usize,
    /// The shape of one sample's input.
    pub shape: Vec<usize>,
    /// The number of classes.
    pub classes: usize,
    /// Who made it, and when.
    pub source: &'static str,
    /// Its license.
    pub license: &'static str,
    /// Where it is.
    pub location: Location,
}

/// Where a data set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Inside the program.
    Embedded,
    /// In a folder of IDX files.
    Folder(PathBuf),
}

/// The data sets that are at hand: the embedded ones, then `mnist` and `fashion-mnist` if the folder that the environment
/// variable `CHAINRULE_DATA` names holds their files. Of these only the headers are read.
pub fn catalog() -> Vec<CatalogEntry> {
    catalog_under(data_root().as_deref())
}

pub(crate) fn catalog_under(root: Option<&Path>) -> Vec<CatalogEntry> {
    let embedded = EMBEDDED.iter().map(Embedded::entry);
    let found = root.into_iter().flat_map(|root| EXTERNAL.iter().filter_map(|set| set.entry(root).ok()));
    embedded.chain(found).collect()
}

/// An embedded set.
pub(crate) struct Embedded {
    pub(crate) name: &'static str,
    pub(crate) read: fn() -> Dataset,
    source: &'static str,
}

pub(crate) const EMBEDDED: [Embedded; 3] = [
    Embedded {
        name: "digits",
        read: digits,
        source: "E. Alpaydin, C. Kaynak (1998), UCI Optical Recognition of Handwritten Digits",
    },
    Embedded { name: "iris", read: iris, source: "R. A. Fisher (1936), UCI Iris" },
    Embedded { name: "wine", read: wine, source: "M. Forina, S. Aeberhard et al. (1991), UCI Wine" },
];

impl Embedded {
    fn entry(&self) -> CatalogEntry {
        let data = (self.read)();
        CatalogEntry {
            name: self.name,
            samples: data.len(),
            shape: data.input_shape().to_vec(),
            classes: data.num_classes(),
            source: self.source,
            license: "CC BY 4.0",
            location: Location::Embedded,
        }
    }
}

/// A set in MNIST's layout that is not embedded: a folder of its name under `CHAINRULE_DATA`.
pub(crate) struct External {
    pub(crate) name: &'static str,
    pub(crate) class_names: [&'static str; 10],
    source: &'static str,
    license: &'static str,
}

pub(crate) const EXTERNAL: [External; 2] = [
    External {
        name: "mnist",
        class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        source: "Y. LeCun, C. Cortes, C. Burges (1998), The MNIST database of handwritten digits",
        license: "CC BY-SA 3.0",
    },
    External {
        name: "fashion-mnist",
        class_names: [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        source: "H. Xiao, K. Rasul, R. Vollgraf (2017), Fashion-MNIST",
        license: "MIT",
    },
];

impl External {
    fn entry(&self, root: &Path) -> Result<CatalogEntry, DataError> {
        let folder = root.join(self.name);
        let files = MnistFiles::find(&folder)?;
        let train = read_idx_shape(&files.train_images)?;
        let test = read_idx_shape(&files.test_images)?;
        Ok(CatalogEntry {
            name: self.name,
            samples: train[0].saturating_add(test[0]),
            shape: [&[1], &train[1..]].concat(),
            classes: self.class_names.len(),
            source: self.source,
            license: self.license,
            location: Location::Folder(folder),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_embedded_sets() {
        let entries = catalog_under(None);
        let summary: Vec<_> = entries.iter().map(|e| (e.name, e.samples, e.shape.as_slice(), e.classes)).collect();
        let expected: [(&str, usize, &[usize], usize); 3] =
            [("digits", 1797, &[1, 8, 8], 10), ("iris", 150, &[4], 3), ("wine", 178, &[13], 3)];
        assert_eq!(summary, expected);
        assert!(entries.iter().all(|e| e.location == Location::Embedded && e.license == "CC BY 4.0"));
    }

    #[test]
    fn lists_a_folder_only_when_its_files_are_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("fashion-mnist");
        std::fs::create_dir(&folder).unwrap();
        for (part, n) in [("train", 3), ("t10k", 2)] {
            assert_eq!(catalog_under(Some(root.path())).len(), 3);
            let images = [&[0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 1, 0, 0, 0, 2], &vec![7; 2 * n as usize][..]].concat();
            std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
            let labels = [&[0, 0, 8, 1, 0, 0, 0, n], &vec![1; n as usize][..]].concat();
            std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
        }
        let entries = catalog_under(Some(root.path()));
        let [.., entry] = &entries[..] else { panic!("an empty catalog") };
        assert_eq!((entry.name, entry.samples, &entry.shape[..]), ("fashion-mnist", 5, &[1, 1, 2][..]));
        assert_eq!(entry.location, Location::Folder(folder));
    }
}
