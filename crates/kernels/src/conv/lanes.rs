//! Kernels that need registers as such: they are compiled for each [`Lane`] and run with the one of the machine's level.

use std::marker::PhantomData;

use crate::gemm::{Lane, Lanes, One};
use crate::simd::{self, Kernel, Level};

/// A piece of work over registers. Mark `run`, and what it calls, `#[inline(always)]`.
pub(super) trait LaneKernel<T> {
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
pub(super) fn dispatch<T: Lanes, K: LaneKernel<T>>(kernel: K) {
    // SAFETY: `level` is one that the machine has.
    unsafe {
        match simd::level() {
            Level::Portable => One::<T>::enter(With::<K, One<T>>(kernel, PhantomData)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => T::Half::enter(With::<K, T::Half>(kernel, PhantomData)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => T::Wide::enter(With::<K, T::Wide>(kernel, PhantomData)),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("the level is not available"),
        }
    }
}
