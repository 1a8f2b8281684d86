//! [`Forecaster`]: a recurrent net that continues a time series, with the series' scale, saved as one file.

use crate::saved::{self, ModelFile};
use crate::{ForecastNet, ForecastNetConfig, ModelError, Normalization, Scaling};
use chainrule_data::{Series, Standardizer, Trend, WindowOptions, WindowSplit, season};
use chainrule_layers::{Layer, Mode};
use chainrule_tensor::ndarray::Axis;
use chainrule_tensor::{Rng, Tensor, no_grad};
use chainrule_train::{ForecastErrors, ForecastMetrics};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The season of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Season {
    /// The one that the training part shows, if it shows one: see [`season`].
    Find,
    /// There is none.
    None,
    /// So many steps.
    Steps(f64),
}

/// What a forecaster is to do, and how large its net is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastOptions {
    /// The kind of recurrent layer: `rnn`, `lstm` or `gru`.
    pub cell: String,
    /// How many steps the net sees.
    pub window: usize,
    /// How many steps it forecasts.
    pub horizon: usize,
    /// How many steps at the end of the series are held out.
    pub held_out: usize,
    /// The season.
    pub season: Season,
    /// The width of the recurrent layers.
    pub hidden: usize,
    /// How many recurrent layers there are.
    pub layers: usize,
}

/// What a saved forecaster's weights do not say. It is kept as JSON in the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecasterConfig {
    /// The net.
    pub net: ForecastNetConfig,
    /// The columns of the series; the first is the target.
    pub columns: Vec<String>,
    /// How many steps a season has, if there is one.
    pub season: Option<f64>,
    /// How many steps at the end of the series were held out.
    pub held_out: usize,
    /// The mean and deviation of each column of the training part.
    pub scaling: Scaling,
    /// The name or file of the series it was trained on.
    pub data: String,
    /// The seed that drew the weights.
    pub seed: u64,
}

/// A trained or fresh forecaster.
#[derive(Debug)]
pub struct Forecaster {
    config: ForecasterConfig,
    scale: Standardizer,
    /// The net from standardized windows to standardized forecasts.
    pub net: ForecastNet,
}

/// A straight line that explains this share of a series' variance is a trend.
const TREND: f64 = 0.3;

impl Forecaster {
    /// The key of the configuration in a saved model's metadata.
    pub(crate) const CONFIG_KEY: &str = "chainrule.forecaster";

    /// A fresh forecaster for this series, and the windows to train and judge it on. Scale, season and trend are learned from the
    /// part that is not held out: where there is a trend, the net sees each window on a scale of its own, so that it can go where
    /// the series has never been.
    ///
    /// # Errors
    /// If the series is too short, or the sizes make no net.
    pub fn for_series(
        series: &Series,
        options: &ForecastOptions,
        source: &str,
        seed: u64,
        rng: &mut Rng,
    ) -> Result<(Self, WindowSplit), ModelError> {
        let ForecastOptions { window, horizon, held_out, hidden, layers, .. } = *options;
        let known: Vec<f64> = series.target().iter().take(series.len().saturating_sub(held_out)).copied().collect();
        let season = match options.season {
            Season::Find => season(&known),
            Season::None => None,
            Season::Steps(steps) => Some(steps),
        };
        let split = series.windows(WindowOptions { window, horizon, held_out, season })?;
        let config = ForecasterConfig {
            net: ForecastNetConfig {
                cell: options.cell.parse()?,
                columns: series.columns().len(),
                features: split.train.inputs().shape()[2],
                window,
                horizon,
                hidden,
                layers,
                normalization: if Trend::of(&known).share() >= TREND {
                    Normalization::Window
                } else {
                    Normalization::Series
                },
            },
            columns: series.columns().to_vec(),
            season,
            held_out,
            scaling: Scaling { mean: split.scale.mean().to_vec(), std: split.scale.std().to_vec() },
            data: source.into(),
            seed,
        };
        let net = config.net.build(rng)?;
        Ok((Forecaster { config, scale: split.scale.clone(), net }, split))
    }

    /// The configuration.
    pub fn config(&self) -> &ForecasterConfig {
        &self.config
    }

