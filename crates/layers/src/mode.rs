//! [`Mode`]: whether a pass trains or evaluates.

use chainrule_tensor::{Real, Rng, Tensor};

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

    /// The tensor with each number silenced with probability `p` while training, and the others scaled up (see
    /// [`Dropout`](crate::Dropout)). Where `p` is 0 nothing is drawn.
    ///
    /// # Panics
    /// If `p` is above 1.
    #[track_caller]
    pub fn drop_out<T: Real>(&mut self, x: Tensor<T>, p: f64) -> Tensor<T> {
        match self {
            Mode::Train(rng) if p > 0.0 => x.dropout(p, rng),
            _ => x,
        }
    }
}
