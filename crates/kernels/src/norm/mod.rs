//! Normalization: values are brought to mean 0 and variance 1, then scaled and shifted by learned numbers.
//!
//! * [`batch_norm`]: each channel over a batch, and over the positions of its images;
//! * [`layer_norm`]: each row by itself;
//! * [`group_norm`]: each group of channels of each sample;
//! * [`rms_norm`]: each row by itself, by its length alone.
//!
//! The first three rest on moments that lose no digits, however long the data and however far from 0 their mean.

// The kernels take slices and sizes, one by one: structs of references would only move the names.
#![allow(clippy::too_many_arguments)]

mod batch;
mod channels;
mod group;
mod layer;
mod rms;
mod short;
#[cfg(test)]
mod testing;

use crate::parallel;

pub use batch::{BatchNormKernels, batch_norm, batch_norm_backward, batch_stats};
pub use group::{GroupNormKernels, group_norm, group_norm_backward};
pub use layer::{LayerNormKernels, layer_norm, layer_norm_backward};
pub use rms::{RmsNormKernels, rms_norm, rms_norm_backward};

/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 15;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 3 << 14;
/// What a row takes beside its elements, counted in elements.
const ROW: usize = 40;

/// Whether rows of `cols` elements are too few for a second thread.
fn are_few(rows: usize, cols: usize) -> bool {
    rows * (cols + ROW) < PARALLEL
}

/// How many rows a piece of parallel work has.
fn piece(rows: usize, cols: usize) -> usize {
    parallel::together(rows, cols + ROW, PARALLEL, PIECE)
}

/// `1 / sqrt(x)`
#[inline(always)]
fn inverse_root(x: f64) -> f64 {
    1.0 / x.sqrt()
}
