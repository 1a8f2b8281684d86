//! Standardization: `z = (x - mean) / std`, with mean and deviation learned from the training part.
//!
//! ```text
//! mean = sum_i x_i / n        std = sqrt(sum_i (x_i - mean)^2 / n)
//! ```
//!
//! Per feature (tables: every column gets its own pair) or global (images: one pair for all pixels). The deviation is
//! that of the population, divided by `n`. A feature that never varies has `std = 1`: it becomes 0 instead of dividing by
//! 0. Sums are accumulated in f64, in the order of the samples.

use ndarray::{ArrayD, ArrayView, ArrayView2, CowArray, Dimension, IxDyn};

use crate::DataError;

/// Shifts and scales inputs to mean 0 and deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardizer {
    /// One value per feature, or a single one for all.
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Standardizer {
    /// Learns one mean and deviation for each feature of `inputs` `[n, features..]`.
    ///
    /// # Panics
    /// If `inputs` holds no number.
    #[track_caller]
    pub fn per_feature(inputs: &ArrayD<f32>) -> Self {
        assert!(!inputs.is_empty(), "Standardizer: cannot learn from inputs of shape {:?}", inputs.shape());
        Self::learn(&inputs.view(), false)
    }

    /// Learns one mean and one deviation for all numbers of `inputs`, whatever its shape.
    ///
    /// # Panics
    /// If `inputs` holds no number.
    #[track_caller]
    pub fn global(inputs: &ArrayD<f32>) -> Self {
        assert!(!inputs.is_empty(), "Standardizer: cannot learn from inputs of shape {:?}", inputs.shape());
        Self::learn(&inputs.view(), true)
    }

    /// Learns one mean and deviation for each column of values in double precision, `[n, columns]` and not empty. They are not
    /// finite where the values are too large to be squared.
    pub(crate) fn of_columns(values: ArrayView2<'_, f64>) -> Self {
        Self::learn(&values, false)
    }

    /// The standardizer with these means and deviations, as [`mean`](Self::mean) and [`std`](Self::std) gave them: one
    /// of each per feature, or a single one for all features.
    ///
    /// # Errors
    /// If the two differ in length or are empty, if a number is not finite, or if a deviation is not above 0.
    pub fn from_parts(mean: Vec<f64>, std: Vec<f64>) -> Result<Self, DataError> {
        let fail = |problem| Err(DataError::Scale { problem });
        if mean.is_empty() || mean.len() != std.len() {
            return fail(format!("{} means and {} deviations", mean.len(), std.len()));
        }
        if let Some(at) = mean.iter().position(|m| !m.is_finite()) {
            return fail(format!("mean {at} is {}", mean[at]));
        }
        if let Some(at) = std.iter().position(|&s| !(s.is_finite() && s > 0.0)) {
            return fail(format!("deviation {at} is {}", std[at]));
        }
        Ok(Self { mean, std })
    }

    /// The means: one per feature, or a single one for all.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The deviations, as many as there are means.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// `(x - mean) / std` for each number of `inputs` `[n, features..]`.
    ///
    /// # Panics
    /// If `inputs` has another number of features than were learned (a single pair serves any number).
    #[track_caller]
    pub fn transform(&self, inputs: &ArrayD<f32>) -> ArrayD<f32> {
        self.map(inputs, "transform", |x, mean, std| (x - mean) / std)
    }

    /// `z * std + mean` for each number of `inputs` `[n, features..]`: undoes [`transform`](Self::transform).
    ///
    /// # Panics
    /// As [`transform`](Self::transform).
    #[track_caller]
    pub fn inverse_transform(&self, inputs: &ArrayD<f32>) -> ArrayD<f32> {
        self.map(inputs, "inverse_transform", |z, mean, std| z * std + mean)
    }

    /// Statistics of every feature, or of all numbers pooled. Both sum by columns, side by side: one long chain of
    /// additions would wait for each of them.
    fn learn<T, D>(inputs: &ArrayView<'_, T, D>, pooled: bool) -> Self
    where
        T: Copy + PartialEq + Into<f64>,
        D: Dimension,
    {
        let features: usize = inputs.shape().iter().skip(1).product();
        let inputs = inputs.as_standard_layout();
        let values = inputs.as_slice().expect("row-major");
        let samples = (values.len() / features) as f64;
        let average = |mut sums: Vec<f64>| {
            if pooled {
                sums = vec![sums.iter().sum::<f64>() / features as f64];
            }
            sums.iter_mut().for_each(|sum| *sum /= samples);
            sums
        };

        let mut mean = average(column_sums(values, &vec![0.0; features], |x, _| x));
        // Rounding may carry the mean of equal numbers away from them, and what never varies would seem to.
        let columns = mean.len();
        for (mean, (column, &first)) in mean.iter_mut().zip(values.iter().enumerate()) {
            if values[column..].iter().step_by(columns).all(|&x| x == first) {
                *mean = first.into();
            }
        }
        let centers = if pooled { vec![mean[0]; features] } else { mean.clone() };
        let variance = average(column_sums(values, &centers, |x, center| (x - center).powi(2)));
        let std = variance.into_iter().map(|variance| if variance == 0.0 { 1.0 } else { variance.sqrt() }).collect();
        Self { mean, std }
    }

    #[track_caller]
    fn map(&self, inputs: &ArrayD<f32>, op: &str, f: impl Fn(f64, f64, f64) -> f64) -> ArrayD<f32> {
        let features: usize = inputs.shape().iter().skip(1).product();
        let columns = self.mean.len();
        assert!(
            columns == 1 || columns == features,
            "Standardizer::{op}: {columns} features were learned, inputs of shape {:?} have {features}",
            inputs.shape()
        );
        let mut output = row_major(inputs).into_owned();
        let values = output.as_slice_mut().expect("row-major");
        if let (&[mean], &[std]) = (&self.mean[..], &self.std[..]) {
            values.iter_mut().for_each(|x| *x = f(f64::from(*x), mean, std) as f32);
        } else {
            for row in values.chunks_exact_mut(columns) {
                for ((x, &mean), &std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
                    *x = f(f64::from(*x), mean, std) as f32;
                }
            }
        }
        output
    }
}

/// `sum_i term(x[i, j], centers[j])` for each column `j`, in the order of the rows.
fn column_sums<T: Copy + Into<f64>>(values: &[T], centers: &[f64], term: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; centers.len()];
    for row in values.chunks_exact(centers.len()) {
        for ((sum, &center), &x) in sums.iter_mut().zip(centers).zip(row) {
            *sum += term(x.into(), center);
        }
    }
    sums
}

