//! Single precision.

/// `e^x`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    x.exp()
}

/// `e^x - 1`.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    x.exp_m1()
}

/// The natural logarithm.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    x.ln()
}

/// `ln(1 + x)`.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    x.ln_1p()
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    x.tanh()
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// The error function.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    super::f64::erf(f64::from(x)) as f32
}
