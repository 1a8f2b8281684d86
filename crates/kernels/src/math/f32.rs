//! Single precision: exponential and logarithm, and what follows from them, without branches.
//!
//! Every function is straight-line code of additions, multiplications, comparisons that select, and integer operations on
//! the bits of a number. A loop over it becomes vector instructions at every [`Level`](crate::simd::Level). A level that multiplies
//! and adds in one instruction takes the functions of [`Fused`], the others those of `f32`, where `a * b + c` rounds twice. All follow
//! one pattern: the argument is reduced to a small interval, a polynomial does the work there, the result is put together again.
//!
//! ```text
//! exp x    = 2^n e^r                 x = n ln 2 + r,   |r| <= ln(2)/2
//! exp_m1 x = 2^n (e^r - 1) + (2^n - 1)
//! ln x     = k ln 2 + ln(1 + f)      x = 2^k (1 + f),  sqrt(1/2) <= 1 + f < sqrt(2)
//! tanh x   = e / (e + 2)             e = exp_m1 2x
//! sigmoid x = 1 / (1 + e^-x)
//! erf x    = x + x s(x^2) below 1, else 1 - e^(-x q(x))
//! P(N <= -t) = e^(-t^2/2) r h(r)     r = 1 / (1 + 0.35 t)
//! ```
//!
//! The polynomials are minimax fits (Remez's exchange in 30 digits) of the relative error of the whole function on its
//! interval, the coefficients rounded to `f32` one after another from the lowest, each time fitting the rest again.
//!
//! Errors are in ULP: distances between neighboring `f32` at the exact result. The argument reduction is W. Cody and
//! W. Waite's, "Software Manual for the Elementary Functions" (1980).

pub use super::power::powf;
use crate::number::Fused;

/// How a product is added to a number.
pub trait MulAdd {
    /// `a * b + c`
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
    /// The square of a number as the sum of two, the first of which is exact to its last bit.
    fn square(x: f32) -> (f32, f32);
}

/// Rounds the product too.
impl MulAdd for f32 {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    /// 12 bits of a number have an exact square.
    #[inline(always)]
    fn square(x: f32) -> (f32, f32) {
        let high = f32::from_bits(x.to_bits() & 0xffff_f000);
        (high * high, (x - high) * (x + high))
    }
}

/// Rounds once.
impl MulAdd for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    #[inline(always)]
    fn square(x: f32) -> (f32, f32) {
        (x * x, x.mul_add(x, -(x * x)))
    }
}

/// The polynomial with these coefficients, from the highest power to the constant (Horner's scheme).
#[inline(always)]
fn polynomial<A: MulAdd, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut y = coefficients[0];
    for c in &coefficients[1..] {
        y = A::mul_add(y, x, *c);
    }
    y
}

/// `1.5 * 2^23`: adding it to a number below `2^22` rounds to an integer, which then stands in the lowest bits. Nine of
/// these are 0 in the constant itself, so that shifting the sum's bits by 23 leaves nothing but the integer.
const ROUND: f32 = 12_582_912.0;
/// The first 9 bits of `ln 2`, so that a product with an integer of 15 bits is exact.
const LN2_HI: f32 = 0.693_359_4;
/// The rest of `ln 2`.
const LN2_LO: f32 = -2.121_944_4e-4;
/// The logarithm of the smallest normal number, rounded up.
const LEAST_NORMAL: f32 = -87.336_54;
/// The bits of 1, whose exponent stands at bit 23.
const ONE_BITS: i32 = 127 << 23;

/// `x` at most `limit`, NaN if `x` is NaN. (`f32::min` would drop the NaN.)
#[inline(always)]
fn at_most(x: f32, limit: f32) -> f32 {
    if x > limit { limit } else { x }
}

/// `(n, r)` with `x = n ln 2 + r` and `|r| <= ln(2)/2` (but for rounding), for `|x| < 2^15`. Of `n`, only the lowest 9
/// bits count.
#[inline(always)]
fn reduce<A: MulAdd>(x: f32) -> (i32, f32) {
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    (shifted.to_bits() as i32, A::mul_add(-n, LN2_LO, A::mul_add(-n, LN2_HI, x)))
}

