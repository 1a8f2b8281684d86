//! The driver: cuts products into tasks for the threads.
//!
//! A task is a part of the rows and columns of one product. Tasks share nothing but their inputs, so there is nothing to wait
//! for between them, and no line that one core packs has to move to the other. Whatever the cut, each sum runs over its
//! terms in the same order, so results have the same bits at any number of threads.
//!
//! Small outputs with long sums (the gradient of a convolution's weights) would give too few tasks: their sums are cut
//! into slices, which are added in order at the end.

use super::blocks::{Tiled, copies_a};
use super::lane::{Lane, Lanes};
use super::pack::{MAX_LANES, Source};
use super::task::Task;
use super::tile::Finish;
use super::{Epilogue, Mat, MatsMut, portable, small};
use crate::simd::Level;
use crate::{Accum, Buffer, Real, parallel, simd};

/// The most rows of a task: `a`'s block of 256 x 512 numbers takes half of a 1 MiB L2 cache.
const ROW_BLOCK: usize = 256;
/// Columns of a task are cut at multiples of this: two of the longest registers.
const COL_UNIT: usize = 32;
/// Multiplications worth a task of its own: about 8 microseconds.
const TASK: usize = 7 << 16;
/// Multiplications in the time that a product takes beside its own: about 50 nanoseconds.
const PRODUCT: usize = 3 << 10;
/// Multiplications in the time that it takes to read a number from the third-level cache.
const READ: usize = 2;
/// Multiplications in the time that it takes to write a number of the output.
const WRITE: usize = 5;
/// Tasks wanted of a product that is large enough.
const TASKS: usize = 16;
/// Tasks that are cut to save packing keep at least so many rows or columns.
const GOOD_ROWS: usize = 64;
const GOOD_COLS: usize = 64;
/// Multiplications from which on packing counts more than evenly loaded threads: each gets one strip.
const LARGE: usize = 1 << 28;
/// The fewest rows or columns of a strip.
const STRIP: usize = 128;
/// No task is cut to fewer rows.
const LEAST_ROWS: usize = 14;
/// Rows of a product whose transpose may be computed instead: enough for a register, not too many to pack.
const TURNED: std::ops::Range<usize> = 9..512;
/// The fewest terms that make up for turning the output.
const LEAST_TURNED: usize = 48;
/// The most columns of which tiles would not fill half of a register: if the rows can fill it, tiles are turned.
const FEW_COLUMNS: usize = 6;
/// Elements of the output that are a task by themselves, if sums are long.
const SLICED: usize = 64 * 64;
/// The fewest terms of a slice.
const SLICE: usize = 1024;

/// Bytes of the second factors of a batch that the L2 cache does not hold.
const COLD: usize = 1 << 20;

/// What kernels need to know of a number type.
pub(crate) trait Element: Real + Lanes + portable::Product {}
impl<T: Real + Lanes + portable::Product> Element for T {}

/// The sides of a product: `c` is `m x n`, sums have `k` terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

impl Size {
    /// Multiplications.
    fn work(self) -> usize {
        self.m * self.n * self.k
    }

    /// What the product costs, in multiplications: with few rows, most of the time goes into reading the other factor, and
    /// with few terms into writing the output.
    fn cost(self) -> usize {
        self.work() + READ * self.k * (self.m + self.n) + WRITE * self.m * self.n
    }

    /// Into how many slices the sums are cut.
    fn slices(self) -> usize {
        if self.k < 2 * SLICE || self.work() < 2 * TASK {
            return 1;
        }
        (TASKS * SLICED / (self.m * self.n)).clamp(1, TASKS.min(self.k / SLICE))
    }
}

/// Part `i` of `parts` nearly equal parts of `0..len`, cut at multiples of `unit`.
#[inline(always)]
pub(super) fn part(i: usize, parts: usize, len: usize, unit: usize) -> std::ops::Range<usize> {
    if parts == 1 {
        return 0..len;
    }
    let units = len.div_ceil(unit);
    (i * units / parts * unit)..((i + 1) * units / parts * unit).min(len)
}

/// How the products of a batch are cut into tasks.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Parts of the rows and of the columns of one product.
    rows: usize,
    cols: usize,
    /// How many tasks, one after another, are handed to a thread at once.
    group: usize,
}

