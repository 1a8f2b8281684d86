//! What is printed: epochs with a progress bar, the judgment, the confusion matrix.

use chainrule::train::{
    Confusion, EpochMetrics, Evaluation, ForecastErrors, ForecastMetrics, LanguageMetrics, Progress,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write};

/// Standard output as a running commentary: when nobody reads it any more, the work goes on all the same. Writing never
/// fails; the first failure is kept for [`finish`](Transcript::finish), and nothing is written after it.
pub(crate) struct Transcript {
    quiet: bool,
    failure: Option<io::Error>,
}

impl Transcript {
    /// A quiet one writes nothing at all.
    pub(crate) fn new(quiet: bool) -> Self {
        Transcript { quiet, failure: None }
    }

    /// The first failure, if there was one.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.failure.map_or(Ok(()), Err)
    }
}

impl Write for Transcript {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.quiet && self.failure.is_none() {
            self.failure = io::stdout().write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.quiet && self.failure.is_none() {
            self.failure = io::stdout().flush().err();
        }
        Ok(())
    }
}

/// A bar on the terminal for the running epoch, a line on standard output for each that is done.
pub(crate) struct Bar<'a> {
    bar: ProgressBar,
    epochs: usize,
    loss: f64,
    batches: usize,
    out: &'a mut Transcript,
}

impl<'a> Bar<'a> {
    pub(crate) fn new(epochs: usize, out: &'a mut Transcript) -> Self {
        Bar { bar: ProgressBar::hidden(), epochs, loss: 0.0, batches: 0, out }
    }
}

impl Progress for Bar<'_> {
    fn epoch_started(&mut self, epoch: usize, batches: usize) {
        let style = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} batches, {msg}")
            .expect("the template is valid")
            .progress_chars("=> ");
        self.bar = ProgressBar::new(batches as u64).with_style(style);
        self.bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
        (self.loss, self.batches) = (0.0, 0);
    }

    fn batch_done(&mut self, loss: f64) {
        self.loss += loss;
        self.batches += 1;
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("loss {:.4}", self.loss / self.batches as f64));
        }
        self.bar.inc(1);
    }

    fn epoch_done(&mut self, metrics: &EpochMetrics) {
        self.bar.finish_and_clear();
        let EpochMetrics { epoch, loss, accuracy, seconds } = metrics;
        let accuracy = accuracy.map(|share| format!("  accuracy {:6.2} %", 100.0 * share)).unwrap_or_default();
        let width = self.epochs.to_string().len();
        writeln!(self.out, "epoch {epoch:>width$}/{}  loss {loss:.4}{accuracy}  {seconds:.2} s", self.epochs)
            .expect("a transcript takes everything");
    }
}

/// Prints the judgment and the confusion matrix.
pub(crate) fn judgment(out: &mut impl Write, evaluation: &Evaluation, classes: &[String]) -> io::Result<()> {
    let Evaluation { loss, confusion } = evaluation;
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    writeln!(out, "test loss  {loss:.4}  ({} samples)", confusion.total())?;
    writeln!(out, "accuracy   {}", percent(confusion.accuracy()))?;
    writeln!(out, "precision  {}  (mean over classes)", percent(confusion.precision()))?;
    writeln!(out, "recall     {}", percent(confusion.recall()))?;
    writeln!(out, "F1         {}", percent(confusion.f1()))?;
    writeln!(out, "\nconfusion matrix (rows: true class, columns: predicted)")?;
    matrix(out, confusion, classes)
}

/// Prints a forecaster's errors beside those of forecasts that need no model.
pub(crate) fn forecast_errors(out: &mut impl Write, metrics: &ForecastMetrics) -> io::Result<()> {
    let row = |name: &str, errors: &ForecastErrors| {
        let mape = errors.mape.map_or("-".into(), |share| format!("{:.2} %", 100.0 * share));
        vec![name.to_string(), format!("{:.4}", errors.rmse), format!("{:.4}", errors.mae), mape]
    };
    let mut rows = vec![["", "RMSE", "MAE", "MAPE"].map(String::from).to_vec(), row("model", &metrics.model)];
    rows.push(row("naive (the last value)", &metrics.naive));
    rows.extend(metrics.seasonal_naive.iter().map(|errors| row("seasonal naive (a season before)", errors)));
    table(out, &rows)?;
    let better = |other: &ForecastErrors| 100.0 * (1.0 - metrics.model.rmse / other.rmse);
    write!(out, "\nRMSE below the naive forecast's by {:.1} %", better(&metrics.naive))?;
    if let Some(seasonal) = &metrics.seasonal_naive {
        write!(out, ", below the seasonal one's by {:.1} %", better(seasonal))?;
    }
    writeln!(out)
}

/// Prints the judgment of a language model.
pub(crate) fn language(out: &mut impl Write, metrics: &LanguageMetrics) -> io::Result<()> {
    writeln!(out, "test loss           {:.4} nats a token", metrics.loss)?;
    writeln!(out, "perplexity          {:.3}", metrics.perplexity)?;
    writeln!(out, "bits per character  {:.4}", metrics.bits_per_character)
}

fn matrix(out: &mut impl Write, confusion: &Confusion, classes: &[String]) -> io::Result<()> {
    let n = confusion.classes();
    let label = classes.iter().map(|c| c.chars().count()).max().unwrap_or(0);
    let counts = (0..n).flat_map(|t| (0..n).map(move |p| confusion.count(t, p).to_string().len()));
    // Long names get a number as the head of their column.
    let heads: Vec<String> = if label > 6 { (0..n).map(|c| format!("#{c}")).collect() } else { classes.to_vec() };
    let width = counts.chain(heads.iter().map(|h| h.chars().count())).max().unwrap_or(1) + 1;
    let numbered = |c: usize| if label > 6 { format!("{} #{c}", classes[c]) } else { classes[c].clone() };
    let names: Vec<String> = (0..n).map(numbered).collect();
    let label = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    write!(out, "{:label$} ", "")?;
    for head in &heads {
        write!(out, "{head:>width$}")?;
    }
    writeln!(out)?;
    for (truth, name) in names.iter().enumerate() {
        write!(out, "{name:>label$} ")?;
        for predicted in 0..n {
            match confusion.count(truth, predicted) {
                0 => write!(out, "{:>width$}", ".")?,
                count => write!(out, "{count:>width$}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints columns aligned to their widest cell: the first to the left, numbers to the right.
pub(crate) fn table(out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| {
            let number = cell.starts_with(|c: char| c.is_ascii_digit()) && cell.chars().all(|c| !c.is_alphabetic());
            if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
