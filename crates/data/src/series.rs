//! [`Series`]: numbers measured at equal distances in time.

use crate::DataError;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// A time series: one row a time step, the oldest first; one column a quantity. The first column is the target, what is to be
/// forecast; the others, if there are any, are known up to the present and may help.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    columns: Vec<String>,
    values: Array2<f64>,
}

impl Series {
    /// Checks and takes the values `[steps, columns]`.
    ///
    /// # Errors
    /// If there are no steps or no columns, if the number of names differs from that of the columns, or if a value is NaN
    /// or infinite; the message says which.
    pub fn new(
        name: impl Into<String>,
        columns: impl IntoIterator<Item = impl Into<String>>,
        values: Array2<f64>,
    ) -> Result<Self, DataError> {
        let (series, columns) = (name.into(), columns.into_iter().map(Into::into).collect::<Vec<String>>());
        if values.nrows() == 0 {
            return Err(DataError::EmptySeries { series });
        }
        if values.ncols() == 0 || values.ncols() != columns.len() {
            let problem = format!("{} columns of values, {} names", values.ncols(), columns.len());
            return Err(DataError::Series { series, problem });
        }
        if let Some(((step, column), value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let problem = format!("step {step} of {:?} is {value} (steps count from 0)", columns[column]);
            return Err(DataError::Series { series, problem });
        }
        Ok(Series { name: series, columns, values })
    }

    /// A series of one quantity.
    ///
    /// # Errors
    /// As [`new`](Series::new).
    pub fn of_one(name: impl Into<String>, values: Vec<f64>) -> Result<Self, DataError> {
        let name = name.into();
        let values = Array2::from_shape_vec((values.len(), 1), values).expect("one column");
        Series::new(name.clone(), [name], values)
    }

    /// The name, for messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the columns are called; the first is the target.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of time steps, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a series is never empty")]
    pub fn len(&self) -> usize {
        self.values.nrows()
    }

    /// The values `[steps, columns]`.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The target column.
    pub fn target(&self) -> ArrayView1<'_, f64> {
        self.values.column(0)
    }

    /// The first `steps` steps.
    ///
    /// # Panics
    /// If there are fewer, or none are asked for.
    #[track_caller]
    pub fn head(&self, steps: usize) -> Self {
        assert!((1..=self.len()).contains(&steps), "head: cannot take {steps} of {} steps", self.len());
        Series { values: self.values.view().split_at(Axis(0), steps).0.to_owned(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_values_are_named() {
        let message = |values: &[f64]| Series::of_one("toy", values.to_vec()).unwrap_err().to_string();
        assert_eq!(message(&[]), "series \"toy\" is empty");
        assert_eq!(message(&[1.0, f64::NAN]), "series \"toy\": step 1 of \"toy\" is NaN (steps count from 0)");
        let two = Series::new("toy", ["a"], Array2::zeros((3, 2))).unwrap_err().to_string();
        assert_eq!(two, "series \"toy\": 2 columns of values, 1 names");
    }

    #[test]
    fn the_target_is_the_first_column() {
        let values = Array2::from_shape_fn((3, 2), |(i, j)| (10 * i + j) as f64);
        let series = Series::new("toy", ["a", "b"], values).unwrap();
        assert_eq!((series.len(), series.target().to_vec()), (3, vec![0.0, 10.0, 20.0]));
        assert_eq!(series.head(2).values(), series.values().split_at(Axis(0), 2).0);
    }
}