/// `2^n` for `-127 < n < 128`, given by its lowest 9 bits.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n << 23).wrapping_add(ONE_BITS) as u32)
}

/// `e^r` for `|r| <= ln(2)/2`.
#[inline(always)]
fn exp_small<A: MulAdd>(r: f32) -> f32 {
    let q = polynomial::<A, _>(r, [0.001_383_671_4, 0.008_369_14, 0.041_668_106, 0.166_665_17, 0.499_999_94]);
    A::mul_add(q, r * r, r) + 1.0
}

/// `e^r - 1` for `|r| <= ln(2)/2`.
#[inline(always)]
fn exp_m1_small<A: MulAdd>(r: f32) -> f32 {
    let q = polynomial::<A, _>(r, [0.000_196_617_07, 0.001_393_509_9, 0.008_333_644, 0.041_666_467, 0.166_666_66, 0.5]);
    A::mul_add(q, r * r, r)
}

/// `e^x`. Error at most 1.1 ULP.
#[inline(always)]
pub fn exp<A: MulAdd>(x: f32) -> f32 {
    // Beyond these the result is infinity and 0.
    let x = at_most(x, 89.0);
    let x = if x < -104.5 { -104.5 } else { x };
    let (n, r) = reduce::<A>(x);
    // 2^n itself may be too large or too small: it comes in two factors. (The 9 lowest bits of n/2 are right: ROUND / 2 has
    // zeros there too.)
    let half = n >> 1;
    exp_small::<A>(r) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `e^x` for `-87 <= x <= 88`, where one factor does.
#[inline(always)]
fn exp_in_range<A: MulAdd>(x: f32) -> f32 {
    let (n, r) = reduce::<A>(x);
    exp_small::<A>(r) * power_of_two(n)
}

/// `e^x` for `x <= 88` where that is a normal number, 0 below. Error at most 1.1 ULP. Takes three quarters of the time of [`exp`].
#[inline(always)]
pub fn exp_normal<A: MulAdd>(x: f32) -> f32 {
    let y = exp_in_range::<A>(x);
    if x < LEAST_NORMAL { 0.0 } else { y }
}

/// `e^x - 1`, exact near 0. Error at most 1.5 ULP.
#[inline(always)]
pub fn exp_m1<A: MulAdd>(x: f32) -> f32 {
    let t = at_most(x, 89.0);
    let t = if t < -18.0 { -18.0 } else { t };
    let (n, r) = reduce::<A>(t);
    // Twice the sum with half of 2^n, which is a number even where 2^n is not.
    let half = power_of_two(n.wrapping_sub(1));
    let y = A::mul_add(exp_m1_small::<A>(r), half, half - 0.5) * 2.0;
    // Keeps the sign of zero, and the bit of a subnormal number that half of it would lose.
    if x.abs() < 1e-9 { x } else { y }
}

/// `(k, m)` with `x = 2^k m` and `sqrt(1/2) <= m < sqrt(2)`, for a normal `x > 0`.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    let k = (x.to_bits() as i32).wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
    (k, f32::from_bits(x.to_bits().wrapping_sub((k << 23) as u32)))
}

/// `k ln 2 + ln(1 + f)`.
#[inline(always)]
fn ln_sum<A: MulAdd>(k: f32, f: f32) -> f32 {
    let q = polynomial::<A, _>(
        f,
        [
            0.070_545_435,
            -0.118_483_09,
            0.118_626_72,
            -0.123_853_99,
            0.142_199_77,
            -0.166_683_12,
            0.200_020_8,
            -0.250_000_27,
            0.333_333_13,
        ],
    );
    let square = f * f;
    // From the smallest term to the largest.
    let y = A::mul_add(-0.5, square, A::mul_add(k, LN2_LO, q * (f * square)));
    A::mul_add(k, LN2_HI, y + f)
}

/// Puts in what a logarithm is at 0 (where `x` is), below, at infinity and at NaN.
#[inline(always)]
fn ln_special(x: f32, argument: f32, y: f32) -> f32 {
    let y = if x > 0.0 { y } else { f32::NAN };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if argument == f32::INFINITY { argument } else { y }
}

