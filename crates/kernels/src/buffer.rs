//! [`Buffer`]: memory for numbers, recycled.
//!
//! A training step needs the same sizes again and again. Memory handed back is kept in lists by size class and handed out
//! again, so that from the second step on nothing is asked of the system and no page is faulted in. Small blocks are kept
//! by the thread that drops them, without a lock; large ones by the process, which never holds much more than the program
//! once had in use at the same time. [`trim`] gives the rest back.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::size_of;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Mutex;

use crate::system;

/// Alignment of every buffer in bytes: a cache line, and the widest register.
pub const ALIGN: usize = system::ALIGN;

/// Blocks up to this many units of [`ALIGN`] bytes are kept by the thread (32 KiB).
const SMALL_UNITS: usize = 512;
/// How much a thread keeps before it hands small blocks to the process (4 MiB).
const THREAD_LIMIT: usize = 4 << 20;
/// What the process may keep above the most it ever had in use: at least this much, so that a small program, whose few
/// large blocks do not come in the same order each step, keeps them all. It becomes more, up to half of the most in use,
/// when blocks are needed again that were given back.
const SLACK: usize = 8 << 20;

/// By how many hundredths a block may be larger than it must be.
const LARGER: usize = 50;

mod sealed {
    /// Implementors accept any bit pattern and own nothing.
    pub trait Plain: Copy {}
    impl Plain for f32 {}
    impl Plain for f64 {}
    impl Plain for u8 {}
    impl Plain for u32 {}
    impl Plain for usize {}
}

/// What a [`Buffer`] may hold: plain numbers, for which every bit pattern is valid (sealed).
pub trait Pooled: sealed::Plain + Send + Sync + 'static {}
impl<T: sealed::Plain + Send + Sync + 'static> Pooled for T {}

/// An owned, aligned slice of numbers whose memory is recycled.
pub struct Buffer<T: Pooled> {
    start: NonNull<T>,
    len: usize,
    /// Size of the block in units of `ALIGN` bytes, 0 if there is none.
    units: usize,
    owns: PhantomData<T>,
}

// SAFETY: a buffer owns its memory alone and `T` is plain data.
unsafe impl<T: Pooled> Send for Buffer<T> {}
// SAFETY: as above; shared access is read-only.
unsafe impl<T: Pooled> Sync for Buffer<T> {}

impl<T: Pooled> Buffer<T> {
    /// A buffer of `len` numbers of unspecified value: zeros, or what a former owner left there.
    ///
    /// Builds with debug assertions fill it with ones' bits (NaN), so that a kernel that forgets to write is seen.
    ///
    /// # Panics
    /// If the size overflows `isize`.
    pub fn unspecified(len: usize) -> Self {
        #[allow(unused_mut)]
        let (mut buffer, _) = Self::take(len, LARGER);
        #[cfg(debug_assertions)]
        // SAFETY: the block is at least `len` long and any bit pattern is a `T`.
        unsafe {
            buffer.start.as_ptr().write_bytes(0xff, len);
        }
        buffer
    }

    /// A buffer of `len` zeros.
    ///
    /// # Panics
    /// If the size overflows `isize`.
    pub fn zeroed(len: usize) -> Self {
        Self::zeros(Self::take(len, LARGER))
    }

    /// A buffer of `len` zeros that will be kept for long: it takes no larger block, which others would miss.
    ///
    /// # Panics
    /// If the size overflows `isize`.
    pub fn lasting(len: usize) -> Self {
        Self::zeros(Self::take(len, 0))
    }

    /// Zeros in a block that may be fresh.
    fn zeros((buffer, fresh): (Self, bool)) -> Self {
        if !fresh {
            // SAFETY: the block is at least `len` long and all zero bits are a `T`.
            unsafe { buffer.start.as_ptr().write_bytes(0, buffer.len) };
        }
        buffer
    }

