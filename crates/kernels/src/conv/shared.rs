//! [`Shared`]: an output that several threads write, each its own parts.

use std::marker::PhantomData;

/// A mutable slice whose disjoint parts are handed to different threads.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: the parts that threads take are disjoint, by the contract of `part`, so each has one writer.
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Takes the slice for as long as it is borrowed.
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Shared { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The part that starts at `at`.
    ///
    /// # Safety
    /// No other part that is in use at the same time may overlap it.
    ///
    /// # Panics
    /// If the part is not inside the slice.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn part(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at <= self.len && len <= self.len - at, "a part lies outside of the output");
        // SAFETY: inside the slice, which is borrowed mutably for `'a`; the caller keeps the parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// The address of the part that starts at `at`, for numbers that do not follow each other.
    ///
    /// # Panics
    /// If the part is not inside the slice.
    pub(super) fn place(&self, at: usize, len: usize) -> *mut T {
        assert!(at <= self.len && len <= self.len - at, "a part lies outside of the output");
        self.start.wrapping_add(at)
    }
}
