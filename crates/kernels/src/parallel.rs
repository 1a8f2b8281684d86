//! Work cut into pieces and spread over threads.
//!
//! The order in which a number is summed up depends on the work alone, never on the number of threads, so results keep their bits. The
//! pieces may depend on it where no sum is cut: each thread then takes some of the outputs. Work of one piece, and all work without the
//! `rayon` feature, runs on the calling thread and wakes nobody.

use std::marker::PhantomData;
use std::ops::Range;

use crate::size;

/// How many threads share the work.
pub fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}

/// How many of `count` things, each of which counts as `cost` elements, are a piece of parallel work: all of them if they count less than
/// `parallel`, for which a second thread is not worth waking, else about `piece` elements; two pieces, at least, are equally large.
pub(crate) fn together(count: usize, cost: usize, parallel: usize, piece: usize) -> usize {
    if count * cost < parallel { count.max(1) } else { (piece / cost).clamp(1, count.div_ceil(2)) }
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

/// Calls `work(step, part)` for each step in order and each part of it; a step begins when all parts of the one before are
/// done.
///
/// For steps of a few microseconds, for which waking a thread would cost too much: threads that are free when the first step
/// begins stay until the last. Each keeps to one part, whose data then stays in its caches. The calling thread does the first
/// part, and those that nobody else has taken up by then: it never waits for a thread to come.
pub fn for_each_step(steps: usize, parts: usize, work: impl Fn(usize, usize) + Sync + Send) {
    #[cfg(feature = "rayon")]
    if parts > 1 && threads() > 1 {
        return team::run(steps, parts, &work);
    }
    for step in 0..steps {
        (0..parts).for_each(|part| work(step, part));
    }
}

#[cfg(feature = "rayon")]
mod team {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The step that is announced after the last one.
    const OVER: usize = usize::MAX;
    /// How often a thread looks again before it offers its core to others.
    const PATIENCE: usize = 4096;

    /// A part of every step.
    #[derive(Default)]
    struct Part {
        /// The first step in which nobody has taken the part, and the first in which it is not done.
        taken: AtomicUsize,
        done: AtomicUsize,
    }

    struct Team<'a> {
        /// The step that is being done.
        step: AtomicUsize,
        parts: Vec<Part>,
        work: &'a (dyn Fn(usize, usize) + Sync + Send),
    }

    /// Waits until `ready` gives something.
    fn wait<R>(ready: impl Fn() -> Option<R>) -> R {
        let mut tries = 0;
        loop {
            if let Some(result) = ready() {
                return result;
            }
            tries += 1;
            if tries < PATIENCE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }

    /// Tells the others, when a thread leaves with a panic.
    struct Leaving<'a>(&'a AtomicUsize);
    impl Drop for Leaving<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.store(OVER, Ordering::Release);
            }
        }
    }

    impl Team<'_> {
        /// Does a part of a step, unless somebody else has taken it.
        fn try_part(&self, step: usize, part: usize) {
            let Part { taken, done } = &self.parts[part];
            if taken.compare_exchange(step, step + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let _leaving = Leaving(done);
                (self.work)(step, part);
                done.store(step + 1, Ordering::Release);
            }
        }

        /// Does one part of each step, from the one that is being done on, until all is over.
        fn help(&self, part: usize) {
            let mut next = 0;
            loop {
                let step = wait(|| Some(self.step.load(Ordering::Acquire)).filter(|&step| step >= next));
                if step == OVER {
                    return;
                }
                self.try_part(step, part);
                next = step + 1;
            }
        }

        fn lead(&self, steps: usize) {
            let _leaving = Leaving(&self.step);
            for step in 0..steps {
                self.step.store(step, Ordering::Release);
                (0..self.parts.len()).for_each(|part| self.try_part(step, part));
                // A part left with a panic counts as done in all steps.
                self.parts.iter().for_each(|part| wait(|| (part.done.load(Ordering::Acquire) > step).then_some(())));
            }
            self.step.store(OVER, Ordering::Release);
        }
    }

    pub(super) fn run(steps: usize, parts: usize, work: &(dyn Fn(usize, usize) + Sync + Send)) {
        let team = Team { step: AtomicUsize::new(0), parts: (0..parts).map(|_| Part::default()).collect(), work };
        let team = &team;
        rayon::in_place_scope(|scope| {
            for part in 1..parts.min(super::threads()) {
                scope.spawn(move |_| team.help(part));
            }
            team.lead(steps);
        });
    }
}