    /// A buffer with a copy of `values`.
    pub fn from_slice(values: &[T]) -> Self {
        let mut buffer = Self::unspecified(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// A block, up to `larger` hundredths larger than it must be, and whether it came fresh, hence zero, from the system.
    fn take(len: usize, larger: usize) -> (Self, bool) {
        if len == 0 || size_of::<T>() == 0 {
            return (Buffer { start: NonNull::dangling(), len, units: 0, owns: PhantomData }, true);
        }
        let bytes = bytes::<T>(len);
        let (class, units) = size_class(bytes.div_ceil(ALIGN));
        let (block, units, fresh) = take_block(class, units, bytes, larger);
        (Buffer { start: block.0.cast(), len, units, owns: PhantomData }, fresh)
    }
}

impl<T: Pooled> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.units > 0 {
            give_block(Block(self.start.cast()), self.units);
        }
    }
}

impl<T: Pooled> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds `len` initialized numbers (fresh blocks are zeroed, old ones were written) and is ours.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pooled> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Pooled> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: Pooled + std::fmt::Debug> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The bytes of `len` numbers. Half of the address space is more than there is, and leaves room for rounding up.
///
/// # Panics
/// If they overflow `isize`.
fn bytes<T>(len: usize) -> usize {
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    bytes.unwrap_or_else(|| panic!("a buffer of {len} numbers is too large: its size overflows isize"))
}

/// The class of a block of at least `units`, and how many it really has: up to 12.5 % more, so that near sizes share.
fn size_class(units: usize) -> (usize, usize) {
    let bits = usize::BITS as usize - units.leading_zeros() as usize;
    let step_bits = bits.saturating_sub(4);
    let rounded = units.next_multiple_of(1 << step_bits);
    // Within one power of two the class counts steps; 16 a power leaves no two sizes in one class.
    let bits = usize::BITS as usize - rounded.leading_zeros() as usize;
    (bits * 16 + (rounded >> bits.saturating_sub(4)) % 16, rounded)
}

/// The start of a block from the system.
struct Block(NonNull<u8>);
// SAFETY: a block in a list is owned by the list alone.
unsafe impl Send for Block {}

/// A new block, of which `bytes` will be used first.
fn system_alloc(units: usize, bytes: usize) -> Block {
    Block(system::alloc(units * ALIGN, bytes))
}

fn system_free(block: Block, units: usize) {
    // SAFETY: the block came from `system_alloc` with this many units and nobody holds it any more.
    unsafe { system::free(block.0, units * ALIGN) }
}

/// How many blocks the process has asked of the system so far: constant from the second training step on.
pub fn system_allocations() -> usize {
    system::allocations()
}

/// The bytes of all buffers in use, without small ones of up to 32 KiB.
pub fn live_bytes() -> usize {
    shared().live_bytes
}

/// The largest value of [`live_bytes`] so far, or since the last [`trim`].
pub fn peak_bytes() -> usize {
    shared().peak_bytes
}

/// Free blocks by class.
struct Lists {
    classes: Vec<Class>,
    free_bytes: usize,
}

/// The free blocks of one size.
struct Class {
    units: usize,
    blocks: Vec<Block>,
    /// How many went back to the system and have not been needed since.
    returned: usize,
}

impl Lists {
    const fn new() -> Self {
        Lists { classes: Vec::new(), free_bytes: 0 }
    }

    fn pop(&mut self, class: usize, units: usize) -> Option<Block> {
        let block = self.classes.get_mut(class)?.blocks.pop()?;
        self.free_bytes -= units * ALIGN;
        Some(block)
    }

    /// The smallest block of a larger class that has at most this many units, and how many it has.
    fn pop_larger(&mut self, class: usize, most: usize) -> Option<(Block, usize)> {
        let larger = self.classes.iter_mut().skip(class + 1).find(|class| !class.blocks.is_empty());
        let Class { units, blocks, .. } = larger.filter(|class| class.units <= most)?;
        let block = blocks.pop()?;
        self.free_bytes -= *units * ALIGN;
        Some((block, *units))
    }

