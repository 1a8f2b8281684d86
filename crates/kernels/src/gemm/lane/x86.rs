//! The registers of x86-64.

use super::{Kernel, Lane, Lanes, heights};
use std::arch::x86_64::*;

impl Lanes for f32 {
    type Wide = __m512;
    type Half = __m256;
}
impl Lanes for f64 {
    type Wide = __m512d;
    type Half = __m256d;
}

// Kernels stay functions of their own: one tile's accumulators need all registers.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Ones, then zeros: 8 (4) numbers from position `8 - n` (`4 - n`) on select the first `n` lanes.
const FIRST32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
const FIRST64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

macro_rules! lane {
    (
        $lane:ty, $num:ty, $lanes:literal, $rows:literal, [$($height:literal)*], [$($tall:literal)*], $narrow:ty, $enter:ident,
        $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $max:ident, $zero:ident,
        mask: |$count:ident| $mask:expr, $load_first:expr, $store_first:expr, $then:expr,
        open: |$x:ident| $open:expr,
        zip: |$a:ident, $b:ident| $zip:expr,
    ) => {
        impl Lane for $lane {
            type Num = $num;
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            type Narrow = $narrow;
            const MASKS: bool = true;

            #[inline(always)]
            unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $enter(kernel) }
            }
            heights!($($height)*, copies: $($tall)*);
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
            unsafe fn load_first(from: *const $num, $count: usize) -> Self {
                debug_assert!($count <= $lanes);
                // SAFETY: as the caller promises, the CPU has the registers, `$count` numbers can be read, and they are
                // no more than the lanes, so that the mask's numbers are there too.
                unsafe { $load_first(from, $mask) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $num) {
                // SAFETY: as the caller promises, the CPU has the registers and all lanes can be written.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $num, $count: usize) {
                debug_assert!($count <= $lanes);
                // SAFETY: as the caller promises, the CPU has the registers, `$count` numbers can be written, and they are
                // no more than the lanes, so that the mask's numbers are there too.
                unsafe { $store_first(to, $mask, self) }
            }
            #[inline(always)]
            unsafe fn then(self, other: Self, $count: usize) -> Self {
                debug_assert!($count <= $lanes);
                // SAFETY: the CPU has the registers, which the caller promises; the mask's numbers are there.
                unsafe { $then(self, other, $mask) }
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $fma(a, b, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // Where either is NaN, or both are zeros, the instruction gives the second; the sum makes -0 into 0.
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $add($max($zero(), self), $zero()) }
            }
            #[inline(always)]
            unsafe fn open(self) -> u32 {
                let $x = self;
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $open as u32 }
            }
            #[inline(always)]
            unsafe fn zip($a: Self, $b: Self) -> (Self, Self) {
                // SAFETY: the CPU has the registers, which the caller promises.
                unsafe { $zip }
            }
        }
    };
}

lane! {
    __m512, f32, 16, 14, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [12 13 14], LowHalf<__m256>, avx512,
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_max_ps, _mm512_setzero_ps,
    mask: |count| ((1_u32 << count) - 1) as __mmask16,
    |from, mask| _mm512_maskz_loadu_ps(mask, from), |to, mask, x| _mm512_mask_storeu_ps(to, mask, x),
    |a, b, mask| _mm512_mask_blend_ps(mask, b, a),
    open: |x| _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, _mm512_setzero_ps()),
    zip: |a, b| {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
    },
}
lane! {
    __m512d, f64, 8, 14, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [12 13 14], LowHalf<__m256d>, avx512,
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_max_pd, _mm512_setzero_pd,
    mask: |count| ((1_u32 << count) - 1) as __mmask8,
    |from, mask| _mm512_maskz_loadu_pd(mask, from), |to, mask, x| _mm512_mask_storeu_pd(to, mask, x),
    |a, b, mask| _mm512_mask_blend_pd(mask, b, a),
    open: |x| _mm512_cmp_pd_mask::<_CMP_NLE_UQ>(x, _mm512_setzero_pd()),
    zip: |a, b| {
        let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        (_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b))
    },
}
lane! {
    __m256, f32, 8, 6, [1 2 3 4 5 6], [4 5 6], Self, avx2,
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_max_ps, _mm256_setzero_ps,
    mask: |count| _mm256_loadu_si256(FIRST32.as_ptr().add(8 - count).cast()),
    |from, mask| _mm256_maskload_ps(from, mask), |to, mask, x| _mm256_maskstore_ps(to, mask, x),
    |a, b, mask| _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask)),
    open: |x| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(x, _mm256_setzero_ps())),
    zip: |a, b| {
        let (even, odd) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        (_mm256_permute2f128_ps(even, odd, 0x20), _mm256_permute2f128_ps(even, odd, 0x31))
    },
}
lane! {
    __m256d, f64, 4, 6, [1 2 3 4 5 6], [4 5 6], Self, avx2,
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_max_pd, _mm256_setzero_pd,
    mask: |count| _mm256_loadu_si256(FIRST64.as_ptr().add(4 - count).cast()),
    |from, mask| _mm256_maskload_pd(from, mask), |to, mask, x| _mm256_maskstore_pd(to, mask, x),
    |a, b, mask| _mm256_blendv_pd(b, a, _mm256_castsi256_pd(mask)),
    open: |x| _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NLE_UQ>(x, _mm256_setzero_pd())),
    zip: |a, b| {
        let (even, odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        (_mm256_permute2f128_pd(even, odd, 0x20), _mm256_permute2f128_pd(even, odd, 0x31))
    },
}

/// Half of a 512-bit register, with masks as that has them: some CPUs go through two of these at a time.
#[derive(Clone, Copy)]
pub(crate) struct LowHalf<L>(L);

macro_rules! low_half {
    ($half:ty, $load:ident, $store:ident) => {
        impl crate::gemm::edge::Edge for LowHalf<$half> {
            type Num = <$half as Lane>::Num;
            const LANES: usize = <$half as Lane>::LANES;

            #[inline(always)]
            unsafe fn splat(x: Self::Num) -> Self {
                // SAFETY: the caller's.
                LowHalf(unsafe { <$half as Lane>::splat(x) })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const Self::Num, count: usize) -> Self {
                // SAFETY: as the caller promises, the CPU has the registers and masks, and `count` numbers can be read.
                LowHalf(unsafe { $load(((1_u32 << count) - 1) as __mmask8, from) })
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut Self::Num, count: usize) {
                // SAFETY: as the caller promises, the CPU has the registers and masks, and `count` numbers can be written.
                unsafe { $store(to, ((1_u32 << count) - 1) as __mmask8, self.0) }
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller's.
                LowHalf(unsafe { Lane::add_product(self.0, a.0, b.0) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller's.
                LowHalf(unsafe { Lane::add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: the caller's.
                LowHalf(unsafe { Lane::relu(self.0) })
            }
        }
    };
}
low_half!(__m256, _mm256_maskz_loadu_ps, _mm256_mask_storeu_ps);
low_half!(__m256d, _mm256_maskz_loadu_pd, _mm256_mask_storeu_pd);
