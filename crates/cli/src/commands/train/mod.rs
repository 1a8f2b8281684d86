//! `chainrule train`: from data to a judged, saved model. One file for each task, and what they share.

mod classifier;
mod forecaster;
mod language;
mod run_folder;

use super::{METRICS_FILE, MODEL_FILE, start_threads};
use crate::args::{Optimizer, TrainArgs};
use crate::error::CliError;
use crate::output::{Bar, Transcript};
use chainrule::layers::Module;
use chainrule::models::{ModelError, RecurrentKind};
use chainrule::optim::{Adam, Sgd};
use chainrule::tensor::Rng;
use chainrule::train::{EpochMetrics, FitOptions, Objective, Progress, Report, Silent};
use run_folder::RunFolder;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn train(args: &TrainArgs) -> Result<(), CliError> {
    let recurrent = RecurrentKind::NAMES.contains(&args.model.as_str());
    if args.model == "char-lm" {
        language::train(args)
    } else if recurrent && (args.target.is_some() || super::series::is_series(&args.data)) {
        forecaster::train(args)
    } else {
        classifier::train(args)
    }
}

/// Refuses options that are given but mean nothing for the task.
fn refuse(task: &str, options: &[(&str, bool)]) -> Result<(), CliError> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(CliError::Usage(format!("{option} means nothing for {task}"))),
        None => Ok(()),
    }
}

/// What the tasks differ in.
struct Defaults {
    /// The learning rate of Adam.
    adam: f64,
    /// The decay of weights, decoupled from Adam's steps.
    weight_decay: f64,
    /// How many batches a run has, about, and the bounds of its epochs.
    batches: usize,
    epochs: (usize, usize),
    /// The largest norm of a gradient.
    clip: Option<f64>,
}

/// A run that is on its way.
struct Run<'a> {
    args: &'a TrainArgs,
    threads: usize,
    path: PathBuf,
    out: Transcript,
}

const FILES: &[&str] = &[MODEL_FILE, METRICS_FILE];

impl<'a> Run<'a> {
    /// Starts the threads, and finds out whether the run's files could be written.
    fn start(args: &'a TrainArgs) -> Result<Self, CliError> {
        let threads = start_threads(args.threads)?;
        let path = args.out.clone().unwrap_or_else(|| default_folder(&args.model, &args.data));
        RunFolder::check(&path, FILES)?;
        Ok(Run { args, threads, path, out: Transcript::new(args.quiet) })
    }

    /// Says what is about to be trained on what.
    fn announce(&mut self, what: &str, parameters: usize) -> Result<(), CliError> {
        let s = if self.threads == 1 { "" } else { "s" };
        writeln!(self.out, "{} on {what}\n{parameters} parameters, {} thread{s}", self.args.model, self.threads)?;
        Ok(())
    }

    /// Trains, in as many epochs of `batches` batches as were asked for.
    fn fit<N: Module, O: Objective<N>>(
        &mut self,
        net: &mut N,
        data: &O,
        batches: usize,
        defaults: &Defaults,
        rng: &mut Rng,
    ) -> Result<Trained, CliError> {
        let (least, most) = defaults.epochs;
        let epochs = self.args.epochs.unwrap_or(defaults.batches.div_ceil(batches).clamp(least, most));
        let options = FitOptions { epochs, batch: self.args.batch, anneal: true, clip: defaults.clip };
        let mut optimizer = optimizer(self.args, defaults);
        let mut bar = Bar::new(epochs, &mut self.out);
        let progress: &mut dyn Progress = if self.args.quiet { &mut Silent } else { &mut bar };
        let started = Instant::now();
        let epochs = chainrule::train::fit(net, &mut *optimizer, data, options, rng, progress)?;
        Ok(Trained { epochs, seconds: started.elapsed().as_secs_f64() })
    }

    /// Writes the model and its metrics, both or neither, and prints the judgment.
    fn finish<M: Serialize>(
        mut self,
        task: &str,
        trained: Trained,
        test: M,
        save: impl FnOnce(PathBuf) -> Result<(), ModelError>,
        judgment: impl FnOnce(&mut Transcript, &M) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        let report = Report {
            model: self.args.model.clone(),
            data: self.args.data.clone(),
            task: task.into(),
            seed: self.args.seed,
            threads: self.threads,
            epochs: trained.epochs,
            test,
            train_seconds: trained.seconds,
        };
        let folder = RunFolder::open(&self.path, FILES)?;
        save(folder.staged(MODEL_FILE))?;
        report.save(folder.staged(METRICS_FILE))?;
        let saved = folder.commit()?;

        writeln!(self.out, "trained in {:.2} s\n", report.train_seconds)?;
        judgment(&mut self.out, &report.test)?;
        writeln!(self.out)?;
        for file in saved {
            writeln!(self.out, "saved {}", file.display())?;
        }
        Ok(self.out.finish()?)
    }
}

/// What training came to.
struct Trained {
    epochs: Vec<EpochMetrics>,
    seconds: f64,
}

fn optimizer(args: &TrainArgs, defaults: &Defaults) -> Box<dyn chainrule::optim::Optimizer> {
    match args.optimizer {
        Optimizer::Adam => {
            let adam = Adam::new(args.lr.unwrap_or(defaults.adam));
            Box::new(adam.weight_decay(defaults.weight_decay).decoupled(true))
        }
        Optimizer::Sgd => Box::new(Sgd::new(args.lr.unwrap_or(0.05)).momentum(0.9)),
    }
}

/// `runs/MODEL-DATA`, with the last part of the path, without its ending, where the data is a folder or a file.
fn default_folder(model: &str, data: &str) -> PathBuf {
    let path = Path::new(data);
    let name = if path.is_file() { path.file_stem() } else { path.file_name() };
    let name = name.map_or(data.into(), |name| name.to_string_lossy());
    Path::new("runs").join(format!("{model}-{name}"))
}