    fn push(&mut self, class: usize, units: usize, block: Block) {
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, || Class { units: 0, blocks: Vec::new(), returned: 0 });
        }
        let entry = &mut self.classes[class];
        entry.units = units;
        entry.blocks.push(block);
        self.free_bytes += units * ALIGN;
    }

    /// Whether a block of this class went back to the system: it would better have stayed. Each counts once.
    fn regrets(&mut self, class: usize) -> bool {
        let Some(class) = self.classes.get_mut(class).filter(|class| class.returned > 0) else { return false };
        class.returned -= 1;
        true
    }

    /// Frees blocks, the largest first, until at most `keep` bytes are left.
    fn shrink(&mut self, keep: usize) {
        for Class { units, blocks, returned } in self.classes.iter_mut().rev() {
            while self.free_bytes > keep {
                let Some(block) = blocks.pop() else { break };
                self.free_bytes -= *units * ALIGN;
                *returned += 1;
                system_free(block, *units);
            }
        }
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// What the process keeps, and the large blocks in use.
struct Shared {
    lists: Lists,
    live_bytes: usize,
    peak_bytes: usize,
    slack: usize,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { lists: Lists::new(), live_bytes: 0, peak_bytes: 0, slack: SLACK });

fn shared() -> std::sync::MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

thread_local! {
    static LOCAL: RefCell<Lists> = const { RefCell::new(Lists::new()) };
}

/// A block of at least `units`, up to `larger` hundredths more; how many it has, and whether it came fresh from the system.
fn take_block(class: usize, units: usize, bytes: usize, larger: usize) -> (Block, usize, bool) {
    if units <= SMALL_UNITS {
        // A thread that is shutting down has no lists any more.
        return match LOCAL.try_with(|l| l.borrow_mut().pop(class, units)).ok().flatten() {
            Some(block) => (block, units, false),
            None => (system_alloc(units, bytes), units, true),
        };
    }
    let mut shared = shared();
    // Rather a block that is too large than another one from the system.
    let fitting = shared.lists.pop(class, units).map(|block| (block, units));
    let found = fitting.or_else(|| shared.lists.pop_larger(class, units + units / 100 * larger));
    let taken = found.as_ref().map_or(units, |&(_, units)| units);
    shared.live_bytes += taken * ALIGN;
    shared.peak_bytes = shared.peak_bytes.max(shared.live_bytes);
    if let Some((block, units)) = found {
        return (block, units, false);
    }
    if shared.lists.regrets(class) {
        shared.slack = (shared.slack + units * ALIGN).min((shared.peak_bytes / 2).max(SLACK));
    }
    // Nothing fits: keep what is free of other sizes only as far as the most ever in use, plus a fourth or more, allows.
    let most = shared.peak_bytes + (shared.peak_bytes / 4).max(shared.slack);
    let keep = most.saturating_sub(shared.live_bytes);
    shared.lists.shrink(keep);
    drop(shared);
    (system_alloc(units, bytes), units, true)
}

fn give_block(block: Block, units: usize) {
    let (class, _) = size_class(units);
    if units > SMALL_UNITS {
        let mut shared = shared();
        shared.live_bytes -= units * ALIGN;
        shared.lists.push(class, units, block);
        return;
    }
    let mut block = Some(block);
    let _ = LOCAL.try_with(|lists| {
        let mut lists = lists.borrow_mut();
        if lists.free_bytes < THREAD_LIMIT {
            lists.push(class, units, block.take().expect("not yet taken"));
        }
    });
    if let Some(block) = block {
        system_free(block, units);
    }
}

/// A block that goes back to the system when it is dropped.
struct Owned(Block, usize);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the block came from the system with this many units, and we were its only holder.
        unsafe { system::free(self.0.0, self.1 * ALIGN) }
    }
}

thread_local! {
    static SCRATCH: Cell<[Option<Owned>; 2]> = const { Cell::new([None, None]) };
}

