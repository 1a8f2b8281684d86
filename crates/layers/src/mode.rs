//! [`Mode`]: whether a pass trains or evaluates.

use chainrule_tensor::Rng;

/// How layers behave that differ between training and evaluation (dropout, batch normalization).
#[derive(Debug)]
pub enum Mode<'a> {
    /// Training, with the generator for every random draw of the pass.
    Train(&'a mut Rng),
    /// Evaluation: deterministic, and nothing is updated.
    Eval,
}

impl Mode<'_> {
    /// Whether this is training.
    pub fn is_train(&self) -> bool {
        matches!(self, Mode::Train(_))
    }
}
