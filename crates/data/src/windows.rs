//! [`Windows`]: a series cut in pairs of what was known and what came next.
//!
//! ```text
//! steps     0 1 2 3 4 5 6 7        window 3, horizon 2
//! sample 0  [x x x] y y
//! sample 1    [x x x] y y          input  [window, features]: all columns, up to the present
//! ..                               target [horizon]: the target column, from there on
//! ```
//!
//! With a season of `s` steps there are two features more, the sine and cosine of `2 pi (t + 1) / s` at step `t`: where in the season
//! the step that follows lies.
//!
//! The split is chronological: what is held out is the end of the series. No target of a training sample lies there, and every
//! target of a test sample does; the inputs of a test sample may reach back into the training part, as they would in use.

use crate::{DataError, Series, Standardizer};
use chainrule_tensor::{Rng, Tensor};
use ndarray::{Array2, Array3, Axis};
use std::f64::consts::TAU;
use std::ops::Range;

/// How a series is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowOptions {
    /// How many steps an input has.
    pub window: usize,
    /// How many steps are forecast at once.
    pub horizon: usize,
    /// How many steps at the end of the series are held out for the test.
    pub held_out: usize,
    /// How many steps a season has, if the place in the season is to be told.
    pub season: Option<f64>,
}

/// Pairs of inputs `[window, features]` and targets `[horizon]`, in the order of time, standardized.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    inputs: Array3<f32>,
    targets: Array2<f32>,
    /// The steps of the first targets.
    steps: Range<usize>,
}

/// A series cut in two parts of windows, with the scale learned from the first.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSplit {
    /// What to learn from.
    pub train: Windows,
    /// What to judge by.
    pub test: Windows,
    /// The mean and deviation of each column over the steps that are not held out.
    pub scale: Standardizer,
}

impl Series {
    /// Cuts the series in training and test windows, standardized by what the training part shows.
    ///
    /// # Errors
    /// If the window, the horizon or the held-out part is 0 steps long, a season is not at least 2, a part is too short for a
    /// single window, or the training part's values are so large that their deviation is not finite.
    pub fn windows(&self, options: WindowOptions) -> Result<WindowSplit, DataError> {
        let WindowOptions { window, horizon, held_out, season } = options;
        let fail = |problem: String| Err(DataError::Series { series: self.name().into(), problem });
        for (what, size) in [("window", window), ("horizon", horizon), ("held-out part", held_out)] {
            if size == 0 {
                return fail(format!("the {what} must have at least 1 step"));
            }
        }
        if let Some(season) = season.filter(|&season| !(season.is_finite() && season >= 2.0)) {
            return fail(format!("a season must have at least 2 steps, got {season}"));
        }
        let steps = self.len();
        let train_steps = steps.saturating_sub(held_out);
        // Sums of sizes that the user chose could overflow.
        if window.checked_add(horizon).is_none_or(|needed| needed > train_steps) {
            return fail(format!(
                "a window of {window} and a horizon of {horizon} do not fit in the training part, which needs as many \
                 steps as both together: of {steps} steps, {train_steps} are left when {held_out} are held out",
            ));
        }
        if horizon > held_out {
            return fail(format!(
                "a horizon of {horizon} does not fit in the {held_out} held-out steps: it needs at least as many"
            ));
        }
        let scale = self.scale(train_steps)?;
        let cut = |steps| self.windows_at(steps, options, &scale);
        Ok(WindowSplit {
            train: cut(window..train_steps - horizon + 1),
            test: cut(train_steps..steps - horizon + 1),
            scale,
        })
    }

    /// The samples whose targets begin at these steps, standardized with a given scale. Nothing is held out.
    ///
    /// # Panics
    /// If a window or a horizon does not fit in the series, or the scale is one of another number of columns.
    #[track_caller]
    pub fn windows_at(&self, steps: Range<usize>, options: WindowOptions, scale: &Standardizer) -> Windows {
        let WindowOptions { window, horizon, season, .. } = options;
        let first = steps.start;
        let inputs = steps.clone().map(|step| self.window_before(step, window, season, scale));
        let inputs: Vec<f32> = inputs.flat_map(|window| window.into_raw_vec_and_offset().0).collect();
        let features = self.columns().len() + if season.is_some() { 2 } else { 0 };
        let inputs = Array3::from_shape_vec((steps.len(), window, features), inputs).expect("as many as there are");
        let target = |(i, step)| standard(self.values()[[first + i + step, 0]], 0, scale);
        Windows { inputs, targets: Array2::from_shape_fn((steps.len(), horizon), target), steps }
    }

