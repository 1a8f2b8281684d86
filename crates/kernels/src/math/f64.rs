//! Double precision: the polynomials of the [elementary functions](super::elementary), and the error function.
//!
//! ```text
//! e^r        = 1 + r + r^2/2! + ..                          Taylor's series, for |r| <= ln(2)/2
//! ln(1 + f)  = 2 (s + s^3/3 + s^5/5 + ..)                   s = f / (2 + f)
//! erf x      = 2/sqrt(pi) (x - x^3/3 + x^5/(5 2!) - ..)     below 1, else 1 - 2 P(N <= -x sqrt 2)
//! P(N <= -t) = e^(-t^2/2) r h(2r - 1)                       r = 1 / (1 + 0.3 t)
//! ```
//!
//! `h` is interpolated at Chebyshev's points, in 60 digits. Errors are at most 2 ULP from the standard library's functions, 3 for `sigmoid`, 5 for `tanh`.

use super::elementary::{Format, MulAdd, at_most, polynomial, reduce};

/// The bits of 1, whose exponent stands at bit 52.
const ONE_BITS: u64 = 1023 << 52;

impl Format for f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    // 33 bits; exponents have 11.
    const LN2_HI: f64 = f64::from_bits(std::f64::consts::LN_2.to_bits() & !0xf_ffff);
    const LN2_LO: f64 = (std::f64::consts::LN_2 - Self::LN2_HI) + LN2_REST;
    const OVERFLOW: f64 = 710.0;
    const UNDERFLOW: f64 = -746.0;
    const LEAST_NORMAL: f64 = -708.396;
    const FLAT: f64 = 40.0;
    const LINEAR: f64 = 1e-17;
    const SCALE: (f64, f64) = (18_014_398_509_481_984.0, 54.0);

    #[inline(always)]
    fn power_of_two(s: f64) -> f64 {
        f64::from_bits((s.to_bits() << 52).wrapping_add(ONE_BITS))
    }

    #[inline(always)]
    fn half_power_of_two(s: f64) -> f64 {
        f64::from_bits((s.to_bits() << 52).wrapping_add(ONE_BITS - (1 << 52)))
    }

    #[inline(always)]
    fn factors(s: f64) -> (f64, f64) {
        // The lowest bits of n/2 are right: those of ROUND / 2 are 0 too.
        let half = s.to_bits() >> 1;
        let rest = s.to_bits().wrapping_sub(half);
        (f64::power_of_two(f64::from_bits(half)), f64::power_of_two(f64::from_bits(rest)))
    }

    #[inline(always)]
    fn split(x: f64) -> (f64, f64) {
        let bits = x.to_bits();
        // The exponent with its bias, and what is left when it is taken away.
        let k = bits.wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits()).wrapping_add(ONE_BITS) >> 52;
        let m = f64::from_bits(bits.wrapping_sub((k << 52).wrapping_sub(ONE_BITS)));
        // An integer below 2^52 in the lowest bits of 2^52.
        (f64::from_bits(k | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0), m)
    }

    #[inline(always)]
    fn with_sign(self, sign: f64) -> f64 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn exp_small<A: MulAdd<f64>>(r: f64) -> f64 {
        f64::exp_m1_small::<A>(r) + 1.0
    }

    #[inline(always)]
    fn exp_m1_small<A: MulAdd<f64>>(r: f64) -> f64 {
        // 1/13!, 1/12!, .. 1/2!
        let q = polynomial::<f64, A, _>(
            r,
            [
                1.6059043836821613e-10,
                2.08767569878681e-09,
                2.505210838544172e-08,
                2.755731922398589e-07,
                2.7557319223985893e-06,
                2.48015873015873e-05,
                0.0001984126984126984,
                0.001388888888888889,
                0.008333333333333333,
                0.041666666666666664,
                0.16666666666666666,
                0.5,
            ],
        );
        A::mul_add(q, r * r, r)
    }

    #[inline(always)]
    fn ln_sum<A: MulAdd<f64>>(k: f64, f: f64) -> f64 {
        let s = f / (f + 2.0);
        let z = s * s;
        // 2/21, 2/19, .. 2/3
        let q = polynomial::<f64, A, _>(
            z,
            [
                0.09523809523809523,
                0.10526315789473684,
                0.11764705882352941,
                0.13333333333333333,
                0.15384615384615385,
                0.18181818181818182,
                0.2222222222222222,
                0.2857142857142857,
                0.4,
                0.6666666666666666,
            ],
        );
        // 2 s = f - s f, and s f = f^2/2 - s f^2/2: what is small is added first.
        let half = 0.5 * f * f;
        let rest = A::mul_add(s, A::mul_add(q, z, half), k * Self::LN2_LO);
        A::mul_add(k, Self::LN2_HI, f - (half - rest))
    }
}