impl Cut {
    /// Large products are cut into strips, one for each thread: it packs its part of one factor and all of the other one. An
    /// element's sum has the same order in every task, so its bits do not depend on the cut.
    ///
    /// Cuts others in two until there are enough, or they would become too small: across the rows if only `a` has to be
    /// packed (each task packs its own rows once), across the columns if only `b` has, else across the longer side.
    ///
    /// Rows that stand apart are cut only where high tiles, which read them there, take them all.
    fn new(batch: usize, size: Size, packs_a: bool, packs_b: bool, rows_apart: bool) -> Cut {
        let Size { m, n, .. } = size;
        let fill_tiles = |rows: usize| !rows_apart || rows.div_ceil(LEAST_ROWS) * (LEAST_ROWS - 2) <= rows;
        let work = size.cost();
        if batch == 1 && work >= LARGE && m.max(n) >= parallel::threads() * STRIP {
            let strips = parallel::threads();
            let (rows, cols) = if m > n { (strips, 1) } else { (1, strips) };
            return Cut { rows, cols, group: 1 };
        }
        let mut cut = Cut { rows: 1, cols: 1, group: 1 };
        if work < TASK {
            cut.group = (TASK / (work + PRODUCT)).clamp(1, batch);
        }
        // Where tasks pack the same numbers once more, there are only as many as threads can use.
        let tasks =
            if packs_a || packs_b { (2 * parallel::threads() - 1).next_power_of_two().min(TASKS) } else { TASKS };
        while batch * cut.rows * cut.cols < tasks && work / (cut.rows * cut.cols) >= 2 * TASK {
            let (rows, cols) = (m / cut.rows, n / cut.cols);
            let cut_rows = match (packs_a, packs_b) {
                (true, false) => rows >= 2 * GOOD_ROWS || cols < 2 * COL_UNIT,
                (false, true) => rows > cols && cols < 2 * GOOD_COLS,
                _ => rows > cols || cols < 2 * COL_UNIT,
            } && fill_tiles(m / (2 * cut.rows))
                && fill_tiles(m.div_ceil(2 * cut.rows));
            if cut_rows && rows < 2 * LEAST_ROWS || !cut_rows && cols < 2 * COL_UNIT {
                break;
            }
            *(if cut_rows { &mut cut.rows } else { &mut cut.cols }) *= 2;
        }
        cut
    }
}

/// `c[i] = epilogue(a[i] b[i])` for each product `i` of a batch, where `factors(i)` gives `a[i]` and `b[i]`.
///
/// This is the door for other kernels: a [`Source`] can make its numbers while it packs them (the patches of an image).
/// The lanes of `a` are the rows of the output, those of `b` its columns; both have `size.k` terms. Biases are the same
/// for all products. `factors` is called once or a few times for each product, and should be cheap.
///
/// # Panics
/// If the machine lacks the level, the outputs are not `size.m x size.n`, or a bias has another length than its side.
pub(crate) fn gemm_packed<T: Element, A: Source<T>, B: Source<T>>(
    level: Level,
    size: Size,
    factors: impl Fn(usize) -> (A, B) + Sync + Send,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    let Size { m, n, .. } = size;
    check(level, (m, n), c, &epilogue);
    let batch = c.count();
    if m == 0 || n == 0 || batch == 0 {
        return;
    }
    let slices = if batch == 1 { size.slices() } else { 1 };
    if slices == 1 {
        return run(level, size, 1, &factors, c, false, epilogue);
    }
    let mut sums = Buffer::<T>::unspecified(slices * m * n);
    let (places, shape) = ([m * n], [slices]);
    let mut outputs = MatsMut::new(&mut sums, (m, n), n, &shape, &places);
    run(level, size, slices, &factors, &mut outputs, false, Epilogue::plain(Accum::Replace));
    let (total, rest) = sums.split_at_mut(m * n);
    for slice in rest.chunks(m * n) {
        total.iter_mut().zip(slice).for_each(|(x, &y)| *x += y);
    }
    let row_stride = c.row_stride;
    for (i, total) in total.chunks(n).enumerate() {
        let row = &mut c.data[i * row_stride..][..n];
        match epilogue.accum {
            Accum::Replace => row.copy_from_slice(total),
            Accum::Add => row.iter_mut().zip(total).for_each(|(x, &y)| *x += y),
        }
    }
    let finish = Finish::new(&epilogue, 0, 0);
    // SAFETY: `MatsMut` checked that the output lies inside its data; the biases have been checked above.
    unsafe { portable::finish(c.data.as_mut_ptr(), row_stride, m, n, &finish) };
}

