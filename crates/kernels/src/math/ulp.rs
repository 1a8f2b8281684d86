//! What the tests of functions share: errors in ULP over a dense sample, and levels that agree.

/// The distance from `y` to the exact result in ULP; 0 if both are the same infinity, zero or NaN.
fn ulp_error(y: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if exact.is_nan() || y.is_nan() || rounded.is_infinite() || y.is_infinite() {
        // At the border to infinity the neighbor will do.
        let same = (exact.is_nan() && y.is_nan()) || rounded == y;
        return if same { 0.0 } else { ((f64::from(y.abs().min(f32::MAX)) - exact.abs()) / 2f64.powi(104)).abs() };
    }
    if exact == 0.0 {
        assert_eq!(y.to_bits(), rounded.to_bits(), "the sign of zero");
        return 0.0;
    }
    let exponent = (exact.abs().log2().floor() as i32).max(-126);
    (f64::from(y) - exact).abs() / 2f64.powi(exponent - 23)
}

/// The largest error over a sample of all bit patterns and over special values: where the result is normal, and where
/// it is subnormal.
fn largest(f: fn(f32) -> f32, exact: fn(f64) -> f64) -> [(f64, f32); 2] {
    let special =
        [0.0, 1.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::INFINITY, 88.722_84, 88.722_85, 103.97, 103.98, 9.02, 3.95];
    let special = special.into_iter().flat_map(|x| [x, -x]).chain([f32::NAN]);
    let mut worst = [(0.0, 0.0); 2];
    for x in (0..=u32::MAX).step_by(997).map(f32::from_bits).chain(special) {
        let y = exact(f64::from(x));
        let error = ulp_error(f(x), y);
        let worst = &mut worst[usize::from(y.abs() < f64::from(f32::MIN_POSITIVE))];
        assert!(!error.is_nan());
        if error > worst.0 {
            *worst = (error, x);
        }
    }
    worst
}

/// Asserts the largest errors, where the result is normal and where it is subnormal.
#[track_caller]
pub(super) fn check<const N: usize>(functions: [fn(f32) -> f32; N], exact: fn(f64) -> f64, bound: f64, subnormal: f64) {
    for f in functions {
        let [normal, tiny] = largest(f, exact);
        println!("largest error: {:.3} ULP at {:e}, subnormal {:.3} at {:e}", normal.0, normal.1, tiny.0, tiny.1);
        assert!(normal.0 <= bound, "{} ULP at {:e}", normal.0, normal.1);
        assert!(tiny.0 <= subnormal, "{} ULP at {:e}, where the result is subnormal", tiny.0, tiny.1);
    }
}

/// What a vector loop computes is what the function says, bit for bit, `fused` where the level fuses.
pub(super) fn check_levels(f: impl crate::map::Unary + std::fmt::Debug, plain: fn(f32) -> f32, fused: fn(f32) -> f32) {
    let x: Vec<f32> = (0..=u32::MAX).step_by(65_521).map(f32::from_bits).filter(|x| !x.is_nan()).collect();
    for &level in crate::simd::available() {
        let function = if level.is_fused() { fused } else { plain };
        let mut y = vec![0.0; x.len()];
        f.block_f32(level, &x, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            let want = function(x);
            assert!(y.to_bits() == want.to_bits() || (y.is_nan() && want.is_nan()), "{f:?}({x:e}) at {level:?}");
        }
    }
}
