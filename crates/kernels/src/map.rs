//! Element-wise functions over strided views: vectorized in blocks, spread over threads in fixed pieces.
//!
//! A function is a small struct that implements [`Unary`] or [`Binary`] by the formula for one element; the macros
//! [`unary!`](crate::unary) and [`binary!`](crate::binary) write such structs and compile them for every instruction
//! set. The same function serves contiguous, transposed and broadcast inputs: it takes runs of them where they lie, and what
//! does not lie in runs from a block that fits the first-level cache.

#[doc(hidden)]
pub use crate::broadcast::Rows;
use crate::broadcast::{Call as Call2, Pair, in_long_rows};
use crate::gemm::Lanes;
use crate::number::{Like, Number};
use crate::simd::{self, Elementary, Level};
use crate::source::{self, Source};
use crate::{Buffer, Real, View, parallel};

/// Elements that an update in place keeps on the stack.
const IN_PLACE: usize = 512;
/// Elements in a piece of parallel work.
const PIECE: usize = 1 << 14;
/// Below this many elements, waking a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

/// A function of one number, compiled for both number types by [`unary!`](crate::unary).
pub trait Unary: Copy + Send + Sync {
    /// So many times as long as reading and writing an element takes, roughly.
    const COST: usize;
    /// Applies the function to each element of `src`, in `f32`.
    fn block_f32(self, level: Level, src: &[f32], dst: &mut [f32]);
    /// Applies the function to each element of `src`, in `f64`.
    fn block_f64(self, level: Level, src: &[f64], dst: &mut [f64]);
}

/// A function of two numbers, compiled for both number types by [`binary!`](crate::binary).
pub trait Binary: Copy + Send + Sync {
    /// Applies the function to each pair of elements of rows of `width`, in `f32`.
    fn block_f32(self, level: Level, a: Rows<'_, f32>, b: Rows<'_, f32>, width: usize, dst: &mut [f32]);
    /// Applies the function to each pair of elements of rows of `width`, in `f64`.
    fn block_f64(self, level: Level, a: Rows<'_, f64>, b: Rows<'_, f64>, width: usize, dst: &mut [f64]);
}

/// The formula of a function of one number. The struct's fields are its parameters.
pub trait Formula1: Copy + Send + Sync {
    /// The function's value at `x`. Mark it `#[inline(always)]`.
    fn at<T: Number>(self, x: T) -> T;
}

/// The formula of a function of two numbers. The struct's fields are its parameters.
pub trait Formula2: Copy + Send + Sync {
    /// Whether an operand is often one number for a whole row: then loops of their own serve that, which take time to compile.
    const BROADCAST: bool;
    /// The function's value at `(a, b)`. Mark it `#[inline(always)]`.
    fn at<T: Number>(self, a: T, b: T) -> T;
}

/// Picks the instance for a number type.
#[doc(hidden)]
#[allow(missing_docs)]
pub trait MapKernels<T> {
    fn block1<F: Unary>(f: F, level: Level, src: &[T], dst: &mut [T]);
    fn block2<F: Binary>(f: F, level: Level, a: Rows<'_, T>, b: Rows<'_, T>, width: usize, dst: &mut [T]);
}

macro_rules! pick {
    ($t:ident, $block:ident) => {
        impl MapKernels<$t> for $t {
            #[inline(always)]
            fn block1<F: Unary>(f: F, level: Level, src: &[$t], dst: &mut [$t]) {
                f.$block(level, src, dst)
            }
            #[inline(always)]
            fn block2<F: Binary>(f: F, level: Level, a: Rows<'_, $t>, b: Rows<'_, $t>, width: usize, dst: &mut [$t]) {
                f.$block(level, a, b, width, dst)
            }
        }
    };
}
pick!(f32, block_f32);
pick!(f64, block_f64);

struct Block1<'a, T, F>(F, &'a [T], &'a mut [T]);
impl<T: Real, F: Formula1> Elementary for Block1<'_, T, F> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let Block1(f, src, dst) = self;
        for (d, &x) in dst.iter_mut().zip(src) {
            *d = f.at(N::from(x)).into();
        }
    }
}

/// So many times is a number written out that stands for a row.
const REPEATED: usize = 128;

