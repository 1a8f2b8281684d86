//! The command line: every flag with its help and default.

use chainrule::models::Architecture;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Train, judge and use neural networks on the CPU.
///
/// Without a command, trains the small convolutional net `cnn` on the embedded handwritten digits.
#[derive(Debug, Parser)]
#[command(name = "chainrule", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model, judge it on the test data and save it
    Train(TrainArgs),
    /// Judge a saved model on test data
    Evaluate(EvaluateArgs),
    /// Predict the class of new inputs with a saved model
    Predict(PredictArgs),
    /// Show a saved model: layers, output shapes, parameter counts
    Inspect(InspectArgs),
    /// List the data sets
    Datasets,
}

impl Default for Command {
    fn default() -> Self {
        // The defaults stand with the flags; parsing an empty command line is how to get at them.
        let Args { command } = Args::parse_from(["chainrule", "train"]);
        command.expect("the command was given")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Optimizer {
    /// Adaptive moment estimation
    Adam,
    /// Stochastic gradient descent with momentum 0.9
    Sgd,
}

impl Optimizer {
    /// The learning rate where none is given.
    pub(crate) fn default_lr(self) -> f64 {
        match self {
            Optimizer::Adam => 1e-3,
            Optimizer::Sgd => 0.05,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// What to train: mlp (multilayer perceptron, any inputs) or cnn (convolutional net, images)
    #[arg(default_value = "cnn", value_parser = Architecture::NAMES)]
    pub(crate) model: String,

    /// Data set by name (digits, iris, wine; mnist and fashion-mnist under the folder that CHAINRULE_DATA names), or a
    /// folder with IDX files
    #[arg(long, value_name = "NAME|FOLDER", default_value = "digits")]
    pub(crate) data: String,

    /// How often to pass through the training data [default: enough for 1000 batches, at least 3, at most 200]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) epochs: Option<usize>,

    /// Samples in a batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    pub(crate) batch: usize,

    /// Learning rate at the start; it falls to 0 over the run [default: 0.001 for adam, 0.05 for sgd]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) lr: Option<f64>,

    /// How parameters are updated
    #[arg(long, value_enum, default_value_t = Optimizer::Adam)]
    pub(crate) optimizer: Optimizer,

    /// Seed of all randomness: the split, the weights, the order of samples, dropout
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Threads to work on; results do not depend on it [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,

    /// Where to save the model and its metrics [default: runs/MODEL-DATA]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    /// The folder of a saved model, or its file
    pub(crate) dir: PathBuf,

    /// Data set by name or folder, as for train; its test part is judged [default: what the model was trained on]
    #[arg(long, value_name = "NAME|FOLDER")]
    pub(crate) data: Option<String>,

    /// Threads to work on [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PredictArgs {
    /// The folder of a saved model, or its file
    pub(crate) dir: PathBuf,

    /// Inputs, in the units of the training data: a CSV file with one sample a line (its features, separated by commas; a
    /// header line is skipped), or an IDX file of images, plain or gzip, whose pixels are scaled to 0..1
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// Threads to work on [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The folder of a saved model, or its file
    pub(crate) dir: PathBuf,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("must be a whole number of at least 1".into()),
    }
}

/// The system may refuse so many threads only after it has choked on them.
fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    positive(text).and_then(|n| if n > MOST { Err(format!("must be at most {MOST}")) } else { Ok(n) })
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("must be a number above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_command_trains_the_cnn_on_digits() {
        let Command::Train(options) = Command::default() else { panic!("training is the default") };
        assert_eq!((options.model.as_str(), options.data.as_str(), options.seed), ("cnn", "digits", 1));
    }

    #[test]
    fn bad_numbers_are_refused() {
        for bad in [
            ["--epochs", "0"],
            ["--batch", "-1"],
            ["--lr", "nan"],
            ["--lr", "0"],
            ["--threads", "two"],
            ["--threads", "1025"],
        ] {
            assert!(Args::try_parse_from(["chainrule", "train"].into_iter().chain(bad)).is_err(), "{bad:?}");
        }
    }
}