/// `ln 2` without its first 53 bits.
const LN2_REST: f64 = 2.3190468138462996e-17;
/// From here on the normal distribution's tail is 0: its density would no longer be a normal number.
const NO_TAIL: f64 = 37.6;

/// `x^p`.
#[inline(always)]
pub fn powf(x: f64, p: f64) -> f64 {
    x.powf(p)
}

/// The probability that a standard normal number is at least `t >= 0`, and `e^(-t^2/2)`.
#[inline(always)]
fn tail<A: MulAdd<f64>>(t: f64) -> (f64, f64) {
    let t = at_most(t, NO_TAIL);
    let r = 1.0 / A::mul_add(0.3, t, 1.0);
    let h = polynomial::<f64, A, _>(
        A::mul_add(2.0, r, -1.0),
        [
            -5.177914887274406e-10,
            3.507623840891272e-09,
            -5.128993128661375e-09,
            -1.4746100512294772e-08,
            5.347904042315949e-08,
            -9.437938447195751e-09,
            -2.2494697164968564e-07,
            3.5304140580304875e-07,
            5.145027900958474e-07,
            -2.2490205013463676e-06,
            2.461307924329137e-07,
            1.0730947975731883e-05,
            -1.1125972549647874e-05,
            -4.9746265486217037e-05,
            9.013998317335168e-05,
            0.0002836369041359246,
            -0.0005756425220582726,
            -0.0024238965470637064,
            0.00181713579577513,
            0.027760365473689094,
            0.08654963741845666,
            0.16457948408616313,
            0.2219706138344328,
        ],
    );
    // e^(-t^2/2) would feel the rounding of t^2: what it loses comes after the reduction.
    let (square, rest) = A::square(t);
    let (s, small) = reduce::<f64, A>(-0.5 * square);
    let e = f64::exp_small::<A>(A::mul_add(-0.5, rest, small)) * f64::power_of_two(s);
    let e = if t == NO_TAIL { 0.0 } else { e };
    (e * (r * h), e)
}

/// The error function `2/sqrt(pi) * integral of e^(-t^2) from 0 to x`.
#[inline(always)]
pub fn erf<A: MulAdd<f64>>(x: f64) -> f64 {
    let z = at_most(x * x, 1.0);
    // The series without the one in its first coefficient.
    let s = polynomial::<f64, A, _>(
        z,
        [
            4.763348040515068e-18,
            -9.063970842808673e-17,
            1.6342614095367152e-15,
            -2.7835162072109215e-14,
            4.4632242632864775e-13,
            -6.7113668551641105e-12,
            9.422759064650411e-11,
            -1.2290555301717928e-09,
            1.4807192815879218e-08,
            -1.6365844691234924e-07,
            1.6462114365889248e-06,
            -1.492565035840625e-05,
            0.00012055332981789664,
            -0.0008548327023450853,
            0.005223977625442188,
            -0.026866170645131252,
            0.11283791670955126,
            -0.37612638903183754,
            0.1283791670955126,
        ],
    );
    let small = A::mul_add(x, s, x);
    let large = (1.0 - 2.0 * tail::<A>(x.abs() * std::f64::consts::SQRT_2).0).copysign(x);
    if x.abs() < 1.0 { small } else { large }
}

