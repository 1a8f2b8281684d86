//! Sine and cosine.
//!
//! In `f32` the argument is reduced in double precision, which also evaluates the polynomials (the Taylor series, whose
//! next term is below 2e-10): the error is that of the last rounding. Where the reduction is exact, up to `EXACT`, this is
//! straight-line code that vectorizes; the few larger arguments of a block are done again by the standard library.
//!
//! ```text
//! x = n pi/2 + r,  |r| <= pi/4       sin x = sin r, cos r, -sin r, -cos r   for n mod 4 = 0, 1, 2, 3
//!                                    cos x = cos r, -sin r, -cos r, sin r
//! ```
//!
//! In `f64` both are the standard library's.
//!
//! Source: W. Cody, W. Waite, "Software Manual for the Elementary Functions" (1980), for the reduction.

use super::elementary::Format;
use crate::Number;
use crate::map::{Formula1, Unary, run_block1};
use crate::simd::Level;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Up to here `n` has at most 20 bits, and its product with [`HIGH`] is exact.
const EXACT: f32 = 1e6;
/// The first 33 bits of `pi / 2`.
const HIGH: f64 = f64::from_bits(FRAC_PI_2.to_bits() & !0xf_ffff);
/// The rest of `pi / 2`, to the precision of two numbers.
const LOW: f64 = (FRAC_PI_2 - HIGH) + 6.123_233_995_736_766e-17;

/// The sine of `x + quarters pi/2`, for `|x| <= EXACT`. Error at most 0.51 ULP.
#[inline(always)]
fn sin_reduced(x: f32, quarters: i64) -> f32 {
    let x = f64::from(x);
    let shifted = x * FRAC_2_PI + f64::ROUND;
    let n = shifted - f64::ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let z = r * r;
    // A product to the last, so that the sign of zero stays.
    let mut s = -1.0 / 39_916_800.0;
    s = s * z + 1.0 / 362_880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    let sin = r * (s * z + 1.0);
    let mut c = 1.0 / 479_001_600.0;
    c = c * z - 1.0 / 3_628_800.0;
    c = c * z + 1.0 / 40_320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    c = c * z - 0.5;
    let cos = c * z + 1.0;
    let quadrant = (shifted.to_bits() as i64).wrapping_add(quarters);
    let y = if quadrant & 1 == 0 { sin } else { cos };
    // Bit 1 of the quadrant is the sign.
    f64::from_bits(y.to_bits() ^ ((quadrant as u64 & 2) << 62)) as f32
}

/// The sine of an angle in radians. Error at most 0.51 ULP (up to 1e6 in magnitude; beyond, the standard library's).
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    if x.abs() > EXACT { f64::from(x).sin() as f32 } else { sin_reduced(x, 0) }
}

/// The cosine of an angle in radians. Error at most 0.51 ULP (up to 1e6 in magnitude; beyond, the standard library's).
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    if x.abs() > EXACT { f64::from(x).cos() as f32 } else { sin_reduced(x, 1) }
}

/// [`sin_reduced`] as a loop takes it.
#[derive(Clone, Copy)]
struct Reduced {
    quarters: i64,
}
impl Formula1 for Reduced {
    #[inline(always)]
    fn at<T: Number>(self, x: T) -> T {
        // Only ever called for `f32`, which an `f64` holds exactly.
        T::from_f64(f64::from(sin_reduced(x.to_f64() as f32, self.quarters)))
    }
}

macro_rules! function {
    ($(#[$meta:meta])* $Name:ident, $function:ident, $quarters:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Name;
        impl Unary for $Name {
            const COST: usize = 8;
            fn block_f32(self, level: Level, src: &[f32], dst: &mut [f32]) {
                run_block1(Reduced { quarters: $quarters }, level, src, dst);
                if src.iter().fold(0.0, |max: f32, x| max.max(x.abs())) > EXACT {
                    dst.iter_mut().zip(src).filter(|(_, x)| x.abs() > EXACT).for_each(|(y, &x)| *y = $function(x));
                }
            }
            fn block_f64(self, _: Level, src: &[f64], dst: &mut [f64]) {
                dst.iter_mut().zip(src).for_each(|(y, x)| *y = x.$function());
            }
        }
    };
}
function! {
    /// The sine, over blocks.
    Sin, sin, 0
}
function! {
    /// The cosine, over blocks.
    Cos, cos, 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::ulp::{check, check_levels};

    #[test]
    fn sin_error() {
        check([sin], f64::sin, 0.51, 0.5);
    }

    #[test]
    fn cos_error() {
        check([cos], f64::cos, 0.51, 0.5);
    }

    #[test]
    fn multiples_of_a_quarter_turn() {
        for n in 0..=600_000 {
            let x = (f64::from(n) * FRAC_PI_2) as f32;
            let exact = [f64::from(x).sin(), f64::from(x).cos()];
            let ours = [sin(x), cos(x)];
            for (ours, exact) in ours.iter().zip(exact) {
                assert!((f64::from(*ours) - exact).abs() <= 6.1e-8 * exact.abs(), "{x}: {ours} is not {exact}");
            }
        }
    }

    #[test]
    fn all_levels_give_the_same_bits() {
        check_levels(Sin, sin, sin);
        check_levels(Cos, cos, cos);
    }
}
