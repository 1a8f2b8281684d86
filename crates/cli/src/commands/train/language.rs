//! Training a language model.

use super::{Defaults, Run, refuse};
use crate::args::{Tokens, TrainArgs};
use crate::commands::text;
use crate::error::CliError;
use crate::output;
use chainrule::data::{Vocabulary, split_tokens};
use chainrule::models::{LanguageModel, LanguageNetConfig, LanguageObjective};
use chainrule::tensor::Rng;

pub(super) fn train(args: &TrainArgs) -> Result<(), CliError> {
    refuse("language models", &args.forecast_options())?;
    if args.data == "digits" {
        return Err(CliError::Usage("say which text to learn: --data FILE".into()));
    }
    let text = text::read(&args.data)?;
    let vocabulary = match args.tokens.unwrap_or(Tokens::Characters) {
        Tokens::Characters => Vocabulary::characters(&text)?,
        Tokens::Words => Vocabulary::words(&text, args.vocabulary.unwrap_or(10_000))?,
        Tokens::BytePairs => Vocabulary::byte_pairs(&text, args.vocabulary.unwrap_or(1000))?,
    };
    let tokens = vocabulary.encode(&text)?;
    let share = args.held_out.share(tokens.len());
    let (train, test) = split_tokens(&tokens, share)?;
    let hidden = args.hidden.unwrap_or(256);
    let net = LanguageNetConfig {
        cell: args.cell.as_deref().unwrap_or("lstm").parse()?,
        vocabulary: vocabulary.len(),
        embedding: hidden.div_ceil(2),
        hidden,
        layers: args.layers.unwrap_or(1),
        dropout: args.dropout.unwrap_or(0.1),
    };
    let mut rng = Rng::seed_from_u64(args.seed);
    let mut model = LanguageModel::new(vocabulary, net, &args.data, share, args.seed, &mut rng)?;
    let length = args.length.unwrap_or(128);
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
    let defaults = Defaults { adam: 5e-3, weight_decay: 0.0, batches: 1500, epochs: (2, 50), clip: Some(1.0) };
    let batches = train.len().div_ceil(args.batch.saturating_mul(length)).max(1);
    let trained = run.fit(&mut model.net, &data, batches, &defaults, &mut rng)?;

    let judged = model.evaluate(test)?;
    if !judged.loss.is_finite() {
        return Err(CliError::Diverged(judged.loss));
    }
    run.finish("language modeling", trained, judged, |path| model.save(path), output::language)
}
