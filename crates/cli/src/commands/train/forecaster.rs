//! Training a forecaster of a time series.

use super::{Defaults, Run, refuse};
use crate::args::{SeasonArg, TrainArgs};
use crate::commands::series;
use crate::error::CliError;
use crate::output;
use chainrule::models::{ForecastOptions, Forecaster, Season};
use chainrule::tensor::Rng;

pub(super) fn train(args: &TrainArgs) -> Result<(), CliError> {
    refuse("forecasting", &args.text_options())?;
    if !args.covariates.is_empty() && args.target.is_none() {
        return Err(CliError::Usage("--covariates help to forecast a column: say which with --target COLUMN".into()));
    }
    let columns: Vec<&str> = args.target.iter().chain(&args.covariates).map(String::as_str).collect();
    if columns.is_empty() && !series::is_generated(&args.data) {
        return Err(CliError::Usage(format!("say which column of {} to forecast: --target COLUMN", args.data)));
    }
    if args.data == "digits" {
        return Err(CliError::Usage("say in which series the column is: --data FILE".into()));
    }
    let series = series::read(&args.data, &columns, args.seed)?;
    let options = ForecastOptions {
        cell: args.model.clone(),
        window: args.window.unwrap_or(24),
        horizon: args.horizon.unwrap_or(1),
        held_out: args.held_out().steps(series.len()),
        season: match args.season {
            None | Some(SeasonArg::Auto) => Season::Find,
            Some(SeasonArg::None) => Season::None,
            Some(SeasonArg::Steps(steps)) => Season::Steps(steps),
        },
        hidden: args.hidden.unwrap_or(16),
        layers: args.layers.unwrap_or(1),
    };
    let mut rng = Rng::seed_from_u64(args.seed);
    let (mut model, split) = Forecaster::for_series(&series, &options, &args.data, args.seed, &mut rng)?;
    let mut run = Run::start(args)?;
    let (window, horizon) = (options.window, options.horizon);
    let season = model.config().season.map_or(String::new(), |steps| format!(", a season of {steps:.1} steps"));
    let what = format!(
        "{}: {} steps, the last {} held out{season}\nfrom {window} steps to the next {horizon}",
        series.name(),
        series.len(),
        options.held_out
    );
    run.announce(&what, model.config().net.parameters()?)?;
    let defaults = Defaults { adam: 3e-2, weight_decay: 0.1, batches: 600, epochs: (3, 300), clip: Some(1.0) };
    let trained = run.fit(&mut model.net, &split.train, split.train.len().div_ceil(args.batch), &defaults, &mut rng)?;

    let judged = model.evaluate(&series, options.held_out)?;
    if !judged.model.rmse.is_finite() {
        return Err(CliError::Diverged(judged.model.rmse));
    }
    run.finish("forecasting", trained, judged, |path| model.save(path), output::forecast_errors)
}
