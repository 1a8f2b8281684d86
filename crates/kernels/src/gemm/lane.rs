//! [`Lane`]: a SIMD register, as far as matrix products need one.
//!
//! Kernels and packing are written once over this trait. A [`Lane`] says how many numbers a register holds and how tall a
//! tile of accumulators the register file can hold; [`Lane::enter`] runs a [`Kernel`] in a function that may use the
//! registers. All other methods are `#[inline(always)]` and belong inside such a run.

use super::apart::{Apart, RowsApart};
use super::tile::{Tile, heights};
use crate::Real;
use crate::simd::Kernel;

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

/// A register of numbers.
///
/// # Safety
/// Every method may be called only where the CPU has the register's instruction set: the functions that take a level
/// see to it once, when they choose the lane. Pointers must be valid for as many numbers as the method reads or writes.
pub(crate) trait Lane: Copy {
    /// The type of one number.
    type Num: Real;
    /// Numbers in a register.
    const LANES: usize;
    /// Rows of the tallest tile of two registers a row whose accumulators, with three more registers, fit the CPU's.
    const ROWS: usize;
    /// Rows of the lowest tile that can copy what it reads of `b` for the tiles below, or whose rows of `a` may stand apart.
    const COPIES: usize = Self::ROWS - 2;

    /// The register for the last columns of a product, where they fill no more of one than this.
    type Narrow: super::edge::Edge<Num = Self::Num>;
    /// Whether loading and storing some of the lanes is as fast as all of them.
    const MASKS: bool;

    /// Runs a kernel where the compiler may use these registers.
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output;
    /// Computes a tile of 1 to `ROWS` rows, with the promises of [`tile::compute`](super::tile::compute).
    unsafe fn compute(tile: &Tile<Self::Num>);
    /// Computes a tile of 1 to `ROWS` rows whose rows of `b` stand where [`Apart`] says, with the same promises.
    unsafe fn compute_apart(tile: &Tile<Self::Num>, b: &Apart<Self::Num>);
    /// Computes a tile of `COPIES` to `ROWS` rows whose rows of `a` stand where [`RowsApart`] says, with the same promises.
    unsafe fn compute_rows_apart(tile: &Tile<Self::Num>, a: &RowsApart<Self::Num>);
    /// Computes a tile of 1 to `ROWS` rows and up to one register of columns, with the same promises: `b` is read where it has
    /// these columns, and no further.
    unsafe fn compute_edge(tile: &Tile<Self::Num>);
    /// The same number in every lane.
    unsafe fn splat(x: Self::Num) -> Self;
    /// `LANES` numbers from memory, of any alignment.
    unsafe fn load(from: *const Self::Num) -> Self;
    /// The first `count` numbers from memory, zeros behind them. `count` is at most `LANES`.
    unsafe fn load_first(from: *const Self::Num, count: usize) -> Self;
    /// Stores all numbers.
    unsafe fn store(self, to: *mut Self::Num);
    /// Stores the first `count` numbers. `count` is at most `LANES`.
    unsafe fn store_first(self, to: *mut Self::Num, count: usize);
    /// The first `count` lanes, and behind them those of `other`. `count` is at most `LANES`.
    unsafe fn then(self, other: Self, count: usize) -> Self;
    /// `self + a * b`, rounded once.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// Lane by lane, `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// Negative numbers, and -0, become 0; NaN stays.
    unsafe fn relu(self) -> Self;
    /// A bit for each lane, the first one lowest: whether [`relu`](Lane::relu) lets it pass, as it does NaN.
    unsafe fn open(self) -> u32;
    /// The lanes of two registers in turn: `a0 b0 a1 b1 ...`, first half and second half.
    unsafe fn zip(a: Self, b: Self) -> (Self, Self);
}

/// The registers of a number type at each level that this architecture has beside the portable one.
pub(crate) trait Lanes: Real {
    /// 512-bit registers.
    #[cfg(target_arch = "x86_64")]
    type Wide: Lane<Num = Self>;
    /// 256-bit registers.
    #[cfg(target_arch = "x86_64")]
    type Half: Lane<Num = Self>;
    /// 128-bit registers.
    #[cfg(target_arch = "aarch64")]
    type Quad: Lane<Num = Self>;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl<T: Real> Lanes for T {}

/// One number, for levels without registers of their own: packing works the same way everywhere.
#[derive(Clone, Copy)]
pub(crate) struct One<T>(T);

impl<T: Real> Lane for One<T> {
    type Num = T;
    const LANES: usize = 1;
    const ROWS: usize = 4;
    type Narrow = Self;
    const MASKS: bool = false;

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
    heights!(1 2 3 4, copies: 2 3 4);
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        One(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's.
        One(unsafe { from.read() })
    }
    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        // SAFETY: the caller's: with a count of 1 there is a number to read.
        One(if count == 0 { T::ZERO } else { unsafe { from.read() } })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller's.
        unsafe { to.write(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        if count > 0 {
            // SAFETY: the caller's.
            unsafe { to.write(self.0) }
        }
    }
    #[inline(always)]
    unsafe fn then(self, other: Self, count: usize) -> Self {
        if count == 0 { other } else { self }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        One(self.0 + a.0 * b.0)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        One(self.0 + other.0)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        One(self.0.maximum(T::ZERO))
    }
    #[inline(always)]
    unsafe fn open(self) -> u32 {
        if self.0 <= T::ZERO { 0 } else { 1 }
    }
    #[inline(always)]
    unsafe fn zip(a: Self, b: Self) -> (Self, Self) {
        (a, b)
    }
}
