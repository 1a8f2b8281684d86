//! Texts from files.

use crate::error::CliError;
use std::path::Path;

/// Reads a text, without a byte order mark.
pub(super) fn read(file: &str) -> Result<String, CliError> {
    let path = Path::new(file);
    let fail = |problem: String| CliError::Input(path.to_owned(), problem);
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| fail("this is no UTF-8 text".into()))?;
    if text.is_empty() {
        return Err(fail("the file is empty".into()));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}