/// The probability that a standard normal number is at most `x`, and its density there: to a relative error of 2e-15, down to
/// where they are no longer normal numbers; 0 below -37.6.
#[inline(always)]
pub fn normal<A: MulAdd<f64>>(x: f64) -> (f64, f64) {
    let (tail, e) = tail::<A>(x.abs());
    (if x < 0.0 { tail } else { 1.0 - tail }, e * 0.398_942_280_401_432_7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::elementary::{exp, exp_m1, exp_normal, ln, ln_1p, sigmoid, tanh};
    use crate::number::Fused;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    /// Values of the error function from a computation with 40 digits.
    const ERF: [(f64, f64); 15] = [
        (1e-300, 1.1283791670955126e-300),
        (1e-5, 1.1283791670579e-05),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (0.84, 0.7651427114549945),
        (1.0, 0.8427007929497149),
        (1.5, 0.9661051464753108),
        (1.99, 0.995111413199617),
        (2.0, 0.9953222650189527),
        (2.5, 0.999593047982555),
        (3.0, 0.9999779095030014),
        (3.7, 0.9999998328489421),
        (4.5, 0.9999999998033839),
        (5.5, 0.9999999999999927),
        (5.9, 0.9999999999999999),
    ];

    #[test]
    fn erf_error() {
        check_erf(erf::<f64>);
        check_erf(erf::<Fused<f64>>);
    }

    fn check_erf(erf: fn(f64) -> f64) {
        for (x, y) in ERF {
            assert!((erf(x) / y - 1.0).abs() <= 4e-16, "erf({x}) = {:e} is not {y:e}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert_eq!((erf(0.0).to_bits(), erf(-0.0).to_bits()), (0f64.to_bits(), (-0f64).to_bits()));
        assert_eq!((erf(f64::INFINITY), erf(-f64::INFINITY)), (1.0, -1.0));
        assert!(erf(f64::NAN).is_nan());
    }

    /// Probabilities and densities of the standard normal distribution from a computation with 40 digits.
    const NORMAL: [(f64, f64, f64); 14] = [
        (-37.0, 5.725571222524577e-300, 2.1200065515246056e-298),
        (-30.0, 4.906713927148187e-198, 1.4736461348785476e-196),
        (-20.0, 2.7536241186062337e-89, 5.520948362159764e-88),
        (-8.0, 6.220960574271784e-16, 5.052271083536892e-15),
        (-5.0, 2.866515718791939e-07, 1.4867195147342977e-06),
        (-2.9, 0.001865813300384038, 0.005952532419775854),
        (-2.8, 0.002555130330427933, 0.007915451582979963),
        (-2.0, 0.02275013194817921, 0.05399096651318805),
        (-1.0, 0.15865525393145705, 0.24197072451914334),
        (-0.1, 0.460172162722971, 0.39695254747701175),
        (0.0, 0.5, 0.3989422804014327),
        (0.5, 0.6914624612740131, 0.35206532676429947),
        (3.0, 0.9986501019683699, 0.0044318484119380075),
        (9.0, 1.0, 1.0279773571668915e-18),
    ];

    #[test]
    fn normal_error() {
        check_normal(normal::<f64>);
        check_normal(normal::<Fused<f64>>);
    }

    fn check_normal(normal: fn(f64) -> (f64, f64)) {
        for (x, below, density) in NORMAL {
            let got = normal(x);
            assert!((got.0 / below - 1.0).abs() <= 2e-15, "P(N <= {x}) = {:e} is not {below:e}", got.0);
            assert!((got.1 / density - 1.0).abs() <= 2e-15, "the density at {x} is {density:e}, not {:e}", got.1);
        }
        assert_eq!(
            (normal(-1e300), normal(f64::INFINITY), normal(f64::NAN).0.is_nan()),
            ((0.0, 0.0), (1.0, 0.0), true)
        );
    }

    /// The largest distance from the standard library's result, in ULP.
    fn check(functions: [fn(f64) -> f64; 2], exact: fn(f64) -> f64, bound: f64) {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut numbers: Vec<f64> = (0..400_000).map(|_| f64::from_bits(rng.random())).collect();
        numbers.extend((0..400_000).map(|_| rng.random_range(-750.0..750.0)));
        numbers.extend((0..400_000).map(|_| rng.random_range(-2.0..2.0)));
        numbers.extend([0.0, -0.0, 1.0, -1.0, f64::MIN_POSITIVE, 5e-324, f64::INFINITY, -f64::INFINITY, f64::NAN]);
        for f in functions {
            for &x in &numbers {
                let (got, want) = (f(x), exact(x));
                let same =
                    got == want && (want != 0.0 || got.to_bits() == want.to_bits()) || got.is_nan() && want.is_nan();
                let unit = f64::from_bits(want.abs().to_bits() + 1) - want.abs();
                assert!(same || (got - want).abs() <= bound * unit, "at {x:e}: {got:e} is not {want:e}");
            }
        }
    }

    #[test]
    fn errors() {
        check([exp::<f64, f64>, exp::<f64, Fused<f64>>], f64::exp, 2.0);
        check([exp_m1::<f64, f64>, exp_m1::<f64, Fused<f64>>], f64::exp_m1, 2.0);
        check([ln::<f64, f64>, ln::<f64, Fused<f64>>], f64::ln, 2.0);
        check([ln_1p::<f64, f64>, ln_1p::<f64, Fused<f64>>], f64::ln_1p, 2.0);
        check([tanh::<f64, f64>, tanh::<f64, Fused<f64>>], f64::tanh, 5.0);
        let quotient = |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
        check([sigmoid::<f64, f64>, sigmoid::<f64, Fused<f64>>], quotient, 3.0);
        let normals: [fn(f64) -> f64; 2] =
            [|x| exp_normal::<f64, f64>(x.min(88.0)), |x| exp_normal::<f64, Fused<f64>>(x.min(88.0))];
        check(normals, |x| if x < f64::LEAST_NORMAL { 0.0 } else { x.min(88.0).exp() }, 2.0);
    }

    #[test]
    fn sigmoid_does_not_overflow() {
        assert_eq!(
            (sigmoid::<f64, f64>(-1000.0), sigmoid::<f64, f64>(0.0), sigmoid::<f64, f64>(1000.0)),
            (0.0, 0.5, 1.0)
        );
        assert!((sigmoid::<f64, f64>(-700.0) / (-700f64).exp() - 1.0).abs() < 1e-15);
        assert!(sigmoid::<f64, f64>(f64::NAN).is_nan());
    }
}