    /// The mean and deviation of each column over the first steps.
    fn scale(&self, steps: usize) -> Result<Standardizer, DataError> {
        let scale = Standardizer::of_columns(self.head(steps).values());
        // Squares may overflow where the values do not.
        match scale.mean().iter().zip(scale.std()).position(|(mean, std)| !(mean.is_finite() && std.is_finite())) {
            Some(column) => {
                let problem = format!("the values of {:?} are too large to be standardized", self.columns()[column]);
                Err(DataError::Series { series: self.name().into(), problem })
            }
            None => Ok(scale),
        }
    }

    /// The features `[window, features]` of the steps before a step, which may be the first after the end.
    ///
    /// # Panics
    /// If there are fewer steps before it, or the scale is one of another number of columns.
    #[track_caller]
    pub fn window_before(&self, step: usize, window: usize, season: Option<f64>, scale: &Standardizer) -> Array2<f32> {
        assert!(
            window <= step && step <= self.len() && scale.mean().len() == self.columns().len(),
            "window_before: no window of {window} steps before step {step} of {}",
            self.len()
        );
        let columns = self.columns().len();
        let features = columns + if season.is_some() { 2 } else { 0 };
        Array2::from_shape_fn((window, features), |(i, feature)| {
            let step = step - window + i;
            let angle = || TAU * (step + 1) as f64 / season.unwrap_or(1.0);
            match feature.checked_sub(columns) {
                None => standard(self.values()[[step, feature]], feature, scale),
                Some(0) => angle().sin() as f32,
                Some(_) => angle().cos() as f32,
            }
        })
    }
}

/// A column's value, standardized in double precision, so that a large mean does not cost digits.
fn standard(value: f64, column: usize, scale: &Standardizer) -> f32 {
    ((value - scale.mean()[column]) / scale.std()[column]) as f32
}

impl Windows {
    /// The number of samples, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a window")]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The inputs `[n, window, features]`.
    pub fn inputs(&self) -> Tensor {
        self.inputs.clone().into()
    }

    /// The targets `[n, horizon]`.
    pub fn targets(&self) -> Tensor {
        self.targets.clone().into()
    }

    /// The step of each sample's first target, counting from the beginning of the series.
    pub fn steps(&self) -> Range<usize> {
        self.steps.clone()
    }

