//! `chainrule train`: from data to a judged, saved model.

use super::{METRICS_FILE, MODEL_FILE, start_threads};
use crate::args::{Optimizer, TrainArgs};
use crate::error::CliError;
use crate::output::{self, Bar};
use chainrule::models::Classifier;
use chainrule::optim::{Adam, Sgd};
use chainrule::tensor::Rng;
use chainrule::train::{FitOptions, Progress, Report, Silent, TestMetrics};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn train(args: &TrainArgs) -> Result<(), CliError> {
    let threads = start_threads(args.threads)?;
    let loaded = chainrule::data::load(&args.data, args.seed)?;
    let mut rng = Rng::seed_from_u64(args.seed);
    let mut model = Classifier::for_data(&args.model, &loaded.train, &args.data, args.seed, &mut rng)?;
    let train = model.prepare(loaded.train)?;
    let test = model.prepare(loaded.test)?;
    let dir = Folder::open(&args.out.clone().unwrap_or_else(|| default_folder(&args.model, &args.data)))?;
    let mut optimizer = optimizer(args);

    let mut out = io::stdout();
    if !args.quiet {
        let parameters = model.config().architecture.parameters().unwrap_or(0);
        writeln!(
            out,
            "{} on {}: {} training and {} test samples of {:?}, {parameters} parameters, {threads} thread{}",
            args.model,
            train.name(),
            train.len(),
            test.len(),
            train.input_shape(),
            if threads == 1 { "" } else { "s" }
        )?;
    }
    let epochs = args.epochs.unwrap_or(1000usize.div_ceil(train.len().div_ceil(args.batch)).clamp(3, 200));
    let mut bar = Bar::new(epochs);
    let progress: &mut dyn Progress = if args.quiet { &mut Silent } else { &mut bar };
    let options = FitOptions { epochs, batch: args.batch, anneal: true };
    let started = Instant::now();
    let epochs = chainrule::train::fit(&mut model.net, &mut *optimizer, &train, options, &mut rng, progress)?;
    let train_seconds = started.elapsed().as_secs_f64();
    if let Some(failure) = bar.failure {
        return Err(failure.into());
    }

    let judged = chainrule::train::evaluate(&model.net, &test);
    model.save(dir.path.join(MODEL_FILE))?;
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
    report.save(dir.path.join(METRICS_FILE))?;
    let path = dir.keep();
    if !args.quiet {
        writeln!(out, "trained in {train_seconds:.2} s\n")?;
        output::judgment(&mut out, &judged, model.classes())?;
        writeln!(out, "\nsaved {}", path.join(MODEL_FILE).display())?;
        writeln!(out, "saved {}", path.join(METRICS_FILE).display())?;
    }
    Ok(())
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

/// The folder of a run. One that was made for it disappears again unless the run is kept.
struct Folder {
    path: PathBuf,
    fresh: bool,
}

impl Folder {
    fn open(path: &Path) -> Result<Self, CliError> {
        let fresh = !path.exists();
        std::fs::create_dir_all(path).map_err(|e| CliError::Folder(path.to_owned(), e))?;
        Ok(Folder { path: path.to_owned(), fresh })
    }

    fn keep(mut self) -> PathBuf {
        self.fresh = false;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.fresh {
            // Only an empty folder can be removed this way, so nothing is lost.
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}
