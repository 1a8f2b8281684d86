//! [`Real`]: the number types that kernels work on.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A floating-point number that tensors are made of: `f32` or `f64` (the trait is sealed).
///
/// Arithmetic follows IEEE 754. The transcendental functions are those of [`math`](crate::math): vectorizable,
/// branch-free in `f32`, and the standard library's in `f64`.
pub trait Real:
    sealed::Sealed
    + Copy
    + Default
    + Debug
    + Display
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Sum
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + crate::ctc::CtcKernels<Self>
    + crate::map::MapKernels<Self>
    + crate::map::WalkKernels<Self>
    + crate::mask::MaskKernels<Self>
    + crate::moments::MomentKernels<Self>
    + crate::gemm::GemmKernels<Self>
    + crate::attention::AttentionKernels<Self>
    + crate::index::IndexKernels<Self>
    + crate::norm::BatchNormKernels<Self>
    + crate::norm::LayerNormKernels<Self>
    + crate::norm::RmsNormKernels<Self>
    + crate::random::RandomKernels<Self>
    + crate::recurrent::RecurrentKernels<Self>
    + crate::reduce::ReduceKernels<Self>
    + crate::scan::ScanKernels<Self>
    + crate::rows::RowKernels<Self>
    + crate::extremes::ExtremeKernels<Self>
    + crate::softmax::SoftmaxKernels<Self>
    + crate::softmax::columns::ColumnKernels<Self>
    + crate::sort::SortKernels<Self>
    + crate::update::UpdateKernels<Self>
    + crate::update::VectorKernels<Self>
    + crate::view::ViewKernels<Self>
    + crate::place::PartKernels<Self>
    + crate::conv::ConvKernels<Self>
    + crate::pool::PoolKernels<Self>
    + crate::pool::PlaceKernels<Self>
    + crate::pool::AdaptiveKernels<Self>
    + crate::resample::ResampleKernels<Self>
    + crate::norm::GroupNormKernels<Self>
    + crate::relu::ReluKernels<Self>
    + crate::buffer::Pooled
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// The largest finite number.
    const MAX: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// The type's name, as Rust spells it: `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Size of one number in bytes.
    const BYTES: usize;

    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// This number as an `f64` (exact).
    fn to_f64(self) -> f64;
    /// The nearest number of this type to an integer.
    fn from_usize(n: usize) -> Self;
    /// Appends the little-endian bytes of this number.
    fn write_le(self, out: &mut Vec<u8>);
    /// Reads a number from its first [`BYTES`](Real::BYTES) little-endian bytes.
    ///
    /// # Panics
    /// If there are fewer bytes.
    fn read_le(bytes: &[u8]) -> Self;

    /// `e^self`.
    fn exp(self) -> Self;
    /// `e^self - 1`, exact near 0.
    fn exp_m1(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + self)`, exact near 0.
    fn ln_1p(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The logistic function `1 / (1 + e^-self)`.
    fn sigmoid(self) -> Self;
    /// The error function `2/sqrt(pi) * integral of e^(-t^2) from 0 to self`.
    fn erf(self) -> Self;
    /// The probability that a standard normal number is at most `self`, and its density there.
    fn normal(self) -> (Self, Self);
    /// The absolute value.
    fn abs(self) -> Self;
    /// `self` raised to a floating-point power.
    fn powf(self, exponent: Self) -> Self;
    /// `self` raised to an integer power.
    fn powi(self, exponent: i32) -> Self;
    /// The sine of an angle in radians.
    fn sin(self) -> Self;
    /// The cosine of an angle in radians.
    fn cos(self) -> Self;
    /// The largest integer not above `self`.
    fn floor(self) -> Self;
    /// The nearest integer; of two that are equally near, the even one.
    fn round_ties_even(self) -> Self;
    /// The larger of two numbers; NaN if either is NaN, as in PyTorch.
    fn maximum(self, other: Self) -> Self;
    /// The smaller of two numbers; NaN if either is NaN, as in PyTorch.
    fn minimum(self, other: Self) -> Self;
    /// `self * a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Whether this is NaN.
    fn is_nan(self) -> bool;
}

macro_rules! real {
    ($t:ident, $math:path) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const MAX: Self = $t::MAX;
            const INFINITY: Self = $t::INFINITY;
            const NAN: Self = $t::NAN;
            const NAME: &'static str = stringify!($t);
            const BYTES: usize = size_of::<$t>();

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn from_usize(n: usize) -> Self {
                n as $t
            }
            fn write_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read_le(bytes: &[u8]) -> Self {
                $t::from_le_bytes(bytes[..Self::BYTES].try_into().expect("the slice has the length"))
            }
            #[inline(always)]
            fn exp(self) -> Self {
                use $math as math;
                math::exp(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                use $math as math;
                math::exp_m1(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                use $math as math;
                math::ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                use $math as math;
                math::ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                use $math as math;
                math::tanh(self)
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                use $math as math;
                math::sigmoid(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                use $math as math;
                math::erf(self)
            }
            #[inline(always)]
            fn normal(self) -> (Self, Self) {
                use $math as math;
                math::normal(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                use $math as math;
                math::powf(self, exponent)
            }
            #[inline(always)]
            fn powi(self, exponent: i32) -> Self {
                $t::powi(self, exponent)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $t::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $t::cos(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn round_ties_even(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn maximum(self, other: Self) -> Self {
                if (self > other) | (self != self) { self } else { other }
            }
            #[inline(always)]
            fn minimum(self, other: Self) -> Self {
                if (self < other) | (self != self) { self } else { other }
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
        }
    };
}

real!(f32, crate::math::f32);
real!(f64, crate::math::f64);
