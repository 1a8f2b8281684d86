//! Kernels that need registers as such: they are compiled for each [`Lane`] and run with the one of the machine's level.

use std::marker::PhantomData;

use super::{Apart, Lane, Lanes, RowsApart, Tile};
use crate::Real;
use crate::simd::{self, Kernel, Level};

/// A piece of work over registers. Mark `run`, and what it calls, `#[inline(always)]`.
pub(crate) trait LaneKernel<T> {
    /// Does the work.
    ///
    /// # Safety
    /// The CPU has the lane's registers, and the code may use them: the caller is [`Lane::enter`].
    unsafe fn run<L: Lane<Num = T>>(self);
}

/// The work with its lane.
struct With<K, L>(K, PhantomData<L>);

impl<K: LaneKernel<L::Num>, L: Lane> Kernel for With<K, L> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        // SAFETY: only `dispatch` makes this kernel, inside `enter`, for a level that the machine has.
        unsafe { self.0.run::<L>() }
    }
}

/// Runs a kernel with the registers of the machine's level.
pub(crate) fn dispatch<T: Lanes, K: LaneKernel<T>>(kernel: K) {
    // SAFETY: `level` is one that the machine has.
    unsafe {
        match simd::level() {
            Level::Portable => Group::<T>::enter(With::<K, Group<T>>(kernel, PhantomData)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => T::Half::enter(With::<K, T::Half>(kernel, PhantomData)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => T::Wide::enter(With::<K, T::Wide>(kernel, PhantomData)),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => T::Quad::enter(With::<K, T::Quad>(kernel, PhantomData)),
            _ => unreachable!("the level is not available"),
        }
    }
}

/// Numbers in a register of the machine's level.
pub(crate) fn lanes<T: Lanes>() -> usize {
    struct Count<'a>(&'a mut usize);
    impl<T: Lanes> LaneKernel<T> for Count<'_> {
        #[inline(always)]
        unsafe fn run<L: Lane<Num = T>>(self) {
            *self.0 = L::LANES;
        }
    }
    let mut count = 0;
    dispatch::<T, _>(Count(&mut count));
    count
}

/// Numbers side by side, for levels without registers of their own: the compiler makes what it can of them.
#[derive(Clone, Copy)]
struct Group<T>([T; 4]);

impl<T: Real> Group<T> {
    #[inline(always)]
    fn each(f: impl Fn(usize) -> T) -> Self {
        Group(std::array::from_fn(f))
    }
}

impl<T: Real> Lane for Group<T> {
    type Num = T;
    const LANES: usize = 4;
    const ROWS: usize = 1;
    type Narrow = Self;
    const MASKS: bool = false;

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        simd::portable(kernel)
    }
    unsafe fn compute(_: &Tile<T>) {
        unreachable!("products have tiles of other lanes")
    }
    unsafe fn compute_apart(_: &Tile<T>, _: &Apart<T>) {
        unreachable!("products have tiles of other lanes")
    }
    unsafe fn compute_rows_apart(_: &Tile<T>, _: &RowsApart<T>) {
        unreachable!("products have tiles of other lanes")
    }
    unsafe fn compute_edge(_: &Tile<T>) {
        unreachable!("products have tiles of other lanes")
    }
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Group([x; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's; arrays are aligned as their numbers are.
        Group(unsafe { from.cast::<[T; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        // SAFETY: the caller's: only the first `count` numbers are read.
        Self::each(|i| if i < count { unsafe { from.add(i).read() } } else { T::ZERO })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[T; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for (i, &x) in self.0.iter().enumerate().take(count) {
            // SAFETY: the caller's.
            unsafe { to.add(i).write(x) }
        }
    }
    #[inline(always)]
    unsafe fn then(self, other: Self, count: usize) -> Self {
        Self::each(|i| if i < count { self.0[i] } else { other.0[i] })
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Self::each(|i| self.0[i] + a.0[i] * b.0[i])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self::each(|i| self.0[i] + other.0[i])
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self::each(|i| self.0[i].maximum(T::ZERO))
    }
    #[inline(always)]
    unsafe fn open(self) -> u32 {
        (0..4).fold(0, |bits, i| bits | if self.0[i] <= T::ZERO { 0 } else { 1 << i })
    }
    #[inline(always)]
    unsafe fn zip(a: Self, b: Self) -> (Self, Self) {
        let turn = |i: usize| if i.is_multiple_of(2) { a.0[i / 2] } else { b.0[i / 2] };
        (Self::each(turn), Self::each(|i| turn(4 + i)))
    }
}
