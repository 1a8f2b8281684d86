//! The exponential, the logarithm and what follows from them, for both precisions and both arithmetics.
//!
//! Every function is straight-line code of additions, multiplications, comparisons that select, and integer operations on
//! the bits of a number. A loop over it becomes vector instructions at every [`Level`](crate::simd::Level). A level that multiplies
//! and adds in one instruction takes the functions of [`Fused`] numbers, the others those where `a * b + c` rounds twice. All follow
//! one pattern: the argument is reduced to a small interval, a polynomial does the work there, the result is put together again.
//!
//! ```text
//! exp x    = 2^n e^r                 x = n ln 2 + r,   |r| <= ln(2)/2
//! exp_m1 x = 2^n (e^r - 1) + (2^n - 1)
//! ln x     = k ln 2 + ln(1 + f)      x = 2^k (1 + f),  sqrt(1/2) <= 1 + f < sqrt(2)
//! tanh x   = e / (e + 2)             e = exp_m1 2x
//! sigmoid x = 1 / (1 + e^-x)
//! ```
//!
//! The argument reduction is W. Cody and W. Waite's, "Software Manual for the Elementary Functions" (1980).

use crate::number::{Fused, Number};

/// How a product is added to a number.
pub trait MulAdd<F> {
    /// `a * b + c`
    fn mul_add(a: F, b: F, c: F) -> F;
    /// The square of a number as the sum of two, the first of which is exact to its last bit.
    fn square(x: F) -> (F, F);
}

macro_rules! mul_add {
    ($t:ident, $mask:literal) => {
        /// Rounds the product too.
        impl MulAdd<$t> for $t {
            #[inline(always)]
            fn mul_add(a: $t, b: $t, c: $t) -> $t {
                a * b + c
            }
            /// Half of a number's bits have an exact square.
            #[inline(always)]
            fn square(x: $t) -> ($t, $t) {
                let high = $t::from_bits(x.to_bits() & $mask);
                (high * high, (x - high) * (x + high))
            }
        }
        /// Rounds once.
        impl MulAdd<$t> for Fused<$t> {
            #[inline(always)]
            fn mul_add(a: $t, b: $t, c: $t) -> $t {
                a.mul_add(b, c)
            }
            #[inline(always)]
            fn square(x: $t) -> ($t, $t) {
                (x * x, x.mul_add(x, -(x * x)))
            }
        }
    };
}
mul_add!(f32, 0xffff_f000);
mul_add!(f64, 0xffff_ffff_f800_0000);

/// What differs between single and double precision. An integer is held in the lowest bits of a number `s`, where adding
/// [`ROUND`](Format::ROUND) puts it.
pub trait Format: Number {
    /// `1.5 * 2^m` for a mantissa of `m` bits: adding it to a smaller number rounds to an integer, which then stands in the lowest bits.
    /// As many of these as an exponent has, and one more, are 0 in the constant itself, so that shifting the sum's bits to
    /// the exponent leaves nothing but the integer.
    const ROUND: Self;
    /// `1 / ln 2`
    const LOG2_E: Self;
    /// The first bits of `ln 2`, so few that a product with an exponent is exact.
    const LN2_HI: Self;
    /// The rest of `ln 2`.
    const LN2_LO: Self;
    /// From here on `e^x` is infinity.
    const OVERFLOW: Self;
    /// Down from here `e^x` is 0.
    const UNDERFLOW: Self;
    /// The logarithm of the smallest normal number, rounded up.
    const LEAST_NORMAL: Self;
    /// Down from minus this `e^x - 1` is -1, and from it on `tanh x/2` is 1.
    const FLAT: Self;
    /// Up to here `e^x - 1` is `x`.
    const LINEAR: Self;
    /// A power of two that makes subnormal numbers normal, and its exponent.
    const SCALE: (Self, Self);

    /// `2^n`, a normal number, for `n` in the lowest bits of `s`.
    fn power_of_two(s: Self) -> Self;
    /// `2^(n-1)`, a normal number.
    fn half_power_of_two(s: Self) -> Self;
    /// Two normal numbers whose product is `2^n`.
    fn factors(s: Self) -> (Self, Self);
    /// `(k, m)` with `x = 2^k m` and `sqrt(1/2) <= m < sqrt(2)`, for a normal `x > 0`.
    fn split(x: Self) -> (Self, Self);
    /// The magnitude of `self` with the sign of another number.
    fn with_sign(self, sign: Self) -> Self;
    /// `e^r` for `|r| <= ln(2)/2`.
    fn exp_small<A: MulAdd<Self>>(r: Self) -> Self;
    /// `e^r - 1` for `|r| <= ln(2)/2`.
    fn exp_m1_small<A: MulAdd<Self>>(r: Self) -> Self;
    /// `k ln 2 + ln(1 + f)` for `sqrt(1/2) <= 1 + f < sqrt(2)`.
    fn ln_sum<A: MulAdd<Self>>(k: Self, f: Self) -> Self;
}

