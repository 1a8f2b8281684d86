//! [`Rnn`]: plain recurrent layers.
//!
//! The equations stand with the operation [`rnn`](chainrule_tensor::Tensor::rnn), shapes and names of the parameters in the
//! [module's](super) head.
//!
//! Source: J. Elman, "Finding structure in time", Cognitive Science 14 (1990).

use super::builder::RecurrentBuilder;
use super::one_state::one_state;
use super::params::{Kind, RecurrentParams};
use super::stack::Stack;
use crate::{Layer, Mode, Module};
use chainrule_tensor::{Real, Rng, Tensor};

one_state! {
    /// A plain recurrent net that runs over sequences.
    ///
    /// As a [`Layer`] it maps `[N, L, F]` to the outputs of all steps, `[N, L, H]`.
    ///
    /// ```
    /// use chainrule_layers::{Rnn, Mode};
    /// use chainrule_tensor::{Rng, Tensor};
    ///
    /// let rng = &mut Rng::seed_from_u64(1);
    /// let layer: Rnn = Rnn::builder(3, 5).layers(2).build(rng);
    /// let (outputs, h) = layer.forward_padded(&Tensor::ones([2, 7, 3]), &[7, 4], None, &mut Mode::Eval);
    /// assert_eq!(outputs.shape(), &[2, 7, 5]);
    /// assert_eq!(h.shape(), &[2, 2, 5]); // layers, samples, units
    /// // The second sample has four steps.
    /// assert_eq!(h.select(0, 1).select(0, 1).to_vec(), outputs.select(0, 1).select(0, 3).to_vec());
    /// // The next chunk carries on where this one ended, and gradients end where it began.
    /// let (more, _) = layer.forward(&Tensor::ones([2, 4, 3]), Some(&h.detach()), &mut Mode::Eval);
    /// assert_eq!(more.shape(), &[2, 4, 5]);
    /// ```
    Rnn, Kind::Rnn(Default::default())
}
