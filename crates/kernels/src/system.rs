//! Memory from the system, in whole blocks, zeroed.
//!
//! A large block on Linux is mapped at a multiple of 2 MiB and the part that will surely be used is advised to stand on huge
//! pages: a matrix whose rows are 4 KiB apart otherwise needs an entry of the TLB for each row, and each page a fault of its
//! own. Elsewhere, and for small blocks, the global allocator serves.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Alignment of every block in bytes: a cache line, and the widest register.
pub(crate) const ALIGN: usize = 64;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// How many blocks have been asked for so far.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// A block of zeros, aligned to [`ALIGN`], of `size` bytes, of which the first `used` will be used first. `size` is a multiple
/// of `ALIGN` and not 0.
pub(crate) fn alloc(size: usize, used: usize) -> NonNull<u8> {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let layout = layout(size);
    // SAFETY: the layout's size is not 0.
    let block = if huge::serves(size) { huge::map(size, used) } else { NonNull::new(unsafe { alloc_zeroed(layout) }) };
    block.unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back.
///
/// # Safety
/// It came from [`alloc`] with this size, and nobody holds it any more.
pub(crate) unsafe fn free(block: NonNull<u8>, size: usize) {
    // SAFETY: the caller's; the size tells, now as then, who makes such blocks.
    unsafe { if huge::serves(size) { huge::unmap(block, size) } else { dealloc(block.as_ptr(), layout(size)) } }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("buffer size overflows isize")
}

#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
mod huge {
    use std::ffi::{c_int, c_void};
    use std::ptr::{NonNull, null_mut};

    /// A huge page.
    const PAGE: usize = 2 << 20;
    /// Blocks from this size on are mapped: the allocator would hardly do anything else.
    const LEAST: usize = 2 * PAGE;

    // The C library, which the standard library brings along; the numbers are those of Linux on all 64-bit machines.
    unsafe extern "C" {
        fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, file: c_int, offset: i64) -> *mut c_void;
        fn munmap(at: *mut c_void, len: usize) -> c_int;
        fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
    }
    const READ_WRITE: c_int = 1 | 2;
    const PRIVATE_ANONYMOUS: c_int = 2 | 0x20;
    const HUGE_PAGES: c_int = 14;

    /// The size as whole huge pages: then neighboring blocks never share one.
    fn whole(size: usize) -> usize {
        size.next_multiple_of(PAGE)
    }

    /// Whether blocks of this size are mapped.
    pub(super) fn serves(size: usize) -> bool {
        size >= LEAST
    }

    /// A new mapping, if there is memory.
    pub(super) fn map(size: usize, used: usize) -> Option<NonNull<u8>> {
        let size = whole(size);
        // SAFETY: a new mapping touches no memory of ours; its ends, which are given back, were never used. Advice that the
        // system does not take changes nothing.
        unsafe {
            let start = mmap(null_mut(), size + PAGE, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
            if start as isize == -1 {
                return None;
            }
            let before = start.align_offset(PAGE);
            if before > 0 {
                munmap(start, before);
            }
            let block = start.byte_add(before);
            if before < PAGE {
                munmap(block.byte_add(size), PAGE - before);
            }
            madvise(block, used / PAGE * PAGE, HUGE_PAGES);
            NonNull::new(block.cast())
        }
    }

    /// Unmaps a block.
    ///
    /// # Safety
    /// It came from [`map`] with this size, and nobody holds it any more.
    pub(super) unsafe fn unmap(block: NonNull<u8>, size: usize) {
        // SAFETY: the caller's.
        unsafe { munmap(block.as_ptr().cast(), whole(size)) };
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(miri))))]
mod huge {
    use std::ptr::NonNull;

    pub(super) fn serves(_: usize) -> bool {
        false
    }

    pub(super) fn map(_: usize, _: usize) -> Option<NonNull<u8>> {
        unreachable!("no block is mapped here")
    }

    pub(super) unsafe fn unmap(_: NonNull<u8>, _: usize) {
        unreachable!("no block is mapped here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zero_and_usable_to_the_end() {
        for size in [ALIGN, 1 << 20, (4 << 20) - ALIGN, 4 << 20, (9 << 20) + ALIGN] {
            let block = alloc(size, size / 2);
            assert_eq!(block.as_ptr() as usize % ALIGN, 0);
            // SAFETY: the block holds `size` zeros and is ours until it is freed.
            unsafe {
                let bytes = std::slice::from_raw_parts_mut(block.as_ptr(), size);
                assert!(bytes.iter().all(|&x| x == 0));
                bytes.fill(1);
                free(block, size);
            }
        }
    }
}
