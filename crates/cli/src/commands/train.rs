//! `chainrule train`: from data to a judged, saved model.

use super::run_folder::RunFolder;
use super::{METRICS_FILE, MODEL_FILE, start_threads};
use crate::args::{Optimizer, TrainArgs};
use crate::error::CliError;
use crate::output::{self, Bar, Transcript};
use chainrule::models::Classifier;
use chainrule::optim::{Adam, Sgd};
use chainrule::tensor::Rng;
use chainrule::train::{FitOptions, Progress, Report, Silent, TestMetrics};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn train(args: &TrainArgs) -> Result<(), CliError> {
    const FILES: &[&str] = &[MODEL_FILE, METRICS_FILE];
    let threads = start_threads(args.threads)?;
    let loaded = chainrule::data::load(&args.data, args.seed)?;
    let mut rng = Rng::seed_from_u64(args.seed);
    let mut model = Classifier::for_data(&args.model, &loaded.train, &args.data, args.seed, &mut rng)?;
    let train = model.prepare(loaded.train)?;
    let test = model.prepare(loaded.test)?;
    let path = args.out.clone().unwrap_or_else(|| default_folder(&args.model, &args.data));
    RunFolder::check(&path, FILES)?;

    let mut out = Transcript::new(args.quiet);
    writeln!(
        out,
        "{} on {}: {} training and {} test samples of {:?}\n{} parameters, {threads} thread{}",
        args.model,
        train.name(),
        train.len(),
        test.len(),
        train.input_shape(),
        model.config().architecture.parameters()?,
        if threads == 1 { "" } else { "s" }
    )?;
    let epochs = args.epochs.unwrap_or(1000usize.div_ceil(train.len().div_ceil(args.batch)).clamp(3, 200));
    let mut bar = Bar::new(epochs, &mut out);
    let progress: &mut dyn Progress = if args.quiet { &mut Silent } else { &mut bar };
    let options = FitOptions { epochs, batch: args.batch, anneal: true, clip: None };
    let mut optimizer = optimizer(args);
    let started = Instant::now();
    let epochs = chainrule::train::fit(&mut model.net, &mut *optimizer, &train, options, &mut rng, progress)?;
    let train_seconds = started.elapsed().as_secs_f64();

    let judged = chainrule::train::evaluate(&model.net, &test);
    if !judged.loss.is_finite() {
        return Err(CliError::Diverged(judged.loss));
    }
    let report = Report {
        model: args.model.clone(),
        data: args.data.clone(),
        task: "classification".into(),
        seed: args.seed,
        threads,
        epochs,
        test: TestMetrics::from(&judged),
        train_seconds,
    };
    let run = RunFolder::open(&path, FILES)?;
    model.save(run.staged(MODEL_FILE))?;
    report.save(run.staged(METRICS_FILE))?;
    let saved = run.commit()?;

    writeln!(out, "trained in {train_seconds:.2} s\n")?;
    output::judgment(&mut out, &judged, model.classes())?;
    writeln!(out)?;
    for file in saved {
        writeln!(out, "saved {}", file.display())?;
    }
    Ok(out.finish()?)
}

fn optimizer(args: &TrainArgs) -> Box<dyn chainrule::optim::Optimizer> {
    let lr = args.lr.unwrap_or(args.optimizer.default_lr());
    match args.optimizer {
        Optimizer::Adam => Box::new(Adam::new(lr)),
        Optimizer::Sgd => Box::new(Sgd::new(lr).momentum(0.9)),
    }
}

/// `runs/MODEL-DATA`, with the last part of the path where the data is a folder.
fn default_folder(model: &str, data: &str) -> PathBuf {
    let name = Path::new(data).file_name().map_or(data.into(), |name| name.to_string_lossy());
    Path::new("runs").join(format!("{model}-{name}"))
}
