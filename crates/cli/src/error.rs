//! [`CliError`]: what ends the program, in one line each.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum CliError {
    Data(chainrule::data::DataError),
    Model(chainrule::models::ModelError),
    Fit(chainrule::train::FitError),
    Report(chainrule::train::ReportError),
    Environment(String),
    Threads(String),
    Usage(String),
    Diverged(f64),
    Folder(PathBuf, String),
    Input(PathBuf, String),
    Output(io::Error),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Data(e) => e.fmt(f),
            CliError::Model(e) => e.fmt(f),
            CliError::Fit(e) => e.fmt(f),
            CliError::Report(e) => e.fmt(f),
            CliError::Environment(message) | CliError::Usage(message) => f.write_str(message),
            CliError::Threads(message) => write!(f, "cannot start the threads: {message}"),
            CliError::Diverged(loss) => {
                write!(f, "training diverged: the loss on the test data is {loss}; try a smaller learning rate")
            }
            CliError::Folder(path, e) => write!(f, "cannot use the folder {}: {e}", path.display()),
            CliError::Input(path, message) => write!(f, "{}: {message}", path.display()),
            CliError::Output(e) => write!(f, "cannot write the output: {e}"),
        }
    }
}

macro_rules! from {
    ($($Variant:ident($Error:path)),*) => { $(
        impl From<$Error> for CliError {
            fn from(error: $Error) -> Self {
                CliError::$Variant(error)
            }
        }
    )* };
}
from!(
    Data(chainrule::data::DataError),
    Model(chainrule::models::ModelError),
    Fit(chainrule::train::FitError),
    Report(chainrule::train::ReportError),
    Output(io::Error)
);
