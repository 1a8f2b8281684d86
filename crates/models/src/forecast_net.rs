//! [`ForecastNet`]: a window of a series through recurrent layers to the steps that follow.
//!
//! ```text
//! x [N, window, features]  ->  recurrent layers  ->  last output [N, hidden]  ->  linear  ->  y [N, horizon]
//! ```
//!
//! With [`Normalization::Window`] the columns of each window are shifted and scaled to mean 0 and deviation 1 on the way in, and the
//! target's shift and scale are undone on the way out.
//!
//! Source of that: T. Kim et al., "Reversible instance normalization for accurate time-series forecasting against distribution
//! shift", ICLR (2022), without its learned scale.

use crate::error::affordable;
use crate::recurrence::RecurrentSizes;
use crate::{ModelError, Recurrence, RecurrentKind};
use chainrule_layers::{Layer, Linear, Mode, Module};
use chainrule_tensor::{Rng, Tensor};
use serde::{Deserialize, Serialize};

/// On what scale the net sees a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// That of the whole series.
    Series,
    /// One of its own.
    Window,
}

/// The sizes of a [`ForecastNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastNetConfig {
    /// The kind of recurrent layers.
    pub cell: RecurrentKind,
    /// How many of the features are columns of the series; the first is the target.
    pub columns: usize,
    /// All features of a step.
    pub features: usize,
    /// How many steps the net sees.
    pub window: usize,
    /// How many steps it forecasts.
    pub horizon: usize,
    /// The width of the recurrent layers.
    pub hidden: usize,
    /// How many recurrent layers there are.
    pub layers: usize,
    /// On what scale the net sees a window.
    pub normalization: Normalization,
}

impl ForecastNetConfig {
    /// How many numbers the net's parameters hold, or why the sizes make no net.
    ///
    /// # Errors
    /// If a size is 0, or they are too large.
    pub fn parameters(&self) -> Result<usize, ModelError> {
        let fail = |problem: String| Err(ModelError::Configuration { model: "forecaster", problem });
        let &Self { cell, columns, features, window, horizon, hidden, layers, .. } = self;
        if [columns, features, window, horizon, hidden, layers].contains(&0) || columns > features {
            return fail(format!("sizes that make no net: {self:?}"));
        }
        let total = cell.parameters(self.recurrent());
        let total = total.and_then(|n| n.checked_add(hidden.checked_add(1)?.checked_mul(horizon)?));
        affordable("forecaster", total)
    }

    fn recurrent(&self) -> RecurrentSizes {
        RecurrentSizes { inputs: self.features, hidden: self.hidden, layers: self.layers, bidirectional: false }
    }

    /// The net with fresh weights.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters).
    pub fn build(&self, rng: &mut Rng) -> Result<ForecastNet, ModelError> {
        self.parameters()?;
        Ok(ForecastNet {
            rnn: self.cell.build(self.recurrent(), 0.0, rng),
            fc: Linear::new(self.hidden, self.horizon, rng),
            columns: self.columns,
            normalization: self.normalization,
        })
    }
}

/// A window of a series `[N, window, features]` through recurrent layers to the steps that follow, `[N, horizon]`. With
/// [`Normalization::Window`] each window is shifted and scaled on the way in, and the target's part of that undone on the way out.
#[derive(Debug, Module)]
#[module(crate = chainrule_layers)]
pub struct ForecastNet {
    /// The recurrent layers.
    pub rnn: Recurrence,
    /// From the last output to the forecast.
    pub fc: Linear,
    #[module(skip)]
    columns: usize,
    #[module(skip)]
    normalization: Normalization,
}

/// Added to the deviation of a window, in deviations of the series: where nothing moves, rounding errors are not blown up.
const LEAST_DEVIATION: f32 = 1e-2;

impl Layer for ForecastNet {
    fn call(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let columns = x.narrow(2, 0, self.columns);
        match self.normalization {
            Normalization::Series => self.run(x, mode),
            Normalization::Window => {
                let mean = columns.mean_dim(1, true);
                let centered = &columns - &mean;
                let deviation = (&centered * &centered).mean_dim(1, true).sqrt() + LEAST_DEVIATION;
                let rest = x.narrow(2, self.columns, x.shape()[2] - self.columns);
                let y = self.run(&Tensor::cat(&[&(centered / &deviation), &rest], 2), mode);
                let target = |x: &Tensor| x.narrow(2, 0, 1).select(2, 0);
                y * target(&deviation) + target(&mean)
            }
        }
    }

    fn describe(&self) -> String {
        format!("ForecastNet({}, {})", self.rnn.describe(), self.fc.describe())
    }
}

impl ForecastNet {
    fn run(&self, x: &Tensor, mode: &mut Mode<'_>) -> Tensor {
        let outputs = self.rnn.call(x, mode);
        self.fc.forward(&outputs.select(1, outputs.shape()[1] - 1))
    }
}
