//! A labeled data set in memory: inputs `[n, features..]`, and for each sample the number of its class.
//!
//! The constructor checks everything once, so that whoever holds a [`Dataset`] knows: there is at least one sample, as
//! many labels as samples, every label names a class, and every input is finite.

use ndarray::{ArrayD, IxDyn};

use crate::DataError;

/// A checked data set for classification.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    /// In row-major order: sample `i` is one slice.
    inputs: ArrayD<f32>,
    labels: Vec<usize>,
    class_names: Vec<String>,
}

impl Dataset {
    /// Checks and takes the data: `inputs` is `[n, features..]`, `labels[i]` is an index into `class_names`.
    ///
    /// # Errors
    /// If there are no samples or no features, if the numbers of samples and labels differ, if a label names no class, or
    /// if an input is NaN or infinite; the message says which.
    pub fn new(
        name: impl Into<String>,
        inputs: ArrayD<f32>,
        labels: Vec<usize>,
        class_names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, DataError> {
        let class_names: Vec<String> = class_names.into_iter().map(Into::into).collect();
        let set = name.into();
        let shape = inputs.shape();
        if shape.len() < 2 || shape[1..].contains(&0) {
            return Err(DataError::InputShape { set, shape: shape.to_vec() });
        }
        if shape[0] == 0 {
            return Err(DataError::Empty { set });
        }
        if shape[0] != labels.len() {
            return Err(DataError::LabelCount { set, samples: shape[0], labels: labels.len() });
        }
        let classes = class_names.len();
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(DataError::LabelOutOfRange { set, row, label: labels[row], classes });
        }
        let inputs = if inputs.is_standard_layout() { inputs } else { inputs.as_standard_layout().into_owned() };
        let values = inputs.as_slice().expect("row-major since the line above");
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let features = values.len() / labels.len();
            let feature = feature_name(at % features, &inputs.shape()[1..]);
            return Err(DataError::NotFinite { set, row: at / features, feature, value: values[at] });
        }
        Ok(Self { name: set, inputs, labels, class_names })
    }

    /// The same samples, labels and classes with other inputs: scaled, say, or reshaped.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn with_inputs(self, inputs: ArrayD<f32>) -> Result<Self, DataError> {
        Self::new(self.name, inputs, self.labels, self.class_names)
    }

    /// The same data set with standardized inputs.
    ///
    /// # Errors
    /// If a standardized input is not finite: it lies too far out in a column whose deviation is tiny.
    ///
    /// # Panics
    /// If the standardizer was fitted on another number of features.
    #[track_caller]
    pub fn scaled(self, scale: &crate::Standardizer) -> Result<Self, DataError> {
        let inputs = scale.transform(&self.inputs);
        self.with_inputs(inputs)
    }

    /// The name, for messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inputs `[n, features..]`, in row-major order.
    pub fn inputs(&self) -> &ArrayD<f32> {
        &self.inputs
    }

    /// The class of each sample, an index into [`class_names`](Self::class_names).
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// What each class is called.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The number of samples, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The number of classes, whether or not each has a sample.
    pub fn num_classes(&self) -> usize {
        self.class_names.len()
    }

    /// The shape of one sample's input: `[features..]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.inputs.shape()[1..]
    }

    /// The number of samples of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.num_classes()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// The samples of these numbers, in this order; a number may come more than once.
    ///
    /// # Panics
    /// If `rows` is empty or holds a number that is not below [`len`](Self::len).
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        assert!(!rows.is_empty(), "select: a data set needs at least one sample, got none");
        if let Some(row) = rows.iter().find(|&&row| row >= self.len()) {
            panic!("select: there is no sample {row} among {}", self.len());
        }
        let (inputs, labels) = self.gather(rows);
        Self { name: self.name.clone(), inputs, labels, class_names: self.class_names.clone() }
    }

    /// Copies the inputs and labels of these samples.
    pub(crate) fn gather(&self, rows: &[usize]) -> (ArrayD<f32>, Vec<usize>) {
        let features = self.inputs.len() / self.len();
        let source = self.inputs.as_slice().expect("row-major by construction");
        let mut values = Vec::with_capacity(rows.len() * features);
        for &row in rows {
            values.extend_from_slice(&source[row * features..(row + 1) * features]);
        }
        let mut shape = self.inputs.shape().to_vec();
        shape[0] = rows.len();
        let inputs = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many values as the shape says");
        (inputs, rows.iter().map(|&row| self.labels[row]).collect())
    }
}