/// Working memory of a task: numbers of unspecified value that nobody else will read.
///
/// Each thread keeps two blocks for it, as large as was ever needed (a kernel that works in blocks of its own calls
/// products), instead of handing them to the process: a block that moves from core to core takes its lines along, out of one
/// core's cache into the other's.
pub(crate) struct Scratch<T: Pooled> {
    /// None if there are no numbers.
    block: Option<Owned>,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Pooled> Scratch<T> {
    /// Room for `len` numbers.
    pub(crate) fn new(len: usize) -> Self {
        if len == 0 {
            return Scratch { block: None, len, of: PhantomData };
        }
        let bytes = bytes::<T>(len);
        let kept = SCRATCH.try_with(|cell| {
            let mut kept = cell.take();
            let fits = |block: &&mut Option<Owned>| block.as_ref().is_some_and(|block| block.1 * ALIGN >= bytes);
            let size = |block: &&mut Option<Owned>| block.as_ref().map_or(0, |block| block.1);
            let block = kept.iter_mut().filter(fits).min_by_key(size).and_then(Option::take);
            cell.set(kept);
            block
        });
        let block = kept.ok().flatten().unwrap_or_else(|| {
            let units = bytes.div_ceil(ALIGN).max(SMALL_UNITS).next_power_of_two();
            Owned(system_alloc(units, bytes), units)
        });
        Scratch { block: Some(block), len, of: PhantomData }
    }

    fn start(&self) -> *mut T {
        self.block.as_ref().map_or(NonNull::dangling(), |block| block.0.0.cast()).as_ptr()
    }
}

impl<T: Pooled> Deref for Scratch<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the block is ours, was zero when it was new, and has room for `len` numbers, for which all bits are valid.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }
}

impl<T: Pooled> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl<T: Pooled> Drop for Scratch<T> {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        // Where more were in use at once, the larger ones stay.
        let _ = SCRATCH.try_with(|cell| {
            let mut kept = cell.take();
            let smallest = kept.iter_mut().min_by_key(|block| block.as_ref().map_or(0, |block| block.1));
            if let Some(place) = smallest.filter(|place| place.as_ref().is_none_or(|other| other.1 <= block.1)) {
                *place = Some(block);
            }
            cell.set(kept);
        });
    }
}

/// Gives the free memory that the process and this thread keep back to the system.
pub fn trim() {
    let _ = LOCAL.try_with(|lists| lists.borrow_mut().shrink(0));
    drop(SCRATCH.try_with(Cell::take));
    let mut shared = shared();
    shared.lists.shrink(0);
    shared.peak_bytes = shared.live_bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "numbers is too large: its size overflows isize")]
    fn a_size_does_not_wrap() {
        // The bytes fit into `usize`, the lines of the cache that hold them do not.
        let _ = Buffer::<f32>::zeroed(usize::MAX / 4);
    }

    #[test]
    fn classes_hold_what_they_say() {
        let mut last = (0, 0);
        for units in 1..5000 {
            let (class, rounded) = size_class(units);
            assert!(rounded >= units && rounded * 8 <= units * 9, "{units} -> {rounded}");
            assert_eq!(size_class(rounded), (class, rounded), "rounding is stable");
            if rounded != last.1 {
                assert_ne!(class, last.0, "{rounded} and {} share a class", last.1);
            }
            last = (class, rounded);
        }
    }

    #[test]
    fn memory_is_recycled_and_zeroed() {
        for len in [1, 1000, 1_000_000] {
            let mut a = Buffer::<f32>::zeroed(len);
            a.fill(3.0);
            let start = a.as_ptr();
            assert_eq!(start as usize % ALIGN, 0);
            drop(a);
            let b = Buffer::<f32>::zeroed(len);
            if len == 1 {
                // Other tests may take a large block in between, never one of this thread.
                assert_eq!(b.as_ptr(), start);
            }
            assert!(b.iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn empty_buffers_are_fine() {
        assert!(Buffer::<f64>::zeroed(0).clone().is_empty());
    }
}
