//! Single precision: the polynomials of the [elementary functions](super::elementary), and the error function.
//!
//! ```text
//! erf x    = x + x s(x^2) below 1, else 1 - e^(-x q(x))
//! P(N <= -t) = e^(-t^2/2) r h(r)     r = 1 / (1 + 0.35 t)
//! ```
//!
//! The polynomials are minimax fits (Remez's exchange in 30 digits) of the relative error of the whole function on its
//! interval, the coefficients rounded to `f32` one after another from the lowest, each time fitting the rest again.
//!
//! Errors are in ULP, distances between neighboring `f32` at the exact result: at most 1.1 for `exp` and `exp_normal`, 1.5 for `exp_m1` and `ln_1p`,
//! 1.0 for `ln`, 2.5 for `tanh` and `sigmoid`, 1.3 for `erf`, 0.51 for `powf`, in either arithmetic.

use super::elementary::{Format, MulAdd, at_most, exp_in_range, polynomial, reduce};
pub use super::power::powf;

/// The bits of 1, whose exponent stands at bit 23.
const ONE_BITS: u32 = 127 << 23;

impl Format for f32 {
    const ROUND: f32 = 12_582_912.0;
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // 9 bits; exponents have 8.
    const LN2_HI: f32 = 0.693_359_4;
    const LN2_LO: f32 = -2.121_944_4e-4;
    const OVERFLOW: f32 = 89.0;
    const UNDERFLOW: f32 = -104.5;
    const LEAST_NORMAL: f32 = -87.336_54;
    const FLAT: f32 = 18.1;
    const LINEAR: f32 = 1e-9;
    const SCALE: (f32, f32) = (8_388_608.0, 23.0);

    #[inline(always)]
    fn power_of_two(s: f32) -> f32 {
        f32::from_bits((s.to_bits() << 23).wrapping_add(ONE_BITS))
    }

    #[inline(always)]
    fn half_power_of_two(s: f32) -> f32 {
        f32::from_bits((s.to_bits() << 23).wrapping_add(ONE_BITS - (1 << 23)))
    }

    #[inline(always)]
    fn factors(s: f32) -> (f32, f32) {
        // The lowest bits of n/2 are right: those of ROUND / 2 are 0 too.
        let half = s.to_bits() >> 1;
        let rest = s.to_bits().wrapping_sub(half);
        (f32::power_of_two(f32::from_bits(half)), f32::power_of_two(f32::from_bits(rest)))
    }

    #[inline(always)]
    fn split(x: f32) -> (f32, f32) {
        let k = (x.to_bits() as i32).wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
        (k as f32, f32::from_bits(x.to_bits().wrapping_sub((k << 23) as u32)))
    }

    #[inline(always)]
    fn with_sign(self, sign: f32) -> f32 {
        self.copysign(sign)
    }

    #[inline(always)]
    fn exp_small<A: MulAdd<f32>>(r: f32) -> f32 {
        let q = polynomial::<f32, A, _>(r, [0.001_383_671_4, 0.008_369_14, 0.041_668_106, 0.166_665_17, 0.499_999_94]);
        A::mul_add(q, r * r, r) + 1.0
    }

    #[inline(always)]
    fn exp_m1_small<A: MulAdd<f32>>(r: f32) -> f32 {
        let q = polynomial::<f32, A, _>(
            r,
            [0.000_196_617_07, 0.001_393_509_9, 0.008_333_644, 0.041_666_467, 0.166_666_66, 0.5],
        );
        A::mul_add(q, r * r, r)
    }

