//! The data sets inside the program: `digits`, `iris` and `wine`, real and small.
//!
//! The files lie, unchanged, in the project's folder `datasets/`, whose README tells their origin and license. A line is a
//! sample: its features, then the number of its class. `iris` and `wine` start with a line of the numbers of rows and
//! columns and the names of the classes.

use std::io::Read;

use flate2::read::GzDecoder;
use ndarray::{ArrayD, IxDyn};

use crate::Dataset;

const DIGITS: &[u8] = include_bytes!("../datasets/digits.csv.gz");
const IRIS: &str = include_str!("../datasets/iris.csv");
const WINE: &str = include_str!("../datasets/wine_data.csv");

/// Handwritten digits: 1797 images `[1, 8, 8]` with values 0 to 16, classes "0" to "9".
///
/// E. Alpaydin and C. Kaynak (1998), the test half of UCI's "Optical Recognition of Handwritten Digits".
pub fn digits() -> Dataset {
    let mut text = String::new();
    GzDecoder::new(DIGITS).read_to_string(&mut text).expect("the embedded file is sound");
    parse("digits", text.lines(), &[1, 8, 8], (0..10).map(|digit| digit.to_string()).collect())
}

/// Iris flowers: 150 samples of sepal length, sepal width, petal length and petal width in cm; three species.
///
/// R. A. Fisher (1936).
pub fn iris() -> Dataset {
    parse_titled("iris", IRIS)
}

/// Italian wines: 178 samples of 13 chemical measurements; three growers.
///
/// M. Forina, S. Aeberhard and others (1991).
pub fn wine() -> Dataset {
    parse_titled("wine", WINE)
}

/// A table below a line `rows,columns,class names..`.
fn parse_titled(name: &str, text: &str) -> Dataset {
    let (title, rows) = text.split_once('\n').expect("the embedded file has a title");
    let mut title = title.trim_end().split(',').skip(1);
    let columns = title.next().and_then(|columns| columns.parse().ok()).expect("the title has a number of columns");
    parse(name, rows.lines(), &[columns], title.map(str::to_owned).collect())
}

/// Lines of features and a label. The text is a constant of the program, so that a fault in it is a fault of the
/// program: the tests read every table.
fn parse<'a>(
    name: &str,
    lines: impl Iterator<Item = &'a str>,
    input_shape: &[usize],
    class_names: Vec<String>,
) -> Dataset {
    let (mut values, mut labels) = (Vec::<f32>::new(), Vec::new());
    for line in lines {
        let (features, label) = line.rsplit_once(',').expect("a line has features and a label");
        values.extend(features.split(',').map(|value| value.parse::<f32>().expect("a feature is a number")));
        labels.push(label.parse().expect("a label is a number"));
    }
    let shape = [&[labels.len()], input_shape].concat();
    let inputs = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("every line has all features");
    Dataset::new(name, inputs, labels, class_names).expect("the embedded tables are sound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_what_was_published() {
        let data = digits();
        assert_eq!(data.inputs().shape(), [1797, 1, 8, 8]);
        assert_eq!(data.class_names(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        // The class counts of UCI's description of the test half.
        assert_eq!(data.class_counts(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(data.inputs().iter().all(|&value| (0.0..=16.0).contains(&value) && value.fract() == 0.0));
        assert_eq!(data.inputs().as_slice().unwrap()[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn iris_is_what_fisher_measured() {
        let data = iris();
        assert_eq!(data.inputs().shape(), [150, 4]);
        assert_eq!(data.class_names(), ["setosa", "versicolor", "virginica"]);
        assert_eq!(data.class_counts(), [50, 50, 50]);
        assert_eq!(data.inputs().as_slice().unwrap()[..4], [5.1, 3.5, 1.4, 0.2]);
        // Rows 35 and 38 (1-based) are Fisher's; UCI's copy has two mistakes there.
        assert_eq!(data.select(&[34, 37]).inputs().as_slice().unwrap(), [4.9, 3.1, 1.5, 0.2, 4.9, 3.6, 1.4, 0.1]);
    }

    #[test]
    fn wine_is_what_was_published() {
        let data = wine();
        assert_eq!(data.inputs().shape(), [178, 13]);
        assert_eq!(data.class_names(), ["class_0", "class_1", "class_2"]);
        assert_eq!(data.class_counts(), [59, 71, 48]);
        let first = [14.23, 1.71, 2.43, 15.6, 127.0, 2.8, 3.06, 0.28, 2.29, 5.64, 1.04, 3.92, 1065.0];
        assert_eq!(data.inputs().as_slice().unwrap()[..13], first);
    }
}
