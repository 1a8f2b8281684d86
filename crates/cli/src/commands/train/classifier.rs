//! Training a classifier.

use super::{Defaults, Run, refuse};
use crate::args::TrainArgs;
use crate::error::CliError;
use crate::output;
use chainrule::models::Classifier;
use chainrule::tensor::Rng;
use chainrule::train::TestMetrics;
use std::path::Path;

pub(super) fn train(args: &TrainArgs) -> Result<(), CliError> {
    refuse("classification", &[&args.forecast_options()[..], &args.sequence_options(), &args.text_options()].concat())?;
    if Path::new(&args.data).is_file() {
        let message =
            format!("{} is a file, but a classifier learns from a data set or a folder with IDX files", args.data);
        return Err(CliError::Usage(message));
    }
    let loaded = chainrule::data::load(&args.data, args.seed)?;
    let mut rng = Rng::seed_from_u64(args.seed);
    let mut model = Classifier::for_data(&args.model, &loaded.train, &args.data, args.seed, &mut rng)?;
    let train = model.prepare(loaded.train)?;
    let test = model.prepare(loaded.test)?;
    let mut run = Run::start(args)?;
    let (samples, tests, shape) = (train.len(), test.len(), train.input_shape());
    let what = format!("{}: {samples} training and {tests} test samples of {shape:?}", train.name());
    run.announce(&what, model.config().architecture.parameters()?)?;
    let defaults = Defaults { adam: 2e-3, weight_decay: 0.0, batches: 1000, epochs: (3, 200), clip: None };
    let trained = run.fit(&mut model.net, &train, train.len().div_ceil(args.batch), &defaults, &mut rng)?;

    let judged = chainrule::train::evaluate(&model.net, &test);
    if !judged.loss.is_finite() {
        return Err(CliError::Diverged(judged.loss));
    }
    run.finish(
        "classification",
        trained,
        TestMetrics::from(&judged),
        |path| model.save(path),
        |out, _| output::judgment(out, &judged, model.classes()),
    )
}
