//! [`Number`]: arithmetic and elementary functions.

use crate::math::elementary;
use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// What a formula may do with a number: `f32`, `f64`, or [`Fused`].
///
/// Arithmetic follows IEEE 754. The transcendental functions are those of [`math`](crate::math), without branches, so that loops over
/// them become vector instructions; powers in `f64`, sines and cosines are the standard library's.
pub trait Number:
    Copy
    + Default
    + Debug
    + Display
    + PartialEq
    + PartialOrd
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

    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// This number as an `f64` (exact).
    fn to_f64(self) -> f64;
    /// The nearest number of this type to an integer.
    fn from_usize(n: usize) -> Self;
    /// `e^self`.
    fn exp(self) -> Self;
    /// `e^self` for `self <= 88`; may be 0 where that is less than the smallest normal number. Takes three quarters of the time of [`exp`](Number::exp).
    fn exp_normal(self) -> Self;
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

/// The numbers of another type.
#[doc(hidden)]
pub trait Like<T>: Number + From<T> + Into<T> {}
impl<T, N: Number + From<T> + Into<T>> Like<T> for N {}

macro_rules! functions {
    ($($name:ident),*) => { $(
        /// The function of `N`.
        #[inline(always)]
        pub(crate) fn $name<T, N: Like<T>>(x: T) -> T {
            N::from(x).$name().into()
        }
    )* };
}
functions!(exp_normal, ln, tanh, sigmoid);

/// A number whose functions multiply and add in one instruction, rounding once. Its own arithmetic is that of the number.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Fused<T>(T);

impl From<f32> for Fused<f32> {
    #[inline(always)]
    fn from(x: f32) -> Self {
        Fused(x)
    }
}

impl From<f64> for Fused<f64> {
    #[inline(always)]
    fn from(x: f64) -> Self {
        Fused(x)
    }
}

impl From<Fused<f32>> for f32 {
    #[inline(always)]
    fn from(x: Fused<f32>) -> Self {
        x.0
    }
}

impl From<Fused<f64>> for f64 {
    #[inline(always)]
    fn from(x: Fused<f64>) -> Self {
        x.0
    }
}

impl<T: Display> Display for Fused<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Sum> Sum for Fused<T> {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        Fused(numbers.map(|x| x.0).sum())
    }
}

impl<T: Neg<Output = T>> Neg for Fused<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Fused(-self.0)
    }
}

macro_rules! operators {
    ($($Op:ident::$op:ident, $OpAssign:ident::$op_assign:ident;)*) => { $(
        impl<T: $Op<Output = T>> $Op for Fused<T> {
            type Output = Self;
            #[inline(always)]
            fn $op(self, other: Self) -> Self {
                Fused(self.0.$op(other.0))
            }
        }
        impl<T: $OpAssign> $OpAssign for Fused<T> {
            #[inline(always)]
            fn $op_assign(&mut self, other: Self) {
                self.0.$op_assign(other.0);
            }
        }
    )* };
}
operators! {
    Add::add, AddAssign::add_assign;
    Sub::sub, SubAssign::sub_assign;
    Mul::mul, MulAssign::mul_assign;
    Div::div, DivAssign::div_assign;
}

/// `$wrap` makes one of `$t`.
macro_rules! number {
    ($Number:ty, $t:ident, $wrap:path) => {
        impl Number for $Number {
            const ZERO: Self = $wrap(0.0);
            const ONE: Self = $wrap(1.0);
            const EPSILON: Self = $wrap($t::EPSILON);
            const MIN_POSITIVE: Self = $wrap($t::MIN_POSITIVE);
            const MAX: Self = $wrap($t::MAX);
            const INFINITY: Self = $wrap($t::INFINITY);
            const NAN: Self = $wrap($t::NAN);

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                $wrap(x as $t)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from($t::from(self))
            }
            #[inline(always)]
            fn from_usize(n: usize) -> Self {
                $wrap(n as $t)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $wrap(elementary::exp::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn exp_normal(self) -> Self {
                $wrap(elementary::exp_normal::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                $wrap(elementary::exp_m1::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $wrap(elementary::ln::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $wrap(elementary::ln_1p::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $wrap($t::sqrt(self.into()))
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $wrap(elementary::tanh::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                $wrap(elementary::sigmoid::<$t, Self>(self.into()))
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $wrap(crate::math::$t::erf::<Self>(self.into()))
            }
            #[inline(always)]
            fn normal(self) -> (Self, Self) {
                let (below, density) = crate::math::$t::normal::<Self>(self.into());
                ($wrap(below), $wrap(density))
            }
            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                $wrap(crate::math::$t::powf(self.into(), exponent.into()))
            }
            #[inline(always)]
            fn powi(self, exponent: i32) -> Self {
                $wrap($t::powi(self.into(), exponent))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $wrap($t::abs(self.into()))
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $wrap($t::sin(self.into()))
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $wrap($t::cos(self.into()))
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $wrap($t::floor(self.into()))
            }
            #[inline(always)]
            fn round_ties_even(self) -> Self {
                $wrap($t::round_ties_even(self.into()))
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
                $wrap($t::mul_add(self.into(), a.into(), b.into()))
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self.into())
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self.into())
            }
        }
    };
}

number!(f32, f32, std::convert::identity);
number!(f64, f64, std::convert::identity);
number!(Fused<f32>, f32, Fused);
number!(Fused<f64>, f64, Fused);
