//! Powers of `f32`, in double precision and without branches.
//!
//! ```text
//! x^p = 2^(p log2 x)      log2 x = k + ln(m) / ln 2,   x = 2^k m,   sqrt(1/2) <= m < sqrt(2)
//!                         ln m   = 2 (s + s^3/3 + s^5/5 + ..),      s = (m - 1) / (m + 1)
//! ```
//!
//! Both series are Taylor's, long enough for the rounding to `f32` at the end.

use super::elementary::{Format, polynomial};

/// `log2 x` for a normal `x > 0`, with a relative error of `2e-12`.
#[inline(always)]
fn log2(x: f64) -> f64 {
    let (k, m) = f64::split(x);
    let s = (m - 1.0) / (m + 1.0);
    let terms = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    polynomial::<f64, f64, _>(s * s, terms) * s * (2.0 * std::f64::consts::LOG2_E) + k
}

/// `2^t`, with a relative error of `4e-10`. Beyond 200, `2^200` or its reciprocal, which `f32` has not.
#[inline(always)]
fn exp2(t: f64) -> f64 {
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let shifted = t + f64::ROUND;
    let r = (t - (shifted - f64::ROUND)) * std::f64::consts::LN_2;
    let terms = [1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    polynomial::<f64, f64, _>(r, terms) * f64::power_of_two(shifted)
}

/// Whether a number below `2^51` is an integer.
#[inline(always)]
fn is_integer(x: f64) -> bool {
    (x + f64::ROUND) - f64::ROUND == x
}

/// `x^p`, as C defines it for special values. Error at most 0.51 ULP.
#[inline(always)]
pub fn powf(x: f32, p: f32) -> f32 {
    let (a, p) = (f64::from(x.abs()), f64::from(p));
    let size = p.abs();
    // From 2^24 on, every f32 is an even integer.
    let large = size >= 16_777_216.0;
    let odd = !large && is_integer(size) && !is_integer(size * 0.5);
    let log = log2(a);
    let log = if a == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if a < f64::INFINITY { log } else { a };
    let y = exp2(log * p) as f32;
    // The sign, or none, where x has one.
    let negative = x.to_bits() >> 31 == 1;
    let y = if negative && odd { -y } else { y };
    let no_root = x < 0.0 && a < f64::INFINITY && !large && !is_integer(size);
    let y = if no_root { f32::NAN } else { y };
    if p == 0.0 || x == 1.0 || (x == -1.0 && size == f64::INFINITY) { 1.0 } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::ulp::{check, check_levels};

    #[test]
    fn powf_error() {
        macro_rules! powers {
            ($($p:literal),*) => { $(check([|x| powf(x, $p)], |x| x.powf(f64::from($p as f32)), 0.51, 0.51);)* };
        }
        powers!(1.5, -1.5, 0.5, 2.0, 3.0, -1.0, 0.1, -0.333, 17.0, -126.0, 1e-3, 3e9, 1e-30, 0.0, 2.000_000_2);
    }

    #[test]
    fn special_values_are_those_of_the_standard_library() {
        let values = [0.0, 1.0, 2.0, 0.5, 3.0, 1.5, 1e-40, 1e38, 16_777_215.0, 16_777_216.0, f32::INFINITY, f32::NAN];
        let both = || values.into_iter().flat_map(|x| [x, -x]);
        for (x, p) in both().flat_map(|x| both().map(move |p| (x, p))) {
            let (got, want) = (powf(x, p), x.powf(p));
            let close = (got - want).abs() <= 1.2e-7 * want.abs();
            assert!(
                got.to_bits() == want.to_bits() || close || got.is_nan() && want.is_nan(),
                "{x}^{p}: {got}, not {want}"
            );
        }
    }

    crate::unary!(Power { p: f64 }(self, x: T) = x.powf(T::from_f64(self.p)));

    #[test]
    fn all_levels_give_the_same_bits() {
        check_levels(Power { p: 1.5 }, |x| powf(x, 1.5), |x| powf(x, 1.5));
        check_levels(Power { p: -3.0 }, |x| powf(x, -3.0), |x| powf(x, -3.0));
    }
}
