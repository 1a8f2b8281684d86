//! Text as numbers: [`Vocabulary`] turns it into tokens and back, [`TokenStreams`] cuts long texts into batches for language
//! models, [`pad`] and [`length_buckets`] make batches of sequences of different lengths.

mod byte_pairs;
mod padded;
mod streams;
mod vocabulary;

pub use padded::{Padded, length_buckets, pad};
pub use streams::{TokenBatch, TokenStreams, split_tokens};
pub use vocabulary::{Tokenization, Vocabulary};
