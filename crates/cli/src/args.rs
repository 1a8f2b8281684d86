//! The command line: every flag with its help and default.

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
    Train(Box<TrainArgs>),
    /// Judge a saved model on test data
    Evaluate(EvaluateArgs),
    /// Predict the class of new inputs, or the next steps of a series, with a saved model
    Predict(PredictArgs),
    /// Continue a text with a language model
    Generate(GenerateArgs),
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

/// What can be trained.
const MODELS: [&str; 7] = ["mlp", "cnn", "rnn", "lstm", "gru", "cnn-lstm", "char-lm"];

/// What can continue text.
const LANGUAGE_NETS: [&str; 4] = ["rnn", "lstm", "gru", "gpt"];

/// What the tokens of a language model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tokens {
    /// Every character of the text
    Characters,
    /// The most frequent words, white space and signs
    Words,
    /// Parts of words, found by joining frequent pairs of bytes
    BytePairs,
}

/// The end of the data: a share of it or a number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HeldOut {
    Share(f64),
    Steps(usize),
}

impl HeldOut {
    /// How many of so many steps: at least one.
    pub(crate) fn steps(self, all: usize) -> usize {
        match self {
            HeldOut::Share(share) => ((share * all as f64).round() as usize).max(1),
            HeldOut::Steps(steps) => steps,
        }
    }

    /// The share of so many tokens; all of them if there are fewer than are asked for.
    pub(crate) fn share(self, all: usize) -> f64 {
        match self {
            HeldOut::Share(share) => share,
            HeldOut::Steps(steps) => (steps as f64 / all as f64).min(1.0),
        }
    }
}