    /// Every sample once, in a new random order, in batches of `size` pairs of inputs and targets; the last one may be
    /// shorter.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn batches(&self, size: usize, rng: &mut Rng) -> impl ExactSizeIterator<Item = (Tensor, Tensor)> + use<'_> {
        assert!(size > 0, "batches: a batch needs at least one sample, got size 0");
        let order = rng.permutation(self.len());
        let size = size.min(order.len());
        (0..order.len().div_ceil(size)).map(move |batch| {
            let rows = &order[batch * size..order.len().min((batch + 1) * size)];
            let inputs = self.inputs.select(Axis(0), rows);
            (inputs.into(), self.targets.select(Axis(0), rows).into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(steps: usize) -> Series {
        Series::of_one("toy", (0..steps).map(|i| i as f64).collect()).unwrap()
    }

    fn unscaled(split: &WindowSplit, x: f32) -> f64 {
        (f64::from(x) * split.scale.std()[0] + split.scale.mean()[0]).round()
    }

    #[test]
    fn worked_example() {
        let split = counting(10).windows(WindowOptions { window: 3, horizon: 2, held_out: 4, season: None }).unwrap();
        // The training part has the steps 0 to 5: mean 2.5.
        assert_eq!(split.scale.mean(), [2.5]);
        assert_eq!((split.train.steps(), split.test.steps()), (3..5, 6..9));
        let test = &split.test;
        for i in 0..3 {
            let input: Vec<f64> = (0..3).map(|step| unscaled(&split, test.inputs[[i, step, 0]])).collect();
            let target: Vec<f64> = test.targets.row(i).iter().map(|&x| unscaled(&split, x)).collect();
            let i = i as f64;
            assert_eq!((input, target), (vec![3.0 + i, 4.0 + i, 5.0 + i], vec![6.0 + i, 7.0 + i]));
        }
    }

    #[test]
    fn the_held_out_part_teaches_nothing() {
        let options = WindowOptions { window: 4, horizon: 3, held_out: 5, season: None };
        let series = counting(20);
        let mut values = series.values().to_owned();
        values.view_mut().split_at(Axis(0), 15).1.fill(1e9);
        let changed = Series::new("toy", ["toy"], values).unwrap();
        let (a, b) = (series.windows(options).unwrap(), changed.windows(options).unwrap());
        assert_eq!((a.train, a.scale), (b.train, b.scale));
        assert_ne!(a.test, b.test);
    }

    #[test]
    fn the_scale_is_learned_in_double_precision() {
        let options = WindowOptions { window: 3, horizon: 2, held_out: 4, season: None };
        // In single precision neighbors near 1e12 are 65536 apart, and nothing is above 3.4e38.
        for (start, step) in [(1e12, 1e4), (1e39, 1e37), (0.0, 1e-42)] {
            let values = (0..20).map(|i| start + step * f64::from(i)).collect();
            let split = Series::of_one("toy", values).unwrap().windows(options).unwrap();
            let plain = counting(20).windows(options).unwrap();
            assert!((split.scale.std()[0] / step - plain.scale.std()[0]).abs() < 1e-9, "{:?}", split.scale);
            assert!((split.train.inputs - plain.train.inputs).iter().all(|difference| difference.abs() < 1e-5));
        }
        // No multiple of 0.1 is a double: their sum is rounded.
        let flat = Series::of_one("toy", vec![0.1; 20]).unwrap().windows(options).unwrap();
        assert_eq!((flat.scale.mean(), flat.scale.std()), (&[0.1][..], &[1.0][..]));
        assert!(flat.train.inputs.iter().all(|&z| z == 0.0));
        let huge = Series::of_one("toy", (0..20).map(|i| 1e300 * f64::from(i)).collect()).unwrap();
        assert_eq!(
            huge.windows(options).unwrap_err().to_string(),
            "series \"toy\": the values of \"toy\" are too large to be standardized"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |window, horizon, held_out| {
            counting(10).windows(WindowOptions { window, horizon, held_out, season: None }).unwrap_err().to_string()
        };
        assert_eq!(
            message(7, 2, 2),
            "series \"toy\": a window of 7 and a horizon of 2 do not fit in the training part, which needs as many steps as \
             both together: of 10 steps, 8 are left when 2 are held out"
        );
        assert!(message(usize::MAX, 1, 2).contains("do not fit"));
        assert!(message(3, 1, 99).contains("0 are left when 99 are held out"));
        assert_eq!(
            message(2, 3, 2),
            "series \"toy\": a horizon of 3 does not fit in the 2 held-out steps: it needs at least as many"
        );
        assert_eq!(message(0, 1, 1), "series \"toy\": the window must have at least 1 step");
        assert!(message(1, 0, 1).contains("horizon") && message(1, 1, 0).contains("held-out part"));
    }

    #[test]
    fn the_place_in_the_season_is_told() {
        let options = WindowOptions { window: 3, horizon: 1, held_out: 4, season: Some(4.0) };
        let split = counting(12).windows(options).unwrap();
        assert_eq!(split.train.inputs().shape()[2], 3);
        // The last of the steps before step 8, the first of a season, knows that a season begins.
        let last = [1, 2].map(|feature| split.test.inputs[[0, 2, feature]]);
        assert!(last[0].abs() < 1e-6 && last[1] == 1.0, "{last:?}");
        let bad = counting(12).windows(WindowOptions { season: Some(1.5), ..options }).unwrap_err().to_string();
        assert_eq!(bad, "series \"toy\": a season must have at least 2 steps, got 1.5");
    }

    #[test]
    fn every_window_comes_once_a_pass() {
        let train =
            counting(30).windows(WindowOptions { window: 2, horizon: 1, held_out: 3, season: None }).unwrap().train;
        for size in [1, 4, 25, 100] {
            let batches: Vec<_> = train.batches(size, &mut Rng::seed_from_u64(1)).collect();
            assert_eq!(batches.len(), train.len().div_ceil(size));
            let mut seen: Vec<f32> = batches.iter().flat_map(|(_, y)| y.to_vec()).collect();
            seen.sort_by(f32::total_cmp);
            assert_eq!(seen, train.targets().to_vec());
            assert!(batches.iter().all(|(x, y)| x.shape()[0] == y.shape()[0] && x.shape()[1..] == [2, 1]));
        }
    }
}
