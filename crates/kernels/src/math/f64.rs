//! Double precision: the standard library's functions, for accuracy rather than speed.

/// `e^x`.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
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
    // erfc x = e^(-x^2)/sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ..)))), from the inside out.
    let fraction = (1..=60).rev().fold(t, |f, k| t + 0.5 * f64::from(k) / f);
    (1.0 - (-t * t).exp() * 0.5 * std::f64::consts::FRAC_2_SQRT_PI / fraction).copysign(x)
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

    #[test]
    fn sigmoid_does_not_overflow() {
        assert_eq!((sigmoid(-1000.0), sigmoid(0.0), sigmoid(1000.0)), (0.0, 0.5, 1.0));
        assert!((sigmoid(-700.0) / (-700f64).exp() - 1.0).abs() < 1e-15);
        assert!(sigmoid(f64::NAN).is_nan());
    }
}