    /// The next steps of the target after the end of the series, in its units. With a season the series has to begin where the one
    /// of training began, or whole seasons earlier or later.
    ///
    /// # Errors
    /// If the series has other columns, is shorter than the window, or holds numbers so large that the forecast is not finite.
    pub fn forecast(&self, series: &Series) -> Result<Vec<f64>, ModelError> {
        self.check(series, self.config.net.window)?;
        let window = series.window_before(series.len(), self.config.net.window, self.config.season, &self.scale);
        let forecast = self.outputs(&Tensor::from(window.insert_axis(Axis(0))));
        if forecast.iter().any(|x| !x.is_finite()) { Err(ModelError::NotFinite { row: 0 }) } else { Ok(forecast) }
    }

    /// Judges the forecaster on the last `held_out` steps of a series: each forecast is made from what was known before it.
    ///
    /// # Errors
    /// If the series has other columns, or is too short.
    pub fn evaluate(&self, series: &Series, held_out: usize) -> Result<ForecastMetrics, ModelError> {
        let ForecastNetConfig { window, horizon, .. } = self.config.net;
        let season = self.config.season;
        self.check(series, window.saturating_add(held_out))?;
        if held_out < horizon {
            let problem = format!(
                "a horizon of {horizon} does not fit in the {held_out} held-out steps: it needs at least as many"
            );
            return Err(ModelError::Configuration { model: "forecaster", problem });
        }
        let steps = series.len() - held_out..series.len() - horizon + 1;
        let options = WindowOptions { window, horizon, held_out, season };
        let windows = series.windows_at(steps.clone(), options, &self.scale);
        let forecasts = self.outputs(&windows.inputs());
        let x = series.target();
        let moments = || steps.clone().flat_map(|first| (0..horizon).map(move |ahead| (first, first + ahead)));
        let seasonal = season.map(|steps| steps.round() as usize).and_then(|season| {
            // Whole seasons before, in what was known when the forecast was made.
            let before = |(first, at): (usize, usize)| at.checked_sub(((at - first) / season + 1) * season);
            moments().map(|moment| Some((x[moment.1], x[before(moment)?]))).collect::<Option<Vec<_>>>()
        });
        Ok(ForecastMetrics {
            model: ForecastErrors::of(moments().map(|(_, at)| x[at]).zip(forecasts)),
            naive: ForecastErrors::of(moments().map(|(first, at)| (x[at], x[first - 1]))),
            seasonal_naive: seasonal.map(ForecastErrors::of),
        })
    }

    fn check(&self, series: &Series, needed: usize) -> Result<(), ModelError> {
        let fail = |problem| Err(ModelError::Configuration { model: "forecaster", problem });
        if series.columns() != self.config.columns {
            return fail(format!("it takes the columns {:?}, not {:?}", self.config.columns, series.columns()));
        }
        if series.len() < needed {
            return fail(format!("it needs {needed} steps, the series {:?} has {}", series.name(), series.len()));
        }
        Ok(())
    }

    /// The net's outputs for standardized windows, row by row, in the units of the series.
    fn outputs(&self, windows: &Tensor) -> Vec<f64> {
        let (mean, std) = (self.scale.mean()[0], self.scale.std()[0]);
        let outputs = no_grad(|| self.net.call(windows, &mut Mode::Eval));
        outputs.to_vec().into_iter().map(|z| f64::from(z) * std + mean).collect()
    }

    /// Writes weights and configuration to one safetensors file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        saved::save(path.as_ref(), Self::CONFIG_KEY, &self.config, &self.net)
    }

    /// Reads what [`save`](Forecaster::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_file(&ModelFile::read(path.as_ref())?)
    }

    pub(crate) fn from_file(file: &ModelFile<'_>) -> Result<Self, ModelError> {
        let config: ForecasterConfig = file.config(Self::CONFIG_KEY)?;
        file.check_parameters(config.net.parameters())?;
        let columns = config.columns.len();
        let extra = if config.season.is_some() { 2 } else { 0 };
        let Scaling { mean, std } = config.scaling.clone();
        if columns == 0
            || columns != config.net.columns
            || mean.len() != columns
            || config.net.features != columns + extra
        {
            return Err(file.refuse("its columns, features and scaling do not fit together".into()));
        }
        if config.season.is_some_and(|season| !(season.is_finite() && season >= 2.0)) {
            return Err(file.refuse("its season is not at least 2 steps".into()));
        }
        let scale = Standardizer::from_parts(mean, std).map_err(|error| file.refuse(error.to_string()))?;
        let mut net = config.net.build(&mut Rng::seed_from_u64(0))?;
        file.load_into(&mut net)?;
        Ok(Forecaster { config, scale, net })
    }
}
