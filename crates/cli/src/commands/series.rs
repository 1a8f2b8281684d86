//! Time series by their name or file.

use crate::error::CliError;
use chainrule::data::{Series, mackey_glass};
use std::path::Path;

/// The series that is generated, and its length.
const MACKEY_GLASS: &str = "mackey-glass";
const GENERATED_STEPS: usize = 2000;

/// Whether this is a time series for sure, whatever else is said.
pub(super) fn is_series(data: &str) -> bool {
    let ending = Path::new(data).extension();
    is_generated(data) || ending.is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

/// Whether the series comes from no file, and has but one column.
pub(super) fn is_generated(data: &str) -> bool {
    data == MACKEY_GLASS
}

/// Reads the columns, the target first; the seed is for a series that is generated.
pub(super) fn read(data: &str, columns: &[&str], seed: u64) -> Result<Series, CliError> {
    if is_generated(data) {
        return match columns.iter().find(|column| **column != MACKEY_GLASS) {
            Some(column) => Err(CliError::Usage(format!("{data} has no column {column:?}, but one of its own name"))),
            None => Ok(mackey_glass(GENERATED_STEPS, seed)),
        };
    }
    Ok(Series::read_csv(data, columns[0], &columns[1..])?)
}