/// The array itself, or a copy in row-major order if it lies otherwise.
fn row_major(array: &ArrayD<f32>) -> CowArray<'_, f32, IxDyn> {
    array.as_standard_layout()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn features_have_their_own_scale() {
        let inputs = array![[1.0, 10.0, 7.0], [3.0, 30.0, 7.0], [5.0, 20.0, 7.0], [7.0, 40.0, 7.0]].into_dyn();
        let scale = Standardizer::per_feature(&inputs);
        assert_eq!(scale.mean(), [4.0, 25.0, 7.0]);
        assert_eq!(scale.std(), [5_f64.sqrt(), 125_f64.sqrt(), 1.0]);
        let z = scale.transform(&inputs);
        for column in 0..2 {
            let z: Vec<f32> = z.outer_iter().map(|row| row[column]).collect();
            assert!(z.iter().sum::<f32>().abs() < 1e-6);
            assert!((z.iter().map(|z| z * z).sum::<f32>() - 4.0).abs() < 1e-5);
        }
        assert!(z.outer_iter().all(|row| row[2] == 0.0));
    }

    #[test]
    fn all_pixels_share_one_scale() {
        let inputs = array![[[0.0, 2.0], [4.0, 6.0]], [[0.0, 2.0], [4.0, 6.0]]].into_dyn();
        let scale = Standardizer::global(&inputs);
        assert_eq!((scale.mean(), scale.std()), (&[3.0][..], &[5_f64.sqrt()][..]));
        let z = scale.transform(&array![[3.0, 3.0 + 5_f32.sqrt()]].into_dyn());
        assert!(z[[0, 0]] == 0.0 && (z[[0, 1]] - 1.0).abs() < 1e-6, "{z}");
    }

    #[test]
    fn there_and_back() {
        let values: Vec<f32> = (0..600).map(|i| ((i * 7919) % 1009) as f32 * 0.37 - 150.0).collect();
        let inputs = ArrayD::from_shape_vec(vec![50, 3, 4], values).unwrap();
        for scale in [Standardizer::per_feature(&inputs), Standardizer::global(&inputs)] {
            let back = scale.inverse_transform(&scale.transform(&inputs));
            assert_eq!(back.shape(), inputs.shape());
            assert!(back.iter().zip(&inputs).all(|(a, b)| (a - b).abs() <= 3e-5));
            let copy = Standardizer::from_parts(scale.mean().to_vec(), scale.std().to_vec()).unwrap();
            assert_eq!(copy, scale);
        }
    }

    #[test]
    fn constants_that_f32_cannot_average_still_count_as_constant() {
        let inputs = ArrayD::from_elem(vec![1_000_003, 1], 0.1_f32);
        for scale in [Standardizer::per_feature(&inputs), Standardizer::global(&inputs)] {
            assert_eq!((scale.mean(), scale.std()), (&[f64::from(0.1_f32)][..], &[1.0][..]));
        }
    }

    #[test]
    fn survives_the_extremes_of_f32() {
        let inputs = array![[f32::MAX, 0.0], [-f32::MAX, f32::MIN_POSITIVE * 0.5]].into_dyn();
        let z = Standardizer::per_feature(&inputs).transform(&inputs);
        assert_eq!(z, array![[1.0, -1.0], [-1.0, 1.0]].into_dyn());
    }

    #[test]
    fn memory_order_does_not_matter() {
        let columns = array![[1.0, 2.0, 4.0], [5.0, 3.0, 0.0]].reversed_axes().into_dyn();
        let rows = columns.as_standard_layout().into_owned();
        let scale = Standardizer::per_feature(&columns);
        assert_eq!(scale, Standardizer::per_feature(&rows));
        assert_eq!(scale.transform(&columns), scale.transform(&rows));
    }

    #[test]
    fn refuses_parts_that_cannot_scale() {
        let message =
            |mean: &[f64], std: &[f64]| Standardizer::from_parts(mean.to_vec(), std.to_vec()).unwrap_err().to_string();
        assert_eq!(message(&[], &[]), "unusable scale: 0 means and 0 deviations");
        assert_eq!(message(&[1.0], &[1.0, 2.0]), "unusable scale: 1 means and 2 deviations");
        assert_eq!(message(&[0.0, f64::NAN], &[1.0, 1.0]), "unusable scale: mean 1 is NaN");
        assert_eq!(message(&[0.0], &[0.0]), "unusable scale: deviation 0 is 0");
        assert_eq!(message(&[0.0], &[f64::INFINITY]), "unusable scale: deviation 0 is inf");
    }

    #[test]
    #[should_panic(expected = "Standardizer::transform: 3 features were learned, inputs of shape [1, 2] have 2")]
    fn refuses_another_number_of_features() {
        Standardizer::per_feature(&ArrayD::zeros(vec![2, 3])).transform(&ArrayD::zeros(vec![1, 2]));
    }
}
