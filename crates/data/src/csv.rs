//! Columns of numbers from CSV files.

use crate::{DataError, Series, quoted};
use ndarray::Array2;
use std::path::Path;

impl Series {
    /// Reads columns of a CSV file whose first line names them: the target and, if wanted, others that help. Every field of
    /// these columns must be a number within single precision; other columns may hold anything.
    ///
    /// # Errors
    /// If the file cannot be read, has no line of names or no such column (the message lists those it has), or holds
    /// something that is no number (the message says where).
    pub fn read_csv(path: impl AsRef<Path>, target: &str, others: &[&str]) -> Result<Self, DataError> {
        let path = path.as_ref();
        let fail = |problem: String| DataError::File { path: path.to_owned(), problem };
        let file = std::fs::File::open(path).map_err(|cause| DataError::Io { path: path.to_owned(), cause })?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        // Only text is expected; a file of another kind fails here or below in one line.
        let describe = |error: csv::Error| match error.position() {
            Some(at) => format!("line {}: {}", at.line(), reason(&error)),
            None => reason(&error),
        };
        let header = reader.headers().map_err(|error| fail(describe(error)))?.clone();
        if header.is_empty() {
            return Err(fail("the file is empty".into()));
        }
        let find = |name: &str| {
            let known = || header.iter().map(|column| format!("{column:?}")).collect::<Vec<_>>().join(", ");
            let mut places = (0..header.len()).filter(|&i| &header[i] == name);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(fail(format!("more than one column is called {name:?}: {}", known()))),
                (None, _) => Err(fail(format!("there is no column {name:?}; the columns are {}", known()))),
            }
        };
        let names: Vec<&str> = std::iter::once(target).chain(others.iter().copied()).collect();
        if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(fail(format!("the column {:?} is asked for twice", names[i])));
        }
        let columns: Vec<usize> = names.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
        let mut values = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| fail(describe(error)))?;
            let line = record.position().map_or(0, csv::Position::line);
            for (&column, name) in columns.iter().zip(&names) {
                let field = record.get(column).unwrap_or_default();
                match field.parse::<f64>() {
                    Ok(value) if value.abs() <= f64::from(f32::MAX) => values.push(value),
                    Ok(value) if value.is_finite() => {
                        let place = format!("line {line}, column {name:?}");
                        return Err(fail(format!(
                            "{place}: {value:e} is beyond single precision, which ends at 3.4e38"
                        )));
                    }
                    _ => {
                        return Err(fail(format!(
                            "line {line}, column {name:?}: {} is no finite number",
                            quoted(field)
                        )));
                    }
                }
            }
        }
        if values.is_empty() {
            return Err(fail("there is no row of values below the names of the columns".into()));
        }
        let steps = values.len() / columns.len();
        let values = Array2::from_shape_vec((steps, columns.len()), values).expect("a value for each column");
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Series::new(name, names, values)
    }
}

/// What is wrong, without the place.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "this is no UTF-8 text".into(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, where the first line has {expected_len}")
        }
        csv::ErrorKind::Io(cause) => cause.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(text: &[u8], target: &str, others: &[&str]) -> Result<Series, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let path = file.path().display().to_string();
        Series::read_csv(file.path(), target, others).map_err(|e| e.to_string().replace(&path, "FILE"))
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = b"\"Month\",\"Passengers\", Other\r\n1949-01,112,1.5\r\n\"1949-02\",\"118\",-2e1\r\n";
        let series = read(text, "Passengers", &["Other"]).unwrap();
        assert_eq!(series.columns(), ["Passengers", "Other"]);
        assert_eq!(series.values().iter().copied().collect::<Vec<_>>(), [112.0, 1.5, 118.0, -20.0]);
        assert_eq!(read(text, "Other", &[]).unwrap().target().to_vec(), [1.5, -20.0]);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let message = |text: &[u8], target: &str| read(text, target, &[]).unwrap_err();
        assert_eq!(message(b"a,b\n1,2\n", "c"), "FILE: there is no column \"c\"; the columns are \"a\", \"b\"");
        assert_eq!(message(b"a,b,b\n1,2,3\n", "b"), "FILE: more than one column is called \"b\": \"a\", \"b\", \"b\"");
        assert_eq!(message(b"", "c"), "FILE: the file is empty");
        assert_eq!(message(b"a,b\n", "b"), "FILE: there is no row of values below the names of the columns");
        let large = "FILE: line 2, column \"b\": -1e39 is beyond single precision, which ends at 3.4e38";
        assert_eq!(message(b"a,b\n1,-1e39\n", "b"), large);
        assert_eq!(read(b"a,b\n1,2\n", "a", &["b", "a"]).unwrap_err(), "FILE: the column \"a\" is asked for twice");
        assert_eq!(message(b"a,b\n1,2\n3,x\n", "b"), "FILE: line 3, column \"b\": \"x\" is no finite number");
        assert_eq!(message(b"a,b\n1,2\n3,\n", "b"), "FILE: line 3, column \"b\": \"\" is no finite number");
        assert_eq!(message(b"a,b\n1,inf\n", "b"), "FILE: line 2, column \"b\": \"inf\" is no finite number");
        assert_eq!(message(b"a,b\n1,2\n3\n", "b"), "FILE: line 3: 1 fields, where the first line has 2");
        assert_eq!(message(b"a,b\n1,2\n\xff,3\n", "b"), "FILE: line 3: this is no UTF-8 text");
        assert!(
            Series::read_csv("no/such.csv", "a", &[]).unwrap_err().to_string().starts_with("cannot read no/such.csv")
        );
    }
}