    #[inline(always)]
    fn ln_sum<A: MulAdd<f32>>(k: f32, f: f32) -> f32 {
        let q = polynomial::<f32, A, _>(
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
        let y = A::mul_add(-0.5, square, A::mul_add(k, Self::LN2_LO, q * (f * square)));
        A::mul_add(k, Self::LN2_HI, y + f)
    }
}

/// The error function `2/sqrt(pi) * integral of e^(-t^2) from 0 to x`.
#[inline(always)]
pub fn erf<A: MulAdd<f32>>(x: f32) -> f32 {
    // Below 1: erf x = x + x s(x^2).
    let z = x * x;
    let s = polynomial::<f32, A, _>(
        z,
        [7.806_904e-5, -0.000_799_785_3, 0.005_187_162, -0.026_853_347, 0.112_835_79, -0.376_126_26, 0.128_379_17],
    );
    let small = A::mul_add(x, s, x);
    // From 1 on: erf x = 1 - e^(-x q(x)), which is 1 from 3.95 on.
    let t = at_most(x.abs(), 3.95);
    let q = polynomial::<f32, A, _>(
        t,
        [-0.000_210_647_06, 0.003_186_976_8, -0.022_798_559, 0.105_116_29, 0.635_831_36, 1.128_480_1],
    );
    let large = (1.0 - exp_in_range::<f32, A>(-t * q)).copysign(x);
    if t < 1.0 { small } else { large }
}

/// The probability that a standard normal number is at most `x`, and its density there: to a relative error of 6e-7, down to
/// where they are no longer normal numbers; 0 below -13.2.
#[inline(always)]
pub fn normal<A: MulAdd<f32>>(x: f32) -> (f32, f32) {
    let t = at_most(x.abs(), 13.2);
    let r = 1.0 / A::mul_add(0.35, t, 1.0);
    let h = polynomial::<f32, A, _>(
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
    let (n, s) = reduce::<f32, A>(-0.5 * square);
    let e = f32::exp_small::<A>(A::mul_add(-0.5, rest, s)) * f32::power_of_two(n);
    let e = if t == 13.2 { 0.0 } else { e };
    let tail = e * (r * h);
    (if x < 0.0 { tail } else { 1.0 - tail }, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::elementary::{exp, exp_m1, exp_normal, ln, ln_1p, sigmoid, tanh};
    use crate::math::ulp::{check, check_levels};
    use crate::number::Fused;

    #[test]
    fn exp_error() {
        check([exp::<f32, f32>, exp::<f32, Fused<f32>>], f64::exp, 1.1, 1.1);
    }

    #[test]
    fn exp_normal_error() {
        let at_most_88: [fn(f32) -> f32; 2] =
            [|x| exp_normal::<f32, f32>(x.min(88.0)), |x| exp_normal::<f32, Fused<f32>>(x.min(88.0))];
        check(at_most_88, |x| if x < f32::LEAST_NORMAL.into() { 0.0 } else { x.min(88.0).exp() }, 1.1, 0.0);
    }

    #[test]
    fn exp_m1_error() {
        check([exp_m1::<f32, f32>, exp_m1::<f32, Fused<f32>>], f64::exp_m1, 1.5, 0.5);
    }

    #[test]
    fn ln_error() {
        check([ln::<f32, f32>, ln::<f32, Fused<f32>>], f64::ln, 1.0, 0.5);
    }

    #[test]
    fn ln_1p_error() {
        check([ln_1p::<f32, f32>, ln_1p::<f32, Fused<f32>>], f64::ln_1p, 1.5, 0.5);
    }

    #[test]
    fn tanh_error() {
        check([tanh::<f32, f32>, tanh::<f32, Fused<f32>>], f64::tanh, 2.5, 0.5);
    }

    #[test]
    fn sigmoid_error() {
        check(
            [sigmoid::<f32, f32>, sigmoid::<f32, Fused<f32>>],
            crate::math::elementary::sigmoid::<f64, f64>,
            2.5,
            2.5,
        );
    }

    #[test]
    fn erf_error() {
        check([erf::<f32>, erf::<Fused<f32>>], crate::math::f64::erf::<f64>, 1.3, 1.3);
    }

    #[test]
    fn normal_error() {
        let dense = (-14_000..=14_000).map(|i| i as f32 / 1000.0 + 1e-4 * (i % 7) as f32);
        for x in dense.chain([-1e30, 1e30, f32::INFINITY, -f32::INFINITY]) {
            let (want, want_density) = crate::math::f64::normal::<f64>(f64::from(x));
            let gots = [normal::<f32>(x), normal::<Fused<f32>>(x)];
            for (got, want) in gots.into_iter().flat_map(|got| [(got.0, want), (got.1, want_density)]) {
                let error = (f64::from(got) - want).abs();
                let subnormal = want.max(got.into()) < f32::MIN_POSITIVE.into();
                assert!(error <= 6e-7 * want || subnormal, "at {x}: {got:e} is not {want:e}");
            }
        }
        for normal in [normal::<f32>, normal::<Fused<f32>>] {
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
        check_levels(Exp {}, exp::<f32, f32>, exp::<f32, Fused<f32>>);
        check_levels(ExpM1 {}, exp_m1::<f32, f32>, exp_m1::<f32, Fused<f32>>);
        check_levels(Ln {}, ln::<f32, f32>, ln::<f32, Fused<f32>>);
        check_levels(Ln1p {}, ln_1p::<f32, f32>, ln_1p::<f32, Fused<f32>>);
        check_levels(Tanh {}, tanh::<f32, f32>, tanh::<f32, Fused<f32>>);
        check_levels(Sigmoid {}, sigmoid::<f32, f32>, sigmoid::<f32, Fused<f32>>);
        check_levels(Erf {}, erf::<f32>, erf::<Fused<f32>>);
        check_levels(
            Normal {},
            |x| normal::<f32>(x).0 * normal::<f32>(x).1,
            |x| normal::<Fused<f32>>(x).0 * normal::<Fused<f32>>(x).1,
        );
    }
}
