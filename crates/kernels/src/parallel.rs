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
pub fn for_each(pieces: usize, work: impl Fn(usize) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if pieces > 1 && threads() > 1 {
        use rayon::prelude::*;
        (0..pieces).into_par_iter().with_max_len(1).for_each(work);
        return;
    }
    (0..pieces).for_each(work);
}

/// Cuts `out` into chunks of `size` (the last may be shorter) and calls `work(index, chunk)` for each, in any order.
///
/// # Panics
/// If `size` is 0.
pub fn for_each_chunk<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if out.len() > size && threads() > 1 {
        use rayon::prelude::*;
        out.par_chunks_mut(size).with_max_len(1).enumerate().for_each(|(i, c)| work(i, c));
        return;
    }
    out.chunks_mut(size).enumerate().for_each(|(i, c)| work(i, c));
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
    #[cfg(feature = "rayon")]
    if chunks > 1 && threads() > 1 {
        use rayon::prelude::*;
        let (a, b) = (out.0.par_chunks_mut(size.0), out.1.par_chunks_mut(size.1));
        a.zip(b).with_max_len(1).enumerate().for_each(|(i, (a, b))| work(i, a, b));
        return;
    }
    let pairs = out.0.chunks_mut(size.0).zip(out.1.chunks_mut(size.1));
    pairs.enumerate().for_each(|(i, (a, b))| work(i, a, b));
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
