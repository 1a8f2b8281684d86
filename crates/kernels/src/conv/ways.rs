//! The ways to read the windows of a product, and which of them takes least time.

use crate::gemm::registers::lanes;
use crate::gemm::{Element, MAX_LANES};
use crate::simd::{self, Level};

/// How windows are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// Windows of a row side by side, in planes that are split by the stride (`windows`).
    Rows,
    /// Each where it stands, with the outputs side by side (`standing`).
    Standing,
    /// Those of some samples side by side (`batched`).
    Batched,
}

/// What decides between them. What each way does beside the multiplications is counted in their time, as fitted to 220 convolutions of all
/// kinds, half of them of 8 to 64 samples.
#[derive(Clone, Copy)]
pub(super) struct Task {
    /// Of channels.
    pub(super) groups: usize,
    /// Samples, and rows and columns of windows of each.
    pub(super) windows: [usize; 3],
    /// Rows of planes, or pieces of rows, that are copied for windows of a row and need not be where the windows stand.
    pub(super) copies: usize,
    /// Output channels.
    pub(super) outputs: usize,
    /// Terms of each sum.
    pub(super) terms: usize,
}

impl Task {
    /// The way that takes least time, where the planes of a sample, with their padding, have so many `numbers`.
    pub(super) fn way<T: Element>(&self, numbers: usize) -> Way {
        let least = self.in_rows().min(self.standing());
        if simd::level() != Level::Portable && self.batched::<T>(numbers) < least {
            Way::Batched
        } else {
            self.one_by_one()
        }
    }

    /// The better of the ways that take samples one by one.
    pub(super) fn one_by_one(&self) -> Way {
        if simd::level() != Level::Portable && self.standing() < self.in_rows() { Way::Standing } else { Way::Rows }
    }

    /// Rows that are shorter than a register are packed one by one; others meet the end of one now and then.
    fn in_rows(&self) -> usize {
        let [samples, rows, columns] = self.windows;
        let row = if columns < MAX_LANES { 120 } else { 50 };
        400 * self.copies + row * self.terms * samples * rows
    }

    /// The weights and the output are turned, and lanes behind the last output are empty.
    fn standing(&self) -> usize {
        let &Task { windows: [samples, rows, columns], outputs, terms, .. } = self;
        let (windows, full) = (samples * rows * columns, outputs.next_multiple_of(MAX_LANES));
        25 * terms * full + 15 * outputs * windows + (4 + full - outputs) * terms * windows
    }

    /// Planes and the output are turned, and lanes behind the last sample are empty.
    pub(super) fn batched<T: Element>(&self, numbers: usize) -> usize {
        let &Task { windows: [samples, rows, columns], outputs, terms, .. } = self;
        let full = samples.next_multiple_of(lanes::<T>());
        let turned = 6 * numbers * full + 5 * outputs * samples * rows * columns;
        // The only piece of work is cut thrice for the threads, rather than once.
        let alone = if self.groups == 1 && full == lanes::<T>() { 1_500_000 } else { 0 };
        alone + turned + terms * rows * columns * (samples + outputs * (full - samples)) + 250 * full
    }
}