struct Block2<'a, T, F>(F, Rows<'a, T>, Rows<'a, T>, usize, &'a mut [T]);
impl<T: Real, F: Formula2> Elementary for Block2<'_, T, F> {
    type Number = T;
    type Output = ();
    #[inline(always)]
    fn compute<N: Like<T>>(self) {
        let Block2(f, a, b, width, dst) = self;
        for (i, dst) in dst.chunks_mut(width.max(1)).enumerate() {
            let (from_a, from_b) = (&a.numbers[i * a.row_step..], &b.numbers[i * b.row_step..]);
            if F::BROADCAST && a.step < b.step {
                let a = from_a[0];
                for (d, &b) in dst.iter_mut().zip(from_b) {
                    *d = f.at(N::from(a), N::from(b)).into();
                }
                continue;
            }
            if F::BROADCAST && b.step < a.step {
                let b = from_b[0];
                for (d, &a) in dst.iter_mut().zip(from_a) {
                    *d = f.at(N::from(a), N::from(b)).into();
                }
                continue;
            }
            // Two numbers give one, for all of the row.
            let (dst, copies) = dst.split_at_mut(if a.step + b.step == 0 { 1 } else { dst.len() });
            // One loop serves all others: one number beside a row is written out several times.
            let mixed = !F::BROADCAST && a.step != b.step;
            let most = if mixed { REPEATED } else { dst.len() };
            let block =
                if mixed { [if a.step == 0 { from_a[0] } else { from_b[0] }; REPEATED] } else { [T::ZERO; REPEATED] };
            for (part, dst) in dst.chunks_mut(most).enumerate() {
                let a = if mixed && a.step == 0 { &block } else { &from_a[part * most..] };
                let b = if mixed && b.step == 0 { &block } else { &from_b[part * most..] };
                for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
                    *d = f.at(N::from(a), N::from(b)).into();
                }
            }
            copies.fill(dst[0]);
        }
    }
}

/// Runs a formula over contiguous blocks at a level; what [`unary!`](crate::unary) compiles.
#[doc(hidden)]
pub fn run_block1<T: Real, F: Formula1>(f: F, level: Level, src: &[T], dst: &mut [T]) {
    simd::dispatch_at(level, Block1(f, src, dst));
}

/// Runs a formula over rows at a level; what [`binary!`](crate::binary) compiles.
#[doc(hidden)]
pub fn run_block2<T: Real, F: Formula2>(
    f: F,
    level: Level,
    a: Rows<'_, T>,
    b: Rows<'_, T>,
    width: usize,
    dst: &mut [T],
) {
    simd::dispatch_at(level, Block2(f, a, b, width, dst));
}