/// The start of a slice whose disjoint chunks go to different threads.
struct Start<T>(*mut T);

// SAFETY: the pointer is only used for chunks that no two calls share, of numbers that may go to other threads.
unsafe impl<T: Send> Sync for Start<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Start<T> {}

impl<T> Start<T> {
    /// Where element `i` stands.
    ///
    /// # Safety
    /// There is such an element.
    unsafe fn at(&self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }

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

/// Some columns of a matrix, for one of the threads that write to it.
pub struct Strip<'a, T> {
    start: *mut T,
    rows: usize,
    cols: usize,
    columns: Range<usize>,
    matrix: PhantomData<&'a mut T>,
}

impl<T> Strip<'_, T> {
    /// The columns that belong to this thread.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The elements of a row in some of these columns.
    ///
    /// # Panics
    /// If there is no such row, or a column belongs to others.
    #[inline(always)]
    pub fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [T] {
        let inside =
            self.columns.start <= columns.start && columns.start <= columns.end && columns.end <= self.columns.end;
        assert!(row < self.rows && inside, "these elements are not in the strip");
        // SAFETY: the matrix has this row and these columns, and no other strip has the columns (see `for_each_strip`).
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.cols + columns.start), columns.len()) }
    }
}

/// Cuts each of the matrices of `rows x cols` elements in `out` into strips of `width` columns (the last may be narrower) and
/// calls `work(matrix, strip)` for each, in any order; so many small ones one after the other that they are `piece` elements.
///
/// # Panics
/// If a size is 0 or `out` is not whole matrices.
pub fn for_each_strip<T: Send>(
    out: &mut [T],
    rows: usize,
    cols: usize,
    width: usize,
    piece: usize,
    work: impl Fn(usize, Strip<'_, T>) + Sync + Send,
) {
    let size = size::count(&[rows, cols]);
    assert!(out.len().is_multiple_of(size), "{} elements are not whole matrices of {rows} x {cols}", out.len());
    let (start, strips) = (Start(out.as_mut_ptr()), cols.div_ceil(width));
    let count = out.len() / size * strips;
    let together = (piece / (rows * width.min(cols))).max(1);
    for_each(count.div_ceil(together), |first| {
        for i in first * together..count.min((first + 1) * together) {
            let (matrix, strip) = (i / strips, i % strips);
            let columns = strip * width..cols.min((strip + 1) * width);
            // SAFETY: the matrix lies inside `out`, which is borrowed for the whole call; each of its columns is in one strip.
            let start = unsafe { start.at(matrix * size) };
            work(matrix, Strip { start, rows, cols, columns, matrix: PhantomData });
        }
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
    fn steps_wait_for_each_other() {
        for (steps, parts) in [(200, 3), (1, 2), (0, 2), (50, 1)] {
            let done: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
            for_each_step(steps, parts, |step, part| {
                assert!(
                    step == 0 || done[step - 1].load(Ordering::Relaxed) == (1 << parts) - 1,
                    "step {step} is early"
                );
                assert_eq!(done[step].fetch_or(1 << part, Ordering::Relaxed) & 1 << part, 0, "part {part} comes once");
            });
            assert!(done.iter().all(|d| d.load(Ordering::Relaxed) == (1 << parts) - 1));
        }
    }

    #[test]
    fn a_panic_in_a_step_comes_out() {
        for bad in [0, 1] {
            let call = || for_each_step(100, 2, |step, part| assert!(step < 50 || part != bad, "a bad part"));
            assert!(std::panic::catch_unwind(call).is_err());
        }
    }

    #[test]
    #[should_panic(expected = "1 elements are not whole matrices of 274177 x 67280421310721")]
    fn strips_are_of_matrices_that_are_there() {
        for_each_strip(&mut [0.0], 274_177, 67_280_421_310_721, 1, 1, |_, mut strip| strip.row(1, 0..1)[0] = 1.0);
    }

    #[test]
    fn chunks_cover_the_output() {
        let mut out = vec![0; 1001];
        for_each_chunk(&mut out, 64, |i, c| c.iter_mut().enumerate().for_each(|(j, x)| *x = i * 64 + j));
        assert!(out.iter().enumerate().all(|(i, &x)| i == x));
    }
}