/// [`gemm_packed`], for a factor `b` whose columns are contiguous: where the other factor is the smaller one, its
/// transpose is packed instead, and tiles of the product's transpose are turned when they are stored.
///
/// A batch of rows times a layer's weights, `x W^T`, is such a product; and the gradient of weights, `y'^T x`, where the
/// columns of the larger factor stand whole pages apart.
pub(super) fn gemm_mats<'a, T: Element>(
    level: Level,
    size: Size,
    factors: impl Fn(usize) -> (Mat<'a, T>, Mat<'a, T>) + Sync + Send,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    let Size { m, n, k } = size;
    let turns = k >= LEAST_TURNED && level != Level::Portable && c.count() > 0 && {
        let (a, b) = factors(0);
        let rows = a.col_stride == 1 && b.col_stride == 1 && b.row_stride != 1;
        // Both stand with their lanes side by side; those of the larger one push each other out of the caches.
        let lanes = a.row_stride == 1 && b.row_stride == 1 && copies_a(&a, n.div_ceil(COL_UNIT));
        rows && TURNED.contains(&m)
            && 2 * m <= n
            && (m % MAX_LANES == 0 || m % MAX_LANES > MAX_LANES / 2 || size.work() > small::AT_ONCE)
            || b.row_stride == 1 && a.row_stride == 1 && (2..=FEW_COLUMNS).contains(&n) && m >= MAX_LANES
            || lanes && 2 * n <= m && n >= STRIP && !copies_a(&b, m.div_ceil(COL_UNIT))
    };
    if !turns && m > 0 && n > 0 && size.work() <= small::AT_ONCE && size.cost() < 2 * TASK {
        return gemm_small(level, size, factors, c, epilogue);
    }
    if !turns || c.count() == 1 && size.slices() > 1 {
        return gemm_packed(level, size, factors, c, epilogue);
    }
    let turned = |i| {
        let (a, b) = factors(i);
        (b, a)
    };
    gemm_turned(level, Size { m: n, n: m, k }, turned, c, epilogue);
}

/// [`gemm_mats`] for small products that are not turned.
fn gemm_small<'a, T: Element>(
    level: Level,
    size: Size,
    factors: impl Fn(usize) -> (Mat<'a, T>, Mat<'a, T>) + Sync + Send,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    let Size { m, n, k } = size;
    check(level, (m, n), c, &epilogue);
    let (start, c_row, outputs) = (Start(c.data.as_mut_ptr()), c.row_stride, c.count());
    let (c, cold) = (&*c, outputs > 1 && outputs * n * k * T::BYTES >= COLD);
    let group = (TASK / (size.cost() + PRODUCT)).max(1);
    parallel::for_each(outputs.div_ceil(group), |first| {
        for i in first * group..((first + 1) * group).min(outputs) {
            let place = (start.at(c.offset(i)), c_row);
            // SAFETY: `check` has seen that the level is available; `c` is borrowed mutably, and `MatsMut` has a place of its own for
            // each element of each output.
            unsafe { whole(level, size, factors(i), cold, place, epilogue) };
        }
    });
}

/// Computes a whole product on the calling thread. The `place` is where the output starts and how far apart its rows are.
///
/// # Safety
/// The machine has the level; the output is there for us alone.
#[inline(always)]
unsafe fn whole<T: Element>(
    level: Level,
    Size { m, n, k }: Size,
    (a, b): (Mat<'_, T>, Mat<'_, T>),
    cold: bool,
    place: (*mut T, usize),
    epilogue: Epilogue<'_, T>,
) {
    // SAFETY: the caller's.
    unsafe {
        if !small::at_once(level, a, b, cold, place, &epilogue) {
            let ((ks, rows, cols), (c, c_row)) = ((0..k, 0..m, 0..n), place);
            compute(level, &a, &b, Task { ks, rows, cols, c, c_row, transposed: false, cold, epilogue });
        }
    }
}

/// `c = epilogue((a b)^T)`: [`gemm_packed`] for one product whose transpose is stored. The output is `size.n x size.m`, and the
/// row biases are as many as its rows.
///
/// # Panics
/// As [`gemm_packed`]; also at the portable level, which has no tiles to turn.
pub(crate) fn gemm_turned<T: Element, A: Source<T>, B: Source<T>>(
    level: Level,
    size: Size,
    factors: impl Fn(usize) -> (A, B) + Sync + Send,
    c: &mut MatsMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) {
    let Size { m, n, .. } = size;
    check(level, (n, m), c, &epilogue);
    if m > 0 && n > 0 && c.count() > 0 {
        run(level, size, 1, &factors, c, true, epilogue);
    }
}

