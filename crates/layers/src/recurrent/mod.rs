//! Recurrent layers: [`Rnn`], [`Lstm`], [`Gru`], and the cells they repeat.
//!
//! | | |
//! |---|---|
//! | shapes | `x [N, L, F]` -> outputs `[N, L, D H]`; with `batch_first(false)` `[L, N, ..]`; one sequence `[L, F]` -> `[L, D H]` |
//! | states | `[layers D, N, H]`, `[layers D, H]` for one sequence: layer by layer, forward before reverse |
//! | parameters | for layer `k`: `weight_ih_lk [G H, F]` (`[G H, D H]` from the second on), `weight_hh_lk [G H, H]`, `bias_ih_lk`, `bias_hh_lk [G H]`; with `_reverse` behind it for the other direction |
//! | initialization | all uniform on `(-1/sqrt(H), 1/sqrt(H))`: PyTorch's default |
//!
//! `D` is 2 for a layer that runs in both directions, else 1; `G` the number of gates: 1, 4, 3. Names, shapes, layouts and the
//! order of the gates are PyTorch's, so that a state dict loads both ways. (Batch first is the default here, as with all other
//! layers.)
//!
//! The three kinds differ in the operation that each layer and direction calls; all else stands here.

mod builder;
mod cells;
mod gru;
mod lstm;
mod one_state;
mod params;
mod rnn;
mod stack;
#[cfg(test)]
mod tests;

pub use builder::RecurrentBuilder;
pub use cells::{GruCell, LstmCell, RnnCell};
pub use gru::Gru;
pub use lstm::{Lstm, LstmState};
pub use params::RecurrentParams;
pub use rnn::Rnn;
