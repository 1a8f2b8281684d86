//! Training a language model.

use super::{Defaults, Run, refuse};
use crate::args::{Tokens, TrainArgs};
use crate::commands::text;
use crate::error::CliError;
use crate::output;
use chainrule::data::{Vocabulary, split_tokens};
use chainrule::models::{GptConfig, LanguageModel, LanguageNetConfig, LanguageObjective, RecurrentLanguageNetConfig};
use chainrule::tensor::Rng;

pub(super) fn train(args: &TrainArgs) -> Result<(), CliError> {
    refuse("language models", &args.forecast_options())?;
    if args.data == "digits" {
        return Err(CliError::Usage("say which text to learn: --data FILE".into()));
    }
    let text = text::read(&args.data)?;
    if args.vocabulary.is_some() && args.tokens.unwrap_or(Tokens::Characters) == Tokens::Characters {
        let message =
            "--vocabulary means nothing for characters: all are kept; it goes with --tokens words or byte-pairs";
        return Err(CliError::Usage(message.into()));
    }
    let vocabulary = match args.tokens.unwrap_or(Tokens::Characters) {
        Tokens::Characters => Vocabulary::characters(&text)?,
        Tokens::Words => Vocabulary::words(&text, args.vocabulary.unwrap_or(10_000))?,
        Tokens::BytePairs => Vocabulary::byte_pairs(&text, args.vocabulary.unwrap_or(1000))?,
    };
    let tokens = vocabulary.encode(&text)?;
    let share = args.held_out().share(tokens.len());
    let (train, test) = split_tokens(&tokens, share)?;
    let length = args.length.unwrap_or(128);
    if args.length.is_some() && length > train.len() {
        let message = format!("--length {length} is more than the {} tokens there are to learn from", train.len());
        return Err(CliError::Usage(message));
    }
    let net = net(args, length)?;
    let is_gpt = matches!(net, LanguageNetConfig::Gpt(_));
    let mut rng = Rng::seed_from_u64(args.seed);
    let mut model = LanguageModel::new(vocabulary, net, &args.data, share, args.seed, &mut rng)?;
    let data = LanguageObjective::new(train, length)?;
    let mut run = Run::start(args)?;
    let what = format!(
        "{}: {} training and {} test tokens, a vocabulary of {}",
        args.data,
        train.len(),
        test.len(),
        model.vocabulary().len()
    );
    run.announce(&what, model.config().net.parameters()?)?;
    let adam = if is_gpt { 2e-3 } else { 5e-3 };
    let defaults = Defaults { adam, weight_decay: 0.01, batches: 1500, epochs: (2, 50), clip: Some(1.0) };
    let batches = train.len().div_ceil(args.batch.saturating_mul(length)).max(1);
    let trained = run.fit(&mut model.net, &data, batches, &defaults, &mut rng)?;

    let judged = model.evaluate(test)?;
    if !judged.loss.is_finite() {
        return Err(CliError::Diverged(judged.loss));
    }
    run.finish("language modeling", trained, judged, |path| model.save(path), output::language)
}

/// The net as it was asked for. A transformer sees as many tokens as are learned from at once.
fn net(args: &TrainArgs, length: usize) -> Result<LanguageNetConfig, CliError> {
    let vocabulary = 0; // The text will tell.
    let dropout = args.dropout.unwrap_or(0.1);
    let kind = args.net.as_deref().unwrap_or("lstm");
    if kind == "gpt" {
        let (features, layers, heads) = (args.hidden.unwrap_or(128), args.layers.unwrap_or(4), args.heads.unwrap_or(4));
        let sizes = GptConfig { vocabulary, context: length, features, heads, layers, dropout, ..Default::default() };
        return Ok(LanguageNetConfig::Gpt(sizes));
    }
    if args.heads.is_some() {
        return Err(CliError::Usage("--heads means nothing without --net gpt".into()));
    }
    let (hidden, layers) = (args.hidden.unwrap_or(256), args.layers.unwrap_or(1));
    let embedding = hidden.div_ceil(2);
    let sizes = RecurrentLanguageNetConfig { cell: kind.parse()?, vocabulary, embedding, hidden, layers, dropout };
    Ok(LanguageNetConfig::Recurrent(sizes))
}
