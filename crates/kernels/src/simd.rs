//! The instruction set, chosen once at run time.
//!
//! A kernel is a small struct whose [`Kernel::run`] is marked `#[inline(always)]`. [`dispatch`] compiles it inside one
//! function for each [`Level`], where the compiler may use that level's registers, and calls the one this machine has.

use crate::Real;
use crate::number::Like;
use std::sync::OnceLock;

/// An instruction set. Ordered from plain to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the compilation target guarantees (SSE2 on x86-64, NEON on AArch64, SIMD128 or scalar on WebAssembly), and
    /// products by matrixmultiply.
    Portable,
    /// NEON, which every AArch64 has, and products by kernels of our own: 128-bit registers.
    Neon,
    /// AVX2 and FMA: 256-bit registers.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 512-bit registers and masks.
    Avx512,
}

impl Level {
    /// The name that `CHAINRULE_SIMD` understands.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Whether elementary functions multiply and add in one instruction.
    pub fn is_fused(self) -> bool {
        TARGET_FUSES || matches!(self, Level::Avx2 | Level::Avx512)
    }
}

/// Whether the compilation target guarantees an instruction that multiplies and adds.
const TARGET_FUSES: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// The levels that this machine can run, plainest first.
pub fn available() -> &'static [Level] {
    #[cfg(target_arch = "aarch64")]
    const ALL: [Level; 2] = [Level::Portable, Level::Neon];
    #[cfg(not(target_arch = "aarch64"))]
    const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];
    static COUNT: OnceLock<usize> = OnceLock::new();
    &ALL[..*COUNT.get_or_init(detect)]
}

/// How many of the levels, from the plainest on, this machine has.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn detect() -> usize {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    1 + usize::from(avx2) + usize::from(avx2 && avx512)
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
fn detect() -> usize {
    1 + usize::from(std::arch::is_aarch64_feature_detected!("neon"))
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn detect() -> usize {
    1
}

/// Reads `CHAINRULE_SIMD`; the best level of the machine where it is unset or empty.
///
/// # Errors
/// One line, if the variable names no level or one that this machine lacks.
pub fn from_env() -> Result<Level, String> {
    let best = *available().last().expect("there is always the portable level");
    match std::env::var("CHAINRULE_SIMD") {
        Ok(name) if !name.is_empty() => available().iter().copied().find(|l| l.name() == name).ok_or_else(|| {
            let names: Vec<_> = available().iter().map(|l| l.name()).collect();
            format!("CHAINRULE_SIMD={name}: this machine has {}", names.join(", "))
        }),
        _ => Ok(best),
    }
}

/// The level that kernels run at: decided on the first call, from `CHAINRULE_SIMD` or the machine.
///
/// # Panics
/// If `CHAINRULE_SIMD` is not a level of this machine ([`from_env`] tells without a panic).
#[inline]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| from_env().unwrap_or_else(|message| panic!("{message}")))
}

/// A piece of work that is compiled for every [`Level`]. Mark `run`, and what it calls, `#[inline(always)]`.
pub trait Kernel {
    /// What the work returns.
    type Output;
    /// Does the work.
    fn run(self) -> Self::Output;
    /// Does the work at a level that multiplies and adds in one instruction. Only [`Elementary`] kernels have a use for that.
    #[inline(always)]
    #[doc(hidden)]
    fn run_fused(self) -> Self::Output
    where
        Self: Sized,
    {
        self.run()
    }
}

/// A [`Kernel`] with functions of [`math`](crate::math) in it, which have a form for each arithmetic.
pub trait Elementary {
    /// The numbers in memory.
    type Number: Real;
    /// What the work returns.
    type Output;
    /// Does the work, with the functions of `N`.
    fn compute<N: Like<Self::Number>>(self) -> Self::Output;
}

impl<K: Elementary> Kernel for K {
    type Output = K::Output;
    #[inline(always)]
    fn run(self) -> K::Output {
        self.compute::<K::Number>()
    }
    #[inline(always)]
    fn run_fused(self) -> K::Output {
        self.compute::<<K::Number as Real>::Fused>()
    }
}

/// Runs a kernel at the machine's [`level`].
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_at(level(), kernel)
}

/// Runs a kernel at a given level.
///
/// # Panics
/// If the machine lacks the level.
#[inline]
pub fn dispatch_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    assert!(available().contains(&level), "SIMD level {} is not available", level.name());
    match level {
        // NEON is among what the target guarantees.
        Level::Portable | Level::Neon => portable(kernel),
        // SAFETY: `available` lists the level only where the CPU has all of its features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("the level is not available"),
    }
}

/// A function of its own, as those of the other levels are: inlined, the work would be compiled again in each caller.
#[inline(never)]
pub(crate) fn portable<K: Kernel>(kernel: K) -> K::Output {
    if TARGET_FUSES { kernel.run_fused() } else { kernel.run() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run_fused()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run_fused()
}

/// Asks for the cache line at `at`, which may be anywhere. Elsewhere than on x86-64 it does nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dot<'a>(&'a [f64], &'a [f64]);
    impl Kernel for Dot<'_> {
        type Output = f64;
        #[inline(always)]
        fn run(self) -> f64 {
            self.0.iter().zip(self.1).map(|(a, b)| a * b).sum()
        }
    }

    #[test]
    fn every_level_runs() {
        for &level in available() {
            assert_eq!(dispatch_at(level, Dot(&[1., 2., 3.], &[4., 5., 6.])), 32.);
        }
    }

    #[test]
    fn portable_is_always_there() {
        assert_eq!(available()[0], Level::Portable);
    }
}