/// A feature's place in a sample: `7` in a row of features, `[0, 3, 7]` in an image.
fn feature_name(mut at: usize, shape: &[usize]) -> String {
    if shape.len() == 1 {
        return at.to_string();
    }
    let mut index = vec![0; shape.len()];
    for (place, &size) in index.iter_mut().zip(shape).rev() {
        (*place, at) = (at % size, at / size);
    }
    format!("{index:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, Array2};

    fn counting(shape: &[usize]) -> ArrayD<f32> {
        let n: usize = shape.iter().product();
        Array::from_shape_vec(IxDyn(shape), (0..n).map(|v| v as f32).collect()).unwrap()
    }

    fn message(inputs: ArrayD<f32>, labels: &[usize]) -> String {
        Dataset::new("toy", inputs, labels.to_vec(), ["a", "b"]).unwrap_err().to_string()
    }

    #[test]
    fn tells_what_it_holds() {
        let data = Dataset::new("toy", counting(&[3, 2, 2]), vec![1, 0, 1], ["a", "b", "c"]).unwrap();
        assert_eq!((data.name(), data.len(), data.num_classes()), ("toy", 3, 3));
        assert_eq!(data.input_shape(), [2, 2]);
        assert_eq!(data.class_counts(), [1, 2, 0]);
        assert_eq!(data.class_names(), ["a", "b", "c"]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(message(counting(&[0, 2]), &[]), "data set \"toy\" has no samples");
        assert_eq!(message(counting(&[2, 2]), &[0]), "data set \"toy\" has 2 samples but 1 labels");
        for shape in [&[2_usize][..], &[], &[2, 0]] {
            assert!(message(counting(shape), &[0, 1]).contains(&format!("got shape {shape:?}")));
        }
        assert_eq!(
            message(counting(&[3, 2]), &[0, 1, 2]),
            "data set \"toy\": sample 2 has label 2, but there are 2 classes (both count from 0)"
        );
    }

    #[test]
    fn names_the_first_number_that_is_not_finite() {
        let mut flat = counting(&[2, 3]);
        flat[[1, 2]] = f32::NAN;
        assert_eq!(message(flat, &[0, 1]), "data set \"toy\": sample 1, feature 2 is NaN (both count from 0)");
        let mut image = counting(&[2, 1, 2, 3]);
        image[[1, 0, 1, 2]] = f32::NEG_INFINITY;
        assert_eq!(
            message(image, &[0, 1]),
            "data set \"toy\": sample 1, feature [0, 1, 2] is -inf (both count from 0)"
        );
    }

    #[test]
    fn takes_any_memory_order() {
        let columns = Array2::from_shape_fn((2, 3), |(i, j)| (10 * i + j) as f32).reversed_axes().into_dyn();
        let data = Dataset::new("toy", columns.clone(), vec![0, 1, 0], ["a", "b"]).unwrap();
        assert_eq!(data.inputs(), columns);
        assert!(data.inputs().is_standard_layout());
    }

    #[test]
    fn selects_in_order_and_repeats() {
        let data = Dataset::new("toy", counting(&[3, 2]), vec![1, 0, 1], ["a", "b"]).unwrap();
        let chosen = data.select(&[2, 0, 2]);
        assert_eq!(chosen.inputs().as_slice().unwrap(), [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]);
        assert_eq!(chosen.labels(), [1, 1, 1]);
        assert_eq!(chosen.class_names(), data.class_names());
    }

    #[test]
    #[should_panic(expected = "select: there is no sample 3 among 3")]
    fn selects_no_sample_that_is_not_there() {
        Dataset::new("toy", counting(&[3, 2]), vec![1, 0, 1], ["a", "b"]).unwrap().select(&[0, 3]);
    }

    #[test]
    fn what_scaling_makes_infinite_is_refused() {
        let data = Dataset::new("toy", counting(&[2, 2]), vec![1, 0], ["a", "b"]).unwrap();
        let scale = |std: f64| crate::Standardizer::from_parts(vec![0.0, 1.0], vec![1.0, std]).unwrap();
        assert_eq!(data.clone().scaled(&scale(2.0)).unwrap().inputs().as_slice().unwrap(), [0.0, 0.0, 2.0, 1.0]);
        assert_eq!(
            data.scaled(&scale(1e-300)).unwrap_err().to_string(),
            "data set \"toy\": sample 1, feature 1 is inf (both count from 0)"
        );
    }

    #[test]
    fn new_inputs_are_checked_again() {
        let data = Dataset::new("toy", counting(&[3, 4]), vec![1, 0, 1], ["a", "b"]).unwrap();
        let images = data.clone().with_inputs(counting(&[3, 1, 2, 2])).unwrap();
        assert_eq!((images.input_shape(), images.labels()), (&[1, 2, 2][..], data.labels()));
        assert!(data.with_inputs(counting(&[2, 4])).is_err());
    }
}
