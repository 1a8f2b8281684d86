//! Where the gates of a step find their numbers: rows of larger arrays, read and written a group of lanes at a time.
//!
//! What a cell does is written for one group ([`Gating`]); [`for_groups`] takes it through all samples and units.

use crate::Real;
use crate::lanes::LANES;

/// A group of neighboring units.
pub(super) type Group<T> = [T; LANES];

/// Rows of numbers, `stride` apart. Stride 0 is the same row again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<T> {
    start: *mut T,
    stride: usize,
}

// SAFETY: a place is but an address. Whoever reads or writes there answers for it.
unsafe impl<T: Send> Send for Place<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Place<T> {}

impl<T: Real> Place<T> {
    /// A place to write to.
    pub(super) fn new(numbers: &mut [T], stride: usize) -> Self {
        Place { start: numbers.as_mut_ptr(), stride }
    }

    /// A place that is only read.
    pub(super) fn read_only(numbers: &[T], stride: usize) -> Self {
        Place { start: numbers.as_ptr().cast_mut(), stride }
    }

    /// The place that begins `row` rows and `column` numbers further on.
    #[inline(always)]
    pub(super) fn at(self, row: usize, column: usize) -> Self {
        Place { start: self.start.wrapping_add(row * self.stride + column), ..self }
    }

    /// `len` numbers from here on.
    ///
    /// # Safety
    /// They are there, and nobody writes them during `'a`.
    pub(super) unsafe fn slice<'a>(self, len: usize) -> &'a [T] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts(self.start, len) }
    }

    /// `len` numbers from here on.
    ///
    /// # Safety
    /// They are there, and nobody else reads or writes them during `'a`.
    pub(super) unsafe fn slice_mut<'a>(self, len: usize) -> &'a mut [T] {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.start, len) }
    }

    /// The first `count` numbers of row `row` from `column` on, zeros behind them.
    ///
    /// # Safety
    /// They are there, and nobody writes them meanwhile. `count` is at most [`LANES`].
    #[inline(always)]
    pub(super) unsafe fn load(self, row: usize, column: usize, count: usize) -> Group<T> {
        let mut group = [T::ZERO; LANES];
        // SAFETY: the caller's.
        unsafe {
            let from = self.start.add(row * self.stride + column);
            if count == LANES {
                group = from.cast::<Group<T>>().read();
            } else {
                std::ptr::copy_nonoverlapping(from, group.as_mut_ptr(), count);
            }
        }
        group
    }

    /// Stores the first `count` numbers of a group.
    ///
    /// # Safety
    /// Their place is there, and nobody else reads or writes it meanwhile. `count` is at most [`LANES`].
    #[inline(always)]
    pub(super) unsafe fn store(self, row: usize, column: usize, count: usize, group: Group<T>) {
        // SAFETY: the caller's.
        unsafe {
            let to = self.start.add(row * self.stride + column);
            if count == LANES {
                to.cast::<Group<T>>().write(group);
            } else {
                std::ptr::copy_nonoverlapping(group.as_ptr(), to, count);
            }
        }
    }
}

/// What a cell does with one step of some samples (rows) and neighboring units.
pub(super) trait Gating {
    /// Samples.
    fn rows(&self) -> usize;

    /// Units.
    fn units(&self) -> usize;

    /// Whether the step lies beyond the sample's length. If so, it has been handed on.
    ///
    /// # Safety
    /// The promises of whoever made the places.
    unsafe fn passes(&self, row: usize) -> bool;

    /// Does the work for `count` units of a sample, from `at` on.
    ///
    /// # Safety
    /// As for `passes`; these units exist, and `count` is at most [`LANES`].
    unsafe fn group(&self, row: usize, at: usize, count: usize);
}

/// All samples and units of a step, group by group.
///
/// # Safety
/// The promises of whoever made the places.
#[inline(always)]
pub(super) unsafe fn for_groups(gating: &impl Gating) {
    let units = gating.units();
    let whole = units - units % LANES;
    for row in 0..gating.rows() {
        // SAFETY: the caller's; the groups stay within the units.
        unsafe {
            if gating.passes(row) {
                continue;
            }
            // Where the compiler knows the count, a group is a register, else a call that copies memory.
            for at in (0..whole).step_by(LANES) {
                gating.group(row, at, LANES);
            }
            if whole < units {
                gating.group(row, whole, units - whole);
            }
        }
    }
}
