//! Transformers: attention layers and what is built of them.
//!
//! * [`MultiheadAttention`]: tokens look at tokens, through several heads; [`KvCache`] lets one token after another be added;
//! * [`TransformerEncoderLayer`], [`TransformerDecoderLayer`] and their stacks, under PyTorch's names;
//! * [`SinusoidalPositions`], [`LearnedPositions`], [`Rotary`]: attention alone knows nothing of order;
//! * [`SwiGlu`]: a feed-forward net with a gate.
//!
//! Sequences are `[N, L, E]`: samples, tokens, features (PyTorch's `batch_first=True`), or `[L, E]` for one sample.

mod cache;
mod decoder;
mod encoder;
mod feed_forward;
mod multihead;
mod positions;

pub use cache::KvCache;
pub use decoder::{DecoderMasks, TransformerDecoder, TransformerDecoderLayer};
pub use encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use feed_forward::{FeedForwardActivation, SwiGlu, TransformerOptions};
pub use multihead::{AttentionMasks, MultiheadAttention};
pub use positions::{LearnedPositions, Rotary, SinusoidalPositions};
