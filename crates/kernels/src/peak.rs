//! The machine's peak rate: multiply-adds that depend on no memory.
//!
//! Each of several independent chains repeats `x = x a + b` in registers. A chain waits for its own last result; with more
//! chains than a core's units take steps to finish, every unit gets a new multiply-add in every cycle. Nothing can do more
//! floating-point work per second, so other kernels are measured as a share of this rate.

use crate::gemm::{Lane, Lanes, One};
use crate::simd::{Kernel, Level};

/// Chains: two units of four cycles need eight, and 16 registers still hold them with `a` and `b`.
const CHAINS: usize = 12;

/// Repeats `x = x a + b` for `rounds` rounds on this thread with the level's registers, and returns how many
/// floating-point operations that were: two for each number and round.
///
/// # Panics
/// If the machine lacks the level.
pub fn multiply_adds(level: Level, rounds: usize) -> f64 {
    assert!(crate::simd::available().contains(&level), "SIMD level {} is not available", level.name());
    match level {
        Level::Portable => run::<One<f32>>(rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => run::<<f32 as Lanes>::Half>(rounds),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => run::<<f32 as Lanes>::Wide>(rounds),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => run::<<f32 as Lanes>::Quad>(rounds),
        _ => unreachable!("the level is not available"),
    }
}

fn run<L: Lane<Num = f32>>(rounds: usize) -> f64 {
    let mut last = [0.0; 64];
    // SAFETY: `multiply_adds` has made sure that the CPU has the lane's registers.
    unsafe { L::enter(Chains::<L>(rounds, &mut last, L::splat(0.5), L::splat(1.0))) };
    // The chains tend to 2, so they stay normal numbers and the compiler cannot leave them out.
    assert!(std::hint::black_box(last)[0] <= 2.0);
    (2 * rounds * CHAINS * L::LANES) as f64
}

/// The rounds, where the sum of the chains goes, `a` and `b`.
struct Chains<'a, L>(usize, &'a mut [f32; 64], L, L);

impl<L: Lane<Num = f32>> Kernel for Chains<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Chains(rounds, last, a, b) = self;
        // SAFETY: whoever enters the lane has made sure of its registers; `last` is longer than any of them.
        unsafe {
            let mut x = [b; CHAINS];
            for _ in 0..rounds {
                for x in &mut x {
                    *x = b.add_product(*x, a);
                }
            }
            let mut max = x[0];
            for x in &x[1..] {
                // Adding 0 times the chain keeps each of them needed.
                max = max.add_product(*x, L::splat(0.0));
            }
            max.store(last.as_mut_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd;

    #[test]
    fn counts_what_it_does() {
        for &level in simd::available() {
            let one = multiply_adds(level, 1);
            assert!(one >= (2 * CHAINS) as f64);
            assert_eq!(multiply_adds(level, 1000), 1000.0 * one);
        }
    }
}