/// The natural logarithm. Error at most 1.0 ULP.
#[inline(always)]
pub fn ln<A: MulAdd>(x: f32) -> f32 {
    // Subnormal numbers are made normal.
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let (k, m) = split(scaled);
    let k = k as f32 - if tiny { 23.0 } else { 0.0 };
    ln_special(x, x, ln_sum::<A>(k, m - 1.0))
}

/// `ln(1 + x)`, exact near 0. Error at most 1.5 ULP.
#[inline(always)]
pub fn ln_1p<A: MulAdd>(x: f32) -> f32 {
    let u = 1.0 + x;
    let (k, _) = split(u);
    // 1 + f = 2^-k (1 + x), without the rounding of 1 + x. 2^-k may be subnormal where 2^(4-k) is not.
    let scale = power_of_two(4i32.wrapping_sub(k));
    let f = A::mul_add(scale * x, 0.0625, A::mul_add(scale, 0.0625, -1.0));
    let y = ln_special(u, x, ln_sum::<A>(k as f32, f));
    // Keeps the sign of zero.
    if x == 0.0 { x } else { y }
}

/// The hyperbolic tangent. Error at most 2.5 ULP.
#[inline(always)]
pub fn tanh<A: MulAdd>(x: f32) -> f32 {
    // From 9.02 on it is 1.
    let (n, r) = reduce::<A>(at_most(2.0 * x.abs(), 18.1));
    let power = power_of_two(n);
    let e = A::mul_add(exp_m1_small::<A>(r), power, power - 1.0);
    (e / (e + 2.0)).copysign(x)
}

/// The logistic function `1 / (1 + e^-x)`. Error at most 2.5 ULP.
#[inline(always)]
pub fn sigmoid<A: MulAdd>(x: f32) -> f32 {
    // e^-|x| cannot overflow, and neither form cancels.
    let e = exp::<A>(-x.abs());
    let above = if x < 0.0 { e } else { 1.0 };
    above / (1.0 + e)
}

/// The error function `2/sqrt(pi) * integral of e^(-t^2) from 0 to x`. Error at most 1.3 ULP.
#[inline(always)]
pub fn erf<A: MulAdd>(x: f32) -> f32 {
    // Below 1: erf x = x + x s(x^2).
    let z = x * x;
    let s = polynomial::<A, _>(
        z,
        [7.806_904e-5, -0.000_799_785_3, 0.005_187_162, -0.026_853_347, 0.112_835_79, -0.376_126_26, 0.128_379_17],
    );
    let small = A::mul_add(x, s, x);
    // From 1 on: erf x = 1 - e^(-x q(x)), which is 1 from 3.95 on.
    let t = at_most(x.abs(), 3.95);
    let q = polynomial::<A, _>(
        t,
        [-0.000_210_647_06, 0.003_186_976_8, -0.022_798_559, 0.105_116_29, 0.635_831_36, 1.128_480_1],
    );
    let large = (1.0 - exp_in_range::<A>(-t * q)).copysign(x);
    if t < 1.0 { small } else { large }
}