/// `c = epilogue(a b)` on the calling thread: for kernels that have cut their work already.
///
/// # Panics
/// As [`gemm_packed`].
pub(crate) fn gemm_here<T: Element>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut MatsMut<'_, T>, epilogue: Epilogue<'_, T>) {
    let (level, m, n, k) = (simd::level(), a.rows, b.cols, a.cols);
    assert_eq!(a.cols, b.rows, "gemm: the inner sizes differ");
    check(level, (m, n), c, &epilogue);
    if m > 0 && n > 0 && c.count() == 1 {
        let place = (c.data.as_mut_ptr(), c.row_stride);
        // SAFETY: `check` saw that the level is available; the product is all of an output that is borrowed mutably.
        unsafe { whole(level, Size { m, n, k }, (a, b.t()), false, place, epilogue) };
    }
}

/// Runs a task at a level.
///
/// # Safety
/// The machine has the level. This part of the output is there, and nobody else uses it.
unsafe fn compute<T: Element, A: Source<T>, B: Source<T>>(level: Level, a: &A, b: &B, task: Task<'_, T>) {
    task.check(a, b);
    // SAFETY: the caller's; `check` has seen that the factors are there.
    unsafe {
        match level {
            Level::Portable => task.portable(a, b),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => <T::Half as Lane>::enter(Tiled::<T, T::Half, A, B>::new(a, b, task)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => <T::Wide as Lane>::enter(Tiled::<T, T::Wide, A, B>::new(a, b, task)),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => <T::Quad as Lane>::enter(Tiled::<T, T::Quad, A, B>::new(a, b, task)),
            _ => unreachable!("the level is not available"),
        }
    }
}

/// The promises of [`gemm_packed`].
fn check<T>(level: Level, (m, n): (usize, usize), c: &MatsMut<'_, T>, epilogue: &Epilogue<'_, T>) {
    assert!(simd::available().contains(&level), "SIMD level {} is not available", level.name());
    assert_eq!((c.rows, c.cols), (m, n), "gemm: the output has another size");
    assert!(epilogue.col_bias.is_none_or(|x| x.len() == n), "gemm: the column bias has another length");
    assert!(epilogue.row_bias.is_none_or(|x| x.len() == m), "gemm: the row bias has another length");
}

/// Runs all tasks. Output `i` is slice `i % slices` of product `i / slices`, or its transpose.
fn run<T: Element, A: Source<T>, B: Source<T>>(
    level: Level,
    size: Size,
    slices: usize,
    factors: &(impl Fn(usize) -> (A, B) + Sync + Send),
    c: &mut MatsMut<'_, T>,
    transposed: bool,
    epilogue: Epilogue<'_, T>,
) {
    let Size { m, n, k } = size;
    let (start, c_row, outputs) = (Start(c.data.as_mut_ptr()), c.row_stride, c.count());
    // SAFETY: the level is available, as `gemm_packed` checked; `c` is borrowed mutably, `MatsMut` has a place of its own for
    // each element of each output, and tasks below are different parts of them.
    let compute = |a: &A, b: &B, task: Task<'_, T>| unsafe { compute(level, a, b, task) };
    let (a, b) = factors(0);
    if outputs == 1 && m <= ROW_BLOCK && size.cost() < 2 * TASK {
        // The usual small product: no time for anything else.
        let (rows, cols, c) = (0..m, 0..n, start.at(0));
        return compute(&a, &b, Task { ks: 0..k, rows, cols, c, c_row, transposed, cold: false, epilogue });
    }
    let rows_apart = a.rows_apart(0..0, 0..0).is_some();
    let packs_a = !rows_apart && a.in_place().is_none_or(|a| copies_a(&a, n.div_ceil(COL_UNIT)));
    let packs_b = rows_apart || b.in_place().is_none_or(|b| b.row_stride != 1);
    let cut = Cut::new(outputs, size, packs_a, packs_b, rows_apart);
    let (c, parts) = (&*c, cut.rows * cut.cols);
    let cold = outputs > slices && outputs / slices * n * k * T::BYTES >= COLD;
    let tasks = outputs * parts;
    parallel::for_each(tasks.div_ceil(cut.group), |group| {
        for task in group * cut.group..((group + 1) * cut.group).min(tasks) {
            let (i, part_of) = (task / parts, task % parts);
            let (a, b) = factors(i / slices);
            let ks = part(i % slices, slices, k, 16);
            let rows = part(part_of % cut.rows, cut.rows, m, 1);
            let cols = part(part_of / cut.rows, cut.cols, n, COL_UNIT);
            compute(&a, &b, Task { ks, rows, cols, c: start.at(c.offset(i)), c_row, transposed, cold, epilogue });
        }
    });
}

/// The start of the output, for all threads.
struct Start<T>(*mut T);
// SAFETY: tasks write to places of their own.
unsafe impl<T: Send> Send for Start<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    fn at(&self, at: usize) -> *mut T {
        self.0.wrapping_add(at)
    }
}