/// The season of a time series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SeasonArg {
    Auto,
    None,
    Steps(f64),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// What to train: mlp (multilayer perceptron, any inputs), cnn (convolutional net, images), rnn, lstm or gru (recurrent
    /// nets: a forecaster of a time series, or a classifier of images row by row), cnn-lstm (a classifier of films, which no
    /// embedded data set has: a folder with IDX files), char-lm (language model)
    #[arg(default_value = "cnn", value_parser = MODELS)]
    pub(crate) model: String,

    /// Data set by name (digits, iris, wine; mnist and fashion-mnist under the folder that CHAINRULE_DATA names), or a
    /// folder with IDX files as MNIST has them, images [n, height, width] or films [n, frames, height, width]; for a forecaster mackey-glass or a CSV file; for a language model a text file
    #[arg(long, value_name = "NAME|FOLDER|FILE", default_value = "digits")]
    pub(crate) data: String,

    /// How often to pass through the training data [default: enough for 1000 batches, 3 to 200; for forecasters 600
    /// batches, 3 to 300; for language models 1500 batches, 2 to 50]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) epochs: Option<usize>,

    /// Samples in a batch; for a language model the parts of the text that are read side by side
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    pub(crate) batch: usize,

    /// Learning rate at the start; it falls to 0 over the run [default: 0.05 for sgd; for adam 0.002, 0.03 for
    /// forecasters, 0.005 for language models (0.002 for gpt)]
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

    /// The column of the CSV file to forecast
    #[arg(long, value_name = "COLUMN", help_heading = "Forecasting")]
    pub(crate) target: Option<String>,

    /// Other columns that may help, separated by commas: known up to the present
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Forecasting")]
    pub(crate) covariates: Vec<String>,

    /// How many steps the forecaster sees [default: 24]
    #[arg(long, value_name = "STEPS", value_parser = positive, help_heading = "Forecasting")]
    pub(crate) window: Option<usize>,

    /// How many steps it forecasts [default: 1]
    #[arg(long, value_name = "STEPS", value_parser = positive, help_heading = "Forecasting")]
    pub(crate) horizon: Option<usize>,

    /// How many steps a season has, a number, or none [default: what the training part shows]
    #[arg(long, value_name = "STEPS", value_parser = season, help_heading = "Forecasting")]
    pub(crate) season: Option<SeasonArg>,

    /// The end of the series or text that is kept for the test: a share below 1 or a number of steps [default: 0.1]
    #[arg(long, value_name = "SHARE|STEPS", value_parser = held_out, help_heading = "Sequences")]
    pub(crate) held_out: Option<HeldOut>,

    /// The width of the layers [default: 16 for forecasters, 256 for language models, 128 for gpt]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sequences")]
    pub(crate) hidden: Option<usize>,

    /// How many layers there are [default: 1, 4 for gpt]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sequences")]
    pub(crate) layers: Option<usize>,

    /// The net of a language model: recurrent layers, or a transformer [default: lstm]
    #[arg(long, value_name = "KIND", value_parser = LANGUAGE_NETS, help_heading = "Language models")]
    pub(crate) net: Option<String>,

    /// The heads of attention of a transformer [default: 4]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Language models")]
    pub(crate) heads: Option<usize>,

    /// What a token is [default: characters]
    #[arg(long, value_enum, help_heading = "Language models")]
    pub(crate) tokens: Option<Tokens>,

    /// The most tokens of a vocabulary of words [default: 10000] or byte pairs [default: 1000]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Language models")]
    pub(crate) vocabulary: Option<usize>,

    /// How many tokens are learned from at once: gradients flow back so far, and gpt sees no further [default: 128]
    #[arg(long, value_name = "TOKENS", value_parser = positive, help_heading = "Language models")]
    pub(crate) length: Option<usize>,

    /// The probability with which a unit is dropped in training [default: 0.1]
    #[arg(long, value_name = "P", value_parser = probability, help_heading = "Language models")]
    pub(crate) dropout: Option<f64>,

    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl TrainArgs {
    /// The options for forecasters, and whether they are given.
    pub(crate) fn forecast_options(&self) -> [(&'static str, bool); 5] {
        [
            ("--target", self.target.is_some()),
            ("--covariates", !self.covariates.is_empty()),
            ("--window", self.window.is_some()),
            ("--horizon", self.horizon.is_some()),
            ("--season", self.season.is_some()),
        ]
    }

    /// The options for all nets that read sequences, and whether they are given.
    pub(crate) fn sequence_options(&self) -> [(&'static str, bool); 3] {
        [
            ("--held-out", self.held_out.is_some()),
            ("--hidden", self.hidden.is_some()),
            ("--layers", self.layers.is_some()),
        ]
    }

    /// How much of the end is held out.
    pub(crate) fn held_out(&self) -> HeldOut {
        self.held_out.unwrap_or(HeldOut::Share(0.1))
    }

    /// The options for language models, and whether they are given.
    pub(crate) fn text_options(&self) -> [(&'static str, bool); 6] {
        [
            ("--net", self.net.is_some()),
            ("--heads", self.heads.is_some()),
            ("--tokens", self.tokens.is_some()),
            ("--vocabulary", self.vocabulary.is_some()),
            ("--length", self.length.is_some()),
            ("--dropout", self.dropout.is_some()),
        ]
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    /// The folder of a saved model, or its file
    pub(crate) dir: PathBuf,

    /// Data by name, folder or file, as for train; its test part is judged [default: what the model was trained on]
    #[arg(long, value_name = "NAME|FOLDER|FILE")]
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
    /// header line is skipped), or an IDX file of images, plain or gzip, whose pixels are scaled to 0..1; for a forecaster a CSV file with its columns, whose
    /// next steps are wanted
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// Threads to work on [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    /// The folder of a saved language model, or its file
    pub(crate) dir: PathBuf,

    /// What the text begins with
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) prompt: String,

    /// How many tokens to add
    #[arg(long, value_name = "TOKENS", default_value_t = 500, value_parser = positive)]
    pub(crate) length: usize,

    /// Below 1 the likely becomes likelier, above 1 all becomes alike; at 0 the likeliest token is always chosen
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = temperature)]
    pub(crate) temperature: f64,

    /// Choose among so many of the likeliest tokens [default: all]
    #[arg(long, value_name = "K", value_parser = positive)]
    pub(crate) top_k: Option<usize>,

    /// Seed of the choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

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

fn held_out(text: &str) -> Result<HeldOut, String> {
    match (text.parse::<usize>(), text.parse::<f64>()) {
        (Ok(steps), _) if steps > 0 => Ok(HeldOut::Steps(steps)),
        (_, Ok(share)) if share > 0.0 && share < 1.0 => Ok(HeldOut::Share(share)),
        _ => Err("must be a share between 0 and 1 or a whole number of steps".into()),
    }
}

fn season(text: &str) -> Result<SeasonArg, String> {
    match text {
        "auto" => Ok(SeasonArg::Auto),
        "none" => Ok(SeasonArg::None),
        _ => match text.parse::<f64>() {
            Ok(steps) if steps.is_finite() && steps >= 2.0 => Ok(SeasonArg::Steps(steps)),
            _ => Err("must be a number of at least 2, auto or none".into()),
        },
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(p) if (0.0..1.0).contains(&p) => Ok(p),
        _ => Err("must be a number from 0 to below 1".into()),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t.is_finite() && t >= 0.0 => Ok(t),
        _ => Err("must be a number of at least 0".into()),
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