/// The probability that a standard normal number is at most `x`, and its density there: to a relative error of 6e-7, down to
/// where they are no longer normal numbers; 0 below -13.2.
#[inline(always)]
pub fn normal<A: MulAdd>(x: f32) -> (f32, f32) {
    let t = at_most(x.abs(), 13.2);
    let r = 1.0 / A::mul_add(0.35, t, 1.0);
    let h = polynomial::<A, _>(
        r,
        [
            -0.029_125_964,
            0.143_872_7,
            -0.255_505_47,
            0.158_930_29,
            -0.022_937_782,
            0.105_433_19,
            0.119_852_42,
            0.139_859_1,
            0.139_621_57,
        ],
    );
    // e^(-t^2/2) would feel the rounding of t^2: what it loses comes after the reduction.
    let (square, rest) = A::square(t);
    let (n, s) = reduce::<A>(-0.5 * square);
    let e = exp_small::<A>(A::mul_add(-0.5, rest, s)) * power_of_two(n);
    let e = if t == 13.2 { 0.0 } else { e };
    let tail = e * (r * h);
    (if x < 0.0 { tail } else { 1.0 - tail }, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::ulp::{check, check_levels};

    #[test]
    fn exp_error() {
        check([exp::<f32>, exp::<Fused>], f64::exp, 1.1, 1.1);
    }

    #[test]
    fn exp_normal_error() {
        let at_most_88: [fn(f32) -> f32; 2] =
            [|x| exp_normal::<f32>(x.min(88.0)), |x| exp_normal::<Fused>(x.min(88.0))];
        check(at_most_88, |x| if x < LEAST_NORMAL.into() { 0.0 } else { x.min(88.0).exp() }, 1.1, 0.0);
    }

    #[test]
    fn exp_m1_error() {
        check([exp_m1::<f32>, exp_m1::<Fused>], f64::exp_m1, 1.5, 0.5);
    }

    #[test]
    fn ln_error() {
        check([ln::<f32>, ln::<Fused>], f64::ln, 1.0, 0.5);
    }

    #[test]
    fn ln_1p_error() {
        check([ln_1p::<f32>, ln_1p::<Fused>], f64::ln_1p, 1.5, 0.5);
    }

    #[test]
    fn tanh_error() {
        check([tanh::<f32>, tanh::<Fused>], f64::tanh, 2.5, 0.5);
    }

    #[test]
    fn sigmoid_error() {
        check([sigmoid::<f32>, sigmoid::<Fused>], super::super::f64::sigmoid, 2.5, 2.5);
    }

    #[test]
    fn erf_error() {
        check([erf::<f32>, erf::<Fused>], super::super::f64::erf, 1.3, 1.3);
    }

    #[test]
    fn normal_error() {
        let dense = (-14_000..=14_000).map(|i| i as f32 / 1000.0 + 1e-4 * (i % 7) as f32);
        for x in dense.chain([-1e30, 1e30, f32::INFINITY, -f32::INFINITY]) {
            let (want, want_density) = super::super::f64::normal(f64::from(x));
            let gots = [normal::<f32>(x), normal::<Fused>(x)];
            for (got, want) in gots.into_iter().flat_map(|got| [(got.0, want), (got.1, want_density)]) {
                let error = (f64::from(got) - want).abs();
                let subnormal = want.max(got.into()) < f32::MIN_POSITIVE.into();
                assert!(error <= 6e-7 * want || subnormal, "at {x}: {got:e} is not {want:e}");
            }
        }
        for normal in [normal::<f32>, normal::<Fused>] {
            assert_eq!((normal(0.0).0, normal(-0.0).0, normal(f32::NAN).0.is_nan()), (0.5, 0.5, true));
        }
    }

    crate::unary!(Exp(self, x: T) = x.exp());
    crate::unary!(ExpM1(self, x: T) = x.exp_m1());
    crate::unary!(Ln(self, x: T) = x.ln());
    crate::unary!(Ln1p(self, x: T) = x.ln_1p());
    crate::unary!(Tanh(self, x: T) = x.tanh());
    crate::unary!(Sigmoid(self, x: T) = x.sigmoid());
    crate::unary!(Erf(self, x: T) = x.erf());
    crate::unary!(Normal(self, x: T) = x.normal().0 * x.normal().1);

    #[test]
    fn levels_give_the_bits_of_the_functions() {
        check_levels(Exp {}, exp::<f32>, exp::<Fused>);
        check_levels(ExpM1 {}, exp_m1::<f32>, exp_m1::<Fused>);
        check_levels(Ln {}, ln::<f32>, ln::<Fused>);
        check_levels(Ln1p {}, ln_1p::<f32>, ln_1p::<Fused>);
        check_levels(Tanh {}, tanh::<f32>, tanh::<Fused>);
        check_levels(Sigmoid {}, sigmoid::<f32>, sigmoid::<Fused>);
        check_levels(Erf {}, erf::<f32>, erf::<Fused>);
        check_levels(
            Normal {},
            |x| normal::<f32>(x).0 * normal::<f32>(x).1,
            |x| normal::<Fused>(x).0 * normal::<Fused>(x).1,
        );
    }
}
