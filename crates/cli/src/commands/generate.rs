//! `chainrule generate`: text from a language model.

use super::{load_model, start_threads};
use crate::args::GenerateArgs;
use crate::error::CliError;
use chainrule::models::{Sampling, Saved};
use chainrule::tensor::Rng;
use std::io::Write;

pub(crate) fn generate(args: &GenerateArgs) -> Result<(), CliError> {
    start_threads(args.threads)?;
    let Saved::LanguageModel(model) = load_model(&args.dir)? else {
        return Err(CliError::Usage(format!("{} holds no language model", args.dir.display())));
    };
    let mut out = std::io::stdout().lock();
    let mut failure = None;
    let mut write = |text: &str| {
        if failure.is_none() {
            failure = out.write_all(text.as_bytes()).and_then(|()| out.flush()).err();
        }
    };
    // The characters of the prompt are checked before anything is written.
    model.vocabulary().encode(&args.prompt).map_err(chainrule::models::ModelError::from)?;
    write(&args.prompt);
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k };
    let mut rng = Rng::seed_from_u64(args.seed);
    model.generate(&args.prompt, args.length, sampling, &mut rng, &mut write)?;
    write("\n");
    failure.map_or(Ok(()), |error| Err(error.into()))
}
