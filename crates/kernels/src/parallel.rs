//! Work cut into fixed pieces and spread over threads.
//!
//! The pieces depend on the work alone, never on the number of threads, so results keep their bits. Work of one piece,
//! and all work without the `rayon` feature, runs on the calling thread and wakes nobody.

/// How many threads share the work.
pub fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

/// Calls `work(i)` for each `i` in `0..pieces`, in any order.
//
// The work is called through a pointer: one copy of rayon's machinery serves all kernels, which halves the build time.
pub fn for_each(pieces: usize, work: impl Fn(usize) + Sync + Send) {
    spread(pieces, &work);
}

fn spread(pieces: usize, work: &(dyn Fn(usize) + Sync + Send)) {
    #[cfg(feature = "rayon")]
    if pieces > 1 && threads() > 1 {
        use rayon::prelude::*;
        (0..pieces).into_par_iter().with_max_len(1).for_each(work);
        return;
    }
    (0..pieces).for_each(work);
}

/// The start of a slice whose disjoint chunks go to different threads.
struct Start<T>(*mut T);

// SAFETY: the pointer is only used for chunks that no two calls share, of numbers that may go to other threads.
unsafe impl<T: Send> Sync for Start<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Start<T> {}

impl<T> Start<T> {
    /// Chunk `i` of `size` elements of the `len` that start here.
    ///
    /// # Safety
    /// The elements are there and borrowed mutably for `'a`, and no other chunk `i` is alive.
    unsafe fn chunk<'a>(&self, i: usize, size: usize, len: usize) -> &'a mut [T] {
        let from = i * size;
        // SAFETY: `from` is at most `len`; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(from), size.min(len - from)) }
    }
}

/// Cuts `out` into chunks of `size` (the last may be shorter) and calls `work(index, chunk)` for each, in any order.
///
/// # Panics
/// If `size` is 0.
pub fn for_each_chunk<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    let (start, len) = (Start(out.as_mut_ptr()), out.len());
    // SAFETY: `out` is borrowed for the whole call, and each index comes once.
    for_each(len.div_ceil(size), |i| work(i, unsafe { start.chunk(i, size, len) }));
}

/// [`for_each_chunk`] over two outputs at once; both must come to the same number of chunks.
///
/// # Panics
/// If a size is 0 or the numbers of chunks differ.
pub fn for_each_chunk2<T: Send, U: Send>(
    out: (&mut [T], &mut [U]),
    size: (usize, usize),
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync + Send,
) {
    let chunks = out.0.len().div_ceil(size.0);
    assert_eq!(chunks, out.1.len().div_ceil(size.1), "the outputs have different numbers of chunks");
    let (start0, len0) = (Start(out.0.as_mut_ptr()), out.0.len());
    let (start1, len1) = (Start(out.1.as_mut_ptr()), out.1.len());
    for_each(chunks, |i| {
        // SAFETY: both outputs are borrowed for the whole call, and each index comes once.
        let (a, b) = unsafe { (start0.chunk(i, size.0, len0), start1.chunk(i, size.1, len1)) };
        work(i, a, b);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_piece_runs_once() {
        let count: Vec<AtomicUsize> = (0..37).map(|_| AtomicUsize::new(0)).collect();
        for_each(count.len(), |i| {
            count[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(count.iter().all(|c| c.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn chunks_cover_the_output() {
        let mut out = vec![0; 1001];
        for_each_chunk(&mut out, 64, |i, c| c.iter_mut().enumerate().for_each(|(j, x)| *x = i * 64 + j));
        assert!(out.iter().enumerate().all(|(i, &x)| i == x));
    }
}