/// Declares a function of one number: `unary!(/** doc */ pub Name { slope: f64 }(self, x: T) = x * T::from_f64(self.slope));`, with
/// `costly` in front one with an exponential or what takes as long.
///
/// The struct is compiled here for every number type and instruction set. `T` is [`Number`]; parameters are `f64`.
#[macro_export]
macro_rules! unary {
    (costly $($rest:tt)*) => { $crate::unary!(@4 $($rest)*); };
    (@$cost:literal $(#[$meta:meta])* $vis:vis $Name:ident $({ $($field:ident: $fty:ty),* })? ($self:ident, $x:ident: $T:ident) = $body:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $Name { $($(pub(crate) $field: $fty),*)? }
        impl $crate::map::Formula1 for $Name {
            #[inline(always)]
            fn at<$T: $crate::Number>($self, $x: $T) -> $T { $body }
        }
        impl $crate::map::Unary for $Name {
            const COST: usize = $cost;
            fn block_f32(self, level: $crate::simd::Level, src: &[f32], dst: &mut [f32]) {
                $crate::map::run_block1(self, level, src, dst)
            }
            fn block_f64(self, level: $crate::simd::Level, src: &[f64], dst: &mut [f64]) {
                $crate::map::run_block1(self, level, src, dst)
            }
        }
    };
    ($($rest:tt)*) => { $crate::unary!(@1 $($rest)*); };
}

/// Declares a function of two numbers, as [`unary!`](crate::unary) does of one; with `broadcast` in front one of which an operand is
/// often one number for a whole row.
#[macro_export]
macro_rules! binary {
    (broadcast $($rest:tt)*) => { $crate::binary!(@true $($rest)*); };
    (@$broadcast:literal $(#[$meta:meta])* $vis:vis $Name:ident $({ $($field:ident: $fty:ty),* })? ($self:ident, $a:ident: $T:ident, $b:ident) = $body:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $Name { $($(pub(crate) $field: $fty),*)? }
        impl $crate::map::Formula2 for $Name {
            const BROADCAST: bool = $broadcast;
            #[inline(always)]
            fn at<$T: $crate::Number>($self, $a: $T, $b: $T) -> $T { $body }
        }
        impl $crate::map::Binary for $Name {
            fn block_f32(
                self,
                level: $crate::simd::Level,
                a: $crate::map::Rows<'_, f32>,
                b: $crate::map::Rows<'_, f32>,
                width: usize,
                dst: &mut [f32],
            ) {
                $crate::map::run_block2(self, level, a, b, width, dst)
            }
            fn block_f64(
                self,
                level: $crate::simd::Level,
                a: $crate::map::Rows<'_, f64>,
                b: $crate::map::Rows<'_, f64>,
                width: usize,
                dst: &mut [f64],
            ) {
                $crate::map::run_block2(self, level, a, b, width, dst)
            }
        }
    };
    ($($rest:tt)*) => { $crate::binary!(@false $($rest)*); };
}

/// A function of one number over a contiguous block.
type Call1<'a, T> = &'a (dyn Fn(&[T], &mut [T]) + Sync);

// All functions share these walks over memory: only their blocks are compiled for each.
concrete! {
    <T> trait WalkKernels;
    /// `dst = call(src)`, block by block.
    fn walk1(call: Call1<'_, T>, cost: usize, src: View<'_, T>, dst: &mut [T]) = walk1_impl;
    /// `data = call(data)`, block by block.
    fn walk1_in_place(call: Call1<'_, T>, cost: usize, data: &mut [T]) = walk1_in_place_impl;
    /// `dst = call(a, b)`, block by block.
    fn walk2(call: Call2<'_, T>, a: View<'_, T>, b: View<'_, T>, dst: &mut [T]) = walk2_impl;
    /// `data = call(data, b)`, block by block.
    fn walk2_in_place(call: Call2<'_, T>, data: &mut [T], b: View<'_, T>) = walk2_in_place_impl;
}

/// `dst[i] = f(src[i])`, `src` in row-major order.
///
/// # Panics
/// If `dst` has another length than `src` has elements.
pub fn map1<T: Real, F: Unary>(f: F, src: View<'_, T>, dst: &mut [T]) {
    let level = simd::level();
    walk1(&|src, dst| T::block1(f, level, src, dst), F::COST, src, dst);
}

/// `data[i] = f(data[i])`.
pub fn map1_in_place<T: Real, F: Unary>(f: F, data: &mut [T]) {
    let level = simd::level();
    walk1_in_place(&|src, dst| T::block1(f, level, src, dst), F::COST, data);
}

/// `dst[i] = f(a[i], b[i])`; both views have the output's shape (stride 0 where they are broadcast).
///
/// # Panics
/// If the lengths differ.
pub fn map2<T: Real, F: Binary>(f: F, a: View<'_, T>, b: View<'_, T>, dst: &mut [T]) {
    let level = simd::level();
    walk2(&|a, b, width, dst| T::block2(f, level, a, b, width, dst), a, b, dst);
}

/// `data[i] = f(data[i], b[i])`.
///
/// # Panics
/// If the lengths differ.
pub fn map2_in_place<T: Real, F: Binary>(f: F, data: &mut [T], b: View<'_, T>) {
    let level = simd::level();
    walk2_in_place(&|a, b, width, dst| T::block2(f, level, a, b, width, dst), data, b);
}

/// Calls `work(start, piece)` for pieces of `dst` of a length, on several threads where it is long enough.
fn pieces<T: Real>(dst: &mut [T], parallel: usize, size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    if dst.len() < parallel {
        work(0, dst);
    } else {
        parallel::for_each_chunk(dst, size, |i, piece| work(i * size, piece));
    }
}

fn walk1_impl<T: Lanes>(call: Call1<'_, T>, cost: usize, src: View<'_, T>, dst: &mut [T]) {
    assert_eq!(src.len(), dst.len(), "map1: input and output differ in length");
    if let Some(src) = src.as_slice() {
        return pieces(dst, PARALLEL / cost, PIECE / cost, |start, piece| {
            call(&src[start..start + piece.len()], piece)
        });
    }
    let src = Source::new(src);
    let cost = cost.max(src.cost());
    pieces(dst, PARALLEL / cost, src.piece(PIECE / cost), |start, mut piece| {
        let mut memory = Buffer::unspecified(0);
        let mut src = src.over(start, piece.len(), &mut memory);
        while !piece.is_empty() {
            let part = piece.split_off_mut(..src.most().min(piece.len())).expect("a part of the piece");
            call(src.next(part.len()), part);
        }
    });
}

fn walk1_in_place_impl<T: Real>(call: Call1<'_, T>, cost: usize, data: &mut [T]) {
    pieces(data, PARALLEL / cost, PIECE / cost, |_, piece| {
        let mut block = [T::ZERO; IN_PLACE];
        for part in piece.chunks_mut(IN_PLACE) {
            let block = &mut block[..part.len()];
            block.copy_from_slice(part);
            call(block, part);
        }
    });
}

fn walk2_impl<T: Lanes>(call: Call2<'_, T>, a: View<'_, T>, b: View<'_, T>, dst: &mut [T]) {
    assert!(a.len() == dst.len() && b.len() == dst.len(), "map2: inputs and output differ in length");
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        return pieces(dst, PARALLEL, PIECE, |start, piece| {
            let end = start + piece.len();
            call(Rows::one(&a[start..end]), Rows::one(&b[start..end]), piece.len(), piece);
        });
    }
    if let Some(pair) = Pair::new(a, b) {
        let cost = pair.cost();
        return pieces(dst, PARALLEL / cost, pair.piece(PIECE / cost), |start, mut piece| {
            pair.walk(start, piece.len(), usize::MAX, |place_a, place_b, width, count| {
                let part = piece.split_off_mut(..count).expect("a part of the piece");
                in_long_rows(call, [place_a.rows(a.data()), place_b.rows(b.data())], width, part);
            });
        });
    }
    let (a, b) = (Source::new(a), Source::new(b));
    let cost = a.cost().max(b.cost());
    pieces(dst, PARALLEL / cost, a.piece(PIECE / cost).max(b.piece(PIECE / cost)), |start, piece| {
        source::in_parts([&a, &b], start, piece, usize::MAX, |_, a, b, part| {
            call(Rows::one(a), Rows::one(b), part.len(), part);
        });
    });
}

fn walk2_in_place_impl<T: Lanes>(call: Call2<'_, T>, data: &mut [T], b: View<'_, T>) {
    assert_eq!(b.len(), data.len(), "map2_in_place: input and output differ in length");
    if let Some(pair) = Pair::beside(b) {
        let cost = pair.cost();
        return pieces(data, PARALLEL / cost, pair.piece(PIECE / cost), |start, mut piece| {
            let mut block = [T::ZERO; IN_PLACE];
            pair.walk(start, piece.len(), IN_PLACE, |_, place, width, count| {
                let part = piece.split_off_mut(..count).expect("a part of the piece");
                let a = &mut block[..count];
                a.copy_from_slice(part);
                in_long_rows(call, [Rows::of(a, width), place.rows(b.data())], width, part);
            });
        });
    }
    let b = Source::new(b);
    pieces(data, PARALLEL / b.cost(), b.piece(PIECE / b.cost()), |start, mut piece| {
        let mut block = [T::ZERO; IN_PLACE];
        let mut memory = Buffer::unspecified(0);
        let mut b = b.over(start, piece.len(), &mut memory);
        while !piece.is_empty() {
            let part = piece.split_off_mut(..b.most().min(piece.len()).min(IN_PLACE)).expect("a part of the piece");
            let count = part.len();
            let a = &mut block[..count];
            a.copy_from_slice(part);
            call(Rows::one(a), Rows::one(b.next(count)), count, part);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    unary!(Affine { scale: f64 }(self, x: T) = x * T::from_f64(self.scale) + T::ONE);
    binary!(Hypot(self, a: T, b) = (a * a + b * b).sqrt());
    binary!(broadcast Quotient(self, a: T, b) = a / b);

    #[test]
    fn levels_agree_with_the_formula() {
        let src: Vec<f32> = (0..1027).map(|i| i as f32 * 0.37 - 100.0).collect();
        let f = Affine { scale: -2.5 };
        for &level in simd::available() {
            let mut dst = vec![0.0; src.len()];
            f32::block1(f, level, &src, &mut dst);
            assert!(src.iter().zip(&dst).all(|(&x, &y)| y == f.at(x)));
            f32::block2(Hypot {}, level, Rows::one(&src), Rows::one(&src), src.len(), &mut dst);
            assert!(src.iter().zip(&dst).all(|(&x, &y)| y == Hypot {}.at(x, x)));
        }
    }

    /// Rows of neighbors and of one number, of all lengths around those of blocks and registers.
    fn rows_agree_with_the_formula<F: Binary + Formula2>(f: F) {
        let numbers: Vec<f32> = (0..3000).map(|i| (i * 37 % 101) as f32 - 50.5).collect();
        for (width, steps) in (1..=REPEATED + 9)
            .chain([2 * REPEATED, 300])
            .flat_map(|width| [(0, 0), (0, 1), (1, 0), (1, 1)].map(|steps| (width, steps)))
        {
            let a = Rows { numbers: &numbers, row_step: width, step: steps.0 };
            let b = Rows { numbers: &numbers[11..], row_step: width + 3, step: steps.1 };
            let want = |i: usize| {
                let at = |rows: Rows<'_, f32>| rows.numbers[i / width * rows.row_step + i % width * rows.step];
                f.at(at(a), at(b))
            };
            for &level in simd::available() {
                let mut dst = vec![0.0; 3 * width];
                f32::block2(f, level, a, b, width, &mut dst);
                assert!(dst.iter().enumerate().all(|(i, &y)| y == want(i)), "{width} {steps:?}");
            }
        }
    }

    #[test]
    fn rows_agree() {
        rows_agree_with_the_formula(Hypot {});
        rows_agree_with_the_formula(Quotient {});
    }

    #[test]
    fn rows_that_repeat_agree() {
        let numbers: Vec<f32> = (0..40_000).map(|i| (i * 37 % 101) as f32 - 50.5).collect();
        for (outer, height, width) in [
            (3, 700, 2),
            (2, 521, 5),
            (2, 150, 7),
            (3, 100, 20),
            (2, 64, 48),
            (1, 90, 63),
            (2, 40, 127),
            (5, 3, 31),
            (2, 9, 200),
        ] {
            let (shape, repeated, apart) = ([outer, height, width], [width, 0, 1], [height * width, width, 1]);
            let row = View::new(&numbers[7..], &shape, &repeated);
            let all = View::new(&numbers, &shape, &apart);
            let at = |i: usize| (numbers[i], numbers[7 + i / (height * width) * width + i % width]);
            let f = Quotient {};
            let mut dst = vec![0.0; all.len()];
            map2(f, all, row, &mut dst);
            assert!(dst.iter().enumerate().all(|(i, &y)| y == f.at(at(i).0, at(i).1)), "{shape:?}");
            map2(f, row, all, &mut dst);
            assert!(dst.iter().enumerate().all(|(i, &y)| y == f.at(at(i).1, at(i).0)), "{shape:?}");
            dst.copy_from_slice(&numbers[..all.len()]);
            map2_in_place(f, &mut dst, row);
            assert!(dst.iter().enumerate().all(|(i, &y)| y == f.at(at(i).0, at(i).1)), "{shape:?} in place");
        }
    }

    #[test]
    fn strided_broadcast_and_in_place_agree() {
        let (rows, cols) = (301, 257);
        let data: Vec<f64> = (0..rows * cols).map(|i| (i % 91) as f64 - 45.0).collect();
        let row: Vec<f64> = (0..cols).map(|i| i as f64).collect();
        let shape = [cols, rows];
        let strides = [1, cols];
        let transposed = View::new(&data, &shape, &strides);
        let broadcast = View::new(&row, &shape, &[1, 0]);
        let mut dst = vec![0.0; rows * cols];
        map2(Hypot {}, transposed, broadcast, &mut dst);
        for i in 0..cols {
            for j in 0..rows {
                assert_eq!(dst[i * rows + j], Hypot {}.at(data[j * cols + i], row[i]));
            }
        }
        let mut in_place = vec![0.0; rows * cols];
        crate::view::copy(transposed, &mut in_place);
        map2_in_place(Hypot {}, &mut in_place, broadcast);
        assert_eq!(dst, in_place);

        map1(Affine { scale: 3.0 }, transposed, &mut dst);
        let mut copy = vec![0.0; rows * cols];
        crate::view::copy(transposed, &mut copy);
        map1_in_place(Affine { scale: 3.0 }, &mut copy);
        assert_eq!(dst, copy);
    }
}
