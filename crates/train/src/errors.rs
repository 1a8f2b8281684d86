//! Errors of forecasts.

use serde::{Deserialize, Serialize};

/// How far forecasts are from what came, in the units of the series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastErrors {
    /// The root of the mean squared error.
    pub rmse: f64,
    /// The mean absolute error.
    pub mae: f64,
    /// The mean absolute error as a share of what came: 0.1 is 10 %. None where a true value is 0.
    pub mape: Option<f64>,
}

impl ForecastErrors {
    /// The errors of pairs of what came and what was forecast.
    ///
    /// # Panics
    /// If there is no pair.
    #[track_caller]
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (mut n, mut squares, mut sizes, mut shares) = (0.0, 0.0, 0.0, 0.0);
        for (truth, forecast) in pairs {
            let error = (forecast - truth).abs();
            n += 1.0;
            squares += error * error;
            sizes += error;
            // No error is no share of anything, even of 0.
            shares += if error == 0.0 { 0.0 } else { error / truth.abs() };
        }
        assert!(n > 0.0, "ForecastErrors: there is no forecast to judge");
        let mape = Some(shares / n).filter(|share: &f64| share.is_finite());
        ForecastErrors { rmse: (squares / n).sqrt(), mae: sizes / n, mape }
    }
}

/// The judgment of a forecaster on the held-out part of a series, beside forecasts that need no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastMetrics {
    /// The forecaster's errors.
    #[serde(flatten)]
    pub model: ForecastErrors,
    /// The errors of the naive forecast: what comes is the last value known.
    pub naive: ForecastErrors,
    /// The errors of the seasonal naive forecast, where there is a season: what comes is the value a season before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasonal_naive: Option<ForecastErrors>,
}

/// The judgment of a language model on held-out text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageMetrics {
    /// The mean cross entropy of a token, in nats.
    pub loss: f64,
    /// `exp(loss)`: among how many equally likely tokens the model seems to choose.
    pub perplexity: f64,
    /// The cross entropy of the text in bits, divided by its number of characters.
    pub bits_per_character: f64,
}

impl LanguageMetrics {
    /// From the mean cross entropy of a token in nats, and the number of characters that a token has on average.
    pub fn new(loss: f64, characters_per_token: f64) -> Self {
        let bits_per_character = loss / std::f64::consts::LN_2 / characters_per_token;
        LanguageMetrics { loss, perplexity: loss.exp(), bits_per_character }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example() {
        let errors = ForecastErrors::of([(2.0, 1.0), (4.0, 7.0), (-5.0, -5.0)]);
        assert_eq!(errors, ForecastErrors { rmse: (10.0f64 / 3.0).sqrt(), mae: 4.0 / 3.0, mape: Some(1.25 / 3.0) });
        assert_eq!(ForecastErrors::of([(0.0, 1.0)]).mape, None);
        assert_eq!(ForecastErrors::of([(0.0, 0.0)]).mape, Some(0.0));
    }

    #[test]
    fn a_uniform_choice_of_n_has_perplexity_n() {
        let metrics = LanguageMetrics::new(8f64.ln(), 1.5);
        assert!((metrics.perplexity - 8.0).abs() < 1e-12 && (metrics.bits_per_character - 2.0).abs() < 1e-12);
    }
}
