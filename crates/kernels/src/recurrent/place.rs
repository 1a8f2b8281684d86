//! Where the gates of a step find their numbers: rows of larger arrays, read and written a group of lanes at a time.

use super::panels::block_width;
use crate::Real;
use crate::lanes::LANES;
use crate::simd::prefetch;

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

    /// Asks for a block of units in a row, which need not exist.
    #[inline(always)]
    pub(super) fn ask(self, row: usize, column: usize) {
        for at in (0..block_width::<T>()).step_by(64 / T::BYTES) {
            prefetch(self.at(row, column + at).start);
        }
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
