//! Inputs for prediction: CSV rows or IDX images.

use crate::error::CliError;
use chainrule::data::quoted;
use chainrule::tensor::Tensor;
use std::path::Path;

/// Reads samples of the given shape.
pub(super) fn read(path: &Path, shape: &[usize]) -> Result<Tensor, CliError> {
    let bytes = std::fs::read(path).map_err(|e| CliError::Input(path.to_owned(), e.to_string()))?;
    let is_idx = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0, 0]);
    if is_idx {
        return images(path, shape);
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| CliError::Input(path.to_owned(), "neither text nor an IDX file".into()))?;
    // Some programs mark UTF-8 with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let values = rows(text, shape.iter().product()).map_err(|message| CliError::Input(path.to_owned(), message))?;
    let samples = values.len() / shape.iter().product::<usize>();
    Ok(Tensor::from_vec(values, [&[samples], shape].concat()))
}

/// IDX images, scaled to 0..1 as in training.
fn images(path: &Path, shape: &[usize]) -> Result<Tensor, CliError> {
    let idx = chainrule::data::read_idx(path)?;
    let sample = idx.shape.get(1..).unwrap_or(&[]);
    // An image, or a frame of a film, without a channel dimension has one channel.
    let same = sample == shape || matches!(shape, [frames @ .., 1, h, w] if sample == [frames, &[*h, *w]].concat());
    if !same {
        let message = format!("images of {sample:?}, but the model takes {shape:?}");
        return Err(CliError::Input(path.to_owned(), message));
    }
    let values: Vec<f32> = idx.data.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    Ok(Tensor::from_vec(values, [&[idx.shape[0]], shape].concat()))
}

/// The numbers of a CSV text with `features` columns. A first line without any number is a header; empty lines are skipped.
fn rows(text: &str, features: usize) -> Result<Vec<f32>, String> {
    let mut values = Vec::new();
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    for (i, (number, line)) in lines.enumerate() {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"').trim()).collect();
        let is_header =
            fields.iter().all(|field| field.parse::<f32>().is_err()) && fields.iter().any(|f| !f.is_empty());
        if i == 0 && is_header {
            continue;
        }
        if fields.len() != features {
            let s = if fields.len() == 1 { "" } else { "s" };
            return Err(format!("line {number} has {} value{s}, the model takes {features}", fields.len()));
        }
        for (column, field) in fields.iter().enumerate() {
            match field.parse::<f32>() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => {
                    let place = format!("line {number}, column {}", column + 1);
                    return Err(format!("{place}: {} is no finite number", quoted(field)));
                }
            }
        }
    }
    if values.is_empty() { Err("there are no samples".into()) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn headers_and_empty_lines_are_skipped() {
        assert_eq!(rows("\n\"a\",b\r\n1,\"2\"\r\n\r\n", 2).unwrap(), [1.0, 2.0]);
        assert_eq!(rows("a,b\n1,2\n\n 3 , 4.5 \n", 2).unwrap(), [1.0, 2.0, 3.0, 4.5]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(rows("1,2\n3\n", 2).unwrap_err(), "line 2 has 1 value, the model takes 2");
        assert_eq!(rows("1,2\n3,x\n", 2).unwrap_err(), "line 2, column 2: \"x\" is no finite number");
        assert_eq!(rows("1,nan\n", 2).unwrap_err(), "line 1, column 2: \"nan\" is no finite number");
        assert_eq!(rows(",\n1,2\n", 2).unwrap_err(), "line 1, column 1: \"\" is no finite number");
        assert!(rows(&"x".repeat(99), 1).unwrap_err().ends_with("no samples"));
        let long = rows(&format!("1\n{}", "\t\u{7}é".repeat(99)), 1).unwrap_err();
        assert!(long.chars().count() < 200 && long.contains("\\u{7}é") && long.ends_with(".. is no finite number"));
        assert_eq!(rows("a,b\n", 2).unwrap_err(), "there are no samples");
    }
}