/// The polynomial with these coefficients, from the highest power to the constant (Horner's scheme).
#[inline(always)]
pub(super) fn polynomial<F: Format, A: MulAdd<F>, const N: usize>(x: F, coefficients: [F; N]) -> F {
    let mut y = coefficients[0];
    for c in &coefficients[1..] {
        y = A::mul_add(y, x, *c);
    }
    y
}

/// `x` at most `limit`, NaN if `x` is NaN. (`f32::min` would drop the NaN.)
#[inline(always)]
pub(super) fn at_most<F: Format>(x: F, limit: F) -> F {
    if x > limit { limit } else { x }
}

/// `(s, r)` with `x = n ln 2 + r` and `|r| <= ln(2)/2` (but for rounding), `n` in the lowest bits of `s`.
#[inline(always)]
pub(super) fn reduce<F: Format, A: MulAdd<F>>(x: F) -> (F, F) {
    let s = A::mul_add(x, F::LOG2_E, F::ROUND);
    let n = s - F::ROUND;
    (s, A::mul_add(-n, F::LN2_LO, A::mul_add(-n, F::LN2_HI, x)))
}

/// `e^x`.
#[inline(always)]
pub fn exp<F: Format, A: MulAdd<F>>(x: F) -> F {
    let x = at_most(x, F::OVERFLOW);
    let x = if x < F::UNDERFLOW { F::UNDERFLOW } else { x };
    let (s, r) = reduce::<F, A>(x);
    // 2^n itself may be too large or too small.
    let (a, b) = F::factors(s);
    F::exp_small::<A>(r) * a * b
}

/// `e^x` where it is a normal number and finite with a power of two to spare.
#[inline(always)]
pub(super) fn exp_in_range<F: Format, A: MulAdd<F>>(x: F) -> F {
    let (s, r) = reduce::<F, A>(x);
    F::exp_small::<A>(r) * F::power_of_two(s)
}

/// `e^x` for `x <= 88` where that is a normal number, 0 below.
#[inline(always)]
pub fn exp_normal<F: Format, A: MulAdd<F>>(x: F) -> F {
    let y = exp_in_range::<F, A>(x);
    if x < F::LEAST_NORMAL { F::ZERO } else { y }
}

/// `e^x - 1`, exact near 0.
#[inline(always)]
pub fn exp_m1<F: Format, A: MulAdd<F>>(x: F) -> F {
    let t = at_most(x, F::OVERFLOW);
    let t = if t < -F::FLAT { -F::FLAT } else { t };
    let (s, r) = reduce::<F, A>(t);
    // Twice the sum with half of 2^n, which is a number even where 2^n is not.
    let half = F::half_power_of_two(s);
    let y = A::mul_add(F::exp_m1_small::<A>(r), half, half - F::from_f64(0.5)) * F::from_f64(2.0);
    // Keeps the sign of zero, and the bit of a subnormal number that half of it would lose.
    if x.abs() < F::LINEAR { x } else { y }
}

/// Puts in what a logarithm is at 0 (where `x` is), below, at infinity and at NaN.
#[inline(always)]
fn ln_special<F: Format>(x: F, argument: F, y: F) -> F {
    let y = if x > F::ZERO { y } else { F::NAN };
    let y = if x == F::ZERO { -F::INFINITY } else { y };
    if argument == F::INFINITY { argument } else { y }
}

/// The natural logarithm.
#[inline(always)]
pub fn ln<F: Format, A: MulAdd<F>>(x: F) -> F {
    // Subnormal numbers are made normal.
    let tiny = x < F::MIN_POSITIVE;
    let scaled = if tiny { x * F::SCALE.0 } else { x };
    let (k, m) = F::split(scaled);
    let k = k - if tiny { F::SCALE.1 } else { F::ZERO };
    ln_special(x, x, F::ln_sum::<A>(k, m - F::ONE))
}

/// `ln(1 + x)`, exact near 0.
#[inline(always)]
pub fn ln_1p<F: Format, A: MulAdd<F>>(x: F) -> F {
    let u = F::ONE + x;
    let (k, _) = F::split(u);
    // 1 + f = 2^-k (1 + x), without the rounding of 1 + x. 2^-k may be subnormal where 2^(4-k) is not.
    let scale = F::power_of_two(F::from_f64(4.0) - k + F::ROUND);
    let sixteenth = F::from_f64(0.0625);
    let f = A::mul_add(scale * x, sixteenth, A::mul_add(scale, sixteenth, -F::ONE));
    let y = ln_special(u, x, F::ln_sum::<A>(k, f));
    // Keeps the sign of zero.
    if x == F::ZERO { x } else { y }
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<F: Format, A: MulAdd<F>>(x: F) -> F {
    let two = F::from_f64(2.0);
    let (s, r) = reduce::<F, A>(at_most(two * x.abs(), F::FLAT));
    let power = F::power_of_two(s);
    let e = A::mul_add(F::exp_m1_small::<A>(r), power, power - F::ONE);
    (e / (e + two)).with_sign(x)
}

/// The logistic function `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<F: Format, A: MulAdd<F>>(x: F) -> F {
    // e^-|x| cannot overflow, and neither form cancels.
    let e = exp::<F, A>(-x.abs());
    let above = if x < F::ZERO { e } else { F::ONE };
    above / (F::ONE + e)
}
