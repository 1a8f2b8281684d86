//! What can be wrong with data: every message is one line that says what, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A failure to read, find or accept data.
///
/// The message holds its cause; there is no chain of sources to walk.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataError {
    /// The system would not open or read a file.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file was read, but what it holds is damaged or not what was expected.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder lacks a file.
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The names under which the file was looked for.
        looked_for: Vec<String>,
    },
    /// A folder is absent, or not a folder.
    MissingFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A name stands for neither a data set nor a folder.
    UnknownName {
        /// The name that was asked for.
        name: String,
        /// What could have been asked for, separated by commas.
        available: String,
    },
    /// A known data set lies outside the program, and nothing says where.
    NotConfigured {
        /// The data set.
        name: String,
        /// The environment variable that would say where it is.
        variable: &'static str,
    },
    /// There are no samples.
    Empty {
        /// The data set.
        set: String,
    },
    /// The inputs are not `[samples, features..]`.
    InputShape {
        /// The data set.
        set: String,
        /// The shape of the inputs.
        shape: Vec<usize>,
    },
    /// There are more or fewer labels than samples.
    LabelCount {
        /// The data set.
        set: String,
        /// The number of samples.
        samples: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A label names no class.
    LabelOutOfRange {
        /// The data set.
        set: String,
        /// The sample, counting from 0.
        row: usize,
        /// Its label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// An input is NaN or infinite.
    NotFinite {
        /// The data set.
        set: String,
        /// The sample, counting from 0.
        row: usize,
        /// The feature, counting from 0: a number, or one per dimension as `[0, 3, 7]`.
        feature: String,
        /// The offending value.
        value: f32,
    },
    /// A time series without a single step.
    EmptySeries {
        /// The series.
        series: String,
    },
    /// A time series that cannot be used, or not so.
    Series {
        /// The series.
        series: String,
        /// What is wrong.
        problem: String,
    },
    /// A text that cannot be used, or not so.
    Text {
        /// What is wrong.
        problem: String,
    },
    /// Means and deviations that cannot scale anything.
    Scale {
        /// What is wrong with them.
        problem: String,
    },
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataError::Io { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            DataError::File { path, problem } => write!(f, "{}: {problem}", path.display()),
            DataError::MissingFile { folder, looked_for } => {
                write!(f, "{} has none of {}", folder.display(), looked_for.join(", "))
            }
            DataError::MissingFolder { folder } => write!(f, "there is no folder {}", folder.display()),
            DataError::UnknownName { name, available } => {
                write!(f, "there is no data set or folder {name:?}; the data sets are {available}")
            }
            DataError::NotConfigured { name, variable } => {
                write!(f, "{name} is not embedded: set {variable} to the folder that holds {name}/ with its IDX files")
            }
            DataError::Empty { set } => write!(f, "data set {set:?} has no samples"),
            DataError::InputShape { set, shape } => write!(
                f,
                "data set {set:?} needs inputs [samples, features..] with at least one feature, got shape {shape:?}"
            ),
            DataError::LabelCount { set, samples, labels } => {
                write!(f, "data set {set:?} has {samples} samples but {labels} labels")
            }
            DataError::LabelOutOfRange { set, row, label, classes } => write!(
                f,
                "data set {set:?}: sample {row} has label {label}, but there are {classes} classes (both count from 0)"
            ),
            DataError::NotFinite { set, row, feature, value } => {
                write!(f, "data set {set:?}: sample {row}, feature {feature} is {value} (both count from 0)")
            }
            DataError::EmptySeries { series } => write!(f, "series {series:?} is empty"),
            DataError::Series { series, problem } => write!(f, "series {series:?}: {problem}"),
            DataError::Text { problem } => write!(f, "{problem}"),
            DataError::Scale { problem } => write!(f, "unusable scale: {problem}"),
        }
    }
}

impl std::error::Error for DataError {}

/// A field of a file as it can be shown in a line: in quotes, without control characters, cut where it is long.
pub fn quoted(field: &str) -> String {
    const SHOWN: usize = 40;
    let start: String = field.chars().take(SHOWN).collect();
    format!("{start:?}{}", if start.len() < field.len() { ".." } else { "" })
}
