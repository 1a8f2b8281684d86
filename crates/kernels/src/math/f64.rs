//! Double precision: the standard library's functions, for accuracy rather than speed.

/// `e^x`.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    x.exp()
}

/// `e^x`.
#[inline(always)]
pub fn exp_normal(x: f64) -> f64 {
    x.exp()
}

/// `e^x - 1`.
#[inline(always)]
pub fn exp_m1(x: f64) -> f64 {
    x.exp_m1()
}

/// The natural logarithm.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    x.ln()
}

/// `ln(1 + x)`.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    x.ln_1p()
}

/// `x^p`.
#[inline(always)]
pub fn powf(x: f64, p: f64) -> f64 {
    x.powf(p)
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    x.tanh()
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    // e^-|x| cannot overflow, and neither form cancels.
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// The error function, to a relative error of 4e-16: its Taylor series up to 2, the continued fraction of `erfc` beyond.
///
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.6 and 7.1.14.
pub fn erf(x: f64) -> f64 {
    let t = x.abs();
    if t.is_nan() {
        return x;
    }
    if t >= 6.0 {
        return 1f64.copysign(x);
    }
    if t < 2.0 {
        // erf x = 2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (1 3 5 .. (2n+1)): all terms positive.
        let (mut term, mut sum, mut n) = (t, t, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * t * t / (2.0 * n + 1.0);
            sum += term;
        }
        return (std::f64::consts::FRAC_2_SQRT_PI * (-t * t).exp() * sum).copysign(x);
    }
    (1.0 - (-t * t).exp() * scaled_erfc(t)).copysign(x)
}

/// `e^(t^2) (1 - erf t)` for `t >= 2`.
fn scaled_erfc(t: f64) -> f64 {
    // erfc t = e^(-t^2)/sqrt(pi) / (t + (1/2)/(t + 1/(t + (3/2)/(t + ..)))), from the inside out.
    let fraction = (1..=60).rev().fold(t, |f, k| t + 0.5 * f64::from(k) / f);
    0.5 * std::f64::consts::FRAC_2_SQRT_PI / fraction
}

/// The probability that a standard normal number is at most `x`, and its density there: to a relative error of 1e-13, down to
/// where they are no longer normal numbers.
pub fn normal(x: f64) -> (f64, f64) {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    let e = (-0.5 * x * x).exp();
    let t = x * FRAC_1_SQRT_2;
    // 0.5 + 0.5 erf t cancels where erf t is almost -1.
    let below = if t < -2.0 { e * 0.5 * scaled_erfc(-t) } else { 0.5 + 0.5 * erf(t) };
    (below, e * (FRAC_1_SQRT_2 * FRAC_2_SQRT_PI / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (x, below, density) in NORMAL {
            let got = normal(x);
            assert!((got.0 / below - 1.0).abs() <= 1e-13, "P(N <= {x}) = {:e} is not {below:e}", got.0);
            assert!((got.1 / density - 1.0).abs() <= 1e-13, "the density at {x} is {density:e}, not {:e}", got.1);
        }
        assert_eq!(
            (normal(-1e300), normal(f64::INFINITY), normal(f64::NAN).0.is_nan()),
            ((0.0, 0.0), (1.0, 0.0), true)
        );
    }

    #[test]
    fn sigmoid_does_not_overflow() {
        assert_eq!((sigmoid(-1000.0), sigmoid(0.0), sigmoid(1000.0)), (0.0, 0.5, 1.0));
        assert!((sigmoid(-700.0) / (-700f64).exp() - 1.0).abs() < 1e-15);
        assert!(sigmoid(f64::NAN).is_nan());
    }
}
