//! Data sets for Chainrule: reading, checking, splitting, scaling and batching.
//!
//! The path of a sample, in the order of the modules:
//!
//! 1. A set is either embedded in the program ([`digits`], [`iris`], [`wine`]) or read from IDX files ([`read_idx`],
//!    [`mnist_folder`]); [`load`] finds it by its name or folder and [`catalog`] lists what there is.
//! 2. [`Dataset`] holds it, checked once: nothing behind its constructor meets a NaN or a label out of range.
//! 3. [`Dataset::split`] keeps every class's share in both parts; [`Standardizer`] learns its scale from the training
//!    part alone.
//! 4. [`Dataset::batches`] hands out shuffled batches, epoch after epoch.
//!
//! Sequences have their own path: [`Series`] (from a CSV file with the feature `csv`, or [`mackey_glass`]) is cut in
//! [`Windows`]; text becomes tokens through a [`Vocabulary`] and batches through [`TokenStreams`], [`pad`] and [`length_buckets`].
//!
//! Whatever comes from outside gives a [`DataError`] of one line. Every random choice draws on a generator that the
//! caller passes, and is the same on every platform.
//!
//! ```
//! use chainrule_data::{Standardizer, digits};
//! use chainrule_tensor::Rng;
//!
//! let mut rng = Rng::seed_from_u64(1);
//! let (train, test) = digits().split(0.8, &mut rng);
//! assert_eq!(train.len() + test.len(), 1797);
//! let scale = Standardizer::global(train.inputs());
//! let train = train.scaled(&scale)?;
//! for (inputs, labels) in train.batches(64, &mut rng) {
//!     assert_eq!(inputs.shape(), &[labels.len(), 1, 8, 8]);
//! }
//! # Ok::<(), chainrule_data::DataError>(())
//! ```

#![forbid(unsafe_code)]

mod batches;
mod catalog;
#[cfg(feature = "csv")]
mod csv;
mod dataset;
mod embedded;
mod error;
mod idx;
mod mackey_glass;
mod mnist;
mod scale;
mod season;
mod series;
mod source;
mod split;
mod text;
mod trend;
mod windows;

pub use batches::Batches;
pub use catalog::{CatalogEntry, Location, catalog};
pub use dataset::Dataset;
pub use embedded::{digits, iris, wine};
pub use error::{DataError, quoted};
pub use idx::{Idx, read_idx, read_idx_shape};
pub use mackey_glass::mackey_glass;
pub use mnist::mnist_folder;
pub use scale::Standardizer;
pub use season::season;
pub use series::Series;
pub use source::{DATA_VARIABLE, Loaded, TRAIN_FRACTION, load};
pub use text::{Padded, TokenBatch, TokenStreams, Tokenization, Vocabulary, length_buckets, pad, split_tokens};
pub use trend::Trend;
pub use windows::{WindowOptions, WindowSplit, Windows};
