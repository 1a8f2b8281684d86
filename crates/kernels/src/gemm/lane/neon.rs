//! The registers of AArch64.

use super::{Kernel, Lane, Lanes, heights};
use std::arch::aarch64::*;
use std::ptr::copy_nonoverlapping;

impl Lanes for f32 {
    type Quad = float32x4_t;
}
impl Lanes for f64 {
    type Quad = float64x2_t;
}

// Kernels stay functions of their own: one tile's accumulators need all registers.
#[inline(never)]
#[target_feature(enable = "neon")]
fn neon<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Ones, then zeros: 4 (2) numbers from position `4 - n` (`2 - n`) on select the first `n` lanes.
const FIRST32: [u32; 8] = [u32::MAX, u32::MAX, u32::MAX, u32::MAX, 0, 0, 0, 0];
const FIRST64: [u64; 4] = [u64::MAX, u64::MAX, 0, 0];
/// A bit for each lane.
const BITS32: [u32; 4] = [1, 2, 4, 8];
const BITS64: [u64; 2] = [1, 2];

macro_rules! lane {
    (
        $lane:ty, $num:ty, $lanes:literal,
        $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $max:ident, $zip1:ident, $zip2:ident,
        then: |$count:ident| $mask:expr, $select:ident,
        open: |$x:ident| $closed:expr,
    ) => {
        impl Lane for $lane {
            type Num = $num;
            const LANES: usize = $lanes;
            const ROWS: usize = 14;
            type Narrow = Self;
            const MASKS: bool = false;

            #[inline(always)]
            unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { neon(kernel) }
            }
            heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14, copies: 12 13 14);
            #[inline(always)]
            unsafe fn splat(x: $num) -> Self {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $num) -> Self {
                // SAFETY: as the caller promises, the CPU has the registers and all lanes can be read.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $num, count: usize) -> Self {
                debug_assert!(count <= $lanes);
                let mut numbers = [0.0; $lanes];
                // SAFETY: as the caller promises, the CPU has the registers, `count` numbers can be read, and they are no more
                // than the lanes.
                unsafe {
                    copy_nonoverlapping(from, numbers.as_mut_ptr(), count);
                    $load(numbers.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $num) {
                // SAFETY: as the caller promises, the CPU has the registers and all lanes can be written.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $num, count: usize) {
                debug_assert!(count <= $lanes);
                let mut numbers = [0.0; $lanes];
                // SAFETY: as the caller promises, the CPU has the registers, `count` numbers can be written, and they are no
                // more than the lanes.
                unsafe {
                    $store(numbers.as_mut_ptr(), self);
                    copy_nonoverlapping(numbers.as_ptr(), to, count);
                }
            }
            #[inline(always)]
            unsafe fn then(self, other: Self, $count: usize) -> Self {
                debug_assert!($count <= $lanes);
                // SAFETY: the CPU has the registers, which the caller promises; the mask's numbers are there.
                unsafe { $select($mask, self, other) }
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $fma(self, a, b) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // The instruction gives NaN where either is.
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $max(self, $splat(0.0)) }
            }
            #[inline(always)]
            unsafe fn open(self) -> u32 {
                let $x = self;
                // SAFETY: the CPU has the registers, which the caller promises.
                let closed = unsafe { $closed };
                !(closed as u32) & ((1 << $lanes) - 1)
            }
            #[inline(always)]
            unsafe fn zip(a: Self, b: Self) -> (Self, Self) {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { ($zip1(a, b), $zip2(a, b)) }
            }
        }
    };
}

lane! {
    float32x4_t, f32, 4,
    vdupq_n_f32, vld1q_f32, vst1q_f32, vfmaq_f32, vaddq_f32, vmaxq_f32, vzip1q_f32, vzip2q_f32,
    then: |count| vld1q_u32(FIRST32.as_ptr().add(4 - count)), vbslq_f32,
    open: |x| vaddvq_u32(vandq_u32(vclezq_f32(x), vld1q_u32(BITS32.as_ptr()))),
}
lane! {
    float64x2_t, f64, 2,
    vdupq_n_f64, vld1q_f64, vst1q_f64, vfmaq_f64, vaddq_f64, vmaxq_f64, vzip1q_f64, vzip2q_f64,
    then: |count| vld1q_u64(FIRST64.as_ptr().add(2 - count)), vbslq_f64,
    open: |x| vaddvq_u64(vandq_u64(vclezq_f64(x), vld1q_u64(BITS64.as_ptr()))),
}
